"""Where a desk is tried: a whole Warmline on a loopback port, used through its public surfaces, and restarted at will."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from importlib import resources
from typing import Any
from urllib.parse import quote

import aiohttp
from msgspec.structs import replace

from warmline.accounts.access import SYSTEM
from warmline.app import Node
from warmline.conversations.widgets import LadderStep, Widget
from warmline.kernel.ids import uuid7
from warmline.platform.settings import Settings

PAGE = {
    "userAgent": "Stage/1.0",
    "screenRes": "1280x800",
    "language": "en",
    "url": "https://shop.example/lamp",
    "referrer": "",
    "title": "Oak lamp",
}
WITHIN_S = 15.0
"""Nothing here takes as long; who waits longer waits in vain."""
_LOOK_EVERY_S = 0.02


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(kw_only=True)
class Visitors:
    """Visitors of one widget, by the protocol of the widget.  ``tokens`` holds the bearer of every conversation."""

    node: Node
    base: str
    http: aiohttp.ClientSession
    widget_id: str = ""
    tokens: dict[str, str] = field(default_factory=dict)

    # -- what they do --------------------------------------------------------------------------------------------

    async def visit(self) -> str:
        """A new visitor opens the chat; the conversation's id."""
        session = await self.post("/widget/session", {"widget_id": self.widget_id})
        token = session["token"]
        started = await self.post(
            "/widget/conversations",
            {"widget_id": self.widget_id, "client_id": uuid7(), "page": PAGE},
            bearer=token,
        )
        conversation: str = started["conversation"]
        self.tokens[conversation] = token
        return conversation

    async def frame(self, conversation: str, **frame: Any) -> dict[str, Any]:
        """One client frame over POST; the answer frame (``ack`` or ``refused``)."""
        if frame["frame"] in {"message", "cancel", "end", "contact"}:
            frame.setdefault("client_id", uuid7())
        return await self.post(f"/widget/send?conversation={conversation}", frame, bearer=self.tokens[conversation])

    async def say(self, conversation: str, text: str) -> int:
        """The visitor says something; its seq."""
        answer = await self.frame(conversation, frame="message", text=text)
        assert answer["frame"] == "ack", answer
        seq: int = answer["seq"]
        return seq

    async def upload(self, conversation: str, name: str, body: bytes) -> str:
        """The visitor's browser uploads a file; its id, for a message."""
        headers = {"Authorization": f"Bearer {self.tokens[conversation]}", "X-File-Name": quote(name)}
        address = f"{self.base}/widget/files?conversation={conversation}"
        async with self.http.post(address, data=body, headers=headers) as reply:
            assert reply.status < 300, (reply.status, await reply.text())
            made: str = (await reply.json())["id"]
            return made

    async def file_link(self, conversation: str, file_id: str) -> str:
        """A fresh link to a file of the conversation, as the widget asks for one."""
        headers = {"Authorization": f"Bearer {self.tokens[conversation]}"}
        address = f"{self.base}/widget/files/{file_id}?conversation={conversation}"
        async with self.http.get(address, headers=headers) as reply:
            assert reply.status == 200, (reply.status, await reply.text())
            link: str = (await reply.json())["url"]
            return link

    async def post(self, path: str, body: Any, *, bearer: str = "") -> dict[str, Any]:
        """POST JSON; the JSON answer.  Fails on any status but 2xx."""
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        async with self.http.post(self.base + path, json=body, headers=headers) as reply:
            text = await reply.text()
            assert reply.status < 300, (reply.status, text)
            answer: dict[str, Any] = await reply.json() if text else {}
            return answer

    # -- what came of it -----------------------------------------------------------------------------------------

    async def state(self, conversation: str) -> Any:
        """The conversation's state as committed."""
        state, _seq = await self.node.conversations.snapshot(conversation)
        return state

    async def events(self, conversation: str) -> list[Any]:
        """All events of the conversation."""
        found: list[Any] = await self.node.journal.events("conversation", conversation, limit=10_000)
        return found

    async def lines(self, conversation: str, author: str) -> list[str]:
        """The texts of one kind of author, in order."""
        events = await self.events(conversation)
        return [e.body.text for e in events if e.type == "message.posted" and e.body and e.body.author == author]

    async def until(self, conversation: str, reached: Callable[[Any], Any], *, within: float = WITHIN_S) -> Any:
        """Wait until ``reached(state)`` holds; the state.  Woken by the journal's hand-off, not by a clock."""
        changed = asyncio.Event()
        stop = self.node.journal.listen(lambda _events: changed.set())
        try:
            async with asyncio.timeout(within):
                while True:
                    changed.clear()
                    state = await self.state(conversation)
                    if reached(state):
                        return state
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(changed.wait(), 0.2)
        finally:
            stop()

    async def until_stage(self, conversation: str, stage: str | None) -> Any:
        """Wait until the handover is in ``stage`` (None: no handover)."""
        return await self.until(conversation, lambda s: (s.handover.stage if s.handover else None) == stage)

    async def until_true(self, holds: Callable[[], Awaitable[bool]], what: str) -> None:
        """Wait until something that has to be read holds.  Raises AssertionError saying what never did."""
        try:
            async with asyncio.timeout(WITHIN_S):
                while True:
                    if await holds():
                        return
                    await asyncio.sleep(_LOOK_EVERY_S)
        except TimeoutError:
            raise AssertionError(f"it never came true that {what}") from None

    async def until_said(self, conversation: str, author: str, said: Callable[[list[str]], bool]) -> list[str]:
        """Wait until ``said(lines)`` holds for the lines of ``author``; those lines."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                found = await self.lines(conversation, author)
                if said(found):
                    return found
                await asyncio.sleep(_LOOK_EVERY_S)


@dataclass(kw_only=True)
class Stand(Visitors):
    """A node with one bot, one widget, one connection to the desk that is tried, and our own desk behind it."""

    settings: Settings
    bot_id: str = ""
    connection_id: str = ""
    own_desk_id: str = ""
    started: Callable[[Node], Awaitable[None]]
    _running: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)

    @property
    def address(self) -> str:
        """Where the vendor reports to."""
        return f"{self.base}/in/{self.connection_id}"

    async def furnish(self, kind: str, values: dict[str, Any], payload: str) -> None:
        """Make the bot, the connections and the widget."""
        node = self.node
        script = (resources.files("warmline.bots") / "scripts" / "default.toml").read_text(encoding="utf-8")
        bot = await node.bots.create(name="Conformance", script=script)
        made = await node.connections.create(SYSTEM, kind=kind, name="Tried", settings=values, bot_ids=[bot.id])
        own = await node.connections.create(SYSTEM, kind="builtin", name="Behind it", settings={}, bot_ids=[bot.id])
        self.bot_id, self.connection_id, self.own_desk_id = bot.id, made.connection.id, own.connection.id
        widget = Widget(id="", name="Conformance", bot_id=bot.id, allowed_origins=("https://shop.example",))
        self.widget_id = (await node.widgets.create(widget)).id
        await self.set_ladder(payload)

    async def set_ladder(self, payload: str, **deadlines: Any) -> None:
        """The desk that is tried first, our own second; ``deadlines`` as in LadderStep."""
        first = LadderStep(connection_id=self.connection_id, text="One moment.", payload=payload, **deadlines)
        last = LadderStep(connection_id=self.own_desk_id, text="Still looking.")
        widget = await self.node.widgets.read(self.widget_id)
        await self.node.widgets.update(replace(widget, ladder=(first, last)), actor="conformance")

    async def restart(self) -> None:
        """Stop the node and start another one on the same store and port."""
        await self.stop()
        await self.start()

    @contextlib.asynccontextmanager
    async def crash(self) -> AsyncIterator[None]:
        """The node writes nothing late any more, as if it were killed at the end of the block; then another one starts.

        A program cannot kill itself and go on trying; this is what the store looks like when it was killed.
        """
        self.node.relay.lose_cursors()
        try:
            yield
        finally:
            await self.restart()

    async def stop(self) -> None:
        """Stop the node: its lines and leases are handed over."""
        await self._running.aclose()

    async def start(self) -> None:
        """Start a node."""
        self._running = contextlib.AsyncExitStack()
        self.node = await self._running.enter_async_context(Node(self.settings))
        listening = asyncio.Event()
        server = await self.node.open_web(ready=lambda _address: listening.set())
        serving = asyncio.create_task(server.serve())

        async def end() -> None:
            server.should_exit = True
            await serving

        self._running.push_async_callback(end)
        await listening.wait()
        await self.started(self.node)


@contextlib.asynccontextmanager
async def standing(settings: Settings, started: Callable[[Node], Awaitable[None]]) -> AsyncIterator[Stand]:
    """A running stand on the store of ``settings`` (its port has to be a free one), stopped at the end.

    ``started`` meets the node, and after each restart the one that follows.
    """
    async with aiohttp.ClientSession() as http:
        stand = Stand(node=Node(settings), base=settings.public_url, http=http, settings=settings, started=started)
        await stand.start()
        try:
            yield stand
        finally:
            await stand.stop()
