"""What the journal must be told about a kind of stream, and what it answers.  The journal itself knows no domain."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from warmline.kernel.envelope import TOMBSTONE, Body, Recorded

S = TypeVar("S")


class Context(msgspec.Struct, frozen=True, gc=False):
    """What the writer adds to a command: the store's time in milliseconds and who acts."""

    at: int
    actor: str


class Meta(msgspec.Struct, frozen=True, gc=False):
    """Where and when an event stands: its seq in the stream, its time in milliseconds, its actor."""

    seq: int
    at: int
    actor: str


@dataclass(frozen=True, kw_only=True)
class StreamKind(Generic[S]):
    """How streams of one kind decide and evolve.  All functions are pure.

    ``initial``            stream id → empty state
    ``decide``             the events a command causes; raises WarmlineError to refuse
    ``evolve``             total: never fails, ignores what it does not know
    ``events``             event type → class of the body (a msgspec Struct with TYPE and VERSION)
    ``state_type``         frozen msgspec Struct; its JSON is the snapshot
    ``evolve_version``     raised when the state's meaning changes: older snapshots are rebuilt from the stream
    ``epoch``              the owner_epoch that is stored with each event (of the state after it)
    ``deadlines``          deadline kind → due moment (ms)
    ``deadline_command``   what to decide when that deadline is due
    ``conversation_id``    the conversation that a stream belongs to, if any
    """

    name: str
    initial: Callable[[str], S]
    decide: Callable[[S, Any, Context], Sequence[Any]]
    evolve: Callable[[S, Any, Any], S]
    events: Mapping[str, type[Any]]
    state_type: type[S]
    evolve_version: int
    epoch: Callable[[S], int] = lambda _state: 0
    deadlines: Callable[[S], Mapping[str, int]] = lambda _state: {}
    deadline_command: Callable[[S, str], Any] = lambda _state, kind: kind
    conversation_id: Callable[[str, S], str | None] = lambda _stream_id, _state: None


class IdempotencyKey(msgspec.Struct, frozen=True, gc=False):
    """A key that makes an append happen once: ``key`` is unique within ``scope``, ``body_hash`` tells misuse."""

    scope: str
    key: str
    body_hash: str


class Appended(msgspec.Struct, Generic[S], frozen=True):
    """The answer to an append, given after the commit.

    ``seq`` is the stream's seq after this append; when ``replayed``, after the first append under the same key
    (then ``events`` is empty, ``state`` is the present one, and ``stream_id`` is the stream of the first append).
    """

    stream_id: str
    events: tuple[Recorded, ...]
    seq: int
    state: S
    replayed: bool = False


class Codec(Generic[S]):
    """Reads and writes one kind's snapshots and bodies, and counts what it does not know."""

    def __init__(self, kind: StreamKind[S]) -> None:
        self.kind = kind
        self.name = kind.name
        self.unknown_events = 0
        self._state = msgspec.json.Decoder(kind.state_type)
        self._bodies = {name: msgspec.json.Decoder(body) for name, body in kind.events.items()}

    def body(self, type_: str, raw: bytes) -> Any:
        """The typed body; None when the type is unknown (counted), unreadable (counted) or the body was erased."""
        if raw == TOMBSTONE:
            return None
        decoder = self._bodies.get(type_)
        if decoder is None:
            self.unknown_events += 1
            return None
        try:
            return decoder.decode(raw)
        except msgspec.MsgspecError:
            self.unknown_events += 1
            return None

    def state(self, raw: bytes | str) -> S | None:
        """A snapshot as state, or None when it cannot be read."""
        try:
            return self._state.decode(raw)
        except msgspec.MsgspecError:
            return None

    def replay(self, state: S, rows: Sequence[StoredEvent]) -> S:
        """``state`` after these events; unknown and erased ones change nothing."""
        evolve = self.kind.evolve
        for row in rows:
            body = self.body(row.type, row.raw)
            if body is not None:
                state = evolve(state, body, Meta(row.seq, row.at, row.actor))
        return state


class StoredEvent(msgspec.Struct, frozen=True, gc=False):
    """What rebuilding a state needs of an event."""

    seq: int
    type: str
    at: int
    actor: str
    raw: bytes


def encode(value: Body | object) -> bytes:
    """The JSON of a body or a state.  Raises TypeError or UnicodeEncodeError for what is no JSON."""
    return _ENCODER.encode(value)


_ENCODER = msgspec.json.Encoder()
