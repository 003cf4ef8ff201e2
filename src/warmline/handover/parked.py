"""Messages that a desk would not take: listed for people, and sent again when they say so."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import sqlalchemy as sa

from warmline.conversations import commands as c
from warmline.conversations import events as e
from warmline.conversations.kind import CONVERSATION
from warmline.handover import thread_store as store
from warmline.handover.outbound import FilesOut, message_of, parts_of
from warmline.handover.port import Desk, OutboundMessage, Thread
from warmline.handover.thread_states import ThreadStates, thread_of
from warmline.handover.thread_store import ParkedRow
from warmline.handover.thread_tables import parked
from warmline.journal.journal import Journal
from warmline.kernel.clock import Clock
from warmline.kernel.errors import Conflict, NotFound

Place = tuple[int, str, str]
"""Where a page ends: moment, conversation, message."""


class Parked:
    """The list of parked messages, and the way out of it."""

    def __init__(
        self, journal: Journal, clock: Clock, *, desk: Callable[[str], Desk], files: FilesOut, states: ThreadStates
    ) -> None:
        self._journal = journal
        self._states = states
        self._clock = clock
        self._desk = desk
        self._files = files

    async def list(
        self, *, connection_id: str | None = None, before: Place | None = None, limit: int = 50
    ) -> Sequence[ParkedRow]:
        """Messages that wait, newest first, at most ``limit``."""
        place = (parked.c.at, parked.c.conversation_id, parked.c.message_id)
        query = sa.select(*(parked.c[name] for name in ParkedRow.__struct_fields__)).where(parked.c.resent_at.is_(None))
        if connection_id is not None:
            query = query.where(parked.c.connection_id == connection_id)
        if before is not None:
            query = query.where(sa.tuple_(*place) < sa.tuple_(*before))
        query = query.order_by(*(column.desc() for column in place)).limit(limit)
        rows = await self._journal.read(lambda conn: conn.execute(query).mappings().all())
        return [ParkedRow(**dict(row)) for row in rows]

    async def resend(self, conversation_id: str, message_id: str, *, actor: str) -> ParkedRow:
        """Bring the message to its desk under its old id.

        Raises NotFound; Conflict ``already_resent``, ``erased``, ``connection_disabled``; DeskError when the desk
        refuses again (the message stays parked).
        """
        row, thread = await self._journal.read(lambda conn: self._find(conn, conversation_id, message_id))
        if row.resent_at is not None:
            raise Conflict("This message has been sent again already.", code="already_resent")
        item = await self._item(row)
        desk = self._desk(row.connection_id)
        for part in parts_of(desk.manifest, item):
            await desk.send(thread, part)
        at = self._clock.now()
        await self._journal.write(lambda conn: store.mark_resent(conn, conversation_id, message_id, at))
        await self._journal.append(CONVERSATION, conversation_id, c.Resent(message_id=message_id), actor=actor)
        return msgspec.structs.replace(row, resent_at=at)

    async def _item(self, row: ParkedRow) -> OutboundMessage:
        events = await self._journal.events(CONVERSATION, row.conversation_id, after=row.seq - 1, limit=1)
        body = events[0].body if events else None
        if not isinstance(body, e.MessagePosted):
            raise Conflict("The message has been erased.", code="erased")
        return message_of(events[0], body, self._files)

    def _find(self, conn: sa.Connection, conversation_id: str, message_id: str) -> tuple[ParkedRow, Thread]:
        row = store.find_parked(conn, conversation_id, message_id)
        thread = store.find_attempt(conn, row.thread_id) if row is not None else None
        if row is None or thread is None:
            raise NotFound("There is no such parked message.")
        return row, thread_of(thread, self._states.unseal(thread.id, thread.state))
