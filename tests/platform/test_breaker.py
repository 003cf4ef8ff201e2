from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from warmline.kernel.clock import ManualClock
from warmline.platform.breaker import Breaker, BreakerPhase, BreakerPolicy, BreakerState, ask, failed, succeeded

POLICY = BreakerPolicy(failures=3, pause=1_000, longest_pause=4_000, probe=500)


def breaker(clock: ManualClock, jitter: float = 0.0) -> Breaker:
    return Breaker(clock, POLICY, jitter=lambda: jitter)


def opened(clock: ManualClock) -> Breaker:
    one = breaker(clock)
    for _ in range(3):
        assert one.allows()
        one.failure()
    return one


def test_failures_in_a_row_open_it_for_a_pause() -> None:
    clock = ManualClock()
    one = opened(clock)
    assert one.phase is BreakerPhase.OPEN
    assert one.retry_at == clock.now() + 1_000
    assert not one.allows()


def test_a_success_between_failures_starts_the_count_again() -> None:
    one = breaker(ManualClock())
    for _ in range(5):
        one.failure()
        one.failure()
        one.success()
    assert one.phase is BreakerPhase.CLOSED
    assert one.retry_at is None


def test_after_the_pause_one_probe_passes_and_its_success_closes() -> None:
    clock = ManualClock()
    one = opened(clock)
    clock.advance(1_000)
    assert one.allows()
    assert one.phase is BreakerPhase.HALF_OPEN
    assert not one.allows()
    one.success()
    assert one.allows()
    assert one.allows()


def test_failed_probes_double_the_pause_up_to_its_limit() -> None:
    clock = ManualClock()
    one = opened(clock)
    pauses = []
    for _ in range(4):
        assert one.retry_at is not None
        clock.advance(one.retry_at - clock.now())
        assert one.allows()
        one.failure()
        pauses.append(one.retry_at - clock.now())
    assert pauses == [2_000, 4_000, 4_000, 4_000]


def test_a_probe_that_never_reports_is_given_up() -> None:
    clock = ManualClock()
    one = opened(clock)
    clock.advance(1_000)
    assert one.allows()
    clock.advance(499)
    assert not one.allows()
    clock.advance(1)
    assert one.allows()


def test_calls_begun_before_it_opened_do_not_prolong_the_pause() -> None:
    clock = ManualClock()
    one = opened(clock)
    before = one.retry_at
    clock.advance(900)
    one.failure()
    assert one.retry_at == before


def test_jitter_only_shortens_the_pause() -> None:
    clock = ManualClock()
    one = breaker(clock, jitter=1.0)
    for _ in range(3):
        one.failure()
    assert one.retry_at == clock.now() + 750


def test_a_state_can_be_kept_and_taken_up_again() -> None:
    clock = ManualClock()
    one = opened(clock)
    again = Breaker(clock, POLICY, state=one.state)
    assert not again.allows()


@given(st.lists(st.tuples(st.sampled_from(["ask", "ok", "fail"]), st.integers(0, 3_000)), max_size=80))
def test_whatever_happens_it_can_always_be_asked_again_in_time(steps: list[tuple[str, int]]) -> None:
    state, now = BreakerState(), 0
    for what, passed in steps:
        now += passed
        if what == "ask":
            state, _ = ask(state, POLICY, now)
        else:
            state = succeeded(state) if what == "ok" else failed(state, POLICY, now, 0.5)
        assert state.until <= now + POLICY.longest_pause
        assert ask(state, POLICY, max(now, state.until))[1]
