"""What the writer needs of a store, and the rows it hands over.  Implemented for SQLite and for PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec
import sqlalchemy as sa

from warmline.journal.kinds import StoredEvent

StreamName = tuple[str, str]
"""Kind and public id."""
KeyName = tuple[str, str]
"""Scope and key."""


class Wanted(NamedTuple):
    """A stream this batch needs: what the cache knows of it (else -1), and whether it may be made."""

    name: StreamName
    id: int
    seq: int
    create: bool


class Found(NamedTuple):
    """A locked stream; ``state`` is None when the cached seq was right.  ``seq`` 0: made just now."""

    id: int
    seq: int
    state: str | None
    evolve_version: int


class KnownKey(msgspec.Struct, frozen=True, gc=False):
    """An idempotency key that was used before."""

    stream: int
    seq: int
    body_hash: str


class StreamRow(NamedTuple):
    """A stream after the batch; ``before`` is the seq it had (0: new)."""

    id: int
    name: StreamName
    before: int
    seq: int
    state: str
    evolve_version: int
    epoch: int
    conversation_id: str | None


EventRow = tuple[int, int, int, str, int, int, str, str | None, int, str]
"""One new event: position, stream, seq, type, version, at, actor, conversation id, owner epoch, body.

A bare tuple: naming its parts would cost more than reading them.
"""


KeyRow = tuple[str, str, int, int, str, int]
"""One new idempotency key: scope, key, stream, seq, hash of the body, moment."""


class DueRow(NamedTuple):
    """A deadline to set."""

    stream: int
    kind: str
    due_at: int
    epoch: int


class ErasureRow(NamedTuple):
    """Bodies of ``stream`` below ``seq`` become tombstones; ``state`` is the state from which a rebuild starts."""

    stream: int
    seq: int
    subject: str
    state: str
    at: int


class Changes:
    """Everything one batch writes."""

    __slots__ = ("at", "due", "erasures", "events", "keys", "settled", "streams", "unused")

    def __init__(self, at: int) -> None:
        self.at = at
        self.streams: list[StreamRow] = []
        self.events: list[EventRow] = []
        self.keys: list[KeyRow] = []
        self.due: list[DueRow] = []
        self.settled: list[tuple[int, str]] = []
        self.erasures: list[ErasureRow] = []
        self.unused: list[int] = []

    def __bool__(self) -> bool:
        return bool(self.streams or self.keys or self.due or self.settled or self.unused)


class StaleCache(Exception):
    """A guarded write met another seq than the batch decided on: nothing may be written, read again."""


class KeyTaken(Exception):
    """A key was used before: look them up and decide again."""


class BatchStore(Protocol):
    """One writer's connection.  Not thread-safe; every method may raise the driver's errors.

    ``alone``: nobody else writes this store, so cached states need no look.  ``careful``: for so many more batches
    keys are looked up first; else they are inserted in the belief that they are new, which they nearly always are.
    """

    connection: sa.Connection
    alone: bool
    careful: int

    def begin(self) -> None:
        """Open the transaction."""

    def lock(self, wanted: Sequence[Wanted]) -> list[Found | None]:
        """Lock the wanted streams; answers in the same order, None for one that is absent and not to be made."""

    def find_keys(self, keys: Sequence[KeyName]) -> dict[KeyName, KnownKey]:
        """Those of the keys that were used before."""

    def next_position(self) -> int:
        """The position of the next event, 0 where the store gives it while inserting."""

    def history(self, stream: int, after: int) -> list[StoredEvent]:
        """The events of a stream, for rebuilding its state."""

    def erased_state(self, stream: int) -> tuple[int, str] | None:
        """Seq and state at the last erasure of the stream."""

    def stream(self, stream: int) -> tuple[StreamName, Found] | None:
        """A stream by its key, unlocked, with its state."""

    def write(self, changes: Changes, *, commit: bool) -> None:
        """Write the batch, and commit when asked.  Raises StaleCache and KeyTaken."""

    def commit(self) -> None:
        """Commit what is open."""

    def rollback(self) -> None:
        """Undo what is open; never raises."""

    def save(self) -> None:
        """Begin a part of the transaction that may be undone alone."""

    def undo_to_save(self) -> None:
        """Undo that part."""

    def forget_save(self) -> None:
        """End that part."""

    def close(self) -> None:
        """Give the connection back; never raises."""
