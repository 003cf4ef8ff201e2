"""All SQL of the relay: threads and parked messages.  Plain functions over a connection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import sqlalchemy as sa

from warmline.conversations.kind import CONVERSATION
from warmline.handover.thread_tables import fronts, parked, threads
from warmline.journal.tables import streams
from warmline.kernel.ids import uuid7

OPEN_PHASES = ("opening", "open")


class ThreadRow(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt at a desk.

    ``kind``: ``rung`` (a handover's attempt) or ``front`` (a CRM that brings its own front end).  ``cursor`` is the
    seq of the last event that needs no more work; ``told`` says that the desk may know of the attempt; ``fence``
    is the fencing token of the lease under which the row was last written; ``state`` is sealed (``ThreadStates``).
    """

    id: str
    kind: str
    conversation_id: str
    handover_id: str
    rung: int
    owner_epoch: int
    connection_id: str
    bot_id: str
    ref: str | None
    phase: str
    connected: bool
    told: bool
    cursor: int
    fence: int
    error: str | None
    state: str | None = None


_COLUMNS = [threads.c[name] for name in ThreadRow.__struct_fields__]
_UNFINISHED = sa.select(threads.c.id).where(threads.c.phase.in_(OPEN_PHASES))
_PAGE = 500


def insert_attempt(conn: sa.Connection, row: ThreadRow, at: int) -> None:
    """Make a thread for an attempt, once.  A later rung takes over where a connected earlier one stopped."""
    where = (threads.c.conversation_id == row.conversation_id) & (threads.c.handover_id == row.handover_id)
    known = conn.execute(sa.select(threads.c.rung, threads.c.connected, threads.c.cursor).where(where)).all()
    if any(other.rung == row.rung for other in known):
        return
    before = [other for other in known if other.connected and other.rung < row.rung]
    cursor = max([row.cursor, *(other.cursor for other in before)])
    values = msgspec.structs.asdict(row) | {"cursor": cursor, "created_at": at, "updated_at": at}
    conn.execute(sa.insert(threads).values(**values))


def new_thread(
    *,
    kind: str,
    conversation_id: str,
    handover_id: str,
    rung: int,
    owner_epoch: int,
    connection_id: str,
    bot_id: str,
    cursor: int,
    ref: str | None = None,
    phase: str = "opening",
) -> ThreadRow:
    """A fresh thread row that has not been told to its desk."""
    return ThreadRow(
        id=uuid7(),
        kind=kind,
        conversation_id=conversation_id,
        handover_id=handover_id,
        rung=rung,
        owner_epoch=owner_epoch,
        connection_id=connection_id,
        bot_id=bot_id,
        ref=ref,
        phase=phase,
        connected=False,
        told=False,
        cursor=cursor,
        fence=0,
        error=None,
    )


def list_unfinished(conn: sa.Connection, known: Sequence[str] = ()) -> list[ThreadRow]:
    """Threads that still need work, without those in ``known``."""
    skip = set(known)
    # Nearly always there is nothing new, and thousands are known: only what is new is read in full.
    return list_named(conn, [id_ for id_ in conn.execute(_UNFINISHED).scalars() if id_ not in skip])


def list_named(conn: sa.Connection, names: Sequence[str]) -> list[ThreadRow]:
    """Those of the named threads that still need work."""
    rows: list[ThreadRow] = []
    for first in range(0, len(names), _PAGE):
        query = sa.select(*_COLUMNS).where(
            threads.c.id.in_(names[first : first + _PAGE]), threads.c.phase.in_(OPEN_PHASES)
        )
        rows += [ThreadRow(**row._mapping) for row in conn.execute(query)]
    return rows


def list_heads(conn: sa.Connection) -> dict[str, int]:
    """The seq up to which each conversation with an unfinished thread is committed."""
    same = (streams.c.kind == CONVERSATION) & (streams.c.public_id == threads.c.conversation_id)
    query = sa.select(streams.c.public_id, streams.c.seq).join_from(threads, streams, same)
    return {row[0]: row[1] for row in conn.execute(query.where(threads.c.phase.in_(OPEN_PHASES)))}


def find_attempt(conn: sa.Connection, thread_id: str) -> ThreadRow | None:
    """The thread with our own id."""
    row = conn.execute(sa.select(*_COLUMNS).where(threads.c.id == thread_id)).first()
    return ThreadRow(**row._mapping) if row else None


def find_thread(conn: sa.Connection, conversation_id: str, connection_id: str) -> ThreadRow | None:
    """The latest thread of a conversation at a connection."""
    query = (
        sa.select(*_COLUMNS)
        .where(threads.c.conversation_id == conversation_id, threads.c.connection_id == connection_id)
        .order_by(threads.c.created_at.desc(), threads.c.id.desc())
        .limit(1)
    )
    row = conn.execute(query).first()
    return ThreadRow(**row._mapping) if row else None


def find_by_ref(conn: sa.Connection, connection_id: str, ref: str) -> ThreadRow | None:
    """The latest attempt behind the vendor's id of a thread."""
    query = (
        sa.select(*_COLUMNS)
        .where(threads.c.connection_id == connection_id, threads.c.ref == ref)
        .order_by(threads.c.created_at.desc(), threads.c.id.desc())
        .limit(1)
    )
    row = conn.execute(query).first()
    return ThreadRow(**row._mapping) if row else None


def save_thread(conn: sa.Connection, thread_id: str, fence: int, at: int, **values: object) -> bool:
    """Write a thread's progress; False when a later holder of the lease has written it since."""
    done = conn.execute(
        sa.update(threads)
        .where(threads.c.id == thread_id, threads.c.fence <= fence)
        .values(fence=fence, updated_at=at, **values)
    )
    return bool(done.rowcount)


def save_state(conn: sa.Connection, thread_id: str, fence: int, at: int, state: str | None) -> bool:
    """Write how far a thread was listened to; False when it is another holder's by now, or was purged."""
    done = conn.execute(
        sa.update(threads)
        .where(threads.c.id == thread_id, threads.c.fence <= fence, threads.c.ref.is_not(None))
        .values(fence=fence, updated_at=at, state=state)
    )
    return bool(done.rowcount)


def forget_vendor_side(conn: sa.Connection, conversation_id: str) -> None:
    """Purge the id that a CRM chose for a conversation (it may be a telephone number), and the sessions of its threads."""
    conn.execute(sa.delete(fronts).where(fronts.c.conversation_id == conversation_id))
    of_it = threads.c.conversation_id == conversation_id
    conn.execute(sa.update(threads).where(of_it).values(ref=None, state=None))


# Something was delivered, so a person had joined: a worker that starts behind the joining has to know.
_SAVE_CURSOR = sa.text(
    "UPDATE threads SET cursor = :cursor, connected = TRUE, updated_at = :at"
    " WHERE id = :id AND fence <= :fence AND cursor < :cursor"
)


def save_cursors(conn: sa.Connection, cursors: Mapping[str, int], fence: int, at: int) -> None:
    """Move the cursors of several threads forward, never back."""
    # In one order on every node: two transactions that lock the same rows must not wait for each other.
    rows = [{"id": one, "cursor": cursors[one], "fence": fence, "at": at} for one in sorted(cursors)]
    conn.execute(_SAVE_CURSOR, rows)


def park_message(
    conn: sa.Connection,
    *,
    conversation_id: str,
    message_id: str,
    thread_id: str,
    connection_id: str,
    seq: int,
    reason: str,
    at: int,
) -> None:
    """Remember a message that its desk would not take.  Parking twice changes nothing."""
    here = (parked.c.conversation_id == conversation_id) & (parked.c.message_id == message_id)
    if conn.execute(sa.select(parked.c.seq).where(here)).first() is None:
        conn.execute(
            sa.insert(parked).values(
                conversation_id=conversation_id,
                message_id=message_id,
                thread_id=thread_id,
                connection_id=connection_id,
                seq=seq,
                reason=reason,
                at=at,
            )
        )


class ParkedRow(msgspec.Struct, frozen=True, kw_only=True):
    """One parked message; ``reason`` is a sentence for the operator."""

    conversation_id: str
    message_id: str
    thread_id: str
    connection_id: str
    seq: int
    reason: str
    at: int
    resent_at: int | None


_PARKED = [parked.c[name] for name in ParkedRow.__struct_fields__]


def find_parked(conn: sa.Connection, conversation_id: str, message_id: str) -> ParkedRow | None:
    """One parked message, resent or not."""
    here = (parked.c.conversation_id == conversation_id) & (parked.c.message_id == message_id)
    row = conn.execute(sa.select(*_PARKED).where(here)).first()
    return ParkedRow(**row._mapping) if row else None


def mark_resent(conn: sa.Connection, conversation_id: str, message_id: str, at: int) -> None:
    """A parked message has reached its desk."""
    here = (parked.c.conversation_id == conversation_id) & (parked.c.message_id == message_id)
    conn.execute(sa.update(parked).where(here).values(resent_at=at))
