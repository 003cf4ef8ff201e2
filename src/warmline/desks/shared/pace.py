"""Keeping below a vendor's limit of calls, instead of running into it and being shut out for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from warmline.handover.port import RateLimited
from warmline.kernel.clock import SECOND, Clock

LONGEST_WAIT_S = 1.0
"""A call waits so long by itself; who would have to wait longer is told, and can do something else meanwhile."""
_FORGET_ABOVE = 10_000


class Pace:
    """Spreads calls: ``per_minute`` a minute and key, of which ``burst`` may come at once.

    Held by a desk, which lives as long as its connection's settings stay as they are: what two nodes call counts twice.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        per_minute: float,
        burst: int = 1,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        if per_minute <= 0 or burst < 1:
            raise ValueError("per_minute and burst must be positive")
        self._clock = clock
        self._every_ms = 60 * SECOND / per_minute
        self._lead_ms = self._every_ms * (burst - 1)
        self._sleep = sleep
        # When the next call would be due if all calls so far had come evenly.
        self._due: dict[str, float] = {}

    async def take(self, key: str = "", *, longest_wait_s: float = LONGEST_WAIT_S) -> None:
        """Wait until a call may be made, at most ``longest_wait_s`` seconds.

        Raises RateLimited with ``retry_after`` in seconds when that is not enough; then nothing was taken.
        """
        now = self._clock.now()
        due = max(self._due.get(key, 0.0), float(now))
        wait_s = max(0.0, due - self._lead_ms - now) / SECOND
        if wait_s > longest_wait_s:
            detail = "This connection has made as many calls as the vendor allows for now."
            raise RateLimited(detail, retry_after=wait_s)
        if len(self._due) >= _FORGET_ABOVE:
            self._due = {one: at for one, at in self._due.items() if at > now}
        # Taken before the waiting, so that calls made meanwhile stand behind this one.
        self._due[key] = due + self._every_ms
        if wait_s > 0:
            await self._sleep(wait_s)
