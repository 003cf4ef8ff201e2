"""A webhook receiver, and a stranger's client: both know nothing of the simulator but its address."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web


@dataclass
class Received:
    """One delivery, with the headers it came with."""

    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """Answers with the next of ``statuses``, then with 200."""

    url: str = ""
    received: list[Received] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.Response:
        self.received.append(Received(dict(request.headers), await request.read()))
        self._news.set()
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)

    @property
    def names(self) -> list[str]:
        return [one.json["event_fqn"] for one in self.received]

    async def until(self, look: Callable[[Receiver], bool]) -> None:
        async with asyncio.timeout(10):
            while not look(self):
                self._news.clear()
                await self._news.wait()

    async def of(self, name: str, count: int = 1) -> list[Any]:
        """The bodies of ``count`` events called ``name``."""
        await self.until(lambda self: self.names.count(name) >= count)
        return [one.json for one in self.received if one.json["event_fqn"] == name]


@contextlib.asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    application = web.Application()
    application.router.add_post("/hook", receiver.take)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield receiver
    finally:
        await runner.cleanup()


@dataclass
class Stranger:
    """Calls an API with JSON."""

    session: aiohttp.ClientSession
    base: str
    token: str

    async def ask(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        """Status and decoded body (None without one)."""
        sent = {"Authorization": self.token, **headers}
        async with self.session.request(method, self.base + path, json=body, headers=sent) as answer:
            raw = await answer.read()
            return answer.status, json.loads(raw) if raw else None

    async def good(self, method: str, path: str, body: object = None) -> Any:
        """The decoded body of an answer that must be good."""
        status, answer = await self.ask(method, path, body)
        assert status < 300, (status, answer)
        return answer


@contextlib.asynccontextmanager
async def stranger(base: str, token: str) -> AsyncIterator[Stranger]:
    async with aiohttp.ClientSession() as session:
        yield Stranger(session, base, token)
