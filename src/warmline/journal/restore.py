"""What must happen to a store that was brought back from a backup, before anybody uses it."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from warmline.journal.batch import erased_subject
from warmline.journal.store import StreamName
from warmline.journal.tables import erasures, journal_meta, streams
from warmline.kernel.ids import uuid7

_RENUMBER = (
    "LOCK TABLE events, cursors",
    (
        "CREATE TEMP TABLE renumbered ON COMMIT DROP AS SELECT xid AS old_xid, position AS old,"
        " row_number() OVER (ORDER BY xid, position) AS new FROM events"
    ),
    "CREATE UNIQUE INDEX ON renumbered (old)",
    # A cursor keeps what it has consumed: everything up to its pair, in the order of pairs.
    (
        "UPDATE cursors SET xid = '1', position = coalesce((SELECT max(new) FROM renumbered"
        " WHERE (old_xid, old) <= (CAST(cursors.xid AS xid8), cursors.position)), 0)"
    ),
    "UPDATE events SET xid = '1', position = -renumbered.new FROM renumbered WHERE renumbered.old = events.position",
    "UPDATE events SET position = -position",
    "SELECT setval(pg_get_serial_sequence('events', 'position'), (SELECT coalesce(max(position), 0) FROM events) + 1)",
)


def after_restore(conn: sa.Connection) -> str:
    """Make the restored store fit to be used; its new incarnation.

    Clients learn from the incarnation that what they have seen may not be there any more.  On PostgreSQL the
    transaction ids of the old cluster mean nothing in this one: consumers would wait for them, or skip what comes, so
    the events are renumbered in the order in which consumers would have read them.  All leases end.
    """
    incarnation = uuid7()
    conn.execute(sa.delete(journal_meta).where(journal_meta.c.name == "incarnation"))
    conn.execute(sa.insert(journal_meta).values(name="incarnation", value=incarnation))
    conn.execute(sa.text("UPDATE leases SET until = 0"))
    if conn.dialect.name == "postgresql":
        for statement in _RENUMBER:
            conn.exec_driver_sql(statement)
    return incarnation


def list_erased(conn: sa.Connection) -> list[str]:
    """The erased streams as hashes: keep the list outside the backups, and apply it again after a restore."""
    return list(conn.execute(sa.select(erasures.c.subject).distinct()).scalars())


def list_unerased(conn: sa.Connection, subjects: Collection[str]) -> list[StreamName]:
    """The streams that are on the list and came back with their content: erase them again."""
    done = set(list_erased(conn))
    wanted = set(subjects) - done
    names = conn.execute(sa.select(streams.c.kind, streams.c.public_id))
    return [(row.kind, row.public_id) for row in names if erased_subject((row.kind, row.public_id)) in wanted]
