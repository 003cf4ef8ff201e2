"""A small conversation store in memory and a running server around it, for tests of the web ring alone.

The events, the visitor's view and the state are the real ones; only the journal behind them is a list.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import msgspec

from warmline.conversations import events as e
from warmline.conversations.model import ConversationState, Moment, evolve, initial
from warmline.conversations.views import visitor_item, visitor_state
from warmline.kernel.clock import ManualClock
from warmline.kernel.envelope import Recorded
from warmline.kernel.errors import Conflict, Invalid, NotFound, Unauthorized
from warmline.kernel.ids import uuid7
from warmline.platform.bus import MemoryBus
from warmline.web.front import Front
from warmline.web.hub import Hub
from warmline.web.server import Server, WebOptions, build_application, make_server
from warmline.web.stream import VisitorStream
from warmline.web.stream_limits import WidgetLimits
from warmline.web.stream_ports import Views
from warmline.web.widget.routes import WidgetSurface


@dataclass(frozen=True)
class Look:
    """The fields of a widget's look that the surface shows."""

    title: str = "Hello"
    subtitle: str = ""
    bot_name: str = "Bot"
    language: str = "en"
    accent: str = ""
    attachments: bool = True


@dataclass(frozen=True)
class ToyWidget:
    """The fields of a widget that the surface uses."""

    id: str
    name: str
    allowed_origins: tuple[str, ...]
    look: Look = Look()


SHOP = "https://shop.example"
WIDGET = ToyWidget(id="w1", name="Shop & Co", allowed_origins=(SHOP,))


class ListJournal:
    """Committed events in lists, with the journal's hand-off.  ``hold`` keeps the hand-off back, ``deaf`` loses it."""

    def __init__(self) -> None:
        self.incarnation = "inc1"
        self.streams: dict[str, list[Recorded]] = {}
        self.listeners: list[Callable[[Sequence[Recorded]], None]] = []
        self.deaf = False
        self.reads = 0
        self.before_read: Callable[[], object] | None = None

    def listen(self, fn: Callable[[Sequence[Recorded]], None]) -> Callable[[], None]:
        self.listeners.append(fn)
        return lambda: self.listeners.remove(fn)

    def commit(self, conversation: str, *bodies: Any, at: int = 1_700_000_000_000) -> int:
        stream = self.streams.setdefault(conversation, [])
        new = [
            Recorded(
                stream_kind="conversation",
                stream_id=conversation,
                seq=len(stream) + index + 1,
                type=body.TYPE,
                version=body.VERSION,
                at=at,
                actor="test",
                owner_epoch=1,
                raw=msgspec.json.encode(body),
                body=body,
            )
            for index, body in enumerate(bodies)
        ]
        stream.extend(new)
        if not self.deaf:
            self.hand_off(new)
        return len(stream)

    def hand_off(self, events: Sequence[Recorded]) -> None:
        for listener in list(self.listeners):
            listener(events)

    async def heads(self, kind: str, stream_ids: Sequence[str]) -> dict[str, int]:
        assert kind == "conversation"
        return {stream: len(self.streams[stream]) for stream in stream_ids if stream in self.streams}

    async def events(self, conversation: str, *, after: int, limit: int) -> list[Recorded]:
        self.reads += 1
        found = self.streams.get(conversation, [])[after : after + limit]
        await asyncio.sleep(0)
        if self.before_read is not None:
            hook, self.before_read = self.before_read, None
            hook()
        return found


class ListConversations:
    """The visitor's use cases over a ListJournal."""

    def __init__(self, journal: ListJournal, bus: MemoryBus) -> None:
        self.journal = journal
        self.bus = bus
        self.keys: dict[str, int] = {}
        self.marks: dict[str, dict[str, int]] = {}
        self.failing: Exception | None = None

    def open(self, visitor: str, widget_id: str = "w1") -> str:
        conversation = uuid7()
        self.journal.commit(
            conversation, e.ConversationStarted(visitor_id=visitor, bot_id="0" * 24, widget_id=widget_id)
        )
        return conversation

    async def start(self, *, widget: Any, visitor_id: str, page: Any, client_id: str) -> str:
        return self.open(visitor_id, widget.id)

    async def say(
        self,
        conversation: str,
        visitor_id: str,
        *,
        client_id: str,
        text: str,
        reply_to: str | None = None,
        attachments: Sequence[e.Attachment] = (),
    ) -> int:
        if self.failing is not None:
            raise self.failing
        if text == "closed":
            raise Conflict("The conversation is over.", code="closed")
        if client_id not in self.keys:
            self.keys[client_id] = self.journal.commit(conversation, message(text, client_id=client_id))
        return self.keys[client_id]

    async def cancel_waiting(self, conversation: str, visitor_id: str, *, client_id: str) -> int:
        return self.journal.commit(conversation, e.HandoverCancelled(handover_id="h", by="visitor"))

    async def end(self, conversation: str, visitor_id: str, *, client_id: str, epoch: int | None = None) -> int:
        return self.journal.commit(conversation, e.ConversationClosed(reason="visitor"))

    async def leave_contact(self, conversation: str, visitor_id: str, *, client_id: str, **contact: str) -> int:
        return self.journal.commit(conversation, e.ContactLeft(contact_id=uuid7(), **contact))

    async def mark_read(self, conversation: str, participant: str, seq: int) -> None:
        self.marks.setdefault(conversation, {})[participant] = seq
        await self.bus.publish(f"read.{conversation}", f"{participant} {seq}".encode())

    async def typing(self, conversation: str, who: str, *, on: bool) -> None:
        await self.bus.publish(f"typing.{conversation}", f"{who} {int(on)}".encode())

    async def reads(self, conversation: str) -> dict[str, int]:
        return self.marks.get(conversation, {})

    async def find_open(self, visitor_id: str, widget_id: str) -> str | None:
        for conversation in reversed(self.journal.streams):
            state, _seq = await self.snapshot(conversation)
            if state.visitor_id == visitor_id and state.status == "open":
                return conversation
        return None

    async def snapshot(self, conversation: str) -> tuple[ConversationState, int]:
        stream = self.journal.streams.get(conversation)
        if not stream:
            raise NotFound
        await asyncio.sleep(0)
        state = initial(conversation)
        stream = list(stream)
        for event in stream:
            state = evolve(state, event.body, Moment(event.seq, event.at, event.actor))
        return state, len(stream)


class ToyVisitors:
    """Tokens are ``t-<visitor>``."""

    def session(self, token: str | None) -> tuple[str, str]:
        if token is not None and token.startswith("t-"):
            return token, token[2:]
        visitor = uuid7()
        return f"t-{visitor}", visitor

    def authenticate(self, token: str) -> str:
        if not token.startswith("t-"):
            raise Unauthorized
        return token[2:]

    async def remember(self, visitor_id: str) -> None:
        return


class NoFiles:
    """Nothing was ever uploaded."""

    async def resolve(self, conversation_id: str, ids: Sequence[str]) -> tuple[e.Attachment, ...]:
        if ids:
            raise Invalid("There is no such file, or not any more.", path="$.attachments[0]", code="no_such_file")
        return ()


class ToyWidgets:
    """One widget."""

    async def get(self, widget_id: str) -> ToyWidget:
        if widget_id != WIDGET.id:
            raise NotFound("There is no such widget.")
        return WIDGET


def message(text: str = "hi", *, client_id: str | None = None, author: Any = "visitor") -> e.MessagePosted:
    return e.MessagePosted(message_id=uuid7(), text=text, author=author, client_id=client_id)


def note() -> e.NotePosted:
    return e.NotePosted(note_id=uuid7(), member_id="m", text="secret")


@dataclass
class Web:
    """A running server and what is behind it."""

    base: str
    journal: ListJournal
    conversations: ListConversations
    bus: MemoryBus
    hub: Hub
    clock: ManualClock
    server: Server
    http: aiohttp.ClientSession
    application: Front
    finished: asyncio.Task[None]
    sockets: list[Socket] = field(default_factory=list)

    async def until_left(self) -> None:
        """Wait until the server has noticed that every connection is gone."""
        async with asyncio.timeout(5):
            while self.hub.connections:  # noqa: ASYNC110 - the hub tells nobody when one leaves
                await asyncio.sleep(0.001)

    async def socket(self, origin: str | None = "") -> Socket:
        headers = {} if origin is None else {"Origin": origin or self.base}
        ws = await self.http.ws_connect(f"{self.base}/widget/ws", headers=headers, max_msg_size=0, compress=0)
        return Socket(ws)


@dataclass
class Socket:
    """A visitor's WebSocket, frame by frame."""

    ws: aiohttp.ClientWebSocketResponse

    async def send(self, **frame: Any) -> None:
        await self.ws.send_json(frame)

    async def receive(self) -> dict[str, Any]:
        async with asyncio.timeout(10):
            found: dict[str, Any] = await self.ws.receive_json()
            return found

    async def until(self, kind: str) -> dict[str, Any]:
        while (frame := await self.receive())["frame"] != kind:
            pass
        return frame

    async def close_code(self) -> int | None:
        async with asyncio.timeout(10):
            while (got := await self.ws.receive()).type is aiohttp.WSMsgType.TEXT:
                pass
            assert got.type in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSING}
            return self.ws.close_code

    async def hello(
        self, visitor: str, conversation: str, *, since: int = 0, incarnation: str | None = "inc1"
    ) -> dict[str, Any]:
        await self.send(
            frame="hello", token=f"t-{visitor}", conversation=conversation, incarnation=incarnation, since=since
        )
        return await self.receive()


@contextlib.asynccontextmanager
async def running(*, rules: dict[str, tuple[float, int]] | None = None, **application: Any) -> AsyncIterator[Web]:
    """A server on a free loopback port.  ``application`` goes to ``build_application``."""
    journal, bus, clock = ListJournal(), MemoryBus(), ManualClock()
    await bus.start()
    conversations = ListConversations(journal, bus)
    hub = Hub(journal, bus, item=visitor_item, events=journal.events)
    await hub.start()
    limits = WidgetLimits(clock, rules)
    views = Views(state=visitor_state, visitor_of=lambda state: state.visitor_id)
    stream = VisitorStream(hub, conversations, ToyVisitors(), views, limits, NoFiles())
    surface = WidgetSurface(stream, ToyWidgets(), limits, public_url="https://chat.example", max_file_bytes=1_000_000)
    front = build_application(
        WebOptions(
            public_url="https://chat.example",
            version="0",
            max_body_bytes=application.pop("max_body_bytes", 100_000),
            trusted_proxies=application.pop("trusted_proxies", ()),
        ),
        routes=[*surface.routes(), *application.pop("routes", ())],
        sockets=surface.sockets(),
        **application,
    )
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    server = make_server(
        front, host="127.0.0.1", port=0, drain=lambda: hub.drain(within_ms=50), ready=address.set_result
    )
    task = asyncio.create_task(server.serve())
    async with asyncio.timeout(10), aiohttp.ClientSession() as http:
        base = await address
    async with aiohttp.ClientSession(auto_decompress=False) as http:
        try:
            yield Web(base, journal, conversations, bus, hub, clock, server, http, front, task)
        finally:
            server.should_exit = True
            await task
            await hub.stop()
            await bus.stop()
