"""Oracle B2C Service chat: Warmline is the visitor's client, and asks one long poll per chat for news."""

from __future__ import annotations

import functools
import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import structlog

from warmline.desks.oracle.client import DESK, OracleClient, Server, SessionGone
from warmline.desks.oracle.inbound import Reading, Remembered
from warmline.desks.oracle.settings import (
    FORM,
    NUMBERS,
    PASSWORD,
    PAYLOAD,
    OraclePayload,
    check_settings,
    read_settings,
)
from warmline.desks.shared.context import tell_if_possible
from warmline.handover.desk_kinds import DeskKind, Linked
from warmline.handover.port import (
    AuthorKind,
    Availability,
    DeskError,
    DeskEvent,
    EndReason,
    HandoverRequest,
    Health,
    InboundDelivery,
    Manifest,
    OpenFailed,
    Outbound,
    OutboundMessage,
    OutboundTyping,
    Polled,
    QueueRef,
    Receipt,
    Refused,
    Thread,
    ThreadEnded,
    Unsupported,
)
from warmline.kernel.clock import Clock
from warmline.platform.http import Outgoing

log = structlog.get_logger(__name__)

_MANIFEST = Manifest.load(Path(__file__).with_name("manifest.toml"))
_STATS_S = 3.0
_STATS_KEPT_MS = 300_000
_POST_CHARACTERS = 2_000
_POSTS = 3
"""Oracle screens posts for abuse, long ones and floods above all: the transcript is a few posts of moderate length."""
_LEFT_OUT = "<p>(Older lines are left out.)</p>"


class _State(msgspec.Struct, frozen=True):
    """The state of a thread: enough to go on polling in another process."""

    session: str
    server: Server
    known: Remembered


class OracleDesk:
    """One site.  ``Thread.ref`` is the engagement's number."""

    manifest: ClassVar[Manifest] = _MANIFEST

    def __init__(self, linked: Linked, outgoing: Outgoing, clock: Clock) -> None:
        self._linked = linked
        self._clock = clock
        self._settings = read_settings(linked.settings)
        self._client = OracleClient(
            outgoing,
            clock,
            site_url=self._settings.site_url,
            user=self._settings.user,
            password=linked.value(PASSWORD, clock.now()),
            domains=self._settings.domains,
        )
        self._asked_at: tuple[int, Server] | None = None

    async def check(self) -> Health:
        """Establish a session, which begins no chat, and ask for the queue's figures when there is a queue."""
        try:
            _token, server = await self._client.establish("{}", operation="check")
            queue_id = self._settings.queue_id
            agents = await self._client.free_agents(server, int(queue_id), timeout_s=_STATS_S) if queue_id else None
        except DeskError as error:
            return Health(ok=False, sentence=f"Oracle: {error.detail}")
        told = f"; {agents} agents of the queue are there now" if agents is not None else ""
        return Health(ok=True, sentence=f"Oracle answers, with a chat server at {server.domain}{told}.")

    async def availability(self, queue: QueueRef) -> Availability:
        """Whether the queue has agents; unknown without a queue."""
        queue_id = queue.ref or self._settings.queue_id or ""
        if not queue_id.isdecimal():
            return Availability.UNKNOWN
        try:
            server = await self._any_server()
            agents = await self._client.free_agents(server, int(queue_id), timeout_s=_STATS_S)
        except DeskError:
            self._asked_at = None
            return Availability.UNKNOWN
        if agents is None:
            return Availability.UNKNOWN
        return Availability.AVAILABLE if agents else Availability.AWAY

    async def _any_server(self) -> Server:
        """Where a queue can be asked about: the figures need no session, but an address that only a session tells."""
        now = self._clock.now()
        if self._asked_at is None or now - self._asked_at[0] > _STATS_KEPT_MS:
            _token, server = await self._client.establish("{}", operation="availability", timeout_s=_STATS_S)
            self._asked_at = (now, server)
        return self._asked_at[1]

    async def open(self, request: HandoverRequest) -> Thread:
        """Establish a session, begin the chat, and post what was said.

        Oracle cannot be asked whether an unanswered try has begun a chat, so a repeated one begins another; nobody polls the
        first, and it runs into the site's own time limits.
        """
        token, server = await self._client.establish(self._information(request), operation="open")
        try:
            made = await self._client.engage(server, token, request.id)
        except Refused as error:
            if error.vendor_status != 409:
                raise
            raise _conflict("Oracle's rules have nobody for this chat.", "open") from error
        state = _State(session=made.session_id, server=server, known=Remembered(client=made.client))
        await self._tell_context(state, made.engagement, request)
        return self._linked.thread(request, made.engagement, msgspec.to_builtins(state))

    async def poll(self, thread: Thread, state: Any) -> Polled:
        """One poll; a session that Oracle has forgotten is the end of the chat."""
        now = msgspec.convert(state, _State)
        try:
            news = await self._client.news(now.server, now.session)
        except SessionGone as gone:
            return Polled(events=(_forgotten(thread, now, gone),), state=state, done=True)
        reading = Reading(thread.ref, now.known)
        reading.take(news.system_messages)
        reading.take_errors(news.error_messages)
        server = msgspec.structs.replace(now.server, pool=reading.pool) if reading.pool else now.server
        after = _State(session=now.session, server=server, known=reading.known)
        return Polled(events=tuple(reading.events), state=msgspec.to_builtins(after), done=reading.over)

    async def send(self, thread: Thread, item: Outbound) -> Receipt:
        """A line of the visitor, or that he types.  Files go as links in lines."""
        now = msgspec.convert(thread.state, _State)
        match item:
            case OutboundMessage():
                try:
                    await self._client.post(now.server, now.session, item.text, item.id)
                except Refused as error:
                    if error.vendor_status != 409:
                        raise
                    detail = (
                        "Oracle takes nothing for this chat any more: its agent has left, or it was ended for abuse."
                    )
                    raise _conflict(detail, "send") from error
                return Receipt(vendor_id=item.id)
            case OutboundTyping():
                mode = "RESPONDING" if item.on else "LISTENING"
                await self._client.activity(now.server, now.session, mode)
                return Receipt()
        raise Unsupported("Oracle has no notes from outside.", desk=DESK, operation="send")

    async def close(self, thread: Thread, reason: EndReason) -> None:
        """End the chat; one that is over already says so with a 4xx, which is as good."""
        del reason
        if thread.state is None:
            return
        now = msgspec.convert(thread.state, _State)
        try:
            await self._client.conclude(now.server, now.session)
        except Refused as error:
            log.info("oracle.close_refused", thread=thread.ref, status=error.vendor_status)

    def parse(self, delivery: InboundDelivery) -> Sequence[DeskEvent]:
        """Oracle sends nothing by itself.  Raises Unsupported."""
        del delivery
        raise Unsupported("Oracle is asked for news; it has nothing to report here.", desk=DESK, operation="parse")

    # -- inside --------------------------------------------------------------------------------------------------

    def _information(self, request: HandoverRequest) -> str:
        """The sessionInformation: the rung's, else what is known of the visitor; with the queue where it names none."""
        queue_id = request.escalate_to or self._settings.queue_id
        if isinstance(request.payload, OraclePayload):
            told = _typed(msgspec.json.decode(request.payload.session_information))
        else:
            told = _known(request)
        if queue_id and queue_id.isdecimal():
            told.setdefault("queueId", int(queue_id))
        return msgspec.json.encode(told).decode()

    async def _tell_context(self, state: _State, engagement: str, request: HandoverRequest) -> None:
        for number, body in enumerate(context_posts(request)):
            post = functools.partial(
                self._client.post,
                state.server,
                state.session,
                body,
                f"{request.id}.context.{number}",
                rich=True,
                operation="open",
            )
            if not await tell_if_possible(post, desk=DESK, what="transcript", thread=engagement):
                return


def _conflict(detail: str, operation: str) -> Refused:
    return Refused(detail, desk=DESK, operation=operation, vendor_status=409)


def _forgotten(thread: Thread, now: _State, gone: SessionGone) -> DeskEvent:
    common: dict[str, Any] = {"thread_ref": thread.ref, "vendor_event_id": "gone", "raw": gone.vendor_body}
    if now.known.joined:
        return ThreadEnded(reason=EndReason.DESK_LOST, **common)
    return OpenFailed(detail=gone.detail, **common)


def _known(request: HandoverRequest) -> dict[str, Any]:
    card = request.visitor
    first, _space, last = (card.name or "").strip().partition(" ")
    asked = [
        line.text for line in request.transcript if line.author is AuthorKind.VISITOR and line.seq <= request.cursor
    ]
    told = {
        "firstName": first,
        "lastName": last.strip(),
        "emailAddress": card.email,
        "question": asked[-1][:250] if asked else "",
    }
    return {name: value for name, value in told.items() if value}


def _typed(information: dict[str, Any]) -> dict[str, Any]:
    """Without what nothing was known for, and with numbers where Oracle wants some."""
    told = {name: value for name, value in information.items() if value is not None}
    for name in NUMBERS:
        if isinstance(value := told.get(name), str):
            if value.isdecimal():
                told[name] = int(value)
            else:
                del told[name]
    return told


def context_posts(request: HandoverRequest) -> list[str]:
    """What the agent should know, as the HTML of a few posts: where the visitor is, then what was said, the newest kept."""
    facts = {
        "Reason": str(request.reason),
        "Page": request.page.get("url"),
        "Language": request.language,
        "Transcript": request.transcript_url,
    }
    head = "".join(f"<p>{name}: {html.escape(str(value))}</p>" for name, value in facts.items() if value)
    said = [
        f"<p><b>{html.escape(line.name or str(line.author))}:</b> {html.escape(_short(line.text))}</p>"
        for line in request.transcript
        if line.seq <= request.cursor and line.text.strip()
    ]
    posts: list[str] = []
    # From the end, so that what is left out is the oldest.
    while said and len(posts) < _POSTS - 1:
        part = said.pop()
        while said and len(said[-1]) + len(part) <= _POST_CHARACTERS:
            part = said.pop() + part
        posts.insert(0, part)
    if said or not request.transcript_complete:
        head += _LEFT_OUT
    return [head, *posts]


def _short(text: str) -> str:
    return text if len(text) <= _POST_CHARACTERS else f"{text[:_POST_CHARACTERS]}…"


def oracle_kind(outgoing: Outgoing, clock: Clock) -> DeskKind:
    """The kind to register; desks made by it call through ``outgoing``."""
    return DeskKind(
        manifest=_MANIFEST,
        form=FORM,
        make=lambda linked: OracleDesk(linked, outgoing, clock),
        check_settings=check_settings,
        payload=PAYLOAD,
        summary="Agents answer in Oracle B2C Service, by its chat",
    )
