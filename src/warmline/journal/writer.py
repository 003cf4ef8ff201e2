"""The one thread of the process that writes: takes what is waiting, makes one transaction of it, answers everybody.

There is no lingering: while one transaction is being committed the next one gathers by itself.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from queue import Empty, SimpleQueue
from typing import Any

import sqlalchemy as sa
import structlog

from warmline.journal.batch import Batch, Cache
from warmline.journal.kinds import Codec
from warmline.journal.requests import FunctionRequest, Request, StreamRequest
from warmline.journal.sqlite_store import SqliteStore
from warmline.journal.store import BatchStore, KeyTaken
from warmline.kernel.clock import Clock, SystemClock
from warmline.kernel.envelope import Recorded
from warmline.kernel.errors import Unavailable
from warmline.platform.database import Database

log = structlog.get_logger(__name__)

MOST = 500
"""Requests in one transaction."""
CACHED_STREAMS = 20_000
_BACKOFF_FIRST, _BACKOFF_MOST = 0.1, 5.0
_CAREFUL = 64
"""Who repeats one command often repeats several: so many transactions look up their keys before they insert them."""
_LOST: tuple[type[Exception], ...] = (sqlite3.OperationalError, sa.exc.OperationalError)
"""Disk full, connection gone, server gone: nothing of the batch can be saved by trying its parts.  A store adds its
driver's own words for that."""

Answer = Callable[[Sequence[Request], Sequence[Recorded]], None]
"""Called on the writer's thread after the commit (or the failure) with the answered requests and the new events."""


class _FunctionFailed(Exception):
    """One of the functions raised: what it and the others wrote must be told apart."""


class Writer:
    """Owns the writing connection, the cache of states and the queue of requests."""

    def __init__(self, database: Database, clock: Clock, codecs: Mapping[str, Codec[Any]], answer: Answer) -> None:
        self.cache = Cache(CACHED_STREAMS)
        self.batches = 0
        self.failures = 0
        self._database = database
        self._clock = clock
        self._codecs = codecs
        self._answer = answer
        self._queue: SimpleQueue[Request | None] = SimpleQueue()
        self._store: BatchStore | None = None
        self._lost = _LOST
        self._retry_at = 0.0
        self._backoff = _BACKOFF_FIRST
        self._thread = threading.Thread(target=self._run, name="journal-writer", daemon=True)
        self.put = self._queue.put
        self.waiting = self._queue.qsize

    def start(self) -> None:
        """Connect and begin.  Raises Unavailable when the store cannot be reached."""
        self._connect()
        self._thread.start()

    def stop(self) -> None:
        """Answer everything that was handed over, then end.  Blocks until then."""
        if self._thread.ident is not None:
            self._queue.put(None)
            self._thread.join()

    # -- the thread ------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        take, more = self._queue.get, self._queue.get_nowait
        ending = False
        while not ending:
            batch: list[Request] = []
            item = take()
            try:
                while item is not None:
                    batch.append(item)
                    if len(batch) >= MOST:
                        break
                    item = more()
                else:
                    ending = True
            except Empty:
                pass
            if batch:
                self._handle(batch)
        if self._store is not None:
            self._store.close()

    def _handle(self, batch: list[Request]) -> None:
        """One transaction for all; when it fails for a reason in one of them, one transaction for each."""
        try:
            self._answer(batch, self._attempt(batch))
            return
        except Unavailable as error:
            self._fail(batch, error)
            return
        except Exception as error:
            self._undo(error)
            if isinstance(error, self._lost) and not _is_deadlock(error):
                log.exception("the store failed a transaction", requests=len(batch))
                self._fail(batch, Unavailable("The store could not commit; try again."))
                return
            log.warning(
                "a transaction failed; its requests are tried one by one", requests=len(batch), reason=str(error)
            )
        for request in batch:
            self._handle_alone(request)

    def _handle_alone(self, request: Request) -> None:
        for attempt in range(3):
            request.reset()
            try:
                self._answer([request], self._attempt([request]))
                return
            except Unavailable as error:
                self._fail([request], error)
                return
            except Exception as error:
                self._undo(error)
                if attempt == 2 or (isinstance(error, self._lost) and not _is_deadlock(error)):
                    log.exception("a request could not be committed")
                    break
        self._fail([request], Unavailable("The store could not commit; try again."))

    def _attempt(self, requests: Sequence[Request]) -> Sequence[Recorded]:
        """Commit, believing that all goes well; when it does not, again, expecting just that.

        A key turns out to have been used before: the keys are looked up first.  A function raises: each gets a
        savepoint of its own, which would cost more than most functions do.
        """
        guarded = False
        for _ in range(4):
            try:
                return self._commit(requests, guarded=guarded)
            except KeyTaken:
                assert self._store is not None
                self._store.rollback()
                self._store.careful = _CAREFUL
            except _FunctionFailed as failed:
                assert self._store is not None
                self._store.rollback()
                if len(requests) == 1:
                    requests[0].error = failed.__cause__
                    return ()
                guarded = True
            for request in requests:
                request.reset()
        return self._commit(requests, guarded=True)

    def _commit(self, requests: Sequence[Request], *, guarded: bool) -> Sequence[Recorded]:
        """Decide, write and commit; the new events."""
        store = self._store or self._reconnect()
        streams = [request for request in requests if isinstance(request, StreamRequest)]
        functions = [request for request in requests if isinstance(request, FunctionRequest)]
        store.begin()
        batch = Batch(store, self.cache, self._codecs)
        if streams:
            batch.lock(streams)
            batch.decide(streams, self._clock.now())
        if batch.changes:
            store.write(batch.changes, commit=not functions)
        if functions:
            self._call(store, functions, guarded=guarded)
            store.commit()
        elif not batch.changes:
            store.rollback()
        batch.remember()
        self.batches += 1
        if store.careful:
            store.careful -= 1
        self._backoff = _BACKOFF_FIRST
        return batch.events

    def _call(self, store: BatchStore, functions: Sequence[FunctionRequest], *, guarded: bool) -> None:
        for request in functions:
            if guarded:
                store.save()
            try:
                request.result = request.function(store.connection)
            except self._lost:
                raise
            except Exception as error:
                if not guarded:
                    raise _FunctionFailed from error
                store.undo_to_save()
                request.error = error
            if guarded:
                store.forget_save()

    # -- when things fail ------------------------------------------------------------------------------------------

    def _fail(self, requests: Sequence[Request], error: Unavailable) -> None:
        for request in requests:
            request.result, request.error = None, error
        self._answer(requests, ())

    def _undo(self, error: Exception) -> None:
        """Roll back; whatever was believed about the store may be wrong now."""
        self.failures += 1
        self.cache.clear()
        store = self._store
        if store is None:
            return
        store.rollback()
        if (isinstance(error, self._lost) and not _is_deadlock(error)) or store.connection.invalidated:
            store.close()
            self._store = None
            self._retry_at = time.monotonic() + self._backoff
            self._backoff = min(self._backoff * 2, _BACKOFF_MOST)

    def _reconnect(self) -> BatchStore:
        if time.monotonic() < self._retry_at:
            raise Unavailable("The store is not reachable right now; try again.")
        try:
            store = self._connect()
        except Unavailable:
            self._retry_at = time.monotonic() + self._backoff
            self._backoff = min(self._backoff * 2, _BACKOFF_MOST)
            raise
        log.info("the store is reachable again")
        return store

    def _connect(self) -> BatchStore:
        try:
            connection = self._database.writer()
            if self._database.dialect == "postgresql":
                if isinstance(self._clock, SystemClock):
                    self._clock.shift = measure_shift(connection)
                # Loaded here: with a driver of its own, which an embedded store never needs.
                from warmline.journal.postgres_store import LOST, PostgresStore  # noqa: PLC0415

                self._lost = (*_LOST, *LOST)
                self._store = PostgresStore(connection)
            else:
                self._store = SqliteStore(connection)
        except Exception as error:
            if not isinstance(error, (sa.exc.DBAPIError, *self._lost)):
                raise
            log.warning("the store cannot be reached", reason=str(error))
            raise Unavailable("The store is not reachable right now; try again.") from error
        return self._store


def measure_shift(connection: sa.Connection) -> int:
    """Milliseconds by which PostgreSQL's clock is ahead of this machine's; the best of three looks."""
    looks = []
    for _ in range(3):
        before = time.time()
        theirs = connection.exec_driver_sql("SELECT extract(epoch FROM clock_timestamp())::float8").scalar_one()
        after = time.time()
        looks.append((after - before, float(theirs) - (before + after) / 2))
    connection.rollback()
    return round(min(looks)[1] * 1000)


def _is_deadlock(error: BaseException) -> bool:
    """Whether PostgreSQL gave up this transaction for another's sake (SQLSTATE 40P01, 40001): the next try succeeds."""
    return getattr(getattr(error, "orig", error), "sqlstate", None) in {"40P01", "40001"}
