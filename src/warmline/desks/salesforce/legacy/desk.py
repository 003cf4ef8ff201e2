"""Live Agent: a session per handover, long polled.  Salesforce has retired the product; see the manifest."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import structlog

from warmline.desks.salesforce.legacy.chat import TYPING, Chat, ChatState
from warmline.desks.salesforce.legacy.client import DESK, AffinityLost, Batch, Keys, LiveAgent, Session, SessionOver
from warmline.desks.salesforce.legacy.inbound import read_batch, session_gone
from warmline.desks.salesforce.legacy.settings import FORM, read_settings
from warmline.desks.salesforce.payload import PAYLOAD, SalesforcePayload, chasitor_init
from warmline.handover.desk_kinds import DeskKind, Linked
from warmline.handover.port import (
    Availability,
    DeskError,
    DeskEvent,
    EndReason,
    HandoverRequest,
    Health,
    InboundDelivery,
    Manifest,
    Outbound,
    OutboundMessage,
    OutboundNote,
    OutboundTyping,
    Polled,
    QueueRef,
    Receipt,
    Refused,
    Thread,
    Unreachable,
    Unsupported,
    VisitorLine,
)
from warmline.kernel.clock import Clock
from warmline.platform.http import Outgoing

log = structlog.get_logger(__name__)

_MANIFEST = Manifest.load(Path(__file__).with_name("manifest.toml"))
_MOST_OPENING = 1_000
_MOST_CHATS = 10_000
"""One that was forgotten finds its numbers again."""
_LONGEST_TRANSCRIPT = 4_000
"""Characters; how long a detail may be is not documented."""
_LONGEST_POLL_S = 45.0
_TOO_EARLY = 500
"""The guide lets every request fail with this before an agent has accepted; whether an end does is not told apart."""
_RETIRED = "Salesforce announced this product's end for 14 February 2026."


class LiveAgentDesk:
    """One deployment of Live Agent.  ``Thread.ref`` is the session's id."""

    manifest: ClassVar[Manifest] = _MANIFEST

    def __init__(self, linked: Linked, outgoing: Outgoing, clock: Clock) -> None:
        self._linked = linked
        self._settings = read_settings(linked.settings)
        self._client = LiveAgent(outgoing, clock, base=self._settings.base)
        self._opening: dict[str, tuple[Session, Chat]] = {}
        self._chats: dict[str, Chat] = {}

    async def check(self) -> Health:
        """Read the deployment's settings, which begins no chat."""
        asked = self._settings
        try:
            told = await self._client.deployment(asked.organization_id, asked.deployment_id, asked.button_id)
        except DeskError as error:
            return Health(ok=False, sentence=f"Salesforce: {error.detail}")
        buttons = told.get("buttons") or []
        if asked.button_id and not buttons:
            return Health(ok=False, sentence="Salesforce answers, but does not know the button of this connection.")
        return Health(ok=True, sentence=f"Salesforce answers. {_RETIRED}")

    async def availability(self, queue: QueueRef) -> Availability:
        """What Salesforce says of the button; unknown without one."""
        button = queue.ref or self._settings.button_id
        if not button:
            return Availability.UNKNOWN
        asked = self._settings
        try:
            told = await self._client.available(asked.organization_id, asked.deployment_id, button, "availability")
        except DeskError:
            return Availability.UNKNOWN
        known = {True: Availability.AVAILABLE, False: Availability.AWAY}
        return Availability.UNKNOWN if told is None else known[told]

    async def open(self, request: HandoverRequest) -> Thread:
        """Begin a chat.

        A repetition in the same process goes to the same session under the same number, which the server drops.  After a
        restart a new session is begun: the old one, which nobody polls, is ended by Salesforce.
        """
        init = self._init(request)
        await self._refuse_when_away(request, init)
        session, chat = await self._session(request.id)
        body = init | {"sessionId": session.id}
        try:
            await chat.post(request.id, self._poster("open", "ChasitorInit", body), operation="open")
        except AffinityLost:
            self._opening.pop(request.id, None)
            raise
        except SessionOver as error:
            self._opening.pop(request.id, None)
            detail = "The session was over before the chat had begun; a new one is tried."
            raise Unreachable(detail, desk=DESK, operation="open", vendor_status=error.vendor_status) from error
        self._opening.pop(request.id, None)
        self._know(session.id, chat)
        state = ChatState(
            session_id=session.id,
            key=session.key,
            affinity=session.affinity_token,
            organization_id=init["organizationId"],
            wait_s=min(max(session.client_poll_timeout, 1.0), _LONGEST_POLL_S),
        )
        return self._linked.thread(request, session.id, msgspec.to_builtins(state))

    async def send(self, thread: Thread, item: Outbound) -> Receipt:
        """A line of the visitor, or his typing.  Files go as links in the text: this protocol takes only what is asked for."""
        chat = self._chat(thread.ref, _stored(thread.state, "send"))
        match item:
            case OutboundMessage():
                await chat.post(item.id, self._poster("send", "ChatMessage", {"text": item.text}), operation="send")
            case OutboundTyping():
                noun = "ChasitorTyping" if item.on else "ChasitorNotTyping"
                await chat.post(TYPING, self._poster("send", noun, {}), operation="send")
            case OutboundNote():
                raise Unsupported("Live Agent has no notes.", desk=DESK, operation="send")
        return Receipt()

    async def history(self, thread: Thread, since: int) -> Sequence[DeskEvent]:
        """The visitor's lines as of the last time Salesforce moved the session, when everything sent was in doubt.

        At other times nothing can be read, and nothing has to be: a repeated request has its old number.
        """
        chat = self._chat(thread.ref, _stored(thread.state, "send"))
        return [
            VisitorLine(thread_ref=thread.ref, text=line.content, occurred_at=line.timestamp)
            for line in chat.lines
            if line.type == "Chasitor" and line.timestamp >= since
        ]

    async def close(self, thread: Thread, reason: EndReason) -> None:
        """End the chat; one that is over already says so, which is as good."""
        del reason
        if thread.state is None:
            return
        here = _stored(thread.state, "close")
        chat = self._chat(thread.ref, here)
        chat.leaving = True
        try:
            await chat.post("end", self._poster("close", "ChatEnd", {"reason": "client"}), operation="close")
        except SessionOver as error:
            log.info("salesforce_legacy.over_already", thread=thread.ref, status=error.vendor_status)
        except Unreachable as error:
            if here.joined or error.vendor_status != _TOO_EARLY:
                raise
            await self._client.delete("close", chat.keys)
        self._chats.pop(thread.ref, None)

    async def poll(self, thread: Thread, state: Any) -> Polled:
        """One long poll; when Salesforce moves the session to another server, following it there is a poll of its own."""
        here = _stored(state, "poll")
        chat = self._chat(thread.ref, here)
        try:
            if chat.lost.is_set() and not here.moving:
                return await self._follow(chat, here)
            batch = await self._held(chat, here)
            if batch is None:
                return Polled((), msgspec.to_builtins(here))
            return await self._take(chat, here, batch)
        except AffinityLost:
            return await self._follow(chat, here)
        except SessionOver as error:
            self._chats.pop(thread.ref, None)
            events = () if chat.leaving else (session_gone(here, error.detail),)
            return Polled(events, msgspec.to_builtins(here), done=True)

    def parse(self, delivery: InboundDelivery) -> Sequence[DeskEvent]:
        """Nobody delivers to this desk.  Raises Unsupported."""
        del delivery
        raise Unsupported("Live Agent sends no deliveries; it is polled.", desk=DESK, operation="parse")

    # -- inside --------------------------------------------------------------------------------------------------

    def _chat(self, ref: str, state: ChatState) -> Chat:
        chat = self._chats.get(ref)
        if chat is None:
            # Begun by another process: how far it counted is found out by the first request.
            chat = Chat(state.key, state.affinity, last=None)
            if state.moving:
                chat.reconnected(state.affinity)
            self._know(ref, chat)
        return chat

    def _know(self, ref: str, chat: Chat) -> None:
        while len(self._chats) >= _MOST_CHATS:
            self._chats.pop(next(iter(self._chats)))
        self._chats[ref] = chat

    def _poster(self, operation: str, noun: str, body: dict[str, Any]) -> Any:
        def post(keys: Keys, number: int) -> Awaitable[None]:
            return self._client.post(operation, noun, body, keys, number)

        return post

    async def _session(self, request_id: str) -> tuple[Session, Chat]:
        held = self._opening.get(request_id)
        if held is None:
            session = await self._client.session("open")
            held = session, Chat(session.key, session.affinity_token, last=0)
            while len(self._opening) >= _MOST_OPENING:
                self._opening.pop(next(iter(self._opening)))
            self._opening[request_id] = held
        return held

    async def _held(self, chat: Chat, here: ChatState) -> Batch | None:
        """The poll that the server holds; left at once when sending finds out that the session has moved."""
        polling = asyncio.ensure_future(self._client.messages(chat.keys, here.ack, here.wait_s))
        if here.moving:
            return await polling
        moved = asyncio.ensure_future(chat.lost.wait())
        try:
            await asyncio.wait({polling, moved}, return_when=asyncio.FIRST_COMPLETED)
            if polling.done():
                return polling.result()
            raise AffinityLost("The session has moved.", desk=DESK, operation="poll")
        finally:
            for task in (polling, moved):
                task.cancel()
            await asyncio.gather(polling, moved, return_exceptions=True)

    async def _take(self, chat: Chat, here: ChatState, batch: Batch) -> Polled:
        read = read_batch(batch, here)
        after = read.state
        if here.moving:
            body = {"organizationId": here.organization_id}
            await self._client.post("poll", "ChasitorResyncState", body, chat.keys, None)
            chat.resume(read.lines or ())
            after = msgspec.structs.replace(after, moving=False)
        if read.over:
            self._chats.pop(here.session_id, None)
        events = () if chat.leaving else read.events
        return Polled(events, msgspec.to_builtins(after), done=read.over)

    async def _follow(self, chat: Chat, here: ChatState) -> Polled:
        """Find the server that has the session now; its numbers and ours begin again there."""
        try:
            affinity = await self._client.reconnect(chat.keys, here.offset)
        except SessionOver as error:
            self._chats.pop(here.session_id, None)
            events = () if chat.leaving else (session_gone(here, error.detail),)
            return Polled(events, msgspec.to_builtins(here), done=True)
        except Refused as error:
            # The session has not moved: the 503 came from somewhere in between.
            chat.lost.clear()
            detail = "Salesforce's server is in trouble (status 503)."
            raise Unreachable(detail, desk=DESK, operation="poll", vendor_status=503) from error
        chat.reconnected(affinity)
        after = msgspec.structs.replace(here, affinity=affinity, ack=-1, round=here.round + 1, moving=True)
        return Polled((), msgspec.to_builtins(after))

    def _init(self, request: HandoverRequest) -> dict[str, Any]:
        """ChasitorInit: the rung's payload over what the connection and the request say, and the conversation so far."""
        asked, page = self._settings, request.page
        init: dict[str, Any] = {
            "organizationId": asked.organization_id,
            "deploymentId": asked.deployment_id,
            "buttonId": asked.button_id,
            "userAgent": page.get("userAgent") or "",
            "language": request.language,
            "screenResolution": page.get("screenRes") or "",
            "visitorName": request.visitor.name or "Visitor",
            "prechatDetails": [],
            "prechatEntities": [],
            "buttonOverrides": [],
            "receiveQueueUpdates": True,
            "isPost": True,
        }
        if request.escalate_to:
            init["buttonId"] = request.escalate_to
        if isinstance(request.payload, SalesforcePayload):
            init |= chasitor_init(request.payload)
        if not init["buttonId"]:
            detail = "Neither the rung's payload nor the connection names a chat button."
            raise Refused(detail, desk=DESK, operation="open")
        init["prechatDetails"] = [*init["prechatDetails"], *_context(request, init["prechatDetails"])]
        return init

    async def _refuse_when_away(self, request: HandoverRequest, init: dict[str, Any]) -> None:
        """Ask for the payload's button; the connection's own was asked for before.  Overrides have a routing of their own."""
        button = init["buttonId"]
        if (
            button == (request.escalate_to or self._settings.button_id)
            or init["buttonOverrides"]
            or init.get("agentId")
        ):
            return
        there = await self._client.available(init["organizationId"], init["deploymentId"], button, "open")
        if there is False:
            raise Refused("Salesforce says that nobody is there for this button.", desk=DESK, operation="open")


def _stored(state: Any, operation: str) -> ChatState:
    try:
        return msgspec.convert(state, ChatState)
    except msgspec.ValidationError as error:
        raise Refused("This chat's session is not known any more.", desk=DESK, operation=operation) from error


def _context(request: HandoverRequest, given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the agent should know, as details that are shown to him and saved nowhere; the payload's own labels win."""
    said = "\n".join(f"{line.name or line.author}: {line.text}" for line in request.transcript if line.text.strip())
    facts = {
        "Conversation so far": said[-_LONGEST_TRANSCRIPT:],
        "Transcript": request.transcript_url,
        "Page": request.page.get("url"),
        "Reason": str(request.reason),
    }
    labels = {detail["label"] for detail in given}
    return [
        {"label": label, "value": value, "displayToAgent": True, "transcriptFields": [], "entityMaps": []}
        for label, value in facts.items()
        if value and label not in labels
    ]


def salesforce_legacy_kind(outgoing: Outgoing, clock: Clock) -> DeskKind:
    """The kind to register; desks made by it call through ``outgoing``."""
    return DeskKind(
        manifest=_MANIFEST,
        form=FORM,
        make=lambda linked: LiveAgentDesk(linked, outgoing, clock),
        payload=PAYLOAD,
        summary="Agents answer in Salesforce's old Live Agent chat, which Salesforce has retired",
    )
