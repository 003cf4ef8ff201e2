"""A circuit breaker: stop calling what keeps failing, try again with one call at a time."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from warmline.kernel.clock import Clock


class BreakerPhase(StrEnum):
    """Closed lets everything pass, open nothing, half open one probe."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When to open and for how long; times in milliseconds.

    ``failures`` in a row open it for ``pause``; each failed probe doubles the pause up to ``longest_pause``.
    A probe that never reports is given up after ``probe``.
    """

    failures: int = 5
    pause: int = 5_000
    longest_pause: int = 300_000
    probe: int = 60_000


@dataclass(frozen=True, slots=True)
class BreakerState:
    """``until``: when open, the moment of the next probe; when half open, when the running probe is given up."""

    phase: BreakerPhase = BreakerPhase.CLOSED
    failures: int = 0
    openings: int = 0
    until: int = 0


def ask(state: BreakerState, policy: BreakerPolicy, now: int) -> tuple[BreakerState, bool]:
    """Whether a call may be made now, and the state after asking (an open breaker whose pause is over: half open)."""
    if state.phase is BreakerPhase.CLOSED:
        return state, True
    if now < state.until:
        return state, False
    return replace(state, phase=BreakerPhase.HALF_OPEN, until=now + policy.probe), True


def succeeded(_state: BreakerState) -> BreakerState:
    """One answer is enough to close it."""
    return BreakerState()


def failed(state: BreakerState, policy: BreakerPolicy, now: int, jitter: float) -> BreakerState:
    """Count a failure; ``jitter`` in 0…1 shortens the pause by up to a quarter, so that many do not probe at once."""
    failures = state.failures + 1
    if state.phase is BreakerPhase.OPEN:
        # A call that began before it opened: it says nothing new.
        return replace(state, failures=failures)
    if state.phase is BreakerPhase.CLOSED and failures < policy.failures:
        return replace(state, failures=failures)
    # Doubling stops early: 2**60 milliseconds are enough, and big numbers cost.
    pause = min(policy.pause * 2 ** min(state.openings, 60), policy.longest_pause)
    until = now + round(pause * (1 - jitter / 4))
    return BreakerState(phase=BreakerPhase.OPEN, failures=failures, openings=state.openings + 1, until=until)


class Breaker:
    """A breaker with its state and clock, for one connection.

    ``if breaker.allows(): …`` and then report ``success()`` or ``failure()``; only what says that the other side is
    broken (timeouts, 5xx, no connection) is a failure, a refusal (4xx) is a success.
    """

    def __init__(
        self,
        clock: Clock,
        policy: BreakerPolicy | None = None,
        *,
        jitter: Callable[[], float] = random.random,
        state: BreakerState | None = None,
    ) -> None:
        self.state = state or BreakerState()
        self._clock = clock
        self._policy = policy or BreakerPolicy()
        self._jitter = jitter

    @property
    def phase(self) -> BreakerPhase:
        """Closed, open or half open, as of the last question or report."""
        return self.state.phase

    @property
    def retry_at(self) -> int | None:
        """When it is worth asking again (ms), or None while everything passes."""
        return None if self.state.phase is BreakerPhase.CLOSED else self.state.until

    def allows(self) -> bool:
        """Whether to call now; a yes while it is not closed makes this call the probe."""
        self.state, yes = ask(self.state, self._policy, self._clock.now())
        return yes

    def success(self) -> None:
        """The other side answered."""
        self.state = succeeded(self.state)

    def failure(self) -> None:
        """The other side did not answer, or failed."""
        self.state = failed(self.state, self._policy, self._clock.now(), self._jitter())
