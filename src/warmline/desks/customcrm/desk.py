"""The custom-CRM desk: from Warmline's words to the published wire, item by item."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from warmline.desks.customcrm import payloads
from warmline.desks.customcrm.client import DESK, read_team_online
from warmline.desks.customcrm.inbound import parse_agent_event
from warmline.desks.customcrm.settings import (
    AVAILABILITY_KEPT_MS,
    AVAILABILITY_TIMEOUT_S,
    FORM,
    read_settings,
)
from warmline.desks.shared.signed_posts import SIGNING_SECRET, SignedPosts, target_check, wire_id
from warmline.handover.desk_kinds import DeskKind, Linked
from warmline.handover.port import (
    AuthRejected,
    Availability,
    BotLine,
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
    RateLimited,
    Receipt,
    Refused,
    SignatureRejected,
    Thread,
    Unsupported,
)
from warmline.kernel.clock import Clock
from warmline.kernel.ids import uuid7
from warmline.platform import signing
from warmline.platform.http import Outgoing

_MANIFEST = Manifest.load(Path(__file__).with_name("manifest.toml"))
_NO_CONVERSATION = "availability"
"""isTeamOnline is asked for a team, but the envelope always names a conversation."""

# An address that answers one of these to isTeamOnline is there and works: it does not know that event.
_KNOWS_NOT = frozenset({400, 409, 415, 422})


class CustomCrmDesk:
    """A company's own CRM behind one webhook address.

    The wire has no thread of its own: ``Thread.ref`` is the platformConversationId.  Where the CRM is the front end
    too (``HandoverRequest.external_id``), it already has every line of the visitor, so nothing is sent to it again.
    """

    manifest: ClassVar[Manifest] = _MANIFEST

    def __init__(self, linked: Linked, outgoing: Outgoing, clock: Clock) -> None:
        self._linked = linked
        self._clock = clock
        self._settings = read_settings(linked.settings)
        self._client = SignedPosts(
            outgoing,
            clock,
            desk=DESK,
            url=self._settings.webhook_url,
            secrets=linked.secrets.get(SIGNING_SECRET, ()),
            timeout_s=self._settings.timeout_s,
        )
        self._online: dict[tuple[str, str | None], tuple[int, Availability]] = {}
        self._asking: dict[tuple[str, str | None], asyncio.Task[Availability]] = {}

    async def check(self) -> Health:
        """Ask isTeamOnline, the one published event that changes nothing at the CRM."""
        bot_id = self._linked.bot_ids[0] if self._linked.bot_ids else ""
        body = payloads.is_team_online(bot_id, _NO_CONVERSATION, self._settings.escalate_to)
        try:
            reply = await self._client.post("check", wire_id("check", uuid7()), body)
        except AuthRejected as error:
            return Health(ok=False, sentence=f"The webhook does not accept our calls (status {error.vendor_status}).")
        except RateLimited:
            return Health(ok=True, sentence="The webhook answers; it asks for a pause just now (status 429).")
        except Refused as error:
            if error.vendor_status in _KNOWS_NOT and not self._settings.team_online:
                return Health(ok=True, sentence=f"The webhook answers (status {error.vendor_status} to isTeamOnline).")
            return Health(ok=False, sentence=error.detail)
        except DeskError as error:
            return Health(ok=False, sentence=error.detail)
        online = read_team_online(reply)
        if online is None and self._settings.team_online:
            return Health(ok=False, sentence='The webhook answers, but not {"isOnline": true or false}.')
        words = {True: "; the team is online", False: "; the team is offline", None: ""}
        return Health(ok=True, sentence=f"The webhook answers{words[online]}.")

    async def availability(self, queue: QueueRef) -> Availability:
        """isTeamOnline, where the connection has opted in; one question at a time, kept for ten seconds."""
        if not self._settings.team_online:
            return Availability.UNKNOWN
        team = queue.ref or self._settings.escalate_to
        key = (queue.bot_id, team)
        now = self._clock.now()
        kept = self._online.get(key)
        if kept is not None and 0 <= now - kept[0] < AVAILABILITY_KEPT_MS:
            return kept[1]
        asking = self._asking.get(key)
        if asking is None:
            asking = asyncio.create_task(self._ask(key, queue.conversation_id), name="customcrm-availability")
            self._asking[key] = asking
            asking.add_done_callback(lambda _done: self._asking.pop(key, None))
        # Whoever gives up waiting must not take the answer from the others.
        return await asyncio.shield(asking)

    async def open(self, request: HandoverRequest) -> Thread:
        """widgetEscalate, or escalate where the CRM is the front end: any 2xx means that it took the conversation."""
        target = request.escalate_to or self._settings.escalate_to
        profile = self._settings.profile
        if request.external_id is not None:
            body = payloads.escalate(request, request.external_id, target, profile)
        else:
            body = payloads.widget_escalate(request, target, profile)
        await self._client.post("open", wire_id("open", request.id), body)
        return self._linked.thread(request, request.external_id or request.conversation_id)

    async def send(self, thread: Thread, item: Outbound) -> Receipt:
        """WidgetMessage.  Typing is not on this wire and costs nothing; a note cannot be kept from the visitor."""
        match item:
            case OutboundMessage():
                if _is_front_end(thread):
                    return Receipt()
                body = payloads.widget_message(thread.bot_id, thread.ref, item, self._settings.profile)
                await self._client.post("send", wire_id("message", item.id), body)
                return Receipt()
            case OutboundTyping():
                return Receipt()
            case OutboundNote():
                raise Unsupported("A custom CRM has no notes for agents.", desk=DESK, operation="send")

    async def close(self, thread: Thread, reason: EndReason) -> None:  # noqa: ARG002 - the wire has no word for it
        """widgetEndSession; nothing where the CRM is the front end, which has no such event."""
        if _is_front_end(thread):
            return
        body = payloads.widget_end_session(thread.bot_id, thread.ref)
        await self._client.post("close", wire_id("end", thread.request_id), body)

    async def say(self, line: BotLine) -> Receipt:
        """sendMessage, for conversations whose front end is the CRM."""
        await self._client.post("say", wire_id("message", line.id), payloads.send_message(line, self._settings.profile))
        return Receipt()

    def parse(self, delivery: InboundDelivery) -> Sequence[DeskEvent]:
        """One event of the published wire, signed with the connection's secret (Standard Webhooks).

        The wire's own route is authenticated by its key and calls ``parse_agent_event`` directly.
        """
        secrets = self._client.valid_secrets()
        try:
            signing.verify(secrets, delivery.headers, delivery.body, now=delivery.received_at)
        except signing.SignatureRejected as error:
            raise SignatureRejected(error.detail, desk=DESK, operation="parse") from error
        return (parse_agent_event(delivery.body),)

    async def _ask(self, key: tuple[str, str | None], conversation_id: str) -> Availability:
        bot_id, team = key
        body = payloads.is_team_online(bot_id, conversation_id or _NO_CONVERSATION, team)
        try:
            reply = await self._client.post(
                "availability", wire_id("online", uuid7()), body, timeout_s=AVAILABILITY_TIMEOUT_S
            )
            online = read_team_online(reply)
        except DeskError:
            online = None
        answers = {True: Availability.AVAILABLE, False: Availability.AWAY, None: Availability.UNKNOWN}
        self._online[key] = (self._clock.now(), answers[online])
        return answers[online]


def _is_front_end(thread: Thread) -> bool:
    return thread.ref != thread.conversation_id


def customcrm_kind(outgoing: Outgoing, clock: Clock) -> DeskKind:
    """The kind to register; desks made by it call through ``outgoing``."""
    return DeskKind(
        manifest=_MANIFEST,
        form=FORM,
        make=lambda linked: CustomCrmDesk(linked, outgoing, clock),
        check_settings=target_check(outgoing, "webhook_url"),
        new_secret=lambda _name: signing.new_secret(),
        summary="Your own system, over a webhook and five events",
    )
