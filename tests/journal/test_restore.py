"""A store brought back from a backup: a new incarnation, cursors that still fit, erasures that stay done."""

from __future__ import annotations

import asyncio

import sqlalchemy as sa
from tests.journal.toy import COUNTER, Add, Erased, open_journal
from tests.support.pair import StorePair

from warmline.journal import Journal
from warmline.journal.cursors import Cursor, move, next_query, read_next, take_over
from warmline.journal.restore import after_restore, list_erased, list_unerased
from warmline.kernel.envelope import Recorded


async def add_many(journal: Journal, number: int) -> None:
    await asyncio.gather(*(journal.append(COUNTER, f"s{n}", Add(), actor="t", create=True) for n in range(number)))


def restore(pair: StorePair) -> str:
    database = pair.open_database()
    with database.engine.begin() as conn:
        incarnation = after_restore(conn)
    database.close()
    return incarnation


async def test_a_restored_store_is_another_incarnation_and_consumers_go_on(pair: StorePair) -> None:
    async with open_journal(pair) as journal:
        first = journal.incarnation
        await add_many(journal, 10)
        await add_many(journal, 10)
        if journal.database.dialect == "postgresql":
            # As if the old cluster had counted far beyond this one's transactions, and committed out of order.
            await journal.write(
                lambda conn: conn.exec_driver_sql(
                    "UPDATE events SET xid = CAST(CAST(900000000 + (mod(position, 3)) AS text) AS xid8)"
                )
            )
        query = sa.text("SELECT position, xid FROM events ORDER BY xid, position")
        if journal.database.dialect == "sqlite":
            query = sa.text("SELECT position, '0' FROM events ORDER BY position")
        order = [(row[0], str(row[1])) for row in await journal.read(lambda conn: conn.execute(query).all())]
        eighth = Cursor(order[7][1], order[7][0])
        await journal.write(lambda conn: move(conn, "c", 1, take_over(conn, "c", 1), eighth))
        unread = await journal.read(
            lambda conn: [
                conn.execute(
                    sa.text("SELECT stream, seq FROM events WHERE position = :position"), {"position": position}
                ).one()
                for position, _xid in order[8:]
            ]
        )
    incarnation = restore(pair)
    assert incarnation != first
    async with open_journal(pair) as journal:
        assert journal.incarnation == incarnation
        await add_many(journal, 1)
        cursor = await journal.write(lambda conn: take_over(conn, "c", 1))
        reading = next_query(journal.database.dialect)
        found: list[Recorded] = []
        async with asyncio.timeout(20):
            # Another test's open transaction on the same server may hide the newest event for a moment.
            while len(found) <= len(unread):
                found, _ = await journal.read(lambda conn: read_next(conn, reading, journal.codecs, cursor, 100))
        ids: dict[str, int] = dict(
            await journal.read(lambda conn: conn.execute(sa.text("SELECT public_id, id FROM streams")).all())
        )
        assert [(ids[event.stream_id], event.seq) for event in found] == [*map(tuple, unread), (ids["s0"], 3)]


async def test_what_was_erased_can_be_erased_again(pair: StorePair) -> None:
    async with open_journal(pair) as journal:
        await add_many(journal, 3)
        await journal.erase(COUNTER, "s1", actor="t", event=Erased())
        listed = await journal.read(list_erased)
        assert await journal.read(lambda conn: list_unerased(conn, listed)) == []
        await journal.write(lambda conn: conn.execute(sa.text("DELETE FROM erasures")))  # the backup was older
        assert await journal.read(lambda conn: list_unerased(conn, listed)) == [(COUNTER, "s1")]
