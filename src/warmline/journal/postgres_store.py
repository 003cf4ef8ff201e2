"""The writer's statements on PostgreSQL: one round trip to lock, one to write and commit.

One JSON parameter per statement (``json_to_recordset``): psycopg's dumping of Python lists for ``unnest`` costs twice
as much.  Bodies and states travel as JSON *strings*, so that nothing a visitor types (a NUL, above all)
is looked at by the server's JSON reader.  Rows are locked in the order of their ids: unsorted, writers deadlock.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any, LiteralString

import msgspec
import psycopg
import sqlalchemy as sa

from warmline.journal.kinds import StoredEvent
from warmline.journal.store import (
    Changes,
    Found,
    KeyName,
    KeyTaken,
    KnownKey,
    StaleCache,
    StreamName,
    StreamRow,
    Wanted,
)
from warmline.kernel.envelope import TOMBSTONE

_MAKE = (
    "INSERT INTO streams (kind, public_id, seq, state, evolve_version, epoch, created_at, updated_at)"
    " SELECT k, p, 0, '', 0, 0, 0, 0 FROM json_to_recordset(%s::json) AS w(k text, p text) ORDER BY k, p"
    " ON CONFLICT (kind, public_id) DO NOTHING"
)
_IDS = (
    "SELECT s.kind, s.public_id, s.id FROM json_to_recordset(%s::json) AS w(k text, p text)"
    " JOIN streams s ON s.kind = w.k AND s.public_id = w.p"
)
_LOCK = (
    "SELECT s.id, s.seq, CASE WHEN s.seq <> w.q THEN s.state END, s.evolve_version FROM streams s"
    " JOIN json_to_recordset(%s::json) AS w(i bigint, q bigint) ON s.id = w.i ORDER BY s.id FOR UPDATE OF s"
)
_KEYS = (
    "SELECT d.scope, d.key, d.stream, d.seq, d.body_hash FROM json_to_recordset(%s::json) AS w(s text, k text)"
    " JOIN idempotency d ON d.scope = w.s AND d.key = w.k"
)
_UPDATE = (
    "UPDATE streams s SET seq = w.n, state = w.t, evolve_version = w.v, epoch = w.e, conversation_id = w.c,"
    " created_at = CASE WHEN s.seq = 0 THEN w.a ELSE s.created_at END, updated_at = w.a"
    " FROM json_to_recordset(%s::json) AS w(i bigint, b bigint, n bigint, t text, v int, e bigint, c text, a bigint)"
    " WHERE s.id = w.i AND s.seq = w.b"
)
_EVENTS = (
    "INSERT INTO events (stream, seq, type, version, at, actor, conversation_id, owner_epoch, body)"
    " SELECT s, q, t, v, a, u, c, e, b FROM json_to_recordset(%s::json)"
    " AS w(s bigint, q bigint, t text, v int, a bigint, u text, c text, e bigint, b text)"
)
_NEW_KEYS = (
    "INSERT INTO idempotency (scope, key, stream, seq, body_hash, at) SELECT s, k, t, q, h, a"
    " FROM json_to_recordset(%s::json) AS w(s text, k text, t bigint, q bigint, h text, a bigint)"
)
_DUE = (
    "INSERT INTO deadlines (stream, kind, due_at, epoch) SELECT s, k, d, e"
    " FROM json_to_recordset(%s::json) AS w(s bigint, k text, d bigint, e bigint)"
    " ON CONFLICT (stream, kind) DO UPDATE SET due_at = excluded.due_at, epoch = excluded.epoch"
)
_SETTLE = (
    "DELETE FROM deadlines d USING json_to_recordset(%s::json) AS w(s bigint, k text)"
    " WHERE d.stream = w.s AND d.kind = w.k"
)
_UNUSED = "DELETE FROM streams WHERE id = ANY(%s) AND seq = 0"
_ERASE = "UPDATE events SET body = %s WHERE stream = %s AND seq < %s"
_ERASURE = "INSERT INTO erasures (stream, seq, subject, state, at) VALUES (%s, %s, %s, %s, %s)"


LOST = (psycopg.OperationalError, psycopg.InterfaceError)
"""The driver's errors after which the connection is of no use."""


class _Name(msgspec.Struct, gc=False):
    k: str
    p: str


class _Lock(msgspec.Struct, gc=False):
    i: int
    q: int


class _Key(msgspec.Struct, gc=False):
    s: str
    k: str


class _Stream(msgspec.Struct, gc=False):
    i: int
    b: int
    n: int
    t: str
    v: int
    e: int
    c: str | None
    a: int

    @staticmethod
    def of(row: StreamRow, at: int) -> _Stream:
        id_, _name, before, seq, state, version, epoch, conversation = row
        return _Stream(id_, before, seq, state, version, epoch, conversation, at)


class _Event(msgspec.Struct, gc=False):
    s: int
    q: int
    t: str
    v: int
    a: int
    u: str
    c: str | None
    e: int
    b: str


class _NewKey(msgspec.Struct, gc=False):
    s: str
    k: str
    t: int
    q: int
    h: str
    a: int


class _Due(msgspec.Struct, gc=False):
    s: int
    k: str
    d: int
    e: int


class _Settled(msgspec.Struct, gc=False):
    s: int
    k: str


class PostgresStore:
    """A writing connection of one process among several."""

    alone = False

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        driver: Any = connection.connection.dbapi_connection
        self._driver: psycopg.Connection[Any] = driver
        self.careful = 0
        # For SQLAlchemy one transaction lasts for ever; the driver begins and commits, which saves the bookkeeping.
        connection.begin()

    def begin(self) -> None:
        """The driver sends it with the first statement, not alone."""

    def lock(self, wanted: Sequence[Wanted]) -> list[Found | None]:
        ids = {want.name: want.id for want in wanted if want.id >= 0}
        if len(ids) < len(wanted):
            ids |= self._resolve([want for want in wanted if want.id < 0])
        locks = sorted((ids[want.name], want.seq) for want in wanted if want.name in ids)
        found: dict[int, Found] = {}
        if locks:
            with self._driver.pipeline():  # BEGIN goes along
                rows = self._run(_LOCK, [_Lock(*lock) for lock in locks]).fetchall()
            found = {row[0]: Found(*row) for row in rows}
        return [found.get(ids.get(want.name, -1)) for want in wanted]

    def find_keys(self, keys: Sequence[KeyName]) -> dict[KeyName, KnownKey]:
        rows = self._run(_KEYS, [_Key(*key) for key in keys]).fetchall()
        return {(row[0], row[1]): KnownKey(*row[2:]) for row in rows}

    def _resolve(self, wanted: Sequence[Wanted]) -> dict[StreamName, int]:
        """The keys of streams the cache does not know; those that may be made are made, in a fixed order."""
        make = sorted(want.name for want in wanted if want.create)
        with self._driver.pipeline():
            if make:
                self._run(_MAKE, [_Name(*name) for name in make])
            found = self._run(_IDS, [_Name(*want.name) for want in wanted])
            return {(row[0], row[1]): row[2] for row in found.fetchall()}

    def next_position(self) -> int:
        return 0

    def history(self, stream: int, after: int) -> list[StoredEvent]:
        rows = self._driver.execute(
            "SELECT seq, type, at, actor, body FROM events WHERE stream = %s AND seq > %s ORDER BY seq",
            (stream, after),
        ).fetchall()
        return [StoredEvent(seq, type_, at, actor, body.encode()) for seq, type_, at, actor, body in rows]

    def erased_state(self, stream: int) -> tuple[int, str] | None:
        return self._driver.execute(
            "SELECT seq, state FROM erasures WHERE stream = %s ORDER BY seq DESC LIMIT 1", (stream,)
        ).fetchone()

    def stream(self, stream: int) -> tuple[StreamName, Found] | None:
        row = self._driver.execute(
            "SELECT kind, public_id, id, seq, state, evolve_version FROM streams WHERE id = %s", (stream,)
        ).fetchone()
        return ((row[0], row[1]), Found(*row[2:])) if row else None

    def write(self, changes: Changes, *, commit: bool) -> None:
        try:
            self._write(changes, commit=commit)
        except psycopg.errors.UniqueViolation as error:
            if error.diag.table_name == "idempotency":
                raise KeyTaken from error
            raise

    def _write(self, changes: Changes, *, commit: bool) -> None:
        updated: psycopg.Cursor[Any] | None = None
        with self._driver.pipeline():
            if changes.streams:
                updated = self._run(_UPDATE, [_Stream.of(row, changes.at) for row in changes.streams])
                self._run(_EVENTS, [_Event(*row[1:]) for row in changes.events])
            if changes.keys:
                self._run(_NEW_KEYS, [_NewKey(*row) for row in sorted(changes.keys)])
            if changes.settled or changes.due or changes.unused or changes.erasures:
                self._write_rare(changes)
            if commit:
                self._driver.commit()  # in the same round trip; an error of a statement before it makes it void
        # Cannot be, since the rows were read under their lock; if it were, UNIQUE (stream, seq) would have refused.
        if updated is not None and updated.rowcount != len(changes.streams):
            raise StaleCache

    def _write_rare(self, changes: Changes) -> None:
        if changes.settled:
            self._run(_SETTLE, [_Settled(*row) for row in changes.settled])
        if changes.due:
            self._run(_DUE, [_Due(*row) for row in changes.due])
        if changes.unused:
            self._driver.execute(_UNUSED, (changes.unused,))
        for row in changes.erasures:
            self._driver.execute(_ERASE, (TOMBSTONE.decode(), row.stream, row.seq))
            self._driver.execute(_ERASURE, row)

    def _run(self, statement: LiteralString, rows: list[Any]) -> psycopg.Cursor[Any]:
        return self._driver.execute(statement, (msgspec.json.encode(rows).decode(),), prepare=True)

    def commit(self) -> None:
        self._driver.commit()

    def rollback(self) -> None:
        with contextlib.suppress(Exception):
            self._driver.rollback()

    def save(self) -> None:
        self._driver.execute("SAVEPOINT part")

    def undo_to_save(self) -> None:
        self._driver.execute("ROLLBACK TO part")

    def forget_save(self) -> None:
        self._driver.execute("RELEASE part")

    def close(self) -> None:
        self.rollback()
        with contextlib.suppress(Exception):
            self.connection.close()
