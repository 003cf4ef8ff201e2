"""Durable consumers: nothing skipped, nothing counted twice, one node at a time."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence

import pytest
import sqlalchemy as sa
from tests.journal.toy import COUNTER, Add, counter_kind, open_journal
from tests.support.pair import StorePair

from warmline.journal import Journal
from warmline.journal.consumers import PAGE, ConsumerRunner, ReactingConsumer, TransactionalConsumer
from warmline.journal.cursors import Cursor, Fenced, Lag, move, name_blocker, next_query, read_next, take_over
from warmline.journal.kinds import Codec
from warmline.journal.leases import LeaseKeeper
from warmline.journal.tables import events, journal_meta
from warmline.kernel.clock import ManualClock
from warmline.kernel.envelope import Recorded

CODECS = {COUNTER: Codec(counter_kind())}


class Sums(TransactionalConsumer):
    """Adds up everything that was added; the sum is its effect."""

    name = "sums"

    def __init__(self, expected: int, fail: Callable[[], bool] = lambda: False) -> None:
        self.complete = asyncio.Event()
        self.batches: list[int] = []
        self._expected = expected
        self._fail = fail
        self._sum = 0

    def apply(self, conn: sa.Connection, events: Sequence[Recorded]) -> None:
        conn.execute(
            sa.text("INSERT INTO journal_meta (name, value) VALUES ('sum', '0') ON CONFLICT (name) DO NOTHING")
        )
        row = sa.select(journal_meta.c.value).where(journal_meta.c.name == "sum")
        self._sum = int(conn.execute(row).scalar_one()) + sum(event.body.by for event in events)
        conn.execute(sa.update(journal_meta).where(journal_meta.c.name == "sum").values(value=str(self._sum)))
        self.batches.append(len(events))
        if self._fail():
            msg = "simulated"
            raise RuntimeError(msg)

    async def applied(self, events: Sequence[Recorded]) -> None:
        if self._sum >= self._expected:
            self.complete.set()


async def stored_sum(journal: Journal) -> int:
    query = sa.select(journal_meta.c.value).where(journal_meta.c.name == "sum")
    return int(await journal.read(lambda conn: conn.execute(query).scalar_one()))


async def add_many(journal: Journal, number: int) -> None:
    names = [f"s{n % 5}" for n in range(number)]
    await asyncio.gather(*(journal.append(COUNTER, name, Add(), actor="t", create=True) for name in names))


async def test_a_consumer_takes_everything_from_the_beginning_and_then_follows(pair: StorePair) -> None:
    async with open_journal(pair) as journal:
        await add_many(journal, 2 * PAGE + 50)
        consumer = Sums(2 * PAGE + 150)
        runner = ConsumerRunner(journal, [consumer])
        await runner.start()
        await add_many(journal, 100)
        await asyncio.wait_for(consumer.complete.wait(), 20)
        await runner.stop()
        assert await stored_sum(journal) == 2 * PAGE + 150
        assert max(consumer.batches) <= PAGE
        assert [(lag.name, lag.rows, lag.ms) for lag in await runner.lag()] == [("sums", 0, 0)]


async def test_failures_of_the_consumer_neither_skip_nor_repeat(pair: StorePair) -> None:
    tries = itertools.count(1)
    async with open_journal(pair) as journal:
        await add_many(journal, 30)
        consumer = Sums(30, fail=lambda: next(tries) in {1, 3, 4})
        # No renewal of the lease beside it: what shares a transaction with a failure is tried once more.
        runner = ConsumerRunner(journal, [consumer], poll_s=0.01, lease_ms=120_000)
        await runner.start()
        await asyncio.wait_for(consumer.complete.wait(), 20)
        await runner.stop()
        assert await stored_sum(journal) == 30
        assert consumer.batches == [30, 1, 29, 1, 1, 28]


async def test_a_process_that_dies_between_effect_and_cursor_leaves_neither(pair: StorePair) -> None:
    def dies(conn: sa.Connection) -> None:
        cursor = take_over(conn, "sums", 1)
        found, after = read_next(conn, next_query(conn.dialect.name), CODECS, cursor, 10)  # type: ignore[arg-type]
        move(conn, "sums", 1, cursor, after)
        Sums(0).apply(conn, found)
        msg = "killed"
        raise RuntimeError(msg)

    async with open_journal(pair) as journal:
        await add_many(journal, 10)
        with pytest.raises(RuntimeError, match="killed"):
            await journal.write(dies)
    async with open_journal(pair, node="n2") as journal:
        consumer = Sums(10)
        runner = ConsumerRunner(journal, [consumer])
        await runner.start()
        await asyncio.wait_for(consumer.complete.wait(), 20)
        await runner.stop()
        assert await stored_sum(journal) == 10


class Reacts(ReactingConsumer):
    name = "reacts"

    def __init__(self, expected: int) -> None:
        self.complete = asyncio.Event()
        self.seen: list[int] = []
        self.failures = 2
        self._expected = expected

    async def handle(self, events: Sequence[Recorded]) -> None:
        self.seen += [event.position for event in events]
        if self.failures:
            self.failures -= 1
            msg = "simulated"
            raise RuntimeError(msg)
        if len(set(self.seen)) == self._expected:
            self.complete.set()


async def test_a_reacting_consumer_gets_everything_at_least_once_in_order(pair: StorePair) -> None:
    async with open_journal(pair) as journal:
        await add_many(journal, 20)
        consumer = Reacts(20)
        runner = ConsumerRunner(journal, [consumer], poll_s=0.01)
        await runner.start()
        await asyncio.wait_for(consumer.complete.wait(), 20)
        await runner.stop()
        firsts = list(dict.fromkeys(consumer.seen))
        assert firsts == sorted(firsts)
        assert len(consumer.seen) > 20


# ------------------------------------------------------------------------------------------------- leases, fences
async def test_a_lease_has_one_holder_and_a_growing_fence(pair: StorePair, clock: ManualClock) -> None:
    async with open_journal(pair, clock=clock) as journal:
        one, two = LeaseKeeper(journal, "n1"), LeaseKeeper(journal, "n2")
        first = await one.acquire("job", 1_000)
        assert first is not None
        assert first.until == clock.now() + 1_000
        assert await two.acquire("job", 1_000) is None
        assert await one.acquire("job", 1_000) is None
        clock.advance(600)
        renewed = await one.renew(first)
        assert renewed is not None
        assert renewed.fence == first.fence
        clock.advance(600)
        assert await two.acquire("job", 1_000) is None
        clock.advance(400)
        second = await two.acquire("job", 1_000)
        assert second is not None
        assert second.fence > first.fence
        assert await one.renew(renewed) is None
        await one.release(renewed)
        assert await one.acquire("job", 1_000) is None
        await two.release(second)
        third = await one.acquire("job", 1_000)
        assert third is not None
        assert third.fence > second.fence


async def test_an_old_holder_cannot_write_any_more(pair: StorePair) -> None:
    async with open_journal(pair) as journal:
        await add_many(journal, 10)
        old = await journal.write(lambda conn: take_over(conn, "sums", 1))
        new = await journal.write(lambda conn: take_over(conn, "sums", 2))
        assert old == new
        after = Cursor("9", 5)

        def late(conn: sa.Connection) -> None:
            conn.execute(sa.insert(journal_meta).values(name="effect of the old holder", value=""))
            move(conn, "sums", 1, old, after)

        with pytest.raises(Fenced):
            await journal.write(late)
        with pytest.raises(Fenced):
            await journal.write(lambda conn: take_over(conn, "sums", 1))
        names = await journal.read(lambda conn: conn.execute(sa.select(journal_meta.c.name)).scalars().all())
        assert names == ["incarnation"]
        await journal.write(lambda conn: move(conn, "sums", 2, new, after))
        with pytest.raises(Fenced):
            await journal.write(lambda conn: move(conn, "sums", 2, new, after))


async def test_a_paused_node_loses_its_consumer_without_harm(pair: StorePair, clock: ManualClock) -> None:
    async with open_journal(pair, clock=clock) as journal:
        await add_many(journal, 5)
        first, second = Sums(5), Sums(12)
        one = ConsumerRunner(journal, [first], poll_s=0.01)
        await one.start()
        await asyncio.wait_for(first.complete.wait(), 20)
        clock.advance(60_000)  # node one sleeps through its lease …
        taken = await LeaseKeeper(journal, "n2").acquire("consumer:sums", 1_000)
        assert taken is not None
        await journal.write(lambda conn: take_over(conn, "sums", taken.fence))
        await add_many(journal, 7)  # … wakes up for these, and is refused
        clock.advance(60_000)
        two = ConsumerRunner(journal, [second], poll_s=0.01)
        await one.stop()
        await two.start()
        await asyncio.wait_for(second.complete.wait(), 20)
        await two.stop()
        assert await stored_sum(journal) == 12


async def test_on_two_nodes_each_event_is_consumed_by_one(postgres_pair: StorePair) -> None:
    async with open_journal(postgres_pair, node="n1") as one, open_journal(postgres_pair, node="n2") as two:
        consumers = Sums(300), Sums(300)
        runners = [ConsumerRunner(journal, [c], poll_s=0.02) for journal, c in zip((one, two), consumers, strict=True)]
        for runner in runners:
            await runner.start()
        await asyncio.gather(add_many(one, 150), add_many(two, 150))
        waiting = [asyncio.create_task(consumer.complete.wait()) for consumer in consumers]
        done, rest = await asyncio.wait(waiting, timeout=20, return_when=asyncio.FIRST_COMPLETED)
        assert done
        for task in rest:
            task.cancel()
        for runner in runners:
            await runner.stop()
        assert await stored_sum(one) == 300


async def test_lag_is_measured_and_an_open_transaction_is_named(postgres_pair: StorePair, clock: ManualClock) -> None:
    async with open_journal(postgres_pair, clock=clock) as journal:
        await add_many(journal, 3)
        runner = ConsumerRunner(journal, [Sums(3)])
        assert await runner.warn_of_lag() == []
        await journal.write(lambda conn: take_over(conn, "sums", 1))
        clock.advance(2_500)
        with journal.database.engine.begin() as forgotten:
            forgotten.execute(sa.insert(journal_meta).values(name="x", value=""))
            pid = forgotten.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
            assert await runner.warn_of_lag() == [Lag("sums", 3, 2_500)]
            # Other tests' transactions on the same server may be older for a moment; this one outlasts them.
            async with asyncio.timeout(20):
                while True:
                    if (await journal.read(name_blocker) or "").startswith(f"pid {pid} in database"):
                        break
                    await asyncio.sleep(0.02)


# ------------------------------------------------------------------------------ the trap of the global position
def _consume_while_transactions_overlap(pair: StorePair, *, guard: bool) -> tuple[set[int], set[int]]:
    """Positions a consumer sees, and all there are, when an older transaction holding a higher position commits first,
    a younger one with a lower position later, and another is still open meanwhile."""
    database = pair.open_database()
    query = next_query("postgresql", guard=guard)
    insert = sa.insert(events).values(
        stream=1, version=1, type="counter.added", at=1, actor="t", owner_epoch=0, body='{"by":1}'
    )
    seen: set[int] = set()
    cursor = Cursor()
    seqs = itertools.count(1)

    def look() -> None:
        nonlocal cursor
        with database.readers.connect() as reader:
            found, cursor = read_next(reader, query, CODECS, cursor, 100)
            seen.update(event.position for event in found)

    with database.engine.begin() as conn:
        conn.exec_driver_sql(
            "INSERT INTO streams (kind, public_id, seq, state, evolve_version, epoch, created_at, updated_at)"
            " OVERRIDING SYSTEM VALUE VALUES ('counter', 'a', 0, '', 1, 0, 0, 0)"
        )
    first, second, third = (database.engine.connect() for _ in range(3))
    try:
        for conn in (first, second, third):  # xids in this order
            conn.execute(sa.select(sa.text("pg_current_xact_id()")))
        second.execute(insert.values(seq=next(seqs)))  # the lower position, in the younger transaction
        first.execute(insert.values(seq=next(seqs)))  # the higher position, in the older one
        third.execute(insert.values(seq=next(seqs)))
        first.commit()
        look()
        third.commit()
        look()
        second.commit()
        look()
    finally:
        for conn in (first, second, third):
            conn.close()
    look()
    with database.readers.connect() as conn:
        every = set(conn.execute(sa.select(events.c.position)).scalars())
    database.close()
    return seen, every


def test_overlapping_transactions_hide_nothing_from_a_consumer(postgres_pair: StorePair) -> None:
    seen, every = _consume_while_transactions_overlap(postgres_pair, guard=True)
    assert seen == every


def test_without_the_guard_a_late_commit_is_lost(postgres_pair: StorePair) -> None:
    seen, every = _consume_while_transactions_overlap(postgres_pair, guard=False)
    assert len(every) == 3
    assert seen < every
