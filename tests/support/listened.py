"""A vendor that reports nothing by itself, over real HTTP, and two desks for it: one polls, one reads its stream."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest
from aiohttp import web

from tests.support.journey import until, until_said
from tests.support.node import Stage
from warmline.desks.registry import desk_kinds
from warmline.desks.shared.answers import check_reply, translated
from warmline.desks.shared.json_api import JsonApi
from warmline.handover.connection_forms import FieldKind, FormField
from warmline.handover.desk_kinds import DeskKind, Linked
from warmline.handover.port import (
    AgentJoined,
    AgentReplied,
    AgentTyping,
    Availability,
    Capabilities,
    DeskEvent,
    EndReason,
    Grade,
    HandoverRequest,
    Health,
    InboundDelivery,
    Join,
    Manifest,
    OpenFailed,
    Outbound,
    OutboundMessage,
    Polled,
    QueueMoved,
    QueueRef,
    Receipt,
    Thread,
    ThreadEnded,
    Unknown,
)
from warmline.kernel.clock import Clock
from warmline.kernel.errors import WarmlineError
from warmline.platform.http import Outgoing
from warmline.platform.sse import SseParser

HELD_S = 0.2


@dataclass
class Session:
    """One conversation at the vendor.  ``held`` counts who listens right now, ``asked`` from where each began."""

    ref: str
    token: str
    opened: bool = False
    closed: bool = False
    events: list[dict[str, Any]] = field(default_factory=list)
    sent: list[tuple[str, str]] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    held: int = 0
    most_held: int = 0
    cut: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def said(self) -> list[str]:
        return [text for _id, text in self.sent]


class Vendor:
    """The server.  Trouble: ``lose`` answers of listening break off, ``refuse`` is a status, ``twice`` repeats events."""

    def __init__(self) -> None:
        self.url = ""
        self.sessions: dict[str, Session] = {}
        self.lose = 0
        self.refuse: dict[str, int] = {}
        self.retry_after = ""
        self.twice = False
        self.opening = asyncio.Event()
        self.opening.set()
        self._changed = asyncio.Condition()

    @property
    def only(self) -> Session:
        """The one session there is."""
        (session,) = self.sessions.values()
        return session

    @property
    def newest(self) -> Session:
        return list(self.sessions.values())[-1]

    async def tell(self, kind: str, session: Session | None = None, **more: Any) -> None:
        """Something happens in a session; its events count 1, 2, 3."""
        session = session or self.newest
        session.events.append({"id": len(session.events) + 1, "kind": kind, **more})
        async with self._changed:
            self._changed.notify_all()

    def cut_streams(self) -> None:
        """Break every stream off."""
        for session in self.sessions.values():
            session.cut.set()
            session.cut = asyncio.Event()

    # -- the wire ------------------------------------------------------------------------------------------------

    async def _make(self, request: web.Request) -> web.Response:
        self._check("make")
        ref = "s-" + (await request.json())["id"]
        session = self.sessions.setdefault(ref, Session(ref, f"key-of-{ref}"))
        return web.json_response({"data": {"ref": ref, "token": session.token}})

    async def _open(self, request: web.Request) -> web.Response:
        self._check("open")
        session = self._session(request)
        await self.opening.wait()
        session.opened = True
        return web.json_response({"data": {}})

    async def _send(self, request: web.Request) -> web.Response:
        session, body = self._session(request), await request.json()
        if body["id"] not in [id_ for id_, _text in session.sent]:
            session.sent.append((body["id"], body["text"]))
        return web.json_response({"data": {}})

    async def _close(self, request: web.Request) -> web.Response:
        self._session(request).closed = True
        return web.json_response({"data": {}})

    async def _events(self, request: web.Request) -> web.Response:
        self._check("listen")
        session = self._session(request)
        after = int(request.query["after"])
        with self._listening(session, after):
            if not session.events[after:]:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(HELD_S), self._changed:
                        await self._changed.wait_for(lambda: session.events[after:])
        if self.lose and session.events[after:]:
            self.lose -= 1
            assert request.transport is not None
            request.transport.abort()
        return web.json_response({"data": [self._told(one) for one in session.events[after:]]})

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        self._check("listen")
        session = self._session(request)
        after = int(request.headers["Last-Event-ID"])
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        with self._listening(session, after), contextlib.suppress(ConnectionError):
            cut = asyncio.create_task(session.cut.wait())
            await response.write(b": stands\n\n")
            while True:
                for one in session.events[after:]:
                    after = one["id"]
                    for event in self._told(one):
                        await response.write(f"id: {one['id']}\ndata: {json.dumps(event)}\n\n".encode())
                if self.lose and after:
                    self.lose -= 1
                    break
                more = asyncio.create_task(self._more(session, after))
                await asyncio.wait([cut, more], return_when=asyncio.FIRST_COMPLETED)
                more.cancel()
                if cut.done():
                    break
            cut.cancel()
        assert request.transport is not None
        request.transport.abort()
        return response

    async def _more(self, session: Session, after: int) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: session.events[after:])

    def _told(self, event: dict[str, Any]) -> list[dict[str, Any]]:
        return [event, event] if self.twice else [event]

    @contextlib.contextmanager
    def _listening(self, session: Session, after: int) -> Iterator[None]:
        session.asked.append(after)
        session.held += 1
        session.most_held = max(session.most_held, session.held)
        try:
            yield
        finally:
            session.held -= 1

    def _check(self, operation: str) -> None:
        status = self.refuse.get(operation)
        if status is not None:
            raise _refusal(status, {"Retry-After": self.retry_after} if self.retry_after else {})

    def _session(self, request: web.Request) -> Session:
        session = self.sessions.get(request.match_info["ref"])
        if session is None:
            raise _refusal(404)
        if request.headers.get("X-Session-Key") != session.token:
            raise _refusal(401)
        return session

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls) -> AsyncIterator[Vendor]:
        vendor = cls()
        app = web.Application()
        app.router.add_post("/sessions", vendor._make)
        app.router.add_post("/sessions/{ref}/open", vendor._open)
        app.router.add_post("/sessions/{ref}/messages", vendor._send)
        app.router.add_post("/sessions/{ref}/close", vendor._close)
        app.router.add_get("/sessions/{ref}/events", vendor._events)
        app.router.add_get("/sessions/{ref}/stream", vendor._stream)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        vendor.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield vendor
        finally:
            await runner.cleanup()


def _refusal(status: int, headers: dict[str, str] | None = None) -> web.HTTPException:
    class Refusal(web.HTTPException):
        status_code = status

    return Refusal(headers=headers)


# -- stories -------------------------------------------------------------------------------------------------------


async def ask(stage: Stage, vendor: Vendor) -> str:
    """A visitor who waits for a person."""
    conversation = await stage.visit()
    await stage.say(conversation, "talk to a person")
    await stage.until(conversation, lambda s: s.handover and s.handover.stage in {"offered", "queued"})
    await until(lambda: vendor.newest.held == 1)
    return conversation


async def talk(stage: Stage, vendor: Vendor) -> str:
    """A visitor who talks with an agent."""
    conversation = await ask(stage, vendor)
    await vendor.tell("joined", name="Ada")
    await vendor.tell("said", text="Hello, I am Ada.")
    await heard(stage, conversation, ["Hello, I am Ada."])
    return conversation


async def heard(stage: Stage, conversation: str, wanted: list[str]) -> None:
    assert await until_said(stage, conversation, "agent", lambda said: len(said) >= len(wanted)) == wanted


# -- the desks -----------------------------------------------------------------------------------------------------


class _SessionDesk:
    """What both desks do in the same way.  The state is the session's key and how far it was read."""

    manifest: ClassVar[Manifest]

    def __init__(self, linked: Linked, outgoing: Outgoing, clock: Clock) -> None:
        self._linked = linked
        self._outgoing = outgoing
        self._clock = clock
        self._url = str(linked.settings["url"])

    def _api(self, key: str = "") -> JsonApi:
        key_header = {"X-Session-Key": key}
        return JsonApi(
            self._outgoing, self._clock, desk="listened", title="The vendor", base=self._url, headers=key_header
        )

    async def check(self) -> Health:
        return Health(ok=True, sentence="Fine.")

    async def availability(self, queue: QueueRef) -> Availability:
        return Availability.UNKNOWN

    def parse(self, delivery: InboundDelivery) -> tuple[DeskEvent, ...]:
        return ()

    async def _session(self, request: HandoverRequest) -> Thread:
        made = await self._api().ask("open", "POST", "/sessions", dict[str, str], body={"id": request.id})
        return Thread(
            ref=made["ref"],
            connection_id=self._linked.connection_id,
            conversation_id=request.conversation_id,
            request_id=request.id,
            bot_id=request.bot_id,
            state={"key": made["token"], "after": 0},
        )

    async def _begin(self, thread: Thread) -> Thread:
        await self._api(thread.state["key"]).tell("open", "POST", f"/sessions/{thread.ref}/open", body={})
        return thread

    async def send(self, thread: Thread, item: Outbound) -> Receipt:
        if isinstance(item, OutboundMessage):
            body = {"id": item.id, "text": item.text}
            await self._api(thread.state["key"]).tell("send", "POST", f"/sessions/{thread.ref}/messages", body=body)
        return Receipt()

    async def close(self, thread: Thread, reason: EndReason) -> None:
        await self._api(thread.state["key"]).tell("close", "POST", f"/sessions/{thread.ref}/close", body={})


class PollingDesk(_SessionDesk):
    """Asks, and is held."""

    manifest: ClassVar[Manifest] = Manifest(
        key="polled",
        title="Polled",
        docs="",
        contract_version="1",
        join=Join.INFERRED,
        grade=Grade.BRONZE,
        grade_reasons=(),
        capabilities=Capabilities(queue_position=True, agent_typing=True),
    )

    async def open(self, request: HandoverRequest) -> Thread:
        return await self._begin(await self._session(request))

    async def poll(self, thread: Thread, state: Any) -> Polled:
        found = await self._api(state["key"]).ask(
            "poll",
            "GET",
            f"/sessions/{thread.ref}/events",
            list[list[dict[str, Any]]],
            query={"after": str(state["after"])},
            timeout_s=45,
        )
        events = [event for told in found for event in told]
        return _polled(thread, state, events)


class StreamingDesk(_SessionDesk):
    """Listens before it opens."""

    manifest: ClassVar[Manifest] = Manifest(
        key="streamed",
        title="Streamed",
        docs="",
        contract_version="1",
        join=Join.EXPLICIT,
        grade=Grade.BRONZE,
        grade_reasons=(),
        capabilities=Capabilities(queue_position=True, agent_typing=True),
    )

    async def prepare(self, request: HandoverRequest) -> Thread:
        return await self._session(request)

    async def open(self, request: HandoverRequest) -> Thread:
        assert request.prepared is not None
        return await self._begin(request.prepared)

    async def listen(self, thread: Thread, state: Any) -> AsyncIterator[Polled]:
        headers = {"X-Session-Key": state["key"], "Last-Event-ID": str(state["after"])}
        url = f"{self._url}/sessions/{thread.ref}/stream"
        try:
            async with self._outgoing.stream("GET", url, headers=headers, idle_s=10) as stream:
                if not stream.ok:
                    reply = await stream.reply(max_bytes=1_000)
                    check_reply(reply, desk="listened", operation="listen", now=self._clock.now())
                yield Polled((), state)
                parser = SseParser()
                async for chunk in stream.chunks():
                    for event in parser.feed(chunk):
                        polled = _polled(thread, state, [json.loads(event.data)])
                        state = polled.state
                        yield polled
        except WarmlineError as error:
            raise translated(error, desk="listened", operation="listen") from error


def _polled(thread: Thread, state: Any, events: list[dict[str, Any]]) -> Polled:
    after = max([state["after"], *(event["id"] for event in events)])
    done = any(event["kind"] in {"ended", "failed", "silence"} for event in events)
    return Polled(tuple(_event(thread.ref, event) for event in events), {**state, "after": after}, done=done)


def _event(ref: str, told: dict[str, Any]) -> DeskEvent:
    same: dict[str, Any] = {"thread_ref": ref, "vendor_event_id": str(told["id"])}
    match told["kind"]:
        case "queue":
            return QueueMoved(**same, position=told["position"])
        case "joined":
            return AgentJoined(**same, name=told["name"])
        case "typing":
            return AgentTyping(**same, on=True)
        case "said":
            return AgentReplied(**same, text=told["text"], name="Ada")
        case "ended":
            return ThreadEnded(**same)
        case "failed":
            return OpenFailed(**same)
        case other:
            return Unknown(**same, kind=other)


def register(patch: pytest.MonkeyPatch) -> None:
    """Have nodes that are made from now on know the two desks."""
    form = (FormField(name="url", label="URL", help="The vendor's.", kind=FieldKind.URL, required=True),)

    def kinds(*, outgoing: Outgoing, clock: Clock, **more: Any) -> dict[str, DeskKind]:
        def kind(desk: type[PollingDesk | StreamingDesk]) -> DeskKind:
            return DeskKind(manifest=desk.manifest, form=form, make=lambda linked: desk(linked, outgoing, clock))

        own = {desk.manifest.key: kind(desk) for desk in (PollingDesk, StreamingDesk)}
        return {**desk_kinds(outgoing=outgoing, clock=clock, **more), **own}

    patch.setattr("warmline.app.desk_kinds", kinds)
