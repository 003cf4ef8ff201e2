"""Pauses between tries: exponential, with full jitter, so that a desk that comes back is not trampled."""

from __future__ import annotations

import random


class Pause:
    """Growing pauses.  The first lies within ``first`` seconds, later ones double up to ``cap`` seconds."""

    def __init__(self, *, first: float = 0.5, cap: float = 30.0) -> None:
        self._first = first
        self._cap = cap
        self._tries = 0

    @property
    def tries(self) -> int:
        """How many pauses were taken since the last success."""
        return self._tries

    def next(self, at_least: float | None = None) -> float:
        """The next pause in seconds; not shorter than what the other side asked for."""
        ceiling = min(self._cap, self._first * float(2 ** min(self._tries, 16)))
        self._tries += 1
        # Half fixed, half random: a pause of nearly zero would not be one.
        pause = ceiling / 2 + random.random() * ceiling / 2
        return max(pause, min(at_least or 0.0, 300.0))

    def reset(self) -> None:
        """The last try succeeded."""
        self._tries = 0
