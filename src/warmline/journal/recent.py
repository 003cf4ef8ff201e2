"""The newest events of an embedded store, kept so that its consumers need not read and decode them again."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import islice

from warmline.kernel.envelope import Recorded

KEPT = 4_000


class Recent:
    """A run of events whose positions follow each other without a gap."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._events: deque[Recorded] = deque()
        self._first = 0

    def add(self, events: Sequence[Recorded]) -> None:
        """The events of the next commit.  What does not follow directly begins a new run."""
        for event in events:
            if event.position != self._first + len(self._events):
                self._events.clear()
                self._first = event.position
            self._events.append(event)
        while len(self._events) > self._kept:
            self._events.popleft()
            self._first += 1

    def after(self, position: int, limit: int) -> list[Recorded]:
        """Up to ``limit`` events directly after ``position``; empty when the run does not hold the next one."""
        start = position + 1 - self._first
        if start < 0 or start >= len(self._events):
            return []
        return list(islice(self._events, start, start + limit))

    def clear(self) -> None:
        """Forget everything, so that nothing erased is kept here."""
        self._events.clear()
