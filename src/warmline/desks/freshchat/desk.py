"""Freshchat: a user and a conversation are made by the API, agents' answers come by the account's one webhook."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import structlog

from warmline.desks.freshchat.client import RESOLVED, FreshchatClient, Ids, Target
from warmline.desks.freshchat.inbound import Behind, behind, check_signature, parse_event, read_key, read_message
from warmline.desks.freshchat.opening import GROUP, TOPIC, Opening, State, at, by_user, opened_again
from warmline.desks.freshchat.settings import API_TOKEN, FORM, PAYLOAD, PUBLIC_KEY, FreshchatPayload, read_settings
from warmline.desks.shared.known import remember, unknown_instead
from warmline.handover.desk_kinds import DeskKind, Linked
from warmline.handover.port import (
    AgentJoined,
    AgentReplied,
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
    QueueRef,
    Receipt,
    Refused,
    Thread,
    ThreadEnded,
    Unknown,
    VisitorLine,
)
from warmline.kernel.clock import Clock
from warmline.platform.http import Outgoing

log = structlog.get_logger(__name__)

_MANIFEST = Manifest.load(Path(__file__).with_name("manifest.toml"))
_ADDRESS_PAUSES_S = (0.1, 0.4, 1.0)
"""Reported: a file's address is there a short while after its message."""


class FreshchatDesk:
    """One Freshchat account.  ``Thread.ref`` is the conversation's GUID."""

    manifest: ClassVar[Manifest] = _MANIFEST

    def __init__(self, linked: Linked, outgoing: Outgoing, clock: Clock) -> None:
        self._linked = linked
        self._clock = clock
        self._settings = read_settings(linked.settings)
        self._client = FreshchatClient(
            outgoing, clock, api_url=self._settings.api_url, token=linked.value(API_TOKEN, clock.now())
        )
        self._agents: dict[str, tuple[str, str | None]] = {}
        self._arrived: dict[str, str] = {}
        self._begun: dict[str, State] = {}
        self._opening = Opening(self._client, self._settings, clock)

    async def check(self) -> Health:
        """Read the account, its topics and its groups, which changes nothing."""
        wanted = self._settings
        try:
            await self._client.try_token()
            topics = await self._client.topics(operation="check")
            groups = await self._client.groups(operation="check") if wanted.group_id else []
        except DeskError as error:
            return Health(ok=False, sentence=f"Freshchat: {error.detail}")
        usable = {topic.id for topic in topics if topic.enabled}
        sentence = f"Freshchat answers; it has {len(usable)} enabled topics."
        if not usable:
            sentence = "Freshchat answers, but it has no enabled topic in which a conversation could begin."
        elif wanted.topic_id and wanted.topic_id not in usable:
            sentence = "Freshchat answers, but the topic of this connection is not among its enabled topics."
        elif wanted.group_id and wanted.group_id not in {group.id for group in groups}:
            sentence = "Freshchat answers, but the group of this connection is not among its groups."
        elif fault := self._fault_of_key():
            sentence = f"Freshchat answers, but {fault}: no agent would be heard."
        else:
            return Health(ok=True, sentence=sentence)
        return Health(ok=False, sentence=sentence)

    def _fault_of_key(self) -> str:
        keys = self._linked.values(PUBLIC_KEY, self._clock.now())
        if not keys:
            return "the public key of its webhook is missing"
        try:
            read_key(keys[0])
        except ValueError as error:
            return f"what was entered as the public key cannot be used, {error}"
        return ""

    async def queues(self) -> Sequence[QueueRef]:
        """Topics, in which conversations begin, and groups, which answer them."""
        topics = await self._client.topics(operation="queues")
        groups = await self._client.groups(operation="queues")

        def refs(prefix: str, word: str, found: Sequence[Target]) -> list[QueueRef]:
            return [self._linked.queue(f"{prefix}{one.id}", f"{word} {one.name}") for one in found if one.enabled]

        return [*refs(TOPIC, "Topic", topics), *refs(GROUP, "Group", groups)]

    async def availability(self, queue: QueueRef) -> Availability:
        """Unknown: what Freshchat's list of agents says of their presence is not documented."""
        del queue
        return Availability.UNKNOWN

    async def open(self, request: HandoverRequest) -> Thread:
        """Begin a conversation of the visitor's user.

        No call takes an id of ours, so after a try whose answer was lost the user's conversations are looked through for
        the message that names this request.
        """
        payload = request.payload if isinstance(request.payload, FreshchatPayload) else None
        ref, state = await self._opening.begin(request, payload)
        remember(self._begun, ref, state)
        return self._linked.thread(request, ref, msgspec.to_builtins(state))

    async def send(self, thread: Thread, item: Outbound) -> Receipt:
        """A line of the visitor with its files.  Freshchat has no way to show his typing, and no notes without an agent."""
        if not isinstance(item, OutboundMessage):
            return Receipt()
        state = _state(thread)
        remember(self._begun, thread.ref, state)
        parts = [{"text": {"content": item.text}}] if item.text.strip() else []
        parts += [await self._file(file) for file in item.attachments]
        body = by_user(state.user, parts or [{"text": {"content": "…"}}])
        ids = Ids(thread.ref, state.number)
        try:
            sent = await self._client.send(ids, body)
        except Refused as error:
            if error.vendor_status is None or not await self._is_resolved(ids):
                raise
            # Some accounts do not take what is said after the end until the conversation is opened again (reported).
            await self._client.change(ids, opened_again(state.group), operation="send")
            sent = await self._client.send(ids, body)
        remember(self._arrived, sent.id, item.id)
        return Receipt(vendor_id=sent.id or None)

    async def history(self, thread: Thread, since: int) -> Sequence[DeskEvent]:
        """The visitor's lines since a moment: what an unanswered send may have left there.

        Freshchat keeps no id of ours with a line.  Lines that it did answer for are known by its own ids, so that the same
        words said twice are not taken for each other; an unanswered line is known by its words.
        """
        lines = await self._client.messages(Ids(thread.ref, _state(thread).number), since, operation="send")
        return [
            VisitorLine(
                thread_ref=thread.ref,
                vendor_event_id=line.id or None,
                text="\n".join(part.text.content for part in line.message_parts if part.text),
                item_id=self._arrived.get(line.id),
            )
            for line in lines
            if line.actor_type == "user" and at(line.created_time) >= since
        ]

    async def close(self, thread: Thread, reason: EndReason) -> None:
        """Resolve the conversation; one that is gone says so with a 4xx, which is as good."""
        del reason
        try:
            ids = Ids(thread.ref, _state(thread).number)
            await self._client.change(ids, {"status": RESOLVED}, operation="close")
        except Refused as error:
            log.info("freshchat.close_refused", thread=thread.ref, status=error.vendor_status)

    def parse(self, delivery: InboundDelivery) -> Sequence[DeskEvent]:
        """One event.  Raises SignatureRejected, Invalid."""
        check_signature(delivery, self._linked.values(PUBLIC_KEY, self._clock.now()))
        event = parse_event(delivery.body)
        return () if event is None else (event,)

    async def enrich(self, event: DeskEvent) -> DeskEvent:
        """The agent's name and avatar, and the addresses of files; Unknown for what belongs to an earlier stretch of talk."""
        if isinstance(event, Unknown) or not isinstance(event.raw, bytes):
            return event
        told = behind(event.raw)
        if self._is_earlier(event, told):
            return unknown_instead(event, "of an earlier interaction")
        if isinstance(event, AgentReplied) and told.lacks_addresses:
            event = await self._with_addresses(event)
        if isinstance(event, AgentJoined | AgentReplied):
            name, avatar = await self._agent(told.agent_id)
            event = dataclasses.replace(event, name=name, avatar=avatar)
        return event

    # -- inside --------------------------------------------------------------------------------------------------

    def _is_earlier(self, event: DeskEvent, told: Behind) -> bool:
        """Whether an event is from before this handover, in a conversation that Freshchat went on with.

        Only who has opened or written to the thread since its start knows; who does not takes the event.
        """
        known = self._begun.get(event.thread_ref)
        if known is None or event.occurred_at is None or event.occurred_at >= known.begun:
            return False
        # Nothing ends before it begins; for all else the moments alone might be cut to seconds.
        differ = bool(known.interaction and told.interaction_id) and told.interaction_id != known.interaction
        return differ or isinstance(event, ThreadEnded)

    async def _is_resolved(self, ids: Ids) -> bool:
        return (await self._client.conversation(ids, operation="send")).status == RESOLVED

    async def _file(self, file: File) -> dict[str, Any]:
        """The part for a file: uploaded, by what the upload answers; by its link where uploads are refused."""
        is_picture = file.media_type.startswith("image/")
        about = {"name": file.name, "content_type": file.media_type, "file_size_in_bytes": file.size}
        try:
            made = await self._client.upload(file.name, file.media_type, await file.read())
        except Refused as error:
            log.warning("freshchat.upload_refused", status=error.vendor_status)
            return {"image": {"url": file.url}} if is_picture else {"file": {**about, "url": file.url}}
        if is_picture and made.url:
            return {"image": {"url": made.url}}
        file_hash = made.file_hash or made.file_hash_camel
        named = {"url": made.url, "file_hash": file_hash, "file_id": made.file_id}
        told = {name: value for name, value in named.items() if value}
        return {"file": {**about, **(told or {"url": file.url})}}

    async def _with_addresses(self, event: AgentReplied) -> AgentReplied:
        """The message read again until its files have addresses, for a moment."""
        state = self._begun.get(event.thread_ref, State())
        ids, since = Ids(event.thread_ref, state.number), max((event.occurred_at or 0) - 60_000, 0)
        for pause in _ADDRESS_PAUSES_S:
            await asyncio.sleep(pause)
            try:
                lines = await self._client.messages(ids, since, operation="enrich")
            except DeskError as error:
                log.warning("freshchat.file_not_read", thread=event.thread_ref, code=error.code)
                return event
            for line in lines:
                again = read_message(line, {"thread_ref": event.thread_ref}) if line.id == event.message_id else None
                if isinstance(again, AgentReplied) and again.files:
                    return dataclasses.replace(event, text=again.text, files=again.files)
        return event

    async def _agent(self, agent_id: str) -> tuple[str, str | None]:
        if not agent_id:
            return "", None
        if agent_id not in self._agents:
            try:
                found = await self._client.agent(agent_id)
            except DeskError as error:
                # An agent without a name is better than no agent.
                log.warning("freshchat.agent_not_read", code=error.code, status=error.vendor_status)
                return "", None
            name = " ".join(part for part in (found.first_name, found.last_name) if part)
            remember(self._agents, agent_id, (name, (found.avatar.url if found.avatar else None) or None))
        return self._agents[agent_id]


def _state(thread: Thread) -> State:
    return msgspec.convert(thread.state or {}, State)


def freshchat_kind(outgoing: Outgoing, clock: Clock) -> DeskKind:
    """The kind to register; desks made by it call through ``outgoing``."""
    return DeskKind(
        manifest=_MANIFEST,
        form=FORM,
        make=lambda linked: FreshchatDesk(linked, outgoing, clock),
        payload=PAYLOAD,
        summary="Agents answer in Freshchat",
        webhook="Freshchat: Settings, Conversation webhooks: enter this address, and copy the public key shown there into"
        " “Settings” here.",
    )
