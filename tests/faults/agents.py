"""A custom CRM with manners: it deduplicates by webhook id, repeats what was not answered, and is sometimes unwell."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web
from tests.faults.ledger import Ledger

from warmline.kernel.ids import uuid7

AGAIN_S = 0.05
GOODBYE = "thank you, goodbye"
IGNORED = "nobody will come"


@dataclass
class Crm:
    """Its agents answer every message with ``re: <text>``; a conversation that says GOODBYE is ended by the agent.

    ``bases`` are the servers it reports to.  ``unwell`` is the share of calls that it answers with 503, or accepts
    without its answer arriving, and of its own reports that it sends twice.
    """

    ledger: Ledger
    chance: random.Random
    bases: list[str] = field(default_factory=list)
    key: str = ""
    bot_id: str = ""
    unwell: float = 0.06
    port: int = 0
    calls: int = 0
    log: dict[str, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))
    ended: set[str] = field(default_factory=set)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    _seen: set[str] = field(default_factory=set)
    _inboxes: dict[str, asyncio.Queue[str]] = field(default_factory=dict)
    _agents: list[asyncio.Task[None]] = field(default_factory=list)
    _ignore: set[str] = field(default_factory=set)
    _http: aiohttp.ClientSession | None = None

    @property
    def url(self) -> str:
        """The webhook's address."""
        return f"http://127.0.0.1:{self.port}/webhook"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve while the block runs."""
        application = web.Application()
        application.router.add_post("/webhook", self._webhook)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.port = runner.addresses[0][1]
        async with aiohttp.ClientSession() as self._http:
            try:
                yield
            finally:
                for agent in self._agents:
                    agent.cancel()
                await asyncio.gather(*self._agents, return_exceptions=True)
                await runner.cleanup()

    def failures(self) -> list[BaseException]:
        """What ended an agent before the time."""
        done = [agent for agent in self._agents if agent.done() and not agent.cancelled()]
        return [error for agent in done if (error := agent.exception()) is not None]

    async def until_ended(self, conversations: set[str]) -> None:
        """Wait until it was told the end of all of them."""
        async with self.changed:
            await self.changed.wait_for(lambda: conversations <= self.ended)

    # -- being called ----------------------------------------------------------------------------------------------

    async def _webhook(self, request: web.Request) -> web.Response:
        self.calls += 1
        if self.chance.random() < self.unwell:
            return web.Response(status=503)
        data = (await request.json())["data"]
        webhook_id = request.headers["webhook-id"]
        conversation, event = data["platformConversationId"], data["eventType"]
        if webhook_id not in self._seen:
            self._seen.add(webhook_id)
            self.log[conversation].append((event, data.get("text", "")))
            self._take(conversation, event, data.get("text", ""))
        if self.chance.random() < self.unwell and request.transport is not None:
            request.transport.close()  # taken, but the caller never learns of it
            return web.Response(status=200)
        self.ledger.delivered[conversation].append((webhook_id, event, data.get("text", "")))
        await self.ledger.accepted()
        async with self.changed:
            self.changed.notify_all()
        return web.Response(status=200)

    def _take(self, conversation: str, event: str, text: str) -> None:
        if event == "widgetEscalate":
            self._inboxes[conversation] = asyncio.Queue()
            self._agents.append(asyncio.create_task(self._serve(conversation)))
        elif event == "widgetEndSession":
            self.ended.add(conversation)
        elif conversation in self._inboxes:
            self._inboxes[conversation].put_nowait(text)

    # -- the agents ------------------------------------------------------------------------------------------------

    def ignore(self, conversation: str) -> None:
        """Nobody will ever join this conversation."""
        self._ignore.add(conversation)

    async def _serve(self, conversation: str) -> None:
        if conversation in self._ignore:
            return
        if self.chance.random() < 0.5:
            position = str(self.chance.randint(1, 9))
            await self._report(conversation, "escalationQueueUpdate", queuePosition=position, waitingTime="2")
        await self._report(conversation, "escalationSuccess", agent="Noor")
        while True:
            text = await self._inboxes[conversation].get()
            answer = f"re: {text}"
            message_id = uuid7()
            if await self._report(conversation, "message", text=answer, messageId=message_id):
                self.ledger.said[conversation].append(answer)
            if self.chance.random() < self.unwell:  # as if the answer had not arrived
                await self._report(conversation, "message", text=answer, messageId=message_id)
            if text == GOODBYE:
                await self._report(conversation, "agentDisconnect")
                self.ended.add(conversation)
                async with self.changed:
                    self.changed.notify_all()
                return

    async def _report(self, conversation: str, event: str, **fields: Any) -> bool:
        """Report until there is a definite answer; whether it was accepted."""
        assert self._http is not None
        body = {"eventType": event, "platformConversationId": conversation, **fields}
        headers = {"Authorization": self.key, "botid": self.bot_id}
        tried = 0
        while True:
            tried += 1
            url = f"{self.chance.choice(self.bases)}/agent/converse/send-message-to-widget"
            try:
                async with self._http.post(url, json=body, headers=headers) as reply:
                    answer = await reply.json()
                    if reply.status == 200:
                        await self.ledger.accepted()
                        return True
                    if await self._definite(conversation, event, reply.status, answer, tried):
                        return False
            except (aiohttp.ClientError, ConnectionError):
                pass
            await asyncio.sleep(AGAIN_S)

    async def _definite(self, conversation: str, event: str, status: int, answer: dict[str, Any], tried: int) -> bool:
        code = answer.get("code")
        if status == 503 or (status == 409 and code == "not_offered"):
            return False  # our own answer to the offer is still on its way to the journal
        gone = status == 409 and code == "stale_owner"
        if gone and (conversation in self.ended or (event == "agentDisconnect" and tried > 1)):
            return True  # the visitor has left, or an earlier try had arrived
        self.ledger.unexpected.append((conversation, event, status, answer))
        return True
