"""A custom CRM for tests: a real HTTP server that keeps what it is sent and answers as it is told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass
class Call:
    """One request to the webhook: its JSON, headers, and the status it was answered with (0: never)."""

    body: dict[str, Any]
    headers: dict[str, str]
    status: int = 0

    @property
    def event(self) -> str:
        """``data.eventType``."""
        kind: str = self.body["data"]["eventType"]
        return kind

    @property
    def conversation(self) -> str:
        """``data.platformConversationId``."""
        ref: str = self.body["data"]["platformConversationId"]
        return ref


@dataclass
class StageCrm:
    """``answers`` maps an event type to a status, a list of statuses used up one by one, or a coroutine function."""

    port: int = 0
    calls: list[Call] = field(default_factory=list)
    answers: dict[str, Any] = field(default_factory=dict)
    replies: dict[str, Any] = field(default_factory=dict)
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def url(self) -> str:
        """The webhook's address."""
        return f"http://127.0.0.1:{self.port}/webhook"

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls, port: int = 0) -> AsyncIterator[StageCrm]:
        """Serve while the block runs."""
        crm = cls()
        application = web.Application()
        application.router.add_post("/webhook", crm._webhook)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        crm.port = runner.addresses[0][1]
        try:
            yield crm
        finally:
            await runner.cleanup()

    async def _webhook(self, request: web.Request) -> web.Response:
        call = Call(await request.json(), {name.lower(): value for name, value in request.headers.items()})
        answer = self.answers.get(call.event, 200)
        if isinstance(answer, list):
            answer = answer.pop(0) if answer else 200
        if callable(answer):
            answer = await answer(call)
        call.status = answer
        async with self.arrived:
            self.calls.append(call)
            self.arrived.notify_all()
        return web.json_response(self.replies.get(call.event, {}), status=answer)

    def of(self, conversation: str, event: str | None = None, *, accepted: bool = False) -> list[Call]:
        """The calls about a conversation, in the order they arrived."""
        return [
            call
            for call in self.calls
            if call.conversation == conversation
            and (event is None or call.event == event)
            and (not accepted or call.status < 300)
        ]

    async def until(self, conversation: str, event: str, count: int = 1, *, within: float = 15.0) -> list[Call]:
        """Wait for ``count`` accepted calls of that event."""
        async with asyncio.timeout(within), self.arrived:
            await self.arrived.wait_for(lambda: len(self.of(conversation, event, accepted=True)) >= count)
        return self.of(conversation, event, accepted=True)
