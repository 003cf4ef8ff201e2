"""What happens when the store fails: every caller is told, nothing half done stays, and work goes on afterwards."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.journal.toy import COUNTER, Add, open_journal
from tests.support.pair import StorePair

from warmline.journal import IdempotencyKey, Journal
from warmline.journal.store import Changes
from warmline.journal.tables import events
from warmline.kernel.clock import SystemClock
from warmline.kernel.errors import Unavailable
from warmline.platform.database import Database


async def until_it_works(journal: Journal, stream: str) -> int:
    """Append until the writer has found back to the store; the seq."""
    deadline = time.monotonic() + 20
    while True:
        try:
            return (await journal.append(COUNTER, stream, Add(), actor="t", create=True)).seq
        except Unavailable:
            assert time.monotonic() < deadline
            await asyncio.sleep(0)


async def test_a_full_disk_is_told_to_everybody_and_over_when_there_is_room(sqlite_pair: StorePair) -> None:
    async with open_journal(sqlite_pair) as journal:
        await journal.append(COUNTER, "a", Add(), actor="t", create=True)

        def set_limit(conn: sa.Connection, pages: int) -> None:
            conn.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

        used = await journal.read(lambda conn: conn.exec_driver_sql("PRAGMA page_count").scalar_one())
        await journal.write(lambda conn: set_limit(conn, used + 2))
        outcomes = await asyncio.gather(
            *(journal.append(COUNTER, "a", Add(note="x" * 4_000), actor="t") for _ in range(20)),
            return_exceptions=True,
        )
        refused = [one for one in outcomes if isinstance(one, Unavailable)]
        accepted = [one.seq for one in outcomes if not isinstance(one, BaseException)]
        assert refused
        assert len(refused) + len(accepted) == 20
        # The limit belongs to the connection; the writer takes a new one after a failure.
        seq = await until_it_works(journal, "a")
        assert seq == len(accepted) + 2
        stored = await journal.events(COUNTER, "a")
        assert [event.seq for event in stored] == list(range(1, seq + 1))


async def test_a_lost_connection_is_told_and_found_again(postgres_pair: StorePair) -> None:
    async with open_journal(postgres_pair) as journal:
        await journal.append(COUNTER, "a", Add(), actor="t", create=True)
        mine = await journal.write(lambda conn: conn.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())
        killed = await journal.read(lambda conn: conn.exec_driver_sql(f"SELECT pg_terminate_backend({mine})").scalar())
        assert killed
        with pytest.raises(Unavailable):
            await journal.append(COUNTER, "a", Add(), actor="t")
        assert await until_it_works(journal, "a") == 2
        assert (await journal.snapshot(COUNTER, "a"))[0].total == 2


async def test_a_request_that_poisons_the_transaction_fails_alone(
    pair: StorePair, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_journal(pair) as journal:
        await journal.append(COUNTER, "a", Add(), actor="t", create=True)
        store = journal.writer._store
        assert store is not None
        write = store.write

        def chokes(changes: Changes, *, commit: bool) -> None:
            if any("poison" in row[9] for row in changes.events):
                msg = "value out of range"
                raise sqlite3.DataError(msg)
            write(changes, commit=commit)

        monkeypatch.setattr(store, "write", chokes)
        notes = ["", "", "poison", "", ""]
        outcomes = await asyncio.gather(
            *(journal.append(COUNTER, "a", Add(note=note), actor="t") for note in notes), return_exceptions=True
        )
        assert [isinstance(one, Unavailable) for one in outcomes] == [False, False, True, False, False]
        assert await until_it_works(journal, "a") == 6
        assert [event.seq for event in await journal.events(COUNTER, "a")] == [1, 2, 3, 4, 5, 6]


async def test_the_same_key_on_two_nodes_at_once_is_appended_once(postgres_pair: StorePair) -> None:
    """Each node makes a stream of its own for the key: nothing but the key itself makes them meet."""
    async with open_journal(postgres_pair, node="n1") as one, open_journal(postgres_pair, node="n2") as two:
        for round_ in range(30):
            key = IdempotencyKey("start", str(round_), "h")
            done = await asyncio.gather(
                *(
                    journal.append(COUNTER, f"{node}-{round_}", Add(), actor="t", create=True, key=key)
                    for node, journal in (("n1", one), ("n2", two))
                )
            )
            assert len({answer.stream_id for answer in done}) == 1
            assert sorted(answer.replayed for answer in done) == [False, True]
        count = sa.select(sa.func.count()).select_from(events)
        assert await one.read(lambda conn: conn.execute(count).scalar_one()) == 30


async def test_a_second_process_on_the_same_file_is_turned_away(sqlite_pair: StorePair) -> None:
    first = sqlite_pair.open_database()
    with pytest.raises(Unavailable, match="Another Warmline process is using the data"):
        sqlite_pair.open_database()
    looking = Database.open(sqlite_pair.database_url, exclusive=False)
    looking.close()
    first.close()
    sqlite_pair.open_database().close()


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    database = Database.open(f"sqlite:///{tmp_path / 'warmline.db'}")
    with database.engine.begin() as conn:
        conn.exec_driver_sql("CREATE TABLE t (x)")
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    database.close()
    assert {"warmline.db", "warmline.db-wal"} <= modes.keys()
    assert set(modes.values()) == {0o600}


async def test_a_store_that_cannot_be_reached_is_said_so(postgres_pair: StorePair) -> None:
    wrong = StorePair("postgresql+nats", postgres_pair.data, "postgresql://nobody@/gone?host=/nowhere", "", "x")
    with pytest.raises(Unavailable):
        async with open_journal(wrong):
            pass


async def test_time_is_the_stores(postgres_pair: StorePair) -> None:
    clock = SystemClock()
    clock.shift = 123_456_789
    async with open_journal(postgres_pair, clock=clock) as journal:
        assert abs(clock.shift) < 5_000  # same machine
        done = await journal.append(COUNTER, "a", Add(), actor="t", create=True)
        theirs = await journal.read(
            lambda conn: conn.exec_driver_sql("SELECT extract(epoch FROM clock_timestamp()) * 1000").scalar_one()
        )
        assert abs(int(theirs) - done.events[0].at) < 10_000
