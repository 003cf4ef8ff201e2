"""One store behind one class: a SQLite file of this process alone, or a PostgreSQL that several processes share."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.pool import QueuePool

from warmline.kernel.errors import SettingsError, Unavailable

metadata = sa.MetaData()
"""Every table of every module; the migrations are written by hand and compared with it by a test."""

Dialect = Literal["sqlite", "postgresql"]

READERS = 4
"""Reading threads of a process, and connections they keep open."""
_BUSY_MS = 5_000
_LOCK_FILE = "warmline.lock"


class Database:
    """An open store.

    ``engine`` may write: the journal's writer and the migrations use it.  ``readers`` cannot write (the store itself
    refuses), for everything else.
    """

    def __init__(
        self, engine: sa.Engine, readers: sa.Engine, dialect: Dialect, path: Path | None, lock: int | None
    ) -> None:
        self.engine = engine
        self.readers = readers
        self.dialect: Dialect = dialect
        self.path = path
        self._lock = lock

    @classmethod
    def open(cls, url: str, *, exclusive: bool = True) -> Database:
        """Open ``sqlite:///path`` or ``postgresql://…``.

        A SQLite store belongs to one process: with ``exclusive`` its folder is locked until ``close``.  Raises
        Unavailable when another process has it or its file is none, SettingsError for an address of another kind.
        """
        if url.startswith("sqlite:///"):
            path = Path(url.removeprefix("sqlite:///"))
            lock = _lock_folder(path.parent) if exclusive else None
            _keep_private(path)
            try:
                _check_file(path)
            except Unavailable:
                if lock is not None:
                    os.close(lock)
                raise
            return cls(_sqlite(path, reading=False), _sqlite(path, reading=True), "sqlite", path, lock)
        scheme, _, rest = url.partition("://")
        if scheme in {"postgresql", "postgres", "postgresql+psycopg"} and rest:
            address = f"postgresql+psycopg://{rest}"
            return cls(_postgres(address, reading=False), _postgres(address, reading=True), "postgresql", None, None)
        raise SettingsError("The database address must begin with sqlite:/// or postgresql://.")

    def writer(self) -> sa.Connection:
        """A connection outside the pool, set up for the one thread that writes; close it.

        Raises sqlalchemy.exc.DBAPIError when the store cannot be reached.
        """
        connection = self.engine.connect()
        connection.detach()
        if self.dialect == "postgresql":
            with connection.begin():
                # Small tables would be scanned once per batch; a writer that hangs must not hold every consumer back.
                connection.exec_driver_sql("SET enable_seqscan = off")
                connection.exec_driver_sql("SET idle_in_transaction_session_timeout = '10s'")
                connection.exec_driver_sql("SET synchronous_commit = on")
        return connection

    def close(self) -> None:
        """Close every connection of the pools and let go of the folder."""
        self.readers.dispose()
        self.engine.dispose()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _lock_folder(folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder / _LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise Unavailable(
            f"Another Warmline process is using the data in {folder}. Stop it first, or set WARMLINE_DATABASE_URL "
            "to a PostgreSQL that several processes may share.",
            code="store_in_use",
        ) from error
    return handle


def _keep_private(path: Path) -> None:
    # SQLite would make the file readable for everybody; what it puts beside it gets the same mode.
    with contextlib.suppress(OSError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def _check_file(path: Path) -> None:
    # SQLite opens anything, and complains at the first statement, wherever that may be.
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            return
        raise Unavailable(
            f"The database file {path} cannot be used ({error}). Restore it from a backup, or move it away to begin "
            "with an empty one.",
            code="store_damaged",
        ) from error


def _sqlite(path: Path, *, reading: bool) -> sa.Engine:
    engine = sa.create_engine(
        f"sqlite:///{path}",
        connect_args={"isolation_level": None, "check_same_thread": False, "cached_statements": 256},
        poolclass=QueuePool,
        pool_size=READERS,
        max_overflow=READERS,
    )

    @sa.event.listens_for(engine, "connect")
    def _on_connect(connection: sqlite3.Connection, _record: Any) -> None:
        # FULL: a commit that was answered survives a power failure; with group commit that costs nothing.
        pragmas = ["journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "temp_store=MEMORY", "cache_size=-32768"]
        # What is erased must not stay readable in free bytes, and neither must the copies that rows leave when they
        # grow or move before that.
        pragmas += ["secure_delete=ON"]
        if reading:
            pragmas = ["query_only=ON", "temp_store=MEMORY", "cache_size=-8192"]
        for pragma in [f"busy_timeout={_BUSY_MS}", *pragmas]:
            connection.execute(f"PRAGMA {pragma}")

    @sa.event.listens_for(engine, "begin")
    def _on_begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


def _postgres(address: str, *, reading: bool) -> sa.Engine:
    options = "-c timezone=UTC -c idle_in_transaction_session_timeout=30s"
    more: dict[str, Any] = {"pool_pre_ping": True}
    if reading:
        options += " -c default_transaction_read_only=on"
        # A read is one round trip: no BEGIN and ROLLBACK around it, and whether the connection lives is found out by
        # using it (the journal reads again where it did not).
        more = {"isolation_level": "AUTOCOMMIT"}
    return sa.create_engine(
        address,
        connect_args={"options": options, "connect_timeout": 10},
        pool_size=READERS,
        max_overflow=READERS,
        **more,
    )
