"""Kustomer's chat: the conversation is handed off with what was said, and the visitor's lines follow one by one."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import structlog

from warmline.desks.kustomer.client import DESK, KustomerClient, Ref, User
from warmline.desks.kustomer.files import KustomerFiles, said_at
from warmline.desks.kustomer.inbound import agent_id, check_signature, is_cut, parse_event
from warmline.desks.kustomer.settings import API_KEY, FORM, PAYLOAD, WEBHOOK_TOKEN, KustomerPayload, read_settings
from warmline.desks.shared.answers import moment
from warmline.desks.shared.context import tell_if_possible
from warmline.desks.shared.known import remember, unknown_instead
from warmline.handover.desk_kinds import DeskKind, Linked
from warmline.handover.port import (
    AgentJoined,
    AgentReplied,
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
    QueueMoved,
    QueueRef,
    Receipt,
    Refused,
    Thread,
    TranscriptLine,
    VendorFile,
    VisitorLine,
)
from warmline.kernel.clock import Clock
from warmline.platform.http import Outgoing

log = structlog.get_logger(__name__)

_MANIFEST = Manifest.load(Path(__file__).with_name("manifest.toml"))
_MOST_MESSAGES = 100
_MOST_BYTES = 80_000
"""A handoff takes no more messages, and most calls take 100 kB; the link in the note leads to the rest."""
_NOTHING_SAID = {"in": "…", "out": "The visitor asks for a person."}
"""What stands for the side that has not said anything: a handoff needs a line of each."""


class KustomerDesk:
    """One Kustomer organisation.  ``Thread.ref`` is the conversation's id, which is the chat session's too."""

    manifest: ClassVar[Manifest] = _MANIFEST

    def __init__(self, linked: Linked, outgoing: Outgoing, clock: Clock) -> None:
        self._linked = linked
        self._clock = clock
        self._settings = read_settings(linked.settings)
        self._client = KustomerClient(
            outgoing, clock, api_url=self._settings.api_url, key=linked.value(API_KEY, clock.now())
        )
        self._customers: dict[str, str] = {}
        self._users: dict[str, User] = {}
        self._arrived: dict[str, str] = {}
        self._files = KustomerFiles(self._client, self._arrived)
        self._latest: dict[str, tuple[int, str | None]] = {}

    async def check(self) -> Health:
        """List the queues and read the bot's user, which changes nothing."""
        try:
            queues = await self._client.queues(operation="check")
            await self._client.user(self._settings.bot_user_id, operation="check")
        except DeskError as error:
            if error.vendor_status == 404:
                return Health(ok=False, sentence="Kustomer answers, but has no user with the id given for the bot.")
            return Health(ok=False, sentence=f"Kustomer: {error.detail}")
        wanted = self._settings.queue_id
        if wanted and wanted not in {queue.id for queue in queues}:
            return Health(ok=False, sentence="Kustomer answers, but this connection's queue is not among its queues.")
        if not self._linked.values(WEBHOOK_TOKEN, self._clock.now()):
            return Health(
                ok=False, sentence="Kustomer answers; enter the webhook's token, so that it can be heard too."
            )
        return Health(ok=True, sentence=f"Kustomer answers; it has {len(queues)} queues.")

    async def queues(self) -> Sequence[QueueRef]:
        """Kustomer's queues."""
        found = await self._client.queues(operation="queues")
        return [self._linked.queue(queue.id, queue.attributes.name or "") for queue in found]

    async def availability(self, queue: QueueRef) -> Availability:
        """Unknown: Kustomer has no answer to whether somebody is there."""
        del queue
        return Availability.UNKNOWN

    async def open(self, request: HandoverRequest) -> Thread:
        """Hand the conversation off and send it to its queue.

        Kustomer keeps our id with the session but does not promise to take one once, so after a try whose answer was lost
        the customer's open sessions are looked through for it first.
        """
        payload = request.payload if isinstance(request.payload, KustomerPayload) else None
        customer = await self._customer(request, payload)
        ref = await self._handed_off(customer, request.id) if request.repeated else None
        if ref is None:
            made = await self._client.handoff(
                {
                    "customerId": customer.id,
                    "messages": _messages(request, self._clock.now()),
                    "from": self._settings.bot_user_id,
                    "externalId": request.id,
                    "active": True,
                }
            )
            ref = made.id
        remember(self._customers, ref, customer.id)
        await self._route(ref, request, payload)
        return self._linked.thread(request, ref)

    async def send(self, thread: Thread, item: Outbound) -> Receipt:
        """A line of the visitor with its files, or a note.  Kustomer documents no way to show that a customer is typing."""
        match item:
            case OutboundMessage():
                whose = {"customerId": await self._customer_of(thread.ref), "session": thread.ref}
                text = item.text
                if item.attachments:
                    brought, text = await self._files.bring(item, whose)
                    if brought:
                        return Receipt(vendor_id=brought)
                added = await self._client.add_message({**whose, "body": text})
                remember(self._arrived, added.id, item.id)
                return Receipt(vendor_id=added.id)
            case OutboundNote():
                await self._client.add_note(thread.ref, item.text, external_id=item.id, operation="send")
                return Receipt()
            case OutboundTyping():
                return Receipt()

    async def history(self, thread: Thread, since: int) -> Sequence[DeskEvent]:
        """The visitor's lines in the session since a moment: what an unanswered send may have left there.

        Kustomer's chat keeps no id of ours with a line.  Lines that it did answer for are known by its own ids, so that
        the same words said twice are not taken for each other; an unanswered line is known by its words.  Unanswered
        files are left out: ``send`` looks for those itself.
        """
        lines = await self._client.messages(thread.ref, operation="send")
        return [
            VisitorLine(
                thread_ref=thread.ref,
                vendor_event_id=line.id,
                text=said.body or said.preview or "",
                item_id=self._arrived.get(line.id),
            )
            for line in lines
            if (said := line.attributes).direction == "in"
            and said_at(line) >= since
            and (not line.files or line.id in self._arrived)
        ]

    async def close(self, thread: Thread, reason: EndReason) -> None:
        """Mark the conversation done; one that is gone says so with a 4xx, which is as good."""
        del reason
        try:
            await self._client.update_conversation(thread.ref, {"status": "done"}, operation="close")
        except Refused as error:
            log.info("kustomer.close_refused", thread=thread.ref, status=error.vendor_status)

    def parse(self, delivery: InboundDelivery) -> Sequence[DeskEvent]:
        """One event.  Raises SignatureRejected, Invalid."""
        check_signature(delivery, self._linked.values(WEBHOOK_TOKEN, self._clock.now()))
        event = parse_event(delivery.body, self._settings.bot_user_id)
        return () if event is None else (event,)

    async def enrich(self, event: DeskEvent) -> DeskEvent:
        """The agent's name and avatar, the whole text of a cut line, what its files are; Unknown for a change of the assignment that a later one has overtaken."""
        if not isinstance(event, AgentJoined | AgentReplied | QueueMoved):
            return event
        if self._is_overtaken(event):
            return unknown_instead(event, "overtaken change of the assignment")
        if isinstance(event, QueueMoved):
            return event
        if isinstance(event, AgentReplied) and is_cut(event.raw):
            event = await self._whole(event)
        if isinstance(event, AgentReplied) and event.files:
            event = await self._files.described(event)
        user = await self._user(agent_id(event.raw, self._settings.bot_user_id))
        if user is None:
            return event
        who = user.attributes
        return dataclasses.replace(event, name=who.display_name or who.name or "", avatar=who.avatar_url or None)

    async def fetch_file(self, thread: Thread, file: VendorFile, *, max_bytes: int) -> bytes:
        """A file that needs the key, which only the API's own host is shown, or whose address is still to be asked for."""
        del thread
        return await self._files.fetch(file, max_bytes=max_bytes)

    # -- inside --------------------------------------------------------------------------------------------------

    def _is_overtaken(self, event: DeskEvent) -> bool:
        """Whether a change of the assignment is older than what is known; of one moment, somebody's joining is the later."""
        at, known = event.occurred_at, self._latest.get(event.thread_ref)
        if at is None:
            return False
        if known is not None and known[1] != event.vendor_event_id:
            late = at < known[0] or (at == known[0] and isinstance(event, QueueMoved))
            if late:
                return not isinstance(event, AgentReplied)
        remember(self._latest, event.thread_ref, (at, event.vendor_event_id))
        return False

    async def _customer(self, request: HandoverRequest, payload: KustomerPayload | None) -> Ref:
        """The visitor's customer: by e-mail address, else by our id of him, else a new one."""
        card = request.visitor
        email = (payload.email if payload else None) or card.email
        known_as = f"warmline-{card.id or request.conversation_id}"
        found = await self._found_customer(email, known_as)
        if found is not None:
            return found
        body: dict[str, Any] = {"name": (payload.name if payload else None) or card.name or "Visitor"}
        body["externalId"] = known_as
        if email:
            # He has typed it, nobody has checked it.
            body["emails"] = [{"type": "home", "email": email, "verified": False}]
        try:
            return await self._client.create_customer(body)
        except Refused as error:
            # Somebody else was quicker, perhaps an earlier try of ours.
            found = await self._found_customer(email, known_as) if error.vendor_status == 409 else None
            if found is None:
                raise
            return found

    async def _found_customer(self, email: str | None, known_as: str) -> Ref | None:
        found = await self._client.find_customer("email", email) if email else None
        return found or await self._client.find_customer("externalId", known_as)

    async def _handed_off(self, customer: Ref, request_id: str) -> str | None:
        """The session that an earlier try has made, if it did: the one that has our id among its attributes."""
        for session in await self._client.active_sessions(customer.id):
            if _mentions(session.attributes, request_id):
                return session.id
        return None

    async def _customer_of(self, ref: str) -> str:
        if ref not in self._customers:
            found = await self._client.conversation(ref)
            customer = found.relationships.customer.data
            if customer is None:
                raise Refused("Kustomer does not say whose conversation this is.", desk="kustomer", operation="send")
            remember(self._customers, ref, customer.id)
        return self._customers[ref]

    async def _user(self, user_id: str | None) -> User | None:
        if user_id is None:
            return None
        if user_id not in self._users:
            try:
                found = await self._client.user(user_id, operation="enrich")
            except DeskError as error:
                # An agent without a name is better than no agent.
                log.warning("kustomer.user_not_read", code=error.code, status=error.vendor_status)
                return None
            remember(self._users, user_id, found)
        return self._users[user_id]

    async def _whole(self, event: AgentReplied) -> AgentReplied:
        try:
            lines = await self._client.messages(event.thread_ref, operation="enrich")
        except DeskError as error:
            log.warning("kustomer.text_not_read", thread=event.thread_ref, code=error.code, status=error.vendor_status)
            return event
        beginning = event.text.removesuffix("…").removesuffix("...")
        # Words of which nothing is known are not guessed.
        said = {
            line.id: text
            for line in lines
            if (text := line.attributes.body or "").startswith(beginning) and (beginning or line.id == event.message_id)
        }
        # The message of a conversation need not have the chat message's id.
        text = said.get(event.message_id or "") or next(iter(said.values()), event.text)
        return dataclasses.replace(event, text=text)

    async def _route(self, ref: str, request: HandoverRequest, payload: KustomerPayload | None) -> None:
        queue_id = (payload.queue if payload else None) or request.escalate_to or self._settings.queue_id
        if queue_id:
            try:
                await self._client.update_conversation(ref, {"queue": {"id": queue_id}}, operation="open")
            except Refused:
                # It would wait where nobody was meant to look: it goes, and the ladder goes on.
                await self._client.update_conversation(ref, {"status": "done"}, operation="open")
                raise
        # Each by itself: tags that Kustomer refuses must not cost the note.
        if payload and (tags := payload.tags):
            await tell_if_possible(lambda: self._client.add_tags(ref, tags), desk=DESK, what="tags", thread=ref)
        note = _context(request)
        await tell_if_possible(
            lambda: self._client.add_note(ref, note, external_id=request.id, operation="open"),
            desk=DESK,
            what="note",
            thread=ref,
        )


def _messages(request: HandoverRequest, now: int) -> list[dict[str, Any]]:
    """What was said up to the wish for a person: later lines follow one by one."""
    said = [_line(line) for line in request.transcript if line.seq <= request.cursor and _is_told(line)]
    said = said[-_MOST_MESSAGES:]
    while sum(len(text.encode()) + 100 for _, text, _ in said) > _MOST_BYTES and len(said) > 1:
        del said[0]
    for direction, instead in _NOTHING_SAID.items():
        if all(one[0] != direction for one in said):
            said = [(direction, instead, said[0][2] if said else now), *said[1 - _MOST_MESSAGES :]]
    messages = []
    last = 0
    for direction, text, at in said:
        # Kustomer sorts by date, so no two may have the same.
        last = max(at, last + 1)
        messages.append({"direction": direction, "body": text, "date": moment(last)})
    return messages


def _is_told(line: TranscriptLine) -> bool:
    return bool(line.text.strip()) and line.author is not AuthorKind.SYSTEM


def _line(line: TranscriptLine) -> tuple[str, str, int]:
    if line.author is AuthorKind.VISITOR:
        return "in", line.text, line.at
    # One user stands for all of our side, so a person's line says whose it is.
    spoken = f"{line.name}: {line.text}" if line.author is AuthorKind.AGENT and line.name else line.text
    return "out", spoken, line.at


def _context(request: HandoverRequest) -> str:
    """The note for the agent: where the visitor is and why a person is wanted."""
    facts = [
        ("Reason", str(request.reason)),
        ("Page", request.page.get("url")),
        ("Language", request.language),
        ("Phone", request.visitor.phone),
        ("Transcript", request.transcript_url),
    ]
    return "\n".join(f"{name}: {value}" for name, value in facts if value)


def _mentions(value: Any, wanted: str) -> bool:
    """Whether ``wanted`` is one of the texts in ``value``: the attribute in which the external id is kept is not documented."""
    if isinstance(value, dict):
        return any(_mentions(inner, wanted) for inner in value.values())
    if isinstance(value, list):
        return any(_mentions(inner, wanted) for inner in value)
    return bool(value == wanted)


def kustomer_kind(outgoing: Outgoing, clock: Clock) -> DeskKind:
    """The kind to register; desks made by it call through ``outgoing``."""
    return DeskKind(
        manifest=_MANIFEST,
        form=FORM,
        make=lambda linked: KustomerDesk(linked, outgoing, clock),
        payload=PAYLOAD,
    )
