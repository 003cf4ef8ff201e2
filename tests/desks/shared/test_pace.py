"""Keeping below a vendor's limit: evenly, with a burst, waiting a little and refusing more."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.desks.shared.pace import Pace
from warmline.handover.port import RateLimited
from warmline.kernel.clock import MINUTE, SECOND, ManualClock


class Slept:
    """Sleeping moves the clock, and is remembered."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self.clock.advance(round(seconds * SECOND))


async def test_calls_that_come_evenly_never_wait(clock: ManualClock) -> None:
    slept = Slept(clock)
    pace = Pace(clock, per_minute=60, sleep=slept)
    for _ in range(10):
        await pace.take("a")
        clock.advance(SECOND)
    assert slept.seconds == []


async def test_a_short_wait_is_waited_and_a_long_one_is_refused(clock: ManualClock) -> None:
    slept = Slept(clock)
    pace = Pace(clock, per_minute=60, sleep=slept)
    await pace.take("a")
    await pace.take("a")
    assert slept.seconds == [1.0]

    slow = Pace(clock, per_minute=22, sleep=slept)
    await slow.take("a")
    for _ in range(2):
        with pytest.raises(RateLimited) as caught:
            await slow.take("a")
        assert caught.value.retry_after == pytest.approx(60 / 22, abs=0.001)
    await slow.take("b")
    clock.advance(3 * SECOND)
    await slow.take("a")
    assert slept.seconds == [1.0]


async def test_a_burst_may_come_at_once(clock: ManualClock) -> None:
    pace = Pace(clock, per_minute=6, burst=3)
    for _ in range(3):
        await pace.take()
    with pytest.raises(RateLimited):
        await pace.take()
    clock.advance(10 * SECOND)
    await pace.take()
    with pytest.raises(RateLimited):
        await pace.take()


async def test_who_waits_keeps_the_place(clock: ManualClock) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    pace = Pace(clock, per_minute=240, sleep=sleep)
    await asyncio.gather(*(pace.take() for _ in range(4)))
    assert waits == [0.25, 0.5, 0.75]


async def test_what_is_long_past_is_not_kept(clock: ManualClock) -> None:
    pace = Pace(clock, per_minute=60)
    for number in range(10_001):
        await pace.take(str(number))
        clock.advance(2 * SECOND)
    assert len(pace._due) < 10


def test_no_calls_at_all_is_not_a_pace(clock: ManualClock) -> None:
    with pytest.raises(ValueError, match="positive"):
        Pace(clock, per_minute=0)


@given(
    gaps=st.lists(st.integers(0, 5_000), min_size=1, max_size=200),
    per_minute=st.integers(1, 600),
    burst=st.integers(1, 10),
)
def test_no_minute_ever_holds_more_than_the_limit(gaps: list[int], per_minute: int, burst: int) -> None:
    async def run() -> list[int]:
        clock = ManualClock()
        pace = Pace(clock, per_minute=per_minute, burst=burst, sleep=Slept(clock))
        made: list[int] = []
        for gap in gaps:
            clock.advance(gap)
            try:
                await pace.take()
            except RateLimited:
                continue
            made.append(clock.now())
        return made

    made = asyncio.run(run())
    for at in made:
        # Waits are rounded to the clock's milliseconds.
        assert len([one for one in made if at <= one < at + MINUTE - len(made)]) <= per_minute + burst
