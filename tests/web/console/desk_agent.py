"""An agent with a browser's manners: signs in through the form, sends the page's token, reads the page's event stream."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import msgspec
from tests.support.node import Stage

from warmline.accounts.access import SYSTEM
from warmline.accounts.model import Role
from warmline.conversations.widgets import LadderStep
from warmline.kernel.clock import SystemClock
from warmline.kernel.ids import uuid7
from warmline.web.console.form_tokens import new_token

PASSWORD = "a long enough password"
_CSRF = re.compile(r'name="csrf" value="([^"]+)"')


@dataclass
class Reply:
    """An answer: status, text, and where it sends the browser."""

    status: int
    text: str
    location: str
    headers: Any


@dataclass
class Agent:
    """Somebody signed in at the console of a stage."""

    stage: Stage
    http: aiohttp.ClientSession
    name: str
    id: str = ""
    email: str = ""
    csrf: str = ""

    async def get(self, path: str, **headers: str) -> Reply:
        """A page, redirects not followed."""
        async with self.http.get(self.stage.base + path, headers=headers, allow_redirects=False) as answer:
            return Reply(answer.status, await answer.text(), answer.headers.get("location", ""), answer.headers)

    async def post(self, path: str, fields: dict[str, str] | None = None, **headers: str) -> Reply:
        """Submit a form with the session's token, as the page would."""
        body = {"csrf": self.csrf, "once": fresh_token()} | (fields or {})
        sent = {"origin": self.stage.base} | headers
        url = self.stage.base + path
        async with self.http.post(url, data=body, headers=sent, allow_redirects=False) as answer:
            return Reply(answer.status, await answer.text(), answer.headers.get("location", ""), answer.headers)

    async def flash(self, reply: Reply) -> str:
        """The text of the page that a redirect leads to."""
        assert reply.status == 303, (reply.status, reply.text)
        return (await self.get(reply.location)).text

    async def say(self, conversation: str, text: str, client_id: str = "") -> dict[str, Any]:
        """Answer the visitor as the page's script does."""
        reply = await self.post(
            f"/console/desk/{conversation}/say",
            {"text": text, "client_id": client_id or uuid7()},
            accept="application/json",
        )
        answer: dict[str, Any] = json.loads(reply.text)
        return answer

    @contextlib.asynccontextmanager
    async def watching(self, query: str, last_event_id: str = "") -> AsyncIterator[Watch]:
        """The page's event stream, open while the block runs."""
        headers = {"last-event-id": last_event_id} if last_event_id else {}
        timeout = aiohttp.ClientTimeout(total=None)
        url = f"{self.stage.base}/console/stream?{query}"
        async with self.http.get(url, headers=headers, timeout=timeout, allow_redirects=False) as answer:
            assert answer.status == 200, (answer.status, await answer.text())
            watch = Watch()
            reading = asyncio.create_task(watch.read(answer.content))
            try:
                yield watch
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)


@dataclass
class Watch:
    """What a stream has told so far; ``id`` is the last event id, as a browser keeps it."""

    frames: list[dict[str, Any]] = field(default_factory=list)
    id: str = ""
    over: bool = False
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self, content: aiohttp.StreamReader) -> None:
        """Take lines until the server ends the stream."""
        try:
            async for line in content:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name == "id":
                    self.id = value
                elif name == "data":
                    self.frames.append(json.loads(value))
                self._news.set()
        finally:
            self.over = True
            self._news.set()

    async def until(self, found: Callable[[Watch], Any], within: float = 15.0) -> Any:
        """Wait until ``found(watch)`` is true; what it answered."""
        async with asyncio.timeout(within):
            while not (answer := found(self)):
                self._news.clear()
                await self._news.wait()
            return answer

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The frames of one kind."""
        return [frame for frame in self.frames if frame.get("frame") == kind]

    @property
    def html(self) -> str:
        """The rows of the conversation, in the order in which they came."""
        events = [event for frame in self.of("sync") for event in frame["events"]]
        events += [frame["event"] for frame in self.of("event")]
        return "\n".join(event.get("html", "") for event in events)

    @property
    def seqs(self) -> list[int]:
        """Every seq that was covered, skipped ranges written out."""
        events = [event for frame in self.of("sync") for event in frame["events"]]
        events += [frame["event"] for frame in self.of("event")]
        return [seq for event in events for seq in range(event["seq"], event.get("to", event["seq"]) + 1)]


@contextlib.asynccontextmanager
async def signed_in(stage: Stage, name: str = "Mina Okafor", role: Role = Role.AGENT) -> AsyncIterator[Agent]:
    """A new member with that role, signed in through the form."""
    email = f"{name.split(maxsplit=1)[0].lower()}-{uuid7()}@desk.example"
    member = await stage.node.accounts.create_member(SYSTEM, email, name, role, PASSWORD)
    jar = aiohttp.CookieJar(unsafe=True)  # the address is an IP
    async with aiohttp.ClientSession(cookie_jar=jar) as http:
        agent = Agent(stage, http, name, member.id, email)
        door = await agent.get("/console/sign-in")
        agent.csrf = _csrf(door.text)
        opened = await agent.post("/console/sign-in", {"email": email, "password": PASSWORD})
        assert opened.status == 303, opened.text
        agent.csrf = _csrf((await agent.get("/console/account")).text)
        yield agent


def fresh_token() -> str:
    """What a page that was just drawn carries in a form that makes something."""
    return new_token(SystemClock().now())


def _csrf(html: str) -> str:
    found = _CSRF.search(html)
    assert found, html
    return found[1]


async def only_our_desk(stage: Stage) -> None:
    """Let the widget's ladder lead to our own desk alone."""
    widget = await stage.node.widgets.read(stage.widget_id)
    await stage.node.widgets.update(
        msgspec.structs.replace(widget, ladder=(LadderStep(connection_id=stage.desk_id, text="One moment."),))
    )


async def waiting(stage: Stage, *words: str) -> str:
    """A visitor who says these words, asks for a person, and is in our queue."""
    conversation = await stage.visit()
    for text in words:
        await stage.say(conversation, text)
    await stage.node.conversations.request_handover(
        conversation, reason="requested_by_visitor", by="visitor", actor="visitor:stage"
    )
    await stage.until_stage(conversation, "queued")
    return conversation


async def indexed(stage: Stage, conversation: str, within: float = 15.0) -> None:
    """Wait until the lists show the conversation as the journal has it; their consumer follows by itself."""
    listing = stage.node.desk.services.listing
    _state, seq = await stage.node.conversations.snapshot(conversation)
    never = asyncio.Event()
    async with asyncio.timeout(within):
        while True:
            found = await listing.find(conversation)
            if found is not None and found.seq >= seq:
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(never.wait(), 0.05)
