"""Zendesk as a helpdesk: a conversation of our own in Sunshine Conversations, whose control is passed to Zendesk's agents."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import structlog

from warmline.desks.sunco.client import SuncoClient
from warmline.desks.sunco.context import context_parts, pieces
from warmline.desks.sunco.inbound import ITEM, MARK, check_secret, has_place, moment, parse_batch
from warmline.desks.sunco.metadata import pass_metadata
from warmline.desks.sunco.settings import FORM, KEY_SECRET, PAYLOAD, WEBHOOK_SECRET, SuncoPayload, read_settings
from warmline.handover.desk_kinds import DeskKind, Linked
from warmline.handover.port import (
    AuthRejected,
    Availability,
    DeskError,
    DeskEvent,
    EndReason,
    File,
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
    VendorFile,
    VisitorLine,
)
from warmline.kernel.clock import Clock
from warmline.platform.http import Outgoing

log = structlog.get_logger(__name__)

_MANIFEST = Manifest.load(Path(__file__).with_name("manifest.toml"))
_NAME_LIMIT = 128
_BOT = "Chatbot"


class SuncoDesk:
    """One app.  ``Thread.ref`` is the conversation's id, ``Thread.state`` the user's externalId."""

    manifest: ClassVar[Manifest] = _MANIFEST

    def __init__(self, linked: Linked, outgoing: Outgoing, clock: Clock) -> None:
        self._linked = linked
        self._clock = clock
        self._settings = settings = read_settings(linked.settings)
        self._client = SuncoClient(
            outgoing,
            clock,
            api_url=settings.api_url,
            app_id=settings.app_id,
            key_id=settings.key_id,
            key_secret=linked.value(KEY_SECRET, clock.now()),
        )

    async def check(self) -> Health:
        """Read the switchboard, which changes nothing; an integration's own key may only show that it is good."""
        try:
            said = await self._look_at_switchboard()
        except DeskError as error:
            return Health(ok=False, sentence=f"Zendesk: {error.detail}")
        if said.ok and not self._linked.values(WEBHOOK_SECRET, self._clock.now()):
            return Health(
                ok=False, sentence="Zendesk answers, but its webhook's secret is missing: no agent would be heard."
            )
        return said

    async def _look_at_switchboard(self) -> Health:
        try:
            places = await self._client.switchboard_integrations()
        except AuthRejected as error:
            if error.vendor_status != 403:
                raise
            await self._client.try_key()
            return Health(ok=True, sentence="Zendesk answers. This key may not look into the switchboard.")
        for wanted in (self._settings.switchboard_integration, self._settings.agent_integration):
            if not any(has_place(one, wanted) for one in places):
                return Health(ok=False, sentence=f"Zendesk answers, but its switchboard has no “{wanted}”.")
        return Health(ok=True, sentence="Zendesk answers, and its agents stand in the switchboard.")

    async def availability(self, queue: QueueRef) -> Availability:
        """Sunshine Conversations does not say."""
        del queue
        return Availability.UNKNOWN

    async def open(self, request: HandoverRequest) -> Thread:
        """A user, a conversation, what was said, and control to the agents.

        Control is taken first, since a message to agents would make a ticket before it can be told what belongs to it.
        After a try whose answer was lost, the conversation is known by the request's id in its metadata, and each message
        by its own.
        """
        payload = request.payload if isinstance(request.payload, SuncoPayload) else None
        user = f"warmline-{request.visitor.id or request.conversation_id}"
        await self._client.create_user(user, _profile(request, payload))
        found = await self._made_before(user, request.id) if request.repeated else None
        if found is None:
            metadata = {MARK: request.id, "warmline_conversation": request.conversation_id}
            found = (await self._client.create_conversation(user, metadata)).id
        await self._hand_over(found, request, payload)
        own = self._settings.switchboard_integration
        # As the pending one we go on hearing what is said, without hearing of every other conversation.
        await self._client.control("offerControl", found, own, {MARK: request.id})
        return self._linked.thread(request, found, user)

    async def _made_before(self, user: str, request_id: str) -> str | None:
        for one in await self._client.conversations_of(user):
            if (one.metadata or {}).get(MARK) == request_id:
                return one.id
        return None

    async def _hand_over(self, ref: str, request: HandoverRequest, payload: SuncoPayload | None) -> None:
        settings, parts = self._settings, context_parts(request)
        known = await self._known(ref, operation="open") if request.repeated else {}
        items = [f"{request.id}:{place}" for place in range(len(parts))]
        if not known.keys() >= set(items):
            # While something is missing the agents cannot have it yet.  Later it must not be taken from them again.
            await self._client.control("passControl", ref, settings.switchboard_integration, {MARK: request.id})
        ids = []
        for item, text in zip(items, parts, strict=True):
            ids.append(known.get(item) or await self._tell_agent(ref, item, text, operation="open"))
        group = (payload.group_id if payload else None) or request.escalate_to or settings.group_id
        metadata = pass_metadata(payload, request, group_id=group, first_message_id=ids[0])
        # The vendor's guide calls passing control to who has it harmless.
        await self._client.control("passControl", ref, settings.agent_integration, metadata)

    async def send(self, thread: Thread, item: Outbound) -> Receipt:
        """A line of the visitor with its files, or a note.  A user's typing is not allowed by the vendor."""
        match item:
            case OutboundMessage():
                return await self._send_line(thread, item)
            case OutboundNote():
                return Receipt(vendor_id=await self._tell_agent(thread.ref, item.id, item.text, operation="send"))
            case OutboundTyping():
                return Receipt()

    async def _send_line(self, thread: Thread, item: OutboundMessage) -> Receipt:
        """Files first, each as a message; whatever comes last carries the item's own id, so that it says: all of it is there."""
        parts: list[File | str] = [*item.attachments, *(pieces(item.text) if item.text.strip() else [])]
        ids = [*(f"{item.id}/{place}" for place in range(len(parts) - 1)), item.id]
        known = await self._known(thread.ref, operation="send") if len(parts) > 1 else {}
        vendor_id = ""
        for part, part_id in zip(parts, ids, strict=False):
            if part_id in known:
                vendor_id = known[part_id]
                continue
            content = (
                {"type": "text", "text": part} if isinstance(part, str) else await self._uploaded(thread.ref, part)
            )
            body = {
                "author": {"type": "user", "userExternalId": self._user(thread)},
                "content": content,
                "metadata": {ITEM: part_id},
            }
            vendor_id = await self._client.post(thread.ref, body, operation="send")
        return Receipt(vendor_id=vendor_id or None)

    async def _uploaded(self, ref: str, file: File) -> dict[str, Any]:
        url = await self._client.upload(ref, file.name, file.media_type, await file.read())
        kind = "image" if file.media_type.startswith("image/") else "file"
        return {"type": kind, "mediaUrl": url, "altText": file.name[:_NAME_LIMIT]}

    async def _tell_agent(self, ref: str, item: str, text: str, *, operation: str) -> str:
        body = {
            "author": {"type": "business", "displayName": _BOT},
            "content": {"type": "text", "text": text},
            "metadata": {ITEM: item},
        }
        return await self._client.post(ref, body, operation=operation)

    async def _known(self, ref: str, *, operation: str) -> dict[str, str]:
        """Our ids of the newest messages that carry one, and the vendor's."""
        async for page in self._client.pages(ref, operation=operation):
            return {str(one.metadata[ITEM]): one.id for one in page if one.metadata and ITEM in one.metadata}
        return {}

    @staticmethod
    def _user(thread: Thread) -> str:
        return thread.state if isinstance(thread.state, str) else f"warmline-{thread.conversation_id}"

    async def history(self, thread: Thread, since: int) -> Sequence[DeskEvent]:
        """The visitor's lines in the conversation since a moment: what an unanswered send may have left there."""
        found: list[DeskEvent] = []
        async for page in self._client.pages(thread.ref, operation="send"):
            # Without a moment it may be the line that is looked for.
            recent = [one for one in page if (at := moment(one.received)) is None or at >= since]
            found += [
                VisitorLine(
                    thread_ref=thread.ref,
                    vendor_event_id=one.id or None,
                    occurred_at=moment(one.received),
                    text=one.content.text or "",
                    item_id=str(one.metadata[ITEM]) if one.metadata and ITEM in one.metadata else None,
                )
                for one in recent
                if one.author.type == "user"
            ]
            if len(recent) < len(page):
                break
        return found

    async def fetch_file(self, thread: Thread, file: VendorFile, *, max_bytes: int) -> bytes:
        """A file of an agent, with the key (needed where the account has private attachments)."""
        del thread
        return await self._client.fetch(file.url, max_bytes=max_bytes)

    async def close(self, thread: Thread, reason: EndReason) -> None:
        """Release control; the ticket stays with the agents.  One that is gone already is as good."""
        told = {MARK: thread.request_id, "warmline_reason": str(reason)}
        # An integration's own key may only release what it has: as the pending one it may take that first.
        for verb in ("releaseControl", "acceptControl", "releaseControl"):
            try:
                await self._client.control(verb, thread.ref, "", told, operation="close")
            except AuthRejected as error:
                if error.vendor_status != 403:
                    raise
                if verb == "acceptControl":
                    # Neither in control nor next: there is nothing of ours to give back.
                    log.info("sunco.nothing_to_release", thread=thread.ref)
                    return
            except Refused as error:
                log.info("sunco.close_refused", thread=thread.ref, status=error.vendor_status)
                return
            else:
                if verb == "releaseControl":
                    return

    def parse(self, delivery: InboundDelivery) -> Sequence[DeskEvent]:
        """The events of a batch, perhaps of several conversations.  Raises SignatureRejected, Invalid."""
        check_secret(delivery, self._linked.values(WEBHOOK_SECRET, self._clock.now()))
        return parse_batch(delivery.body, agents=self._settings.agent_integration, api_url=self._settings.api_url)


def _profile(request: HandoverRequest, payload: SuncoPayload | None) -> dict[str, str]:
    """Who the visitor is, as far as it is known; what the vendor would refuse is left out."""
    card = request.visitor
    email = (payload.email if payload else None) or card.email or ""
    known = {
        "givenName": ((payload.name if payload else None) or card.name or "")[:_NAME_LIMIT].strip(),
        "email": email if "@" in email and len(email) <= _NAME_LIMIT else "",
        "locale": request.language,
    }
    return {name: value for name, value in known.items() if value}


def sunco_kind(outgoing: Outgoing, clock: Clock) -> DeskKind:
    """The kind to register; desks made by it call through ``outgoing``."""
    return DeskKind(
        manifest=_MANIFEST,
        form=FORM,
        make=lambda linked: SuncoDesk(linked, outgoing, clock),
        payload=PAYLOAD,
        summary="Agents answer in Zendesk, by the switchboard of Sunshine Conversations",
        webhook="Zendesk: Admin Center, Apps and integrations, Conversations integrations: your integration's webhook."
        " Then copy its shared secret into “Settings” here.",
    )
