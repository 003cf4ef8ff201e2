"""How a caller of Oracle's chat begins one, and what it hears of it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

from tests.simulators.receiver import Stranger, stranger

from warmline.simulators.oracle import OracleSimulator
from warmline.simulators.oracle.state import Engagement

ESTABLISH = "/services/rest/crossChannelServices/latest/establishSessions"
CONTEXT = "OSvC-CREST-Application-Context"


def basic(vendor: OracleSimulator) -> str:
    return "Basic " + base64.b64encode(f"{vendor.user}:{vendor.password}".encode()).decode()


class Caller:
    """One visitor's chat, seen from outside; ``chat`` names an operation."""

    def __init__(self, me: Stranger) -> None:
        self.me = me
        self.prefix = ""
        self.pool = ""
        self.token = ""
        self.session = ""

    async def establish(self, **information: Any) -> dict[str, Any]:
        """The answer to a question for a channel token, with its inner JSON decoded."""
        body = {"sessionInformation": json.dumps(information)}
        status, answer = await self.me.ask("POST", ESTABLISH, body, **{CONTEXT: "Warmline"})
        assert status == 200, answer
        server = json.loads(answer["sessionServerResponse"])
        self.prefix = f"/engagement/api/consumer/{answer['siteName']}/v1/"
        self.pool, self.token = server["pool"], answer["channelToken"]
        return {**answer, "server": server}

    async def begin(self, **information: Any) -> dict[str, Any]:
        """An engagement."""
        await self.establish(**information)
        answer = await self.good("requestEngagement", {})
        self.session = answer["sessionId"]
        return answer

    async def chat(self, operation: str, body: object, **headers: str) -> tuple[int, Any]:
        who = {"Authorization": f"Bearer {self.token}"} | ({"SessionId": self.session} if self.session else {})
        return await self.me.ask("POST", f"{self.prefix}{operation}?pool={self.pool}", body, **{**who, **headers})

    async def good(self, operation: str, body: object) -> Any:
        status, answer = await self.chat(operation, body)
        assert status == 200, (status, answer)
        return answer

    async def news(self) -> list[dict[str, Any]]:
        """The messages of one poll."""
        answer = await self.good("getMessages", {})
        assert answer["errorMessages"] == []
        return answer["systemMessages"]

    async def names(self) -> list[str]:
        """What the messages of one poll are called, without what all names have."""
        return [one["messageName"].removeprefix("RNEngagement").removesuffix("Message") for one in await self.news()]

    async def until(self, name: str) -> dict[str, Any]:
        """The first message called ``name``; what comes before it is passed over."""
        async with asyncio.timeout(10):
            while True:
                for one in await self.news():
                    if one["messageName"] == f"RNEngagement{name}Message":
                        return one


@contextlib.asynccontextmanager
async def meeting(**options: Any) -> AsyncIterator[tuple[OracleSimulator, Caller]]:
    """A simulator, and a caller with its user and password."""
    async with OracleSimulator.running(**options) as vendor, stranger(vendor.url, basic(vendor)) as me:
        yield vendor, Caller(me)


@contextlib.asynccontextmanager
async def chatting(**options: Any) -> AsyncIterator[tuple[OracleSimulator, Caller, Engagement]]:
    """A chat that an agent has taken and greeted, of which everything was heard so far."""
    async with meeting(**options) as (vendor, caller):
        await caller.begin(emailAddress="kim@example.com")
        engagement = await vendor.waiting()
        await vendor.agent_joins(engagement.id)
        await caller.until("ParticipantAdded")
        yield vendor, caller, engagement
