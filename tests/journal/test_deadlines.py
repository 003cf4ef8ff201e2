"""Deadlines: written with the append that causes them, checked again when they fire."""

from __future__ import annotations

import asyncio
from typing import Any

import sqlalchemy as sa
from tests.journal.toy import COUNTER, Add, Rang, SetTimer, counter_kind, every, open_journal
from tests.support.pair import StorePair

from warmline.journal import Journal
from warmline.journal.batch import REFIRE_AFTER
from warmline.journal.deadlines import DeadlineRunner
from warmline.journal.tables import deadlines
from warmline.kernel.clock import ManualClock


async def rows(journal: Journal) -> list[Any]:
    query = sa.select(deadlines.c.kind, deadlines.c.due_at, deadlines.c.epoch)
    return list(await journal.read(lambda conn: conn.execute(query).all()))


async def arm(journal: Journal, due: int | None, stream: str = "a") -> None:
    await journal.append(COUNTER, stream, SetTimer(due), actor="t", create=True)


async def test_rows_follow_the_state_but_a_later_due_is_not_written(pair: StorePair, clock: ManualClock) -> None:
    async with open_journal(pair, clock=clock) as journal:
        now = clock.now()
        await journal.append(COUNTER, "a", Add(times=2), actor="t", create=True)
        assert await rows(journal) == []
        await arm(journal, now + 500)
        assert await rows(journal) == [("ring", now + 500, 2)]
        await arm(journal, now + 900)
        assert await rows(journal) == [("ring", now + 500, 2)]
        await arm(journal, now + 300)
        assert await rows(journal) == [("ring", now + 300, 2)]
        await arm(journal, None)
        assert await rows(journal) == []
        await asyncio.gather(arm(journal, now + 700), arm(journal, now + 800), arm(journal, now + 600))
        ((_kind, due, _epoch),) = await rows(journal)
        assert due <= (await journal.snapshot(COUNTER, "a"))[0].due


async def test_a_due_deadline_is_decided_once_and_a_prolonged_one_is_armed_again(
    pair: StorePair, clock: ManualClock
) -> None:
    async with open_journal(pair, clock=clock) as journal:
        runner, now = DeadlineRunner(journal), clock.now()
        await arm(journal, now + 1_000)
        assert await runner.fire_due() == 0
        await arm(journal, now + 5_000)
        clock.advance(2_000)
        assert await runner.fire_due() == 0
        assert await rows(journal) == [("ring", now + 5_000, 0)]
        clock.advance(60_000)  # late is harmless
        assert await runner.fire_due() == 1
        assert await runner.fire_due() == 0
        assert await rows(journal) == []
        state, seq = await journal.snapshot(COUNTER, "a")
        assert (state.rings, seq) == (1, 3)
        last = (await journal.events(COUNTER, "a"))[-1]
        assert (last.type, last.actor, last.at) == (Rang.TYPE, "deadline", clock.now())


async def test_many_are_fired_in_one_look(pair: StorePair, clock: ManualClock) -> None:
    async with open_journal(pair, clock=clock) as journal:
        await asyncio.gather(*(arm(journal, clock.now() + 1 + n, f"s{n}") for n in range(450)))
        clock.advance(1_000)
        assert await DeadlineRunner(journal).fire_due() == 450
        assert await rows(journal) == []


async def test_two_nodes_that_see_the_same_row_decide_it_once(pair: StorePair, clock: ManualClock) -> None:
    async with open_journal(pair, clock=clock) as journal:
        await asyncio.gather(*(arm(journal, clock.now() + 1, f"s{n}") for n in range(20)))
        clock.advance(10)
        fired = await asyncio.gather(*(DeadlineRunner(journal).fire_due() for _ in range(3)))
        assert sum(fired) == 20
        for n in range(20):
            assert (await journal.snapshot(COUNTER, f"s{n}"))[0].rings == 1


async def test_deadlines_survive_the_process(pair: StorePair, clock: ManualClock) -> None:
    async with open_journal(pair, clock=clock) as journal:
        await arm(journal, clock.now() + 1_000)
    clock.advance(5_000)
    async with open_journal(pair, clock=clock) as journal:
        heard, _stop = every(journal)
        rung = asyncio.Event()
        journal.listen(lambda _events: rung.set())
        runner = DeadlineRunner(journal)
        await runner.start()
        await asyncio.wait_for(rung.wait(), 10)
        await runner.stop()
        assert [event.type for event in heard] == [Rang.TYPE]
        assert runner.fired == 1


async def test_a_deadline_whose_command_fails_does_not_spin(pair: StorePair, clock: ManualClock) -> None:
    broken = counter_kind(deadline_command=lambda _state, _kind: Add(-1))
    async with open_journal(pair, clock=clock, kind=broken) as journal:
        now = clock.now()
        await arm(journal, now + 10)
        clock.advance(20)
        assert await DeadlineRunner(journal).fire_due() == 0
        assert await rows(journal) == [("ring", now + 20 + REFIRE_AFTER, 0)]
    useless = counter_kind(deadline_command=lambda _state, _kind: Add(1))
    async with open_journal(pair, clock=clock, kind=useless) as journal:
        clock.advance(REFIRE_AFTER)
        assert await DeadlineRunner(journal).fire_due() == 1
        assert await rows(journal) == [("ring", clock.now() + REFIRE_AFTER, 1)]
