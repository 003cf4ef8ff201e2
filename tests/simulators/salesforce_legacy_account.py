"""How a caller of Live Agent begins a chat, and what it hears of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

from warmline.simulators.salesforce_legacy import SalesforceLegacySimulator
from warmline.simulators.salesforce_legacy.state import Chat

REST = "/chat/rest/"


class Caller:
    """One visitor's session, seen from outside.  ``number`` is that of the newest POST, ``ack`` that of the newest batch."""

    def __init__(self, http: aiohttp.ClientSession, vendor: SalesforceLegacySimulator) -> None:
        self.http = http
        self.vendor = vendor
        self.version = "47"
        self.id = ""
        self.key = ""
        self.affinity = "null"
        self.number = 0
        self.ack = -1
        self.offset = 0
        self.rest: list[dict[str, Any]] = []

    async def call(
        self, method: str, path: str, body: object = None, *, number: int | None = None, **headers: str | None
    ) -> tuple[int, Any]:
        """Status, and the JSON or the text of the answer; a header of None is left out."""
        mine: dict[str, str | None] = {
            "API-VERSION": self.version,
            "AFFINITY": self.affinity,
            "SESSION-KEY": self.key or None,
            "SEQUENCE": None if number is None else str(number),
            **{name.upper().replace("_", "-"): value for name, value in headers.items()},
        }
        sent = {f"X-LIVEAGENT-{name}": value for name, value in mine.items() if value is not None}
        async with self.http.request(method, self.vendor.url + path, json=body, headers=sent) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if answer.content_type == "application/json" else text

    async def post(self, noun: str, body: object, **headers: str | None) -> tuple[int, Any]:
        """A POST under the next number, which counts when it was taken."""
        path = noun if "/" in noun else f"Chasitor/{noun}"
        status, text = await self.call("POST", REST + path, body, number=self.number + 1, **headers)
        self.number += status < 300
        return status, text

    async def good(self, noun: str, body: object) -> None:
        """A POST that must be taken."""
        assert await self.post(noun, body) == (200, "OK")

    async def meet(self) -> dict[str, Any]:
        """A session."""
        status, given = await self.call("GET", f"{REST}System/SessionId")
        assert status == 200, given
        self.id, self.key, self.affinity = given["id"], given["key"], given["affinityToken"]
        self.number, self.ack, self.rest = 0, -1, []
        return dict(given)

    def request(self, **fields: Any) -> dict[str, Any]:
        """A whole ``ChasitorInit``."""
        org = self.vendor.org
        return {
            "organizationId": org.id,
            "deploymentId": org.deployment_id,
            "buttonId": org.buttons[0].id,
            "sessionId": self.id,
            "userAgent": "Firefox",
            "language": "en-US",
            "screenResolution": "1920x1080",
            "visitorName": "Kim",
            "prechatDetails": [],
            "prechatEntities": [],
            "receiveQueueUpdates": True,
            "isPost": True,
            **fields,
        }

    async def begin(self, **fields: Any) -> dict[str, Any]:
        """A session whose chat was asked for; what ``ChatRequestSuccess`` says."""
        await self.meet()
        await self.good("ChasitorInit", self.request(**fields))
        return await self.until("ChatRequestSuccess")

    async def poll(self) -> tuple[int, Any]:
        """One poll."""
        return await self.call("GET", f"{REST}System/Messages?ack={self.ack}")

    async def news(self) -> list[dict[str, Any]]:
        """What ``until`` left of a poll, else the messages of the next one, which the one after it acknowledges."""
        if self.rest:
            rest, self.rest = self.rest, []
            return rest
        status, body = await self.poll()
        if status == 204:
            return []
        assert status == 200, (status, body)
        self.ack, self.offset = body["sequence"], body["offset"]
        return list(body["messages"])

    async def types(self) -> list[str]:
        """The types of the messages of one poll."""
        return [one["type"] for one in await self.news()]

    async def until(self, kind: str) -> dict[str, Any]:
        """The first message of ``kind``; what comes before it is passed over."""
        async with asyncio.timeout(10):
            while True:
                heard = await self.news()
                for place, one in enumerate(heard, 1):
                    if one["type"] == kind:
                        self.rest = heard[place:]
                        return dict(one["message"])


@contextlib.asynccontextmanager
async def meeting(**options: Any) -> AsyncIterator[tuple[SalesforceLegacySimulator, Caller]]:
    """A simulator, and a caller who has not asked for anything yet."""
    async with (
        SalesforceLegacySimulator.running(**options) as vendor,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as http,
    ):
        yield vendor, Caller(http, vendor)


@contextlib.asynccontextmanager
async def chatting(**options: Any) -> AsyncIterator[tuple[SalesforceLegacySimulator, Caller, Chat]]:
    """A chat that an agent has accepted, of which everything was heard so far."""
    async with meeting(**options) as (vendor, caller):
        await caller.begin()
        chat = await vendor.waiting()
        await vendor.agent_joins(chat.id)
        await caller.until("ChatEstablished")
        yield vendor, caller, chat
