"""The waiting time at our own desk: said only when enough is known."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from warmline.deskwork.waiting import ENOUGH, RECENT, Wait, wait_minutes

waits = st.lists(st.builds(Wait, st.integers(0, 10_000_000), st.integers(1, 50)), max_size=40)


def test_nothing_is_told_before_five_waits_are_known() -> None:
    assert wait_minutes([Wait(60_000, 1)] * (ENOUGH - 1), 1) is None
    assert wait_minutes([Wait(60_000, 1)] * ENOUGH, 1) == 1


def test_the_estimate_is_the_median_time_of_a_place_times_the_place_rounded_up() -> None:
    recent = [Wait(120_000, 1), Wait(240_000, 2), Wait(360_000, 3), Wait(120_000, 1), Wait(9_000_000, 1)]
    assert wait_minutes(recent, 1) == 2
    assert wait_minutes(recent, 4) == 8
    assert wait_minutes([Wait(61_000, 1)] * ENOUGH, 1) == 2


@given(waits, st.integers(1, 100))
def test_a_told_time_is_at_least_a_minute_never_falls_with_the_place_and_forgets_old_waits(
    recent: list[Wait], position: int
) -> None:
    told = wait_minutes(recent, position)
    assert (told is None) == (len(recent) < ENOUGH)
    if told is not None:
        further = wait_minutes(recent, position + 1)
        assert further is not None
        assert 1 <= told <= further
        assert wait_minutes(recent[:RECENT], position) == told
