"""The writer's statements on SQLite.

Plain tuples through the driver: SQLAlchemy's executemany costs a quarter of the throughput here.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from warmline.journal.kinds import StoredEvent
from warmline.journal.store import Changes, Found, KeyName, KeyTaken, KnownKey, StaleCache, StreamName, Wanted
from warmline.kernel.envelope import TOMBSTONE

_FIND = "SELECT id, seq, state, evolve_version FROM streams WHERE kind = ? AND public_id = ?"
_FIND_KEY = "SELECT stream, seq, body_hash FROM idempotency WHERE scope = ? AND key = ?"
_UPDATE = (
    "UPDATE streams SET seq = ?, state = ?, evolve_version = ?, epoch = ?, conversation_id = ?, updated_at = ?"
    " WHERE id = ? AND seq = ?"
)
_INSERT = (
    "INSERT INTO streams (id, kind, public_id, seq, state, evolve_version, epoch, conversation_id, created_at,"
    " updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_EVENT = (
    "INSERT INTO events (position, stream, seq, type, version, at, actor, conversation_id, owner_epoch, body)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_KEY = "INSERT INTO idempotency (scope, key, stream, seq, body_hash, at) VALUES (?, ?, ?, ?, ?, ?)"
_DUE = (
    "INSERT INTO deadlines (stream, kind, due_at, epoch) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (stream, kind) DO UPDATE SET due_at = excluded.due_at, epoch = excluded.epoch"
)
_SETTLE = "DELETE FROM deadlines WHERE stream = ? AND kind = ?"
_ERASE = "UPDATE events SET body = ? WHERE stream = ? AND seq < ?"
_ERASURE = "INSERT INTO erasures (stream, seq, subject, state, at) VALUES (?, ?, ?, ?, ?)"


class SqliteStore:
    """The one writing connection of an embedded store.  Numbers streams and events itself."""

    alone = True

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        driver: Any = connection.connection.dbapi_connection
        self._driver: sqlite3.Connection = driver
        self._cursor = self._driver.cursor()
        # For SQLAlchemy one transaction lasts for ever, so that it begins none of its own; the driver begins and
        # commits.  Its bookkeeping would cost more than a small batch does.
        connection.begin()
        self._driver.rollback()
        self.careful = 0
        self._stream = 0
        self._position = 0

    def begin(self) -> None:
        self._cursor.execute("BEGIN IMMEDIATE")
        # One look per batch, at the right edge of two trees: what a rolled-back batch had taken is free again.
        row = self._cursor.execute(
            "SELECT (SELECT max(id) FROM streams), (SELECT max(position) FROM events)"
        ).fetchone()
        self._stream, self._position = row[0] or 0, row[1] or 0

    def lock(self, wanted: Sequence[Wanted]) -> list[Found | None]:
        found: list[Found | None] = []
        for want in wanted:
            row = self._cursor.execute(_FIND, want.name).fetchone()
            if row is not None:
                found.append(Found(*row))
            elif want.create:
                self._stream += 1
                found.append(Found(self._stream, 0, None, 0))
            else:
                found.append(None)
        return found

    def find_keys(self, keys: Sequence[KeyName]) -> dict[KeyName, KnownKey]:
        rows = ((key, self._cursor.execute(_FIND_KEY, key).fetchone()) for key in keys)
        return {key: KnownKey(*row) for key, row in rows if row is not None}

    def next_position(self) -> int:
        self._position += 1
        return self._position

    def history(self, stream: int, after: int) -> list[StoredEvent]:
        rows = self._cursor.execute(
            "SELECT seq, type, at, actor, body FROM events WHERE stream = ? AND seq > ? ORDER BY seq", (stream, after)
        )
        return [StoredEvent(seq, type_, at, actor, body.encode()) for seq, type_, at, actor, body in rows]

    def erased_state(self, stream: int) -> tuple[int, str] | None:
        row: tuple[int, str] | None = self._cursor.execute(
            "SELECT seq, state FROM erasures WHERE stream = ? ORDER BY seq DESC LIMIT 1", (stream,)
        ).fetchone()
        return row

    def stream(self, stream: int) -> tuple[StreamName, Found] | None:
        row = self._cursor.execute(
            "SELECT kind, public_id, id, seq, state, evolve_version FROM streams WHERE id = ?", (stream,)
        ).fetchone()
        return ((row[0], row[1]), Found(*row[2:])) if row else None

    def write(self, changes: Changes, *, commit: bool) -> None:
        run = self._cursor.executemany
        self._write_streams(changes)
        if changes.events:
            run(_EVENT, changes.events)
        if changes.keys:
            try:
                run(_KEY, changes.keys)
            except sqlite3.IntegrityError as error:
                raise KeyTaken from error
        if changes.settled:
            run(_SETTLE, changes.settled)
        if changes.due:
            run(_DUE, changes.due)
        if changes.erasures:
            self._erase(changes)
        if commit:
            self.commit()

    def _write_streams(self, changes: Changes) -> None:
        at = changes.at
        new, old = [], []
        for id_, name, before, seq, state, version, epoch, conversation in changes.streams:
            if before:
                old.append((seq, state, version, epoch, conversation, at, id_, before))
            else:
                new.append((id_, *name, seq, state, version, epoch, conversation, at, at))
        if new:
            self._cursor.executemany(_INSERT, new)
        if old:
            self._cursor.executemany(_UPDATE, old)
            if self._cursor.rowcount != len(old):
                raise StaleCache

    def _erase(self, changes: Changes) -> None:
        tombstone = TOMBSTONE.decode()
        self._cursor.executemany(_ERASE, [(tombstone, row.stream, row.seq) for row in changes.erasures])
        self._cursor.executemany(_ERASURE, changes.erasures)

    def commit(self) -> None:
        self._driver.commit()

    def rollback(self) -> None:
        with contextlib.suppress(Exception):
            self._driver.rollback()

    def save(self) -> None:
        self._cursor.execute("SAVEPOINT part")

    def undo_to_save(self) -> None:
        self._cursor.execute("ROLLBACK TO part")

    def forget_save(self) -> None:
        self._cursor.execute("RELEASE part")

    def close(self) -> None:
        self.rollback()
        with contextlib.suppress(Exception):
            self._cursor.close()
            self.connection.close()
