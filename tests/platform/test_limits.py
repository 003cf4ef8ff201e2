from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.kernel.clock import ManualClock
from warmline.kernel.errors import RateLimited
from warmline.platform.limits import RateLimiter


def test_a_burst_passes_then_the_rate_counts() -> None:
    clock = ManualClock()
    limiter = RateLimiter(clock, per_second=2, burst=3)
    assert [limiter.take("a") for _ in range(3)] == [0.0, 0.0, 0.0]
    assert limiter.take("a") == pytest.approx(0.5)
    clock.advance(499)
    assert limiter.take("a") == pytest.approx(0.001)
    clock.advance(1)
    assert limiter.take("a") == 0.0
    assert limiter.take("a") > 0


def test_keys_do_not_share() -> None:
    limiter = RateLimiter(ManualClock(), per_second=1, burst=1)
    assert limiter.take("a") == 0.0
    assert limiter.take("b") == 0.0
    assert limiter.take("a") > 0


def test_a_long_pause_earns_no_more_than_the_burst() -> None:
    clock = ManualClock()
    limiter = RateLimiter(clock, per_second=10, burst=2)
    limiter.take("a")
    clock.advance(3_600_000)
    assert [limiter.take("a") == 0.0 for _ in range(3)] == [True, True, False]


def test_a_refused_try_costs_nothing() -> None:
    clock = ManualClock()
    limiter = RateLimiter(clock, per_second=1, burst=1)
    limiter.take("a")
    for _ in range(100):
        assert limiter.take("a") == pytest.approx(1.0)
    clock.advance(1000)
    assert limiter.take("a") == 0.0


def test_a_clock_that_steps_back_locks_nobody_out() -> None:
    clock = ManualClock()
    limiter = RateLimiter(clock, per_second=1, burst=2)
    limiter.take("a")
    clock.advance(-86_400_000)
    assert limiter.take("a") <= 1.0
    clock.advance(1_000)
    assert limiter.take("a") == 0.0


def test_a_dear_action_takes_several_and_one_beyond_the_burst_never_passes() -> None:
    limiter = RateLimiter(ManualClock(), per_second=1, burst=3)
    assert limiter.take("a", cost=2) == 0.0
    assert limiter.take("a", cost=2) == pytest.approx(1.0)
    assert limiter.take("a", cost=4) == math.inf


def test_memory_is_bounded_and_the_longest_unseen_goes_first() -> None:
    limiter = RateLimiter(ManualClock(), per_second=1, burst=1, max_keys=3)
    for key in "abc":
        limiter.take(key)
    assert limiter.take("a") > 0  # seen again, so "b" is the oldest now
    limiter.take("d")
    assert len(limiter) == 3
    assert limiter.take("a") > 0
    assert limiter.take("b") == 0.0


def test_check_raises_with_the_seconds_to_wait() -> None:
    limiter = RateLimiter(ManualClock(), per_second=0.5, burst=1)
    limiter.check("a")
    with pytest.raises(RateLimited) as caught:
        limiter.check("a")
    assert caught.value.retry_after == pytest.approx(2.0)
    limiter.forget("a")
    limiter.check("a")


@pytest.mark.parametrize(("per_second", "burst", "max_keys"), [(0, 1, 1), (1, 0, 1), (1, 1, 0)])
def test_a_limiter_that_could_not_work_is_not_made(per_second: float, burst: int, max_keys: int) -> None:
    with pytest.raises(ValueError, match="positive"):
        RateLimiter(ManualClock(), per_second=per_second, burst=burst, max_keys=max_keys)


@given(st.lists(st.integers(0, 3_000), max_size=200))
def test_no_window_ever_sees_more_than_burst_plus_rate(steps: list[int]) -> None:
    clock = ManualClock(0)
    limiter = RateLimiter(clock, per_second=2, burst=4)
    passed: list[int] = []
    for step in steps:
        clock.advance(step)
        if limiter.take("a") == 0.0:
            passed.append(clock.now())
    for index, start in enumerate(passed):
        for count, end in enumerate(passed[index:], start=1):
            assert count <= 4 + 2 * (end - start) / 1000 + 1e-6
