"""A caller of Salesforce Enhanced Chat: tokens, the way to a waiting conversation, and a reader of the event stream."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from tests.simulators.receiver import Stranger, stranger

from warmline.simulators.salesforce import SalesforceSimulator
from warmline.simulators.script import Script

API = "/iamessage/api/v2"
FREE = Script(rate=None)
"""No rate limit: for tests that are about something else."""


@dataclass
class Visitor:
    """Somebody with a token, and what his stream told so far: pairs of event name and data."""

    vendor: SalesforceSimulator
    me: Stranger
    last_id: str
    conversation: str = ""
    told: list[tuple[str, Any]] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)
    pings: int = 0
    raw: list[str] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Status and decoded body of a call below the API."""
        return await self.me.ask(method, API + path, body)

    @property
    def path(self) -> str:
        return f"/conversation/{self.conversation}"

    async def begin(self, **attributes: str) -> str:
        """A conversation of his; its id."""
        self.conversation = str(uuid.uuid4())
        body = {
            "conversationId": self.conversation,
            "esDeveloperName": self.vendor.developer_name,
            "routingAttributes": attributes,
        }
        status, answer = await self.ask("POST", "/conversation", body)
        assert status == 201, answer
        return self.conversation

    async def say(self, text: str, message_id: str = "", **more: Any) -> tuple[int, Any]:
        return await self.ask("POST", f"{self.path}/message", line(self.vendor, text, message_id, **more))

    @contextlib.asynccontextmanager
    async def listening(self, **headers: str) -> AsyncIterator[asyncio.Task[None]]:
        """Read the stream meanwhile; the task ends when the stream does."""
        sent = {
            "Authorization": self.me.token,
            "Accept": "text/event-stream",
            "X-Org-Id": self.vendor.org.id,
            "Last-Event-Id": self.last_id,
            **headers,
        }
        patience = aiohttp.ClientTimeout(total=None)
        async with self.me.session.get(f"{self.me.base}/eventrouter/v1/sse", headers=sent, timeout=patience) as answer:
            assert answer.status == 200
            assert answer.content_type == "text/event-stream"
            reader = asyncio.create_task(self._read(answer))
            try:
                yield reader
            finally:
                reader.cancel()
                await asyncio.gather(reader, return_exceptions=True)

    async def _read(self, answer: aiohttp.ClientResponse) -> None:
        event: dict[str, str] = {}
        async for raw in answer.content:
            name, _, value = raw.decode().rstrip("\n").partition(":")
            if name in {"id", "event", "data"}:
                event[name] = value.strip()
            elif name:
                self.raw.append(raw.decode().strip())
            elif event:
                self._take(event)
                event = {}
            self._news.set()

    def _take(self, event: dict[str, str]) -> None:
        if event["event"] == "ping":
            self.pings += 1
            return
        self.last_id = event["id"]
        self.ids.append(int(event["id"]))
        self.told.append((event["event"], json.loads(event["data"])))

    async def until(self, look: Callable[[Visitor], object]) -> None:
        async with asyncio.timeout(10):
            while not look(self):
                self._news.clear()
                await self._news.wait()

    def payloads(self, name: str) -> list[Any]:
        """What events called ``name`` said."""
        return [json.loads(data["conversationEntry"]["entryPayload"]) for told, data in self.told if told == name]

    async def hear(self, name: str, count: int = 1) -> list[Any]:
        """Wait for ``count`` events called ``name``; what they said."""
        await self.until(lambda self: len(self.payloads(name)) >= count)
        return self.payloads(name)

    @property
    def names(self) -> list[str]:
        return [name.removeprefix("CONVERSATION_") for name, _data in self.told]


def line(vendor: SalesforceSimulator, text: str, message_id: str = "", **more: Any) -> dict[str, Any]:
    """The body of a message."""
    return {
        "message": {
            "id": message_id or str(uuid.uuid4()),
            "messageType": "StaticContentMessage",
            "staticContent": {"formatType": "Text", "text": text},
        },
        "esDeveloperName": vendor.developer_name,
        "isNewMessagingSession": False,
        **more,
    }


def token_request(vendor: SalesforceSimulator, **more: Any) -> dict[str, Any]:
    return {
        "orgId": vendor.org.id,
        "esDeveloperName": vendor.developer_name,
        "capabilitiesVersion": "1",
        "platform": "Web",
        "context": {"appName": "test", "clientVersion": "1"},
        **more,
    }


@contextlib.asynccontextmanager
async def visiting(vendor: SalesforceSimulator) -> AsyncIterator[Visitor]:
    """Somebody new, with a token."""
    async with stranger(vendor.url, "") as me:
        path = f"{API}/authorization/unauthenticated/access-token"
        made = await me.good("POST", path, token_request(vendor))
        me.token = f"Bearer {made['accessToken']}"
        yield Visitor(vendor, me, made["lastEventId"])


@contextlib.asynccontextmanager
async def meeting(**options: Any) -> AsyncIterator[tuple[SalesforceSimulator, Visitor]]:
    """A simulator, and somebody who listens to it already."""
    options.setdefault("script", FREE)
    async with (
        SalesforceSimulator.running(**options) as vendor,
        visiting(vendor) as one,
        one.listening(),
    ):
        yield vendor, one
