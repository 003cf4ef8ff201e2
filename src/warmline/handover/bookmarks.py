"""How far each thread's desk has been told, written together for all threads every few milliseconds.

One write per delivered message would cost the writer more than the message itself.  What a crash takes away is at most
the last few milliseconds: those messages go out again, under the ids they had, or are looked for where a desk does not
know those.  A desk at which they would stand twice is kept out of this (``HeldThread.bookmark``).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import sqlalchemy as sa
import structlog

from warmline.handover.thread_store import save_cursors
from warmline.journal.journal import Journal
from warmline.kernel.clock import Clock
from warmline.kernel.errors import WarmlineError

log = structlog.get_logger(__name__)

EVERY_S = 0.02


class Bookmarks:
    """Collects cursors and writes them; ``fence`` gives the lease's token, None when it is not ours any more."""

    def __init__(self, journal: Journal, clock: Clock, fence: Callable[[], int | None]) -> None:
        self._journal = journal
        self._clock = clock
        self._fence = fence
        self._dirty: dict[str, int] = {}
        self._noted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._lost = False

    def lose(self) -> None:
        """Write nothing any more, like one that is killed before it comes to it."""
        self._lost = True

    def note(self, thread_id: str, seq: int) -> None:
        """The thread's desk has everything up to ``seq``."""
        self._dirty[thread_id] = seq
        self._noted.set()

    async def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._run(), name="relay-bookmarks")

    async def stop(self) -> None:
        """Write what was noted, and end."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        await self.flush()

    async def flush(self) -> None:
        """Write what was noted, now."""
        fence = self._fence()
        if not self._dirty or fence is None or self._lost:
            return
        noted, self._dirty = self._dirty, {}
        now = self._clock.now()

        def write(conn: sa.Connection) -> None:
            save_cursors(conn, noted, fence, now)

        try:
            await self._journal.write(write)
        except WarmlineError as error:
            self._dirty = noted | self._dirty
            log.warning("relay.bookmarks_late", code=error.code)

    async def _run(self) -> None:
        while True:
            await self._noted.wait()
            self._noted.clear()
            await asyncio.sleep(EVERY_S)
            await self.flush()
