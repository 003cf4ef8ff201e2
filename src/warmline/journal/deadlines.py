"""Fires what is due.

Every node looks; the one whose writer locks the stream first decides, and the others find nothing left to do.  The
row is only a reminder: the state says, under the lock, whether something is really due.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
import structlog

from warmline.journal.journal import Journal
from warmline.journal.tables import deadlines, streams
from warmline.kernel.errors import Unavailable

log = structlog.get_logger(__name__)

_PAGE = 200


class DeadlineRunner:
    """Looks for due deadlines every ``poll_s`` seconds."""

    def __init__(self, journal: Journal, *, poll_s: float = 0.5) -> None:
        self.fired = 0
        self._journal = journal
        self._poll_s = poll_s
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to look."""
        self._stopping.clear()
        self._task = asyncio.create_task(self._run(), name="deadlines")

    async def stop(self) -> None:
        """End after the present look."""
        self._stopping.set()
        if self._task is not None:
            await self._task
            self._task = None

    async def fire_due(self) -> int:
        """Look once, now; how many deadlines were due and decided."""
        fired, full = 0, True
        while full:
            due = await self._journal.read(self._list_due)
            outcomes = await asyncio.gather(
                *(self._journal.fire(row.stream_kind, row.public_id, row.stream, row.kind) for row in due),
                return_exceptions=True,
            )
            for row, outcome in zip(due, outcomes, strict=True):
                if isinstance(outcome, BaseException):
                    log.warning("a deadline was not answered", stream=row.public_id, kind=row.kind, reason=str(outcome))
                fired += outcome is True
            # Each handled row is gone or lies in the future now; only a full page can hide more.
            full = len(due) == _PAGE and not any(isinstance(outcome, Unavailable) for outcome in outcomes)
        self.fired += fired
        return fired

    def _list_due(self, conn: sa.Connection) -> Sequence[Any]:
        return conn.execute(
            sa.select(deadlines.c.stream, deadlines.c.kind, streams.c.kind.label("stream_kind"), streams.c.public_id)
            .join_from(deadlines, streams, streams.c.id == deadlines.c.stream)
            .where(deadlines.c.due_at <= self._journal.clock.now(), streams.c.kind.in_(list(self._journal.codecs)))
            .order_by(deadlines.c.due_at)
            .limit(_PAGE)
        ).all()

    async def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                await self.fire_due()
            except Unavailable:
                pass  # said by the writer; the next look tries again
            except Exception:
                log.exception("looking for due deadlines failed")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), self._poll_s)
