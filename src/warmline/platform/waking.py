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
