"""The newest events of an embedded store, kept so that its consumers need not read and decode them again."""

from __future__ import annotations

from collections.abc import Sequence

from warmline.kernel.envelope import Recorded

KEPT = 4_000


class Recent:
    """A run of events whose positions follow each other without a gap."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        # A list whose front is cut off now and then: a deque is slow to read in the middle, where consumers read.
        self._events: list[Recorded] = []
        self._first = 0

    @property
    def last(self) -> int | None:
        """The position of the newest event, None while nothing is known."""
        return self._events[-1].position if self._events else None

    def add(self, events: Sequence[Recorded]) -> None:
        """The events of the next commit.  What does not follow directly begins a new run."""
        for event in events:
            if event.position != self._first + len(self._events):
                self._events.clear()
                self._first = event.position
            self._events.append(event)
        if len(self._events) > 2 * self._kept:
            cut = len(self._events) - self._kept
            del self._events[:cut]
            self._first += cut

    def after(self, position: int, limit: int) -> list[Recorded]:
        """Up to ``limit`` events directly after ``position``; empty when the run does not hold the next one."""
        start = position + 1 - self._first
        if start < 0:
            return []
        return self._events[start : start + limit]

    def clear(self) -> None:
        """Forget everything, so that nothing erased is kept here."""
        self._events.clear()
