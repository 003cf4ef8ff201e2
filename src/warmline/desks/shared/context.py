"""What an agent would like to know, told after the handover itself: worth waiting for, but never worth undoing it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import structlog

from warmline.handover.port import DeskError, RateLimited

log = structlog.get_logger(__name__)

_PAUSES_S = (0.5, 1.0, 2.0)
"""Between tries where the vendor says that it is called too often, but not for how long."""
_LONGEST_PAUSE_S = 5.0
"""Whoever is told to wait longer gives up: the visitor waits meanwhile."""


async def tell_if_possible(
    call: Callable[[], Awaitable[object]],
    *,
    desk: str,
    what: str,
    thread: str,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> bool:
    """Make a call that must not undo what was done before it; whether it was taken.

    One that comes too fast for the vendor is made again, four times at most; any other failure is only logged.  ``what``
    and ``thread`` are for that line.
    """
    pauses_s = iter(_PAUSES_S)
    while True:
        try:
            await call()
        except DeskError as error:
            pause_s = _pause(error, pauses_s)
            if pause_s is None:
                said = {"desk": desk, "thread": thread, "code": error.code, "status": error.vendor_status}
                log.warning("desk.context_not_told", what=what, **said)
                return False
            await sleep(pause_s)
        else:
            return True


def _pause(error: DeskError, pauses_s: Iterator[float]) -> float | None:
    """Seconds until the next try; None when there is none."""
    if not isinstance(error, RateLimited):
        return None
    ours_s = next(pauses_s, None)
    if ours_s is None or error.retry_after is None:
        return ours_s
    return error.retry_after if error.retry_after <= _LONGEST_PAUSE_S else None
