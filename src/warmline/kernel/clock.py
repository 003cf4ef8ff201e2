"""Time as integer milliseconds since the Unix epoch (UTC), read through one port."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import NewType, Protocol

Millis = NewType("Millis", int)
"""A moment, or a span, in milliseconds.  Moments count from 1970-01-01T00:00:00Z."""

SECOND = Millis(1_000)
MINUTE = Millis(60_000)
HOUR = Millis(3_600_000)
DAY = Millis(86_400_000)


class Clock(Protocol):
    """Where the current moment comes from."""

    def now(self) -> Millis:
        """The current moment."""


class SystemClock:
    """The machine's clock, shifted so that it agrees with the store's.

    On PostgreSQL the journal measures the shift; on SQLite the store's clock is this machine's.
    """

    def __init__(self) -> None:
        self.shift = 0

    def now(self) -> Millis:
        return Millis(time.time_ns() // 1_000_000 + self.shift)


class ManualClock:
    """A clock that moves only when told: for tests, replays and simulators."""

    def __init__(self, start: int = 1_700_000_000_000) -> None:
        self._now = start

    def now(self) -> Millis:
        return Millis(self._now)

    def advance(self, by: int) -> None:
        """Move the clock by ``by`` milliseconds; negative steps are allowed (clocks do step back)."""
        self._now += by


def to_rfc3339(moment: int) -> str:
    """``2026-11-21T08:00:00.123Z`` for a moment in milliseconds."""
    stamp = datetime.fromtimestamp(moment / 1000, UTC)
    return stamp.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment % 1000:03d}Z"


def from_rfc3339(text: str) -> Millis:
    """The moment named by an RFC 3339 text with an offset.

    Raises ValueError when the text is no date-time or has no offset.
    """
    stamp = datetime.fromisoformat(text)
    if stamp.tzinfo is None:
        msg = "a date-time needs an offset"
        raise ValueError(msg)
    return Millis(round(stamp.timestamp() * 1000))
