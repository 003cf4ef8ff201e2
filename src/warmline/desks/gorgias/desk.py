"""Gorgias' tickets: the conversation becomes one, the visitor's lines follow one by one, and agents answer when they come to it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import structlog

from warmline.desks.gorgias.client import DESK, Customer, File, GorgiasClient, Integration, Message
from warmline.desks.gorgias.inbound import TRIGGERS, check_secret, moment, parse_delivery, text_of
from warmline.desks.gorgias.settings import (
    API_KEY,
    FORM,
    PAYLOAD,
    SHORTEST_SECRET,
    WEBHOOK_SECRET,
    GorgiasPayload,
    read_settings,
)
from warmline.desks.gorgias.ticket_bodies import OURS, TicketBodies
from warmline.desks.shared.known import remember, unknown_instead
from warmline.handover.desk_kinds import DeskKind, Linked
from warmline.handover.port import (
    AgentJoined,
    AgentReplied,
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
    ThreadEnded,
    ThreadTransferred,
    VendorFile,
    VisitorLine,
)
from warmline.handover.port import File as OutboundFile
from warmline.kernel.clock import Clock
from warmline.platform.http import Outgoing

log = structlog.get_logger(__name__)

_MANIFEST = Manifest.load(Path(__file__).with_name("manifest.toml"))
_NOTHING_NEW = "nothing new"
_NO_ADDRESS = "visitors.warmline.invalid"
"""Customers need an e-mail address; mail to this one goes nowhere, by RFC 2606."""
_GONE = "Gorgias has no such ticket any more. Was it merged? See the guide: a rule must exclude it from auto-merge."
_LEFT = "The visitor has left the chat; answers on this ticket do not reach the chat any more."


class GorgiasDesk:
    """One Gorgias account.  ``Thread.ref`` is the ticket's number, its state ``{"customer": number}``."""

    manifest: ClassVar[Manifest] = _MANIFEST

    def __init__(self, linked: Linked, outgoing: Outgoing, clock: Clock) -> None:
        self._linked = linked
        self._clock = clock
        self._settings = read_settings(linked.settings)
        self._client = GorgiasClient(
            outgoing,
            clock,
            api_url=self._settings.api_url,
            email=self._settings.account_email,
            key=linked.value(API_KEY, clock.now()),
        )
        self._tickets = TicketBodies(self._settings, clock)
        self._read: dict[str, Message] = {}
        self._held: dict[str, tuple[int, str]] = {}

    async def check(self) -> Health:
        """List teams and integrations, which changes nothing: whether we may call, and whether we are called."""
        try:
            teams = await self._client.teams(operation="check")
        except DeskError as error:
            return Health(ok=False, sentence=f"Gorgias: {error.detail}")
        wanted = self._settings.team_id
        if wanted and wanted not in {str(team.id) for team in teams}:
            return Health(ok=False, sentence="Gorgias answers, but this connection's team is not among its teams.")
        if all(len(secret) < SHORTEST_SECRET for secret in self._linked.values(WEBHOOK_SECRET, self._clock.now())):
            return Health(
                ok=False,
                sentence=f"Gorgias answers; enter a webhook secret of at least {SHORTEST_SECRET} characters,"
                " so that it can be heard too.",
            )
        try:
            found = await self._client.integrations()
        except DeskError:
            return Health(ok=True, sentence="Gorgias answers, but this key may not see whether its webhook stands.")
        return self._heard(found)

    def _heard(self, integrations: Sequence[Integration]) -> Health:
        address = f"/in/{self._linked.connection_id}"
        mine = [one for one in integrations if one.http is not None and one.http.url.endswith(address)]
        if not mine:
            return Health(
                ok=False, sentence="Gorgias answers, but has no HTTP integration to this connection's address."
            )
        live = [one for one in mine if one.deactivated_datetime is None]
        if not live:
            return Health(
                ok=False, sentence="Gorgias answers, but has switched the HTTP integration off: no agent is heard."
            )
        on = {
            name.replace("_", "-") for one in live if one.http for name, yes in (one.http.triggers or {}).items() if yes
        }
        if lacking := [name for name in TRIGGERS[:2] if name not in on]:
            return Health(
                ok=False, sentence=f"Gorgias answers, but its HTTP integration lacks {' and '.join(lacking)}."
            )
        return Health(ok=True, sentence="Gorgias answers, and its HTTP integration stands.")

    async def queues(self) -> Sequence[QueueRef]:
        """Gorgias' teams."""
        found = await self._client.teams(operation="queues")
        return [self._linked.queue(str(team.id), team.name) for team in found]

    async def availability(self, queue: QueueRef) -> Availability:
        """Unknown: tickets wait for whoever comes to them."""
        del queue
        return Availability.UNKNOWN

    async def open(self, request: HandoverRequest) -> Thread:
        """Make a ticket of what was said, in one call.

        Gorgias keeps our id with the ticket but takes it as often as it comes, so after a try whose answer was lost the
        customer's newest tickets are looked through for it first.
        """
        payload = request.payload if isinstance(request.payload, GorgiasPayload) else None
        customer = await self._customer(request, payload)
        ref = await self._made(customer, request.id) if request.repeated else None
        if ref is None:
            made = await self._client.create_ticket(self._tickets.new(request, payload, customer.id))
            ref = str(made.id)
        return self._linked.thread(request, ref, {"customer": customer.id})

    async def send(self, thread: Thread, item: Outbound) -> Receipt:
        """A line of the visitor, or a note.  Tickets show nobody's typing."""
        match item:
            case OutboundMessage():
                customer = await self._customer_of(thread)
                text, files = await self._attached(item)
                body = self._tickets.line(customer, text, item.id, item.at or self._clock.now())
                added = await self._add(thread.ref, body | {"attachments": files}, operation="send")
                return Receipt(vendor_id=str(added.id))
            case OutboundNote():
                added = await self._add(
                    thread.ref, self._tickets.note(item.text, item.id, self._clock.now()), operation="send"
                )
                return Receipt(vendor_id=str(added.id))
            case OutboundTyping():
                return Receipt()

    async def history(self, thread: Thread, since: int) -> Sequence[DeskEvent]:
        """The visitor's newest lines: what an unanswered send may have left there."""
        return [
            VisitorLine(
                thread_ref=thread.ref,
                vendor_event_id=str(line.id),
                text=line.body_text or "",
                item_id=line.external_id.removeprefix(OURS) if line.external_id else None,
            )
            for line in await self._client.newest_messages(thread.ref)
            if not line.from_agent and (moment(line.created_datetime) or since) >= since
        ]

    async def close(self, thread: Thread, reason: EndReason) -> None:
        """Close the ticket, or leave it open with a note; one that is gone says so with a 4xx, which is as good."""
        try:
            # Where others go on, an open ticket would be answered by nobody who is heard.
            if self._settings.close_tickets or reason not in {EndReason.VISITOR_LEFT, EndReason.IDLE}:
                await self._client.update_ticket(thread.ref, {"status": "closed"})
            else:
                await self._client.add_message(
                    thread.ref, self._tickets.note(_LEFT, "left", self._clock.now()), operation="close"
                )
        except Refused as error:
            log.info("gorgias.close_refused", thread=thread.ref, status=error.vendor_status)

    def parse(self, delivery: InboundDelivery) -> Sequence[DeskEvent]:
        """How the ticket stands, and what an agent wrote.  Raises SignatureRejected, Invalid."""
        check_secret(delivery, self._linked.values(WEBHOOK_SECRET, self._clock.now()))
        return parse_delivery(delivery.body)

    async def enrich(self, event: DeskEvent) -> DeskEvent:
        """The message as Gorgias has it, with its files; Unknown for a state of the ticket that is old or tells nothing new."""
        if isinstance(event, AgentReplied):
            return await self._whole(event)
        if isinstance(event, AgentJoined | ThreadTransferred | ThreadEnded):
            return self._news(event)
        return event

    async def fetch_file(self, thread: Thread, file: VendorFile, *, max_bytes: int) -> bytes:
        """A file that lies at the account's own address, which may ask for our credentials."""
        del thread
        if not self._client.is_ours(file.url):
            raise Refused("This file lies elsewhere, where our key is not shown.", desk=DESK, operation="fetch_file")
        return await self._client.download(file.url, max_bytes=max_bytes)

    # -- inside --------------------------------------------------------------------------------------------------

    async def _customer(self, request: HandoverRequest, payload: GorgiasPayload | None) -> Customer:
        """The customer with the visitor's e-mail address, else with one that stands for him."""
        card = request.visitor
        known_as = f"warmline-{card.id or request.conversation_id}"
        email = (payload.email if payload else None) or card.email or f"{known_as}@{_NO_ADDRESS}"
        if found := await self._client.find_customers(email):
            return found[0]
        name = (payload.name if payload else None) or card.name or "Visitor"
        body: dict[str, Any] = {"email": email, "name": name, "channels": [{"type": "email", "address": email}]}
        try:
            return await self._client.create_customer(body | {"external_id": known_as})
        except Refused:
            # Somebody else was quicker, perhaps an earlier try of ours.
            if found := await self._client.find_customers(email):
                return found[0]
            raise

    async def _made(self, customer: Customer, request_id: str) -> str | None:
        for ticket in await self._client.tickets_of(customer.id):
            if ticket.external_id == request_id:
                return str(ticket.id)
        return None

    async def _customer_of(self, thread: Thread) -> int:
        state = thread.state if isinstance(thread.state, dict) else {}
        if isinstance(state.get("customer"), int):
            return int(state["customer"])
        customer = (await self._client.ticket(thread.ref)).customer
        if customer is None:
            raise Refused("Gorgias does not say whose ticket this is.", desk=DESK, operation="send")
        return customer.id

    async def _add(self, ref: str, body: dict[str, Any], *, operation: str) -> Message:
        try:
            return await self._client.add_message(ref, body, operation=operation)
        except Refused as error:
            if error.vendor_status != 404:
                raise
            raise Refused(_GONE, desk=DESK, operation=operation, vendor_status=404) from error

    async def _attached(self, item: OutboundMessage) -> tuple[str, list[dict[str, Any]]]:
        """The text and the uploaded files; the link of a file that Gorgias does not take goes with the text."""
        text, files = [item.text], []
        for file in item.attachments:
            kept = await self._uploaded(file)
            if kept is not None and kept.url:
                files.append({"url": kept.url, "name": file.name, "size": file.size, "content_type": file.media_type})
            else:
                text.append(f"{file.name}: {file.url}")
        return "\n".join(part for part in text if part), files

    async def _uploaded(self, file: OutboundFile) -> File | None:
        try:
            return await self._client.upload(file.name, file.media_type, await file.read())
        except Refused as error:
            log.warning("gorgias.file_refused", status=error.vendor_status)
            return None

    async def _whole(self, event: AgentReplied) -> DeskEvent:
        """The message, read: a template has no files and no markup.  As it came, while Gorgias is in trouble."""
        number = event.message_id or ""
        message = self._read.get(number)
        if message is None:
            try:
                message = await self._client.message(event.thread_ref, number)
            except Refused as error:
                # This ticket has no such message, whatever the call says.
                log.warning("gorgias.no_such_message", status=error.vendor_status)
                return unknown_instead(event, "message that is not there")
            except DeskError as error:
                log.warning("gorgias.message_not_read", code=error.code, status=error.vendor_status)
                return dataclasses.replace(event, text=event.text.strip())
            remember(self._read, number, message)
        if not message.from_agent or not message.public:
            return unknown_instead(event, _NOTHING_NEW)
        name = (message.sender.name if message.sender else None) or event.name
        files = tuple(self._file(one) for one in message.attachments or () if one.url)
        return dataclasses.replace(event, text=text_of(message), name=name, files=files)

    def _file(self, one: File) -> VendorFile:
        return VendorFile(
            url=one.url,
            name=one.name or "",
            media_type=one.content_type or "",
            size=one.size,
            private=self._client.is_ours(one.url),
        )

    def _news(self, event: AgentJoined | ThreadTransferred | ThreadEnded) -> DeskEvent:
        """The event, if it is newer than what is known of the ticket and says something else.

        What is known is lost at a restart: an agent who then lets a ticket go is not missed until another takes it.
        """
        at = event.occurred_at or self._clock.now()
        known_at, known = self._held.get(event.thread_ref, (0, ""))
        if at < known_at:
            return unknown_instead(event, _NOTHING_NEW)
        if isinstance(event, ThreadEnded):
            return event
        now = event.name or "somebody" if isinstance(event, AgentJoined) else ""
        remember(self._held, event.thread_ref, (at, now))
        return event if now != known else unknown_instead(event, _NOTHING_NEW)


def gorgias_kind(outgoing: Outgoing, clock: Clock) -> DeskKind:
    """The kind to register; desks made by it call through ``outgoing``."""
    return DeskKind(
        manifest=_MANIFEST,
        form=FORM,
        make=lambda linked: GorgiasDesk(linked, outgoing, clock),
        payload=PAYLOAD,
        summary="A ticket in Gorgias, answered when somebody comes to it; not a live chat",
        webhook="Gorgias: Settings, HTTP integrations, Add, with the headers and the body that the guide shows."
        " And set its rule against auto-merge.",
    )
