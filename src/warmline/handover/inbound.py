"""What desks say, brought into the conversation: one path for every wire, deduplicated, under the thread's epoch."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Protocol

from msgspec.structs import replace

from warmline.conversations import commands as c
from warmline.conversations.events import Agent, Attachment
from warmline.conversations.kind import CONVERSATION
from warmline.conversations.model import ConversationState
from warmline.handover.port import (
    AgentJoined,
    AgentLeft,
    AgentReplied,
    AgentTyping,
    DeskEvent,
    Join,
    OpenFailed,
    QueueMoved,
    ThreadEnded,
    ThreadTransferred,
)
from warmline.journal.journal import Journal
from warmline.journal.kinds import Appended, IdempotencyKey
from warmline.kernel.errors import Conflict
from warmline.kernel.ids import uuid7
from warmline.platform.bus import Bus


class BringsFiles(Protocol):
    """Keeps agents' files (``files.DeskFiles``)."""

    async def bring(
        self, connection_id: str, conversation_id: str, event: AgentReplied, key: str | None
    ) -> tuple[tuple[Attachment, ...], str]:
        """The files of an event as ours, and its text with a line for each that could not be had."""


class Inbound:
    """Appends desks' events.  ``refusals`` counts the refused ones by code (``stale_owner`` above all)."""

    def __init__(self, journal: Journal, bus: Bus, *, files: BringsFiles | None = None) -> None:
        self._journal = journal
        self._bus = bus
        self._files = files
        self.refusals: Counter[str] = Counter()
        self.unknown: Counter[str] = Counter()

    async def receive(
        self,
        connection_id: str,
        event: DeskEvent,
        *,
        conversation_id: str,
        bot_id: str | None = None,
        epoch: int | None = None,
        key: str | None = None,
        join: Join = Join.EXPLICIT,
    ) -> Appended[ConversationState] | None:
        """Append what ``event`` means; None for an event that means nothing to a conversation (it is counted).

        ``key`` identifies the event for ever: the same one is stored once, with other content it is refused.  With
        an inferred ``join`` the first reply of somebody who was waited for says that they have joined.
        Raises NotFound, Conflict with the code of the wire's table, KeyReused.
        """
        if isinstance(event, AgentTyping):
            # Not an event of the conversation: seen now or never.
            await self._bus.publish(f"typing.{conversation_id}", f"agent {int(event.on)}".encode())
            return None
        command = command_of(event, connection_id, bot_id=bot_id, epoch=epoch)
        if command is None:
            self.unknown[connection_id] += 1
            return None
        stored_once = None
        if key is not None:
            digest = hashlib.sha256(command.text.encode()).hexdigest()
            # The desk's own id leads: desks count upwards or by time, so new keys stand beside each other in the store
            # instead of each on a page of its own.
            stored_once = IdempotencyKey(
                scope=f"wire:{connection_id}", key=f"{key}:{conversation_id}", body_hash=digest
            )
        if isinstance(event, AgentReplied) and event.files and self._files is not None:
            files, text = await self._files.bring(connection_id, conversation_id, event, key)
            command = replace(command, text=text, attachments=files)
        try:
            return await self._append(conversation_id, command, stored_once)
        except Conflict as refused:
            if refused.code != "not_connected" or join is not Join.INFERRED or not isinstance(event, AgentReplied):
                self.refusals[refused.code] += 1
                raise
        joined = AgentJoined(thread_ref=event.thread_ref, name=event.name, avatar=event.avatar)
        entering = command_of(joined, connection_id, bot_id=bot_id, epoch=epoch)
        assert entering is not None
        try:
            await self._append(conversation_id, entering, None)
            return await self._append(conversation_id, command, stored_once)
        except Conflict as refused:
            self.refusals[refused.code] += 1
            raise

    async def _append(
        self, conversation_id: str, command: c.DeskSays, key: IdempotencyKey | None
    ) -> Appended[ConversationState]:
        return await self._journal.append(
            CONVERSATION, conversation_id, command, actor=f"desk:{command.connection_id}", key=key
        )


def command_of(event: DeskEvent, connection_id: str, *, bot_id: str | None, epoch: int | None) -> c.DeskSays | None:
    """The command for a desk's event, None for events that are not kept (typing, unknown ones)."""

    def says(verb: c.DeskVerb, **more: object) -> c.DeskSays:
        return c.DeskSays(connection_id=connection_id, verb=verb, bot_id=bot_id, epoch=epoch, **more)  # type: ignore[arg-type]

    match event:
        case AgentReplied():
            speaker = Agent(name=event.name or None, avatar=event.avatar)
            return says("replied", message_id=uuid7(), text=event.text, agent=speaker)
        case QueueMoved():
            return says("queued", position=event.position, wait_minutes=event.wait_minutes)
        case AgentJoined():
            return says("joined", agent=Agent(name=event.name or None, avatar=event.avatar))
        case ThreadTransferred():
            return says("transferring")
        case OpenFailed():
            return says("failed")
        case ThreadEnded():
            return says("left", reason=event.reason.value)
        case AgentLeft():
            return says("left")
        case _:
            return None
