"""What all consumers of a node read of a shared store, read once.

On PostgreSQL only the store knows the consuming order, (xid, position), and an event is seen in it a moment after its
commit.  Every consumer asking for itself would mean as many queries and decoded bodies as there are consumers.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import sqlalchemy as sa

from warmline.journal.cursors import Cursor, next_query, read_places
from warmline.journal.journal import Journal
from warmline.kernel.envelope import Recorded
from warmline.kernel.errors import Unavailable

KEPT = 4_000
PAGE = 500
FORGET_AFTER_S = 60.0
"""What was erased on another node must not stay readable here for long."""


class Run:
    """The newest events of the store in consuming order, without a gap; longer as often as somebody asks for more.

    Nothing can ever appear before the end of what was read: see ``cursors``.
    """

    def __init__(self, journal: Journal, *, kept: int = KEPT) -> None:
        self._journal = journal
        self._kept = kept
        self._query = next_query(journal.database.dialect)
        self._events: list[Recorded] = []
        self._cursors: list[Cursor] = []
        self._places: dict[Cursor, int] = {}
        self._cut = 0
        self._grown_at = 0.0
        self._start: Cursor | None = None
        self._reading: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal-run")
        self._connection: sa.Connection | None = None
        journal.on_erase.append(self.forget)

    async def after(self, cursor: Cursor, limit: int) -> tuple[list[Recorded], Cursor] | None:
        """Up to ``limit`` events after ``cursor``, and the cursor after them; None when the run does not reach back so far.

        Raises Unavailable when the store cannot be reached.
        """
        if self._start is None:
            self._start = cursor
        place = self._find(cursor)
        if place is None:
            return None
        if place == len(self._events):
            # A look that had begun before us may have been too early for what we were woken for.
            early = self._reading is not None and not self._reading.done()
            await self._extend()
            if early and self._find(cursor) == len(self._events):
                await self._extend()
            place = self._find(cursor)
            if place is None:
                return None
        found = self._events[place : place + limit]
        return found, self._cursors[place + len(found) - 1] if found else cursor

    def forget(self) -> None:
        """Keep nothing but the place where to read on."""
        if self._events:
            self._shorten(len(self._events))

    async def close(self) -> None:
        """Give the connection back."""
        self._journal.on_erase.remove(self.forget)
        if self._reading is not None:
            with contextlib.suppress(Exception):
                await self._reading
        await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)
        self._thread.shutdown()

    def _find(self, cursor: Cursor) -> int | None:
        """Where the events after ``cursor`` begin."""
        if cursor == self._start:
            return 0
        place = self._places.get(cursor)
        return None if place is None else place + 1 - self._cut

    async def _extend(self) -> None:
        """Read on; whoever asks while that is under way shares it."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read_on(), name="journal-run")
        await asyncio.shield(self._reading)

    async def _read_on(self) -> None:
        end = self._cursors[-1] if self._cursors else self._start
        assert end is not None
        rows = await asyncio.get_running_loop().run_in_executor(self._thread, self._read, end)
        for event, cursor in rows:
            self._places[cursor] = self._cut + len(self._events)
            self._events.append(event)
            self._cursors.append(cursor)
        now = time.monotonic()
        if rows:
            self._grown_at = now
        if len(self._events) > 2 * self._kept:
            self._shorten(len(self._events) - self._kept)
        elif self._events and now - self._grown_at > FORGET_AFTER_S:
            self.forget()

    def _shorten(self, by: int) -> None:
        self._start = self._cursors[by - 1]
        for cursor in self._cursors[:by]:
            del self._places[cursor]
        del self._events[:by], self._cursors[:by]
        self._cut += by

    # -- on the reading thread ---------------------------------------------------------------------------------------

    def _read(self, after: Cursor) -> list[tuple[Recorded, Cursor]]:
        try:
            if self._connection is None:
                # Without a transaction around it: one round trip per look.
                options: dict[str, Any] = {"isolation_level": "AUTOCOMMIT"}
                self._connection = self._journal.database.readers.connect().execution_options(**options)
            return read_places(self._connection, self._query, self._journal.codecs, after, PAGE)
        except sa.exc.DBAPIError as error:
            self._disconnect()
            raise Unavailable("The store is not reachable right now; try again.") from error

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.close()
