"""Where a durable consumer stands, and how it reads on without ever skipping an event.

On PostgreSQL a later position can become visible before an earlier one, so a cursor is the pair (xid, position):
rows are read in that order, and only those of transactions below the oldest one still running.  Position alone loses
late commits; position with that guard loses them too, since an older transaction with a higher position may commit
first.  The columns are qualified: an alias cast to text would sort "10" before "9".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from warmline.journal.kinds import Codec
from warmline.journal.reading import EVENT_COLUMNS, to_recorded
from warmline.journal.tables import cursors, events, streams
from warmline.kernel.envelope import Recorded
from warmline.kernel.errors import WarmlineError
from warmline.platform.database import Dialect

_COUNTED = 10_000
_SAME = streams.c.id == events.c.stream
_BEHIND = "(events.xid, events.position) > (CAST(:xid AS xid8), CAST(:position AS bigint))"


_MOVE = "UPDATE cursors SET xid = {0}, position = {0} WHERE name = {0} AND fence = {0} AND xid = {0} AND position = {0}"
_MOVES = {"sqlite": _MOVE.format("?"), "postgresql": _MOVE.format("%s")}


class Cursor(msgspec.Struct, frozen=True):
    """The last event consumed.  ``xid`` is "0" on SQLite, where positions become visible in order."""

    xid: str = "0"
    position: int = 0


class Fenced(WarmlineError):
    """Somebody else consumes under this name now, or has moved the cursor: nothing was written."""

    status = 503
    default_code = "fenced"
    title = "Another node has taken over"


class Lag(msgspec.Struct, frozen=True):
    """How far a consumer is behind: events not consumed (counted up to 10,000) and the age of the oldest, in ms."""

    name: str
    rows: int
    ms: int


def next_query(dialect: Dialect, *, guard: bool = True) -> sa.Select[Any]:
    """The events after a cursor (``:xid``, ``:position``, ``:page``), in consuming order, with their xid last.

    ``guard`` is off only in the test that proves it is needed.
    """
    page = sa.bindparam("page", type_=sa.Integer)
    if dialect == "sqlite":
        query = sa.select(*EVENT_COLUMNS, sa.bindparam("xid", type_=sa.Text))
        behind = events.c.position > sa.bindparam("position", type_=sa.BigInteger)
        return query.join_from(events, streams, _SAME).where(behind).order_by(events.c.position).limit(page)
    query = sa.select(*EVENT_COLUMNS, sa.literal_column("events.xid::text"))
    query = query.join_from(events, streams, _SAME).where(sa.text(_BEHIND))
    if guard:
        query = query.where(sa.text("events.xid < pg_snapshot_xmin(pg_current_snapshot())"))
    return query.order_by(sa.text("events.xid, events.position")).limit(page)


def read_next(
    conn: sa.Connection, query: sa.Select[Any], codecs: Mapping[str, Codec[Any]], cursor: Cursor, limit: int
) -> tuple[list[Recorded], Cursor]:
    """Up to ``limit`` events after ``cursor``, and the cursor after them."""
    found = read_places(conn, query, codecs, cursor, limit)
    return [event for event, _ in found], found[-1][1] if found else cursor


def read_places(
    conn: sa.Connection, query: sa.Select[Any], codecs: Mapping[str, Codec[Any]], cursor: Cursor, limit: int
) -> list[tuple[Recorded, Cursor]]:
    """Up to ``limit`` events after ``cursor``, each with the cursor that stands on it."""
    values = {"xid": cursor.xid, "position": cursor.position, "page": limit}
    rows: Sequence[Any] = conn.execute(query, values).all()
    events = [(to_recorded(row[:-1], codecs), row[-1]) for row in rows]
    return [(event, Cursor(xid, event.position)) for event, xid in events]


def take_over(conn: sa.Connection, name: str, fence: int) -> Cursor:
    """Put ``fence`` on the cursor (made at the very beginning if absent).  Raises Fenced when a higher one is there."""
    conn.execute(
        sa.text(
            "INSERT INTO cursors (name, xid, position, fence) VALUES (:name, '0', 0, 0) ON CONFLICT (name) DO NOTHING"
        ),
        {"name": name},
    )
    changed = conn.execute(
        sa.update(cursors).where(cursors.c.name == name, cursors.c.fence <= fence).values(fence=fence)
    )
    if not changed.rowcount:
        raise Fenced
    row = conn.execute(sa.select(cursors.c.xid, cursors.c.position).where(cursors.c.name == name)).one()
    return Cursor(row.xid, row.position)


def move(conn: sa.Connection, name: str, fence: int, before: Cursor, after: Cursor) -> None:
    """Move the cursor, if it still stands where this consumer left it and nobody has taken over.  Raises Fenced."""
    values = (after.xid, after.position, name, fence, before.xid, before.position)
    changed = conn.exec_driver_sql(_MOVES[conn.dialect.name], values)
    if not changed.rowcount:
        raise Fenced


def measure_lag(conn: sa.Connection, dialect: Dialect, now: int) -> list[Lag]:
    """How far every consumer is behind, open transactions of others included."""
    behind = sa.text(_BEHIND if dialect == "postgresql" else "events.position > :position OR :xid = ''")
    waiting = sa.select(events.c.at).where(behind).limit(_COUNTED).subquery()
    count = sa.select(sa.func.count(), sa.func.min(waiting.c.at))
    lags = []
    for row in conn.execute(sa.select(cursors).order_by(cursors.c.name)).all():
        rows, oldest = conn.execute(count, {"xid": row.xid, "position": row.position}).one()
        lags.append(Lag(row.name, rows, max(0, now - oldest) if rows else 0))
    return lags


def name_blocker(conn: sa.Connection) -> str | None:
    """The oldest transaction that has written something and is still open, in any database of the server.

    Every consumer waits for it.  None when there is none, and on SQLite, where nobody waits.
    """
    if conn.dialect.name != "postgresql":
        return None
    row = conn.exec_driver_sql(
        "SELECT pid, datname, application_name, state, extract(epoch FROM now() - xact_start)::int AS seconds"
        " FROM pg_stat_activity WHERE backend_xid IS NOT NULL ORDER BY age(backend_xid) DESC LIMIT 1"
    ).one_or_none()
    if row is None:
        return None
    return f"pid {row.pid} in database {row.datname} ({row.application_name or 'unnamed'}), {row.state} for {row.seconds} s"
