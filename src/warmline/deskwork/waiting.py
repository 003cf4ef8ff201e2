"""How long a visitor will wait at our own desk, said only when enough is known.  Pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import msgspec

ENOUGH = 5
"""Recent waits that must be known before any time is told."""
RECENT = 20
"""Waits that count, the latest ones."""
_MINUTE = 60_000


class Wait(msgspec.Struct, frozen=True):
    """One wait that a person ended: milliseconds waited, and the place in the queue it began at (from 1)."""

    waited: int
    position: int


def wait_minutes(recent: Sequence[Wait], position: int) -> int | None:
    """Whole minutes, rounded up, that place ``position`` will wait; None when fewer than five waits are known.

    A wait divided by the place where it began is the time one place took.  The median of the latest twenty does not
    follow a single visitor who was forgotten over lunch, and times the place it is the estimate.
    """
    latest = recent[:RECENT]
    if len(latest) < ENOUGH:
        return None
    per_place = median(wait.waited / max(1, wait.position) for wait in latest)
    return max(1, -int(-per_place * position // _MINUTE))
