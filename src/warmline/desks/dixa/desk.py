"""Dixa's generic messaging channel: the conversation is imported with what was said, and handed to a queue."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import structlog

from warmline.desks.dixa.client import CHANNEL, DESK, DixaClient, EndUser
from warmline.desks.dixa.inbound import check_signature, parse_event
from warmline.desks.dixa.settings import API_TOKEN, FORM, PAYLOAD, WEBHOOK_SECRET, DixaPayload, read_settings
from warmline.desks.shared.answers import moment
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
    Outbound,
    OutboundMessage,
    OutboundNote,
    OutboundTyping,
    QueueRef,
    Receipt,
    Refused,
    Thread,
    TranscriptLine,
    VisitorLine,
)
from warmline.kernel.clock import Clock, from_rfc3339
from warmline.platform.http import Outgoing

log = structlog.get_logger(__name__)

_MANIFEST = Manifest.load(Path(__file__).with_name("manifest.toml"))
_LOOK_BACK = 5
"""So many of a person's conversations are looked at to find out whether an unanswered import was made."""


class DixaDesk:
    """One Dixa account.  ``Thread.ref`` is the conversation's number (``csid``)."""

    manifest: ClassVar[Manifest] = _MANIFEST

    def __init__(self, linked: Linked, outgoing: Outgoing, clock: Clock) -> None:
        self._linked = linked
        self._clock = clock
        self._settings = read_settings(linked.settings)
        self._client = DixaClient(
            outgoing, clock, api_url=self._settings.api_url, token=linked.value(API_TOKEN, clock.now())
        )

    async def check(self) -> Health:
        """List the queues, which changes nothing."""
        try:
            queues = await self._client.queues(operation="check")
        except DeskError as error:
            return Health(ok=False, sentence=f"Dixa: {error.detail}")
        wanted = self._settings.queue_id
        if wanted and wanted not in {queue.id for queue in queues}:
            return Health(ok=False, sentence="Dixa answers, but the queue of this connection is not among its queues.")
        if not self._linked.values(WEBHOOK_SECRET, self._clock.now()):
            return Health(
                ok=False, sentence="Dixa answers, but its webhook's secret is missing: no agent would be heard."
            )
        return Health(ok=True, sentence=f"Dixa answers; it has {len(queues)} queues.")

    async def queues(self) -> Sequence[QueueRef]:
        """Dixa's queues."""
        found = await self._client.queues(operation="queues")
        return [self._linked.queue(queue.id, queue.name) for queue in found]

    async def availability(self, queue: QueueRef) -> Availability:
        """What Dixa says of the queue for this channel; unknown without a queue."""
        queue_id = queue.ref or self._settings.queue_id
        if not queue_id:
            return Availability.UNKNOWN
        try:
            entries = await self._client.availability(queue_id)
        except DeskError:
            return Availability.UNKNOWN
        for entry in entries:
            told = entry.channel_availability
            if told is not None and told.generic_channel_name == CHANNEL:
                known = {"Available": Availability.AVAILABLE, "NotAvailable": Availability.AWAY}
                return known.get(told.availability, Availability.UNKNOWN)
        return Availability.UNKNOWN

    async def open(self, request: HandoverRequest) -> Thread:
        """Import the conversation and hand it to its queue.

        Dixa keeps the ids we give but does not promise to take one once, so after a try whose answer was lost the
        person's conversations are looked through for the import first.
        """
        payload = request.payload if isinstance(request.payload, DixaPayload) else None
        user = await self._end_user(request, payload)
        messages = self._messages(request)
        ref = await self._imported(user, request.id) if request.repeated else None
        if ref is None:
            made = await self._client.import_conversation(
                {
                    "_type": "GenericConversationImport",
                    "genericChannelName": CHANNEL,
                    "requesterId": user.id,
                    "requesterConnectionStatus": "Connected",
                    "direction": "Inbound",
                    "createdAt": messages[0]["createdAt"],
                    "externalId": request.id,
                    "subject": "Website chat",
                    "messages": messages,
                }
            )
            ref = str(made.id)
        await self._route(ref, request, payload)
        return self._linked.thread(request, ref)

    async def send(self, thread: Thread, item: Outbound) -> Receipt:
        """A line of the visitor, or a note.  Typing from outside cannot be shown in Dixa."""
        match item:
            case OutboundMessage():
                files = [{"url": file.url, "prettyName": file.name} for file in item.attachments]
                body = {
                    "_type": "Inbound",
                    "content": {"_type": "Text", "value": item.text},
                    "attachments": files,
                    "externalId": item.id,
                }
                added = await self._client.add_message(thread.ref, body)
                return Receipt(vendor_id=added.message_id or None)
            case OutboundNote():
                await self._client.add_note(thread.ref, item.text, operation="send")
                return Receipt()
            case OutboundTyping():
                return Receipt()

    async def history(self, thread: Thread, since: int) -> Sequence[DeskEvent]:
        """The visitor's lines in the conversation since a moment: what an unanswered send may have left there."""
        lines = await self._client.messages(thread.ref, operation="send")
        return [
            VisitorLine(
                thread_ref=thread.ref,
                vendor_event_id=line.id or None,
                text=said.content.value if said.content else "",
                item_id=line.external_id,
            )
            for line in lines
            if (said := line.attributes).direction == "Inbound" and _at(line.created_at) >= since
        ]

    async def close(self, thread: Thread, reason: EndReason) -> None:
        """Close the conversation; one that is closed already says so with a 4xx, which is as good."""
        del reason
        try:
            await self._client.close(thread.ref)
        except Refused as error:
            log.info("dixa.close_refused", thread=thread.ref, status=error.vendor_status)

    def parse(self, delivery: InboundDelivery) -> Sequence[DeskEvent]:
        """One event.  Raises SignatureRejected, Invalid."""
        check_signature(delivery, self._linked.values(WEBHOOK_SECRET, self._clock.now()))
        event = parse_event(delivery.body, self._settings.bot_agent_id)
        return () if event is None else (event,)

    # -- inside --------------------------------------------------------------------------------------------------

    async def _end_user(self, request: HandoverRequest, payload: DixaPayload | None) -> EndUser:
        card = request.visitor
        email = (payload.email if payload else None) or card.email
        known_as = f"warmline-{card.id or request.conversation_id}"
        by = {"email": email} if email else {"externalId": known_as}
        found = await self._client.find_end_users(operation="open", **by)
        if found:
            return found[0]
        body: dict[str, Any] = {"displayName": card.name or "Visitor", "externalId": known_as}
        body |= {"email": email} if email else {}
        body |= {"phoneNumber": card.phone} if card.phone else {}
        return await self._client.create_end_user(body, operation="open")

    def _messages(self, request: HandoverRequest) -> list[dict[str, Any]]:
        """What was said up to the wish for a person: later lines follow one by one."""
        agent = self._settings.bot_agent_id
        said = [self._message(request.id, line, agent) for line in _before(request) if _is_told(line, agent)]
        # An import needs a message, also of a visitor who only pressed a button.
        nothing = TranscriptLine(seq=0, at=self._clock.now(), author=AuthorKind.VISITOR, name="", text="…")
        return said or [self._message(request.id, nothing, None)]

    @staticmethod
    def _message(request_id: str, line: TranscriptLine, agent: str | None) -> dict[str, Any]:
        told = {
            "content": {"_type": "Text", "value": line.text},
            "attachments": [],
            "createdAt": moment(line.at),
            "externalId": f"{request_id}:{line.seq}",
        }
        if line.author is AuthorKind.VISITOR:
            return told | {"_type": "InboundImport"}
        return told | {"_type": "OutboundImport", "agentId": agent}

    async def _imported(self, user: EndUser, request_id: str) -> str | None:
        """The conversation that an earlier try has made, if it did: the one whose messages have our ids."""
        listed = await self._client.conversations_of(user.id, operation="open")
        newest = sorted(listed, key=lambda one: one.id, reverse=True)[:_LOOK_BACK]
        for one in newest:
            if one.state == "Closed":
                continue
            lines = await self._client.messages(str(one.id), operation="open")
            if any((line.external_id or "").startswith(f"{request_id}:") for line in lines):
                return str(one.id)
        return None

    async def _route(self, ref: str, request: HandoverRequest, payload: DixaPayload | None) -> None:
        queue_id = (payload.queue_id if payload else None) or request.escalate_to or self._settings.queue_id
        if queue_id:
            try:
                await self._client.transfer_to_queue(ref, queue_id)
            except Refused:
                # Nobody would ever look at it: it goes, and the ladder goes on.
                await self._client.close(ref)
                raise
        # Each by itself: tags that Dixa refuses must not cost the note.
        if payload and (tags := payload.tags):
            await tell_if_possible(lambda: self._client.add_tags(ref, tags), desk=DESK, what="tags", thread=ref)
        await tell_if_possible(lambda: self._add_context(ref, request), desk=DESK, what="note", thread=ref)

    async def _add_context(self, ref: str, request: HandoverRequest) -> None:
        note = _context(request, self._settings.bot_agent_id)
        if request.repeated:
            # An earlier try may have come as far as this, with another link to the same transcript.
            begins = note.partition("\n")[0]
            told = await self._client.notes(ref, operation="open")
            if any(one.message.startswith(begins) for one in told):
                return
        await self._client.add_note(ref, note, operation="open")


def _before(request: HandoverRequest) -> list[TranscriptLine]:
    return [line for line in request.transcript if line.seq <= request.cursor]


def _is_told(line: TranscriptLine, agent: str | None) -> bool:
    return bool(line.text.strip()) and (
        line.author is AuthorKind.VISITOR or (agent is not None and line.author is AuthorKind.BOT)
    )


def _context(request: HandoverRequest, agent: str | None) -> str:
    """The note for the agent: where the visitor is, why a person is wanted, and the bot's lines where they are missing."""
    facts = [
        ("Reason", str(request.reason)),
        ("Page", request.page.get("url")),
        ("Language", request.language),
        ("Transcript", request.transcript_url),
    ]
    lines = [f"{name}: {value}" for name, value in facts if value]
    if agent is None:
        lines += ["", *(f"{line.name or line.author}: {line.text}" for line in _before(request))]
    return "\n".join(lines)


def _at(stamp: str) -> int:
    try:
        # Listed moments carry the zone's name behind the offset: 2026-11-21T10:00:00Z[GMT].
        return from_rfc3339(stamp.partition("[")[0])
    except ValueError:
        return 2**53  # without a moment it may be the line that is looked for


def dixa_kind(outgoing: Outgoing, clock: Clock) -> DeskKind:
    """The kind to register; desks made by it call through ``outgoing``."""
    return DeskKind(
        manifest=_MANIFEST,
        form=FORM,
        make=lambda linked: DixaDesk(linked, outgoing, clock),
        payload=PAYLOAD,
        summary="Agents answer in Dixa, by its messaging channel",
        webhook="Dixa: Settings, Integrations, Webhooks, Add. Then copy the secret that Dixa shows into “Settings” here.",
    )
