"""How often somebody may do something: token buckets, one per key, in bounded memory."""

from __future__ import annotations

import math
from collections import OrderedDict

from warmline.kernel.clock import Clock
from warmline.kernel.errors import RateLimited

_DEFAULT_KEYS = 50_000


class RateLimiter:
    """``burst`` at once, then ``per_second`` on average, for each key (an address, an API key, a visitor).

    One process counts for itself: with n processes a key may get n times as much.  At most ``max_keys`` keys are
    remembered (about 150 bytes each); beyond that the one unseen for the longest time starts afresh, so the limit of
    a key is only as strong as the cost of making that many other keys.
    """

    def __init__(self, clock: Clock, *, per_second: float, burst: int, max_keys: int = _DEFAULT_KEYS) -> None:
        if per_second <= 0 or burst < 1 or max_keys < 1:
            msg = "a rate limiter needs a positive rate, burst and number of keys"
            raise ValueError(msg)
        self._clock = clock
        self._step_ms = 1000.0 / per_second
        self._room_ms = self._step_ms * burst
        self._max_keys = max_keys
        # Per key the moment (ms) at which its bucket is full again: one number is a whole bucket.
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, key: str, cost: int = 1) -> float:
        """0.0 when allowed; otherwise, without counting this try, the seconds until it would be.

        A cost above the burst is never allowed: the answer is infinite.
        """
        now = float(self._clock.now())
        need = cost * self._step_ms
        if need > self._room_ms:
            return math.inf
        # A clock that stepped back must not lock a key out: no bucket is emptier than empty.
        full_at = min(max(self._full_at.get(key, now), now), now + self._room_ms)
        wait = full_at + need - now - self._room_ms
        if wait > 1e-6:
            self._remember(key, full_at)
            return wait / 1000
        self._remember(key, full_at + need)
        return 0.0

    def check(self, key: str, cost: int = 1) -> None:
        """Raise RateLimited (with ``retry_after`` in seconds) unless allowed."""
        wait = self.take(key, cost)
        if wait:
            raise RateLimited(retry_after=wait)

    def forget(self, key: str) -> None:
        """Give the key a full bucket, for example after a successful sign-in."""
        self._full_at.pop(key, None)

    def _remember(self, key: str, full_at: float) -> None:
        self._full_at[key] = full_at
        self._full_at.move_to_end(key)
        if len(self._full_at) > self._max_keys:
            self._full_at.popitem(last=False)
