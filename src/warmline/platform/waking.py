"""Waiting for a wake-up in a loop that must also end when it is told to."""

from __future__ import annotations

import asyncio
import contextlib


async def woken(event: asyncio.Event, seconds: float | None) -> None:
    """Wait for ``event``, at most ``seconds``.

    Not ``asyncio.wait_for``: on Python 3.11 that swallows a cancellation which comes together with the event, and the
    loop that was told to stop goes on.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


class Bell:
    """One waiter that is rung many thousand times a second: an Event and a time-out cost ten times as much."""

    def __init__(self) -> None:
        self._rung = False
        self._waiter: asyncio.Future[None] | None = None

    def ring(self) -> None:
        """Wake the waiter; if nobody waits, the next one does not wait."""
        self._rung = True
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def wait(self, seconds: float) -> None:
        """Wait until it is rung, at most ``seconds``; what was rung before counts, once."""
        if not self._rung:
            loop = asyncio.get_running_loop()
            self._waiter = waiter = loop.create_future()
            timer = loop.call_later(seconds, _end, waiter)
            try:
                await waiter
            finally:
                timer.cancel()
                self._waiter = None
        self._rung = False


def _end(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
