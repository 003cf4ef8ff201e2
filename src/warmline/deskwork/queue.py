"""The queue of our own desk: a consumer that mirrors who waits, and tells visitors their place."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
import structlog

from warmline.conversations import commands as c
from warmline.conversations import events as e
from warmline.conversations.kind import CONVERSATION
from warmline.conversations.model import ConversationState
from warmline.deskwork.tables import desk_queue, desk_waits
from warmline.deskwork.waiting import RECENT, Wait, wait_minutes
from warmline.journal.consumers import ReactingConsumer
from warmline.journal.journal import Journal
from warmline.kernel.envelope import Recorded
from warmline.kernel.errors import Conflict, NotFound

BUILTIN = "builtin"
"""The desk of a rung whose people answer in our own console."""
MAX_SNIPPET = 200
_RECENT_EVENTS = 50
_AT_ONCE = 32
_log = structlog.get_logger("warmline.deskwork")

# Only these can bring a visitor into the queue; of all others, a conversation without a row needs nothing.
_ENTERS = frozenset({e.HandoverOffered.TYPE, e.HandoverPutBack.TYPE})
_MOVES = frozenset(
    body.TYPE
    for body in (
        e.HandoverOffered,
        e.HandoverConnected,
        e.HandoverPutBack,
        e.HandoverRungFailed,
        e.HandoverFailed,
        e.HandoverCancelled,
        e.HandoverEnded,
        e.ConversationClosed,
        e.VisitorErased,
    )
)


def waits_here(state: ConversationState) -> bool:
    """Whether the visitor waits at our own desk, and the desk has taken the request."""
    held = state.handover
    return held is not None and held.step.desk == BUILTIN and held.stage in {"offered", "queued"}


def _is_visitors(event: Recorded) -> bool:
    return isinstance(event.body, e.MessagePosted) and event.body.author == "visitor"


class DeskQueue(ReactingConsumer):
    """The consumer ``deskwork``.

    It brings the rows of ``desk_queue`` in line with the conversations' present states instead of counting events up
    and down, so an event seen twice changes nothing and a row that went wrong is put right by the next event.
    Places are told through ``DeskSays(queued)``, and only when a visitor's place or minutes have changed.
    """

    name = "deskwork"
    types = _MOVES | {e.MessagePosted.TYPE}

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._places = asyncio.Semaphore(_AT_ONCE)

    async def handle(self, events: Sequence[Recorded]) -> None:
        """Follow ``events``."""
        mine = [event for event in events if event.stream_kind == CONVERSATION]
        moved = {event.stream_id for event in mine if event.type in _MOVES}
        entered = {event.stream_id for event in mine if event.type in _ENTERS}
        spoke = {event.stream_id for event in mine if _is_visitors(event)} - moved
        if not moved and not spoke:
            return
        waiting = await self._rows(moved | spoke)
        touched = {row["connection_id"] for row in waiting.values() if row["conversation_id"] in moved}
        joined = {event.stream_id: event for event in mine if event.type == e.HandoverConnected.TYPE}
        # Sorted: visitors who ask in the same batch enter the queue in the order of their ids, which is that of time.
        for conversation_id in sorted(entered | (moved | spoke) & waiting.keys()):
            row = waiting.get(conversation_id)
            touched |= await self._bring_in_line(conversation_id, row, joined.get(conversation_id))
        for connection_id in sorted(touched):
            await self._tell_places(connection_id)

    async def _rows(self, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        query = sa.select(desk_queue).where(desk_queue.c.conversation_id.in_(sorted(ids)))
        rows = await self._journal.read(lambda conn: conn.execute(query).mappings().all())
        return {row["conversation_id"]: dict(row) for row in rows}

    async def _bring_in_line(
        self, conversation_id: str, row: dict[str, Any] | None, joined: Recorded | None
    ) -> set[str]:
        """Make the row what the state says; answers the connections whose queues have changed."""
        try:
            state, seq = await self._journal.snapshot(CONVERSATION, conversation_id)
        except NotFound:
            return set()
        if row is not None and joined is not None and joined.owner_epoch == row["owner_epoch"]:
            await self._journal.write(lambda conn: _remember_wait(conn, row, joined.at))
        held = state.handover
        if held is None or not waits_here(state):
            if row is not None:
                gone = sa.delete(desk_queue).where(desk_queue.c.conversation_id == conversation_id)
                await self._journal.write(lambda conn: conn.execute(gone))
                return {row["connection_id"]}
            return set()
        values: dict[str, Any] = {
            "conversation_id": conversation_id,
            "handover_id": held.id,
            "connection_id": held.step.connection_id,
            "owner_epoch": state.owner_epoch,
            "asked_at": held.requested_at,
            "since": held.since,
            **await self._context(conversation_id, seq),
        }
        same = row is not None and row["owner_epoch"] == state.owner_epoch
        await self._journal.write(lambda conn: _put_row(conn, values, same=same))
        before = {row["connection_id"]} if row is not None else set()
        return set() if same else before | {held.step.connection_id}

    async def _context(self, conversation_id: str, seq: int) -> dict[str, str]:
        """What an agent sees before taking: the page, and the visitor's last words (empty once erased)."""
        first, latest = await asyncio.gather(
            self._journal.events(CONVERSATION, conversation_id, limit=1),
            self._journal.events(CONVERSATION, conversation_id, after=max(0, seq - _RECENT_EVENTS)),
        )
        page, snippet = e.Page(), ""
        if first and isinstance(first[0].body, e.ConversationStarted):
            page = first[0].body.page
        for event in latest:
            if isinstance(event.body, e.MessagePosted) and event.body.author == "visitor":
                snippet = event.body.gist
        return {
            "page_title": page.title.replace("\0", "")[:MAX_SNIPPET],
            "page_url": page.url.replace("\0", "")[:2_000],
            "snippet": snippet.replace("\0", "")[:MAX_SNIPPET],
        }

    async def _tell_places(self, connection_id: str) -> None:
        recent, rows = await self._journal.read(
            lambda conn: (_recent(conn, connection_id), _queue(conn, connection_id))
        )
        changes = []
        for position, row in enumerate(rows, start=1):
            minutes = wait_minutes(recent, position)
            if row["shown_position"] != position or (row["shown_minutes"] is None) != (minutes is None):
                changes.append(self._tell(row, position, minutes))
        await asyncio.gather(*changes)

    async def _tell(self, row: dict[str, Any], position: int, minutes: int | None) -> None:
        says = c.DeskSays(
            connection_id=row["connection_id"],
            verb="queued",
            epoch=row["owner_epoch"],
            # An agent may join in this very moment; to one who is there, a place in the queue would be a transfer.
            only_waiting=True,
            position=position,
            wait_minutes=minutes,
        )
        async with self._places:
            try:
                await self._tell_once(row, says)
            except Conflict as refused:
                # The visitor is no longer waiting; the event that says so brings the row in line.
                _log.info("place_not_told", conversation=row["conversation_id"], code=refused.code)
                return
            shown = (
                sa.update(desk_queue)
                .where(
                    desk_queue.c.conversation_id == row["conversation_id"],
                    desk_queue.c.owner_epoch == row["owner_epoch"],
                )
                .values(shown_position=position, shown_minutes=minutes)
            )
            await self._journal.write(lambda conn: conn.execute(shown))

    async def _tell_once(self, row: dict[str, Any], says: c.DeskSays) -> None:
        """After a crash between telling and remembering, the state still knows what was told."""
        state, _seq = await self._journal.snapshot(CONVERSATION, row["conversation_id"])
        held = state.handover
        told = (
            held is not None
            and state.owner_epoch == row["owner_epoch"]
            and held.stage == "queued"
            and (held.position, held.wait_minutes) == (says.position, says.wait_minutes)
        )
        if not told and waits_here(state):
            await self._journal.append(CONVERSATION, row["conversation_id"], says, actor=f"desk:{row['connection_id']}")


def _put_row(conn: sa.Connection, values: dict[str, Any], *, same: bool) -> None:
    key = desk_queue.c.conversation_id == values["conversation_id"]
    if same:
        conn.execute(sa.update(desk_queue).where(key).values(**values))
        return
    conn.execute(sa.delete(desk_queue).where(key))
    ahead = sa.select(sa.func.count()).where(
        desk_queue.c.connection_id == values["connection_id"], desk_queue.c.asked_at <= values["asked_at"]
    )
    position = (conn.execute(ahead).scalar() or 0) + 1
    conn.execute(sa.insert(desk_queue).values(**values, entered_position=position))


def _remember_wait(conn: sa.Connection, row: dict[str, Any], joined_at: int) -> None:
    """Keep this wait and forget all but the latest; a repeated event finds it kept already."""
    key = (desk_waits.c.conversation_id == row["conversation_id"]) & (desk_waits.c.owner_epoch == row["owner_epoch"])
    if conn.execute(sa.select(desk_waits.c.at).where(key)).first() is not None:
        return
    connection_id = row["connection_id"]
    conn.execute(
        sa.insert(desk_waits).values(
            conversation_id=row["conversation_id"],
            owner_epoch=row["owner_epoch"],
            connection_id=connection_id,
            waited=max(0, joined_at - row["since"]),
            position=row["entered_position"],
            at=joined_at,
        )
    )
    mine = desk_waits.c.connection_id == connection_id
    oldest_kept = sa.select(desk_waits.c.at).where(mine).order_by(desk_waits.c.at.desc()).offset(RECENT - 1).limit(1)
    conn.execute(sa.delete(desk_waits).where(mine, desk_waits.c.at < oldest_kept.scalar_subquery()))


def _recent(conn: sa.Connection, connection_id: str) -> list[Wait]:
    query = (
        sa.select(desk_waits.c.waited, desk_waits.c.position)
        .where(desk_waits.c.connection_id == connection_id)
        .order_by(desk_waits.c.at.desc())
        .limit(RECENT)
    )
    return [Wait(row.waited, row.position) for row in conn.execute(query)]


def _queue(conn: sa.Connection, connection_id: str) -> list[dict[str, Any]]:
    query = (
        sa.select(desk_queue)
        .where(desk_queue.c.connection_id == connection_id)
        .order_by(desk_queue.c.asked_at, desk_queue.c.conversation_id)
    )
    return [dict(row) for row in conn.execute(query).mappings()]
