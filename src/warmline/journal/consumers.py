"""Durable consumers: each follows the whole journal from its cursor, on one node at a time.

A hand-off is only a wake-up for them; what they consume is read from the store.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
import structlog

from warmline.journal.cursors import (
    Cursor,
    Fenced,
    Lag,
    measure_lag,
    move,
    name_blocker,
    next_query,
    read_next,
    take_over,
)
from warmline.journal.journal import Journal
from warmline.journal.leases import Lease, LeaseKeeper
from warmline.journal.run import Run
from warmline.kernel.envelope import Recorded
from warmline.kernel.errors import Unavailable
from warmline.platform.waking import Bell

log = structlog.get_logger(__name__)

PAGE = 200
LEASE_MS = 10_000
LAG_ALERT_MS = 2_000
_LAG_LOOK_S = 10.0
_POLL_S = 1.0
_LOOK_AGAIN_S = 0.005
_STORE_CURSOR_S = 0.25
"""A cursor that is stored alone, without rows of its own, is stored this often: while much happens, each time would be
a transaction for next to nothing.  What a crash takes away is looked at again, which is harmless."""
_LEAST = 100
_SLICE_S = 0.008
"""While callers wait for the writer, one page may take this long in their way …"""
_SHARE = 8
_LONGEST_REST_S = 0.5
"""… and is followed by a rest that makes it one part in so many.  Measured: without, a consumer that copies every
message holds the writer 30 ms at a time, and 64 connections get 900 events/s instead of thousands."""
_BACKOFF_MOST_S = 30.0


class TransactionalConsumer(ABC):
    """Its effect is rows of this store: written in the transaction that moves the cursor, so exactly once.

    ``types`` are the event types it acts on, None for all; pages without one of them cost it nothing.
    """

    name: str
    types: frozenset[str] | None = None

    @abstractmethod
    def apply(self, conn: sa.Connection, events: Sequence[Recorded]) -> None:
        """Write the effect of ``events``.  Runs on the writer's thread: short, no other I/O."""

    async def applied(self, events: Sequence[Recorded]) -> None:  # noqa: B027 - most need no wake-up
        """Called on the loop after the commit, to wake whoever waits for the effect.  May be missed by a crash."""


class ReactingConsumer(ABC):
    """Its effect lies elsewhere: at least once, so handling an event twice must be harmless.  ``types`` as above."""

    name: str
    types: frozenset[str] | None = None

    @abstractmethod
    async def handle(self, events: Sequence[Recorded]) -> None:
        """React to ``events``.  What it raises makes them come again, with growing pauses."""


Consumer = TransactionalConsumer | ReactingConsumer


class ConsumerRunner:
    """Runs consumers on this node as far as it gets their leases."""

    def __init__(
        self, journal: Journal, consumers: Sequence[Consumer], *, poll_s: float = _POLL_S, lease_ms: int = LEASE_MS
    ) -> None:
        self._journal = journal
        keeper = LeaseKeeper(journal, journal.node_id)
        self._run = Run(journal) if journal.recent is None else None
        self._followers = [_Follower(journal, self._run, keeper, each, poll_s, lease_ms) for each in consumers]
        self._tasks: list[asyncio.Task[None]] = []
        self._forget: Any = None
        self._watcher: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Compete for the leases and begin to consume."""
        self._forget = self._journal.listen(self._wake)
        self._tasks = [asyncio.create_task(one.run(), name=f"consumer:{one.name}") for one in self._followers]
        self._watcher = asyncio.create_task(self._watch(), name="consumer-lag")

    async def stop(self) -> None:
        """Finish what is being consumed and hand the leases over."""
        if self._forget is not None:
            self._forget()
        if self._watcher is not None:
            self._watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watcher
        for follower in self._followers:
            follower.stop()
        await asyncio.gather(*self._tasks)
        self._tasks = []
        if self._run is not None:
            await self._run.close()

    async def lag(self) -> list[Lag]:
        """How far every consumer of the installation is behind."""
        journal = self._journal
        return await journal.read(lambda conn: measure_lag(conn, journal.database.dialect, journal.clock.now()))

    async def warn_of_lag(self) -> list[Lag]:
        """Log the consumers that are more than two seconds behind, and what they wait for; those consumers."""
        late = [lag for lag in await self.lag() if lag.ms > LAG_ALERT_MS]
        if late:
            blocker = await self._journal.read(name_blocker)
            names = {lag.name: f"{lag.rows} events, {lag.ms} ms" for lag in late}
            log.warning("consumers lag behind", consumers=names, oldest_open_transaction=blocker)
        return late

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_LAG_LOOK_S)
            try:
                await self.warn_of_lag()
            except Unavailable:
                continue
            except Exception:
                log.exception("measuring the consumers' lag failed")

    def _wake(self, events: Sequence[Recorded]) -> None:
        present = {event.type for event in events}
        for follower in self._followers:
            # The others pass these events with their next look: their cursors are a moment late, their effects are not.
            if follower.types is None or not follower.types.isdisjoint(present):
                follower.wake()


class _Follower:
    """One consumer on this node."""

    def __init__(
        self,
        journal: Journal,
        run: Run | None,
        keeper: LeaseKeeper,
        consumer: Consumer,
        poll_s: float,
        lease_ms: int,
    ) -> None:
        self.name = consumer.name
        self.types = consumer.types
        self._reacts = isinstance(consumer, ReactingConsumer)
        self._journal = journal
        self._run = run
        self._keeper = keeper
        self._consumer = consumer
        self._poll_s = poll_s
        self._lease_ms = lease_ms
        self._query = next_query(journal.database.dialect)
        self._lease: Lease | None = None
        self._cursor = Cursor()
        self._stored = self._cursor
        self._stored_at = 0.0
        self._looked_at = 0.0
        self._rest = 0.0
        self._reading = 0.0
        self._page = PAGE
        self._bell = Bell()
        self._stopping = False
        self._expecting = False
        self._pause = 0.0
        self._limit = PAGE

    def wake(self) -> None:
        """Something was committed."""
        self._expecting = True
        self._bell.ring()

    def stop(self) -> None:
        """End after the present step."""
        self._stopping = True
        self._bell.ring()

    async def run(self) -> None:
        """Consume until stopped."""
        renewing = asyncio.create_task(self._renew(), name=f"lease:{self.name}")
        try:
            while not self._stopping:
                await self._turn()
        finally:
            renewing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await renewing
            if self._lease is not None:
                with contextlib.suppress(Unavailable, Fenced):
                    await self._store_cursor()
                    await self._keeper.release(self._lease)

    async def _turn(self) -> None:
        try:
            if self._lease is None and not await self._take_lease():
                await self._wait(self._poll_s)
                return
            if await self._step():
                self._pause, self._limit = 0.0, PAGE
                if self._rest and not self._stopping:
                    await asyncio.sleep(self._rest)
                return
            if not self._may_be_late():
                await self._store_cursor()
        except Fenced:
            await self._check_lease()
            return
        except Exception as error:
            # One bad event must not hold back the good ones before it: go on one by one, then stay at it.
            self._limit = 1
            self._pause = min(max(self._pause * 2, 0.1), _BACKOFF_MOST_S)
            if not isinstance(error, Unavailable):
                log.exception("consumer failed", consumer=self.name, position=self._cursor.position)
            await self._sleep(self._pause)
            return
        await self._wait(self._patience())

    def _patience(self) -> float:
        """How long to wait when nothing was found: shortly after a wake-up, the event may only be hidden yet."""
        if self._journal.recent is not None or not self._expecting:
            return self._poll_s if self._stored == self._cursor else min(self._poll_s, _STORE_CURSOR_S)
        self._pause = max(self._pause * 2, _LOOK_AGAIN_S)
        if self._pause >= self._poll_s:
            self._expecting, self._pause = False, 0.0
            return self._poll_s
        return self._pause

    async def _wait(self, seconds: float) -> None:
        if not self._stopping:
            await self._bell.wait(seconds)

    async def _sleep(self, seconds: float) -> None:
        """Pause whatever is committed meanwhile; stopping ends it."""
        until = asyncio.get_running_loop().time() + seconds
        while not self._stopping and (left := until - asyncio.get_running_loop().time()) > 0:
            await self._wait(left)

    async def _take_lease(self) -> bool:
        lease = await self._keeper.acquire(f"consumer:{self.name}", self._lease_ms)
        if lease is None:
            return False
        self._cursor = self._stored = await self._journal.write(lambda conn: take_over(conn, self.name, lease.fence))
        self._lease = lease
        return True

    async def _check_lease(self) -> None:
        """The cursor is not where we left it: a commit that was reported lost was not, or somebody has taken over."""
        lease, self._lease = self._lease, None
        if lease is None:
            return
        with contextlib.suppress(Unavailable, Fenced):
            renewed = await self._keeper.renew(lease)
            if renewed is None:
                log.info("consumer's lease was taken over", consumer=self.name)
                return
            self._cursor = self._stored = await self._journal.write(
                lambda conn: take_over(conn, self.name, lease.fence)
            )
            self._lease = renewed

    async def _step(self) -> bool:
        """Consume the next events; whether there were any."""
        self._rest, begun = 0.0, time.perf_counter()
        limit = min(self._limit, self._page)
        events, after = await self._read(limit)
        self._reading = time.perf_counter() - begun
        if not events:
            return False
        consumer, types = self._consumer, self.types
        wanted = events if types is None else [event for event in events if event.type in types]
        if wanted and isinstance(consumer, ReactingConsumer):
            await consumer.handle(wanted)
        if wanted and not (self._reacts and self._may_be_late()):
            await self._commit(wanted, after)
        self._cursor = after
        if wanted and isinstance(consumer, TransactionalConsumer):
            await consumer.applied(wanted)
        self._expecting = len(events) == limit
        if not self._may_be_late():
            await self._store_cursor()
        return True

    def _may_be_late(self) -> bool:
        """Whether storing a cursor without rows of its own can wait: it was stored a moment ago."""
        return time.monotonic() - self._stored_at < _STORE_CURSOR_S

    async def _read(self, limit: int) -> tuple[Sequence[Recorded], Cursor]:
        journal, cursor = self._journal, self._cursor
        if journal.recent is not None:
            recent = journal.recent.after(cursor.position, limit)
            if recent:
                return recent, Cursor(cursor.xid, recent[-1].position)
            looked_at, now = self._looked_at, time.monotonic()
            if journal.recent.last == cursor.position and now - looked_at < self._poll_s:
                # Nothing newer was handed off.  The store itself is asked now and then: an answer may have been lost.
                return (), cursor
            self._looked_at = now
        if self._run is not None and (found := await self._run.after(cursor, limit)) is not None:
            return found
        return await journal.read(lambda conn: read_next(conn, self._query, journal.codecs, cursor, limit))

    async def _commit(self, events: Sequence[Recorded], after: Cursor) -> None:
        """Write the effect and move the cursor; then leave the writer to others for a while."""
        consumer, lease, before = self._consumer, self._lease, self._stored
        assert lease is not None
        took = 0.0

        def commit(conn: sa.Connection) -> None:
            nonlocal took
            begun = time.perf_counter()
            move(conn, consumer.name, lease.fence, before, after)
            if isinstance(consumer, TransactionalConsumer):
                consumer.apply(conn, events)
            took = time.perf_counter() - begun

        waiting = self._journal.writer.waiting()
        await self._journal.write(commit)
        self._stored, self._stored_at = after, time.monotonic()
        if waiting:
            self._rest = min((self._reading + took) * (_SHARE - 1), _LONGEST_REST_S)
            self._page = max(_LEAST, min(PAGE, int(self._page * _SLICE_S / max(took, 1e-4))))
        else:
            self._page = PAGE

    async def _store_cursor(self) -> None:
        lease, before, after = self._lease, self._stored, self._cursor
        self._stored_at = time.monotonic()
        if lease is not None and before != after:
            await self._journal.write(lambda conn: move(conn, self.name, lease.fence, before, after))
            self._stored = after

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._lease_ms / 3_000)
            lease = self._lease
            if lease is None:
                continue
            with contextlib.suppress(Unavailable):
                renewed = await self._keeper.renew(lease)
                if self._lease is lease:
                    self._lease = renewed
