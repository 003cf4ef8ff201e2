"""Gorgias' limit (documented): a leaky bucket per account, with ``Retry-After`` and a header that counts.

40 calls in 20 seconds with an API key; an enterprise account has the same number in 10.  OAuth apps (80) are not simulated.
"""

from __future__ import annotations

import math

from warmline.kernel.clock import Clock

CALLS = 40
WINDOW_S, ENTERPRISE_WINDOW_S = 20, 10
COUNT_HEADER = "X-Gorgias-Account-Api-Call-Limit"


class Bucket:
    """Fills with each call, and leaks evenly.  Unlimited when ``window_s`` is None."""

    def __init__(self, clock: Clock, window_s: int | None) -> None:
        self._clock = clock
        self._window_s = window_s
        self._level = 0.0
        self._at = clock.now()

    def hold_to(self, window_s: int | None) -> None:
        """Another window from now on, with an empty bucket; None: no limit."""
        self._window_s = window_s
        self._level, self._at = 0.0, self._clock.now()

    def _leak(self) -> None:
        now = self._clock.now()
        if self._window_s is not None:
            self._level = max(self._level - max(now - self._at, 0) / 1000 * CALLS / self._window_s, 0.0)
        self._at = now

    def take(self) -> int:
        """0 when the call is allowed; else, without counting it, the whole seconds until one is."""
        wait_s = self.wait_s
        if not wait_s:
            self._level += 1
        return wait_s

    @property
    def wait_s(self) -> int:
        """The whole seconds until a call is allowed."""
        if self._window_s is None:
            return 0
        self._leak()
        return max(math.ceil((self._level + 1 - CALLS) * self._window_s / CALLS), 0)

    @property
    def header(self) -> str:
        """``10/40``; empty when there is no limit."""
        if self._window_s is None:
            return ""
        self._leak()
        return f"{math.ceil(self._level)}/{CALLS}"
