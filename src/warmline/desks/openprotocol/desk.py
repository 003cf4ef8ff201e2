"""The desk behind the open protocol: from Warmline's words to signed events, one by one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import msgspec

from warmline.desks.openprotocol import events
from warmline.desks.openprotocol.activities import activity
from warmline.desks.openprotocol.inbound import parse_report
from warmline.desks.openprotocol.settings import (
    AVAILABILITY_KEPT_MS,
    AVAILABILITY_TIMEOUT_S,
    FORM,
    PAYLOAD,
    SENDER_SECRET,
    read_settings,
)
from warmline.desks.shared.signed_posts import SIGNING_SECRET, SignedPosts, target_check, valid, wire_id
from warmline.handover.desk_kinds import DeskKind, Linked
from warmline.handover.port import (
    AuthRejected,
    Availability,
    DeskError,
    DeskEvent,
    EndReason,
    HandoffLine,
    HandoffStatus,
    HandoverRequest,
    Health,
    InboundDelivery,
    Manifest,
    Outbound,
    OutboundMessage,
    OutboundNote,
    OutboundTyping,
    QueueRef,
    RateLimited,
    Receipt,
    SignatureRejected,
    Thread,
)
from warmline.kernel.clock import Clock
from warmline.kernel.errors import Invalid
from warmline.kernel.ids import uuid7
from warmline.platform import signing
from warmline.platform.http import Outgoing, Reply

_MANIFEST = Manifest.load(Path(__file__).with_name("manifest.toml"))
_DESK = _MANIFEST.key
_TIMEOUT_S = 10.0


class _Available(msgspec.Struct):
    # Strict: 1, "true" and null are not an answer.
    available: bool


_AVAILABLE = msgspec.json.Decoder(_Available)


class OpenDesk:
    """One address that takes our events.  ``Thread.ref`` is the attempt's id, ``Thread.state`` its owner epoch."""

    manifest: ClassVar[Manifest] = _MANIFEST

    def __init__(self, linked: Linked, outgoing: Outgoing, clock: Clock) -> None:
        self._linked = linked
        self._clock = clock
        self._settings = read_settings(linked.settings)
        secrets = linked.secrets.get(SIGNING_SECRET, ())
        self._posts = SignedPosts(
            outgoing, clock, desk=_DESK, url=self._settings.url, secrets=secrets, timeout_s=_TIMEOUT_S
        )
        self._kept: dict[str | None, tuple[int, Availability]] = {}

    async def check(self) -> Health:
        """``ping``, which changes nothing there."""
        try:
            await self._post("check", events.Ping(id=wire_id("ping", uuid7())))
        except AuthRejected as error:
            return Health(ok=False, sentence=f"The address does not accept our events (status {error.vendor_status}).")
        except RateLimited:
            return Health(ok=True, sentence="The address answers; it asks for a pause just now (status 429).")
        except DeskError as error:
            return Health(ok=False, sentence=error.detail)
        # The newest: a mistyped one from before it counts for a day, and is passed over.
        for secret in self._sender_secrets()[:1]:
            try:
                signing.decode_secret(secret)
            except Invalid as error:
                return Health(
                    ok=False, sentence=f"The address answers. The other side's secret is not one: {error.detail}"
                )
        if not self._sender_secrets() and self._settings.ladder_of_widget is None:
            return Health(
                ok=False, sentence="The address answers, but the other side's secret is missing: no agent is heard."
            )
        return Health(ok=True, sentence="The address answers.")

    async def availability(self, queue: QueueRef) -> Availability:
        """``availability.asked``, where the connection has opted in; the answer is kept for ten seconds."""
        if not self._settings.ask_availability:
            return Availability.UNKNOWN
        now = self._clock.now()
        kept = self._kept.get(queue.ref)
        if kept is not None and 0 <= now - kept[0] < AVAILABILITY_KEPT_MS:
            return kept[1]
        asked = events.AvailabilityAsked(
            id=wire_id("availability", uuid7()), conversation_id=queue.conversation_id or None, queue=queue.ref
        )
        try:
            found = _availability(await self._post("availability", asked, timeout_s=AVAILABILITY_TIMEOUT_S))
        except DeskError:
            found = Availability.UNKNOWN
        self._kept[queue.ref] = (self._clock.now(), found)
        return found

    async def open(self, request: HandoverRequest) -> Thread:
        """``handover.offered``: any 2xx means that the helpdesk has it in its queue."""
        await self._post("open", events.offered(request, wire_id("offer", request.id)))
        return self._linked.thread(request, request.id, request.owner_epoch)

    async def send(self, thread: Thread, item: Outbound) -> Receipt:
        """``message.posted``, ``typing`` or ``note.posted``."""
        event: events.OfAttempt
        match item:
            case OutboundMessage():
                event = events.posted(item, wire_id("message", item.id), _about(thread))
            case OutboundTyping():
                about = msgspec.structs.asdict(_about(thread))
                event = events.Typing(**about | {"id": wire_id("typing", uuid7()), "on": item.on})
            case OutboundNote():
                event = events.noted(item, wire_id("note", item.id), _about(thread))
        await self._post("send", event)
        return Receipt()

    async def close(self, thread: Thread, reason: EndReason) -> None:
        """``handover.released``."""
        about = msgspec.structs.asdict(_about(thread))
        event_id = wire_id("release", about["attempt_id"])
        await self._post("close", events.HandoverReleased(**about | {"id": event_id, "reason": str(reason)}))

    async def tell(self, news: HandoffLine | HandoffStatus) -> Receipt:
        """``handoff.status`` or an agent's message, for a bot that handed a conversation over."""
        said = activity(news)
        await self._posts.post("tell", said.id, msgspec.json.encode(said))
        return Receipt()

    def parse(self, delivery: InboundDelivery) -> Sequence[DeskEvent]:
        """One report, signed with the other side's secret.  Raises SignatureRejected, Invalid."""
        try:
            signing.verify(self._sender_secrets(), delivery.headers, delivery.body, now=delivery.received_at)
        except signing.SignatureRejected as error:
            raise SignatureRejected(error.detail, desk=_DESK, operation="parse") from error
        return parse_report(delivery.body)

    async def _post(self, operation: str, event: events.Event, *, timeout_s: float | None = None) -> Reply:
        return await self._posts.post(operation, event.id, msgspec.json.encode(event), timeout_s=timeout_s)

    def _sender_secrets(self) -> tuple[str, ...]:
        return valid(self._linked.secrets.get(SENDER_SECRET, ()), self._clock.now())


def _about(thread: Thread) -> events.OfAttempt:
    """What every event of an attempt has.  A thread whose offer was never answered has no ref of ours: its request has."""
    epoch = thread.state if isinstance(thread.state, int) else None
    return events.OfAttempt(
        id="", conversation_id=thread.conversation_id, attempt_id=thread.request_id, owner_epoch=epoch
    )


def _availability(reply: Reply) -> Availability:
    try:
        there = _AVAILABLE.decode(reply.body).available
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Availability.UNKNOWN
    return Availability.AVAILABLE if there else Availability.AWAY


def open_kind(outgoing: Outgoing, clock: Clock) -> DeskKind:
    """The kind to register; desks made by it call through ``outgoing``."""
    return DeskKind(
        manifest=_MANIFEST,
        form=FORM,
        make=lambda linked: OpenDesk(linked, outgoing, clock),
        check_settings=target_check(outgoing, "url"),
        new_secret=lambda _name: signing.new_secret(),
        payload=PAYLOAD,
        summary="Any helpdesk or bot, by a small published protocol over HTTP",
        webhook="The helpdesk posts its reports here, signed with its own secret.",
    )
