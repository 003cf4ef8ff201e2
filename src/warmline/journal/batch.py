"""One transaction's worth of requests: lock, decide, collect what is to be written.

Everything here happens under the lock of the streams concerned, so no decision is ever based on a state that somebody
else has changed meanwhile.  A request that fails leaves no trace in the batch.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import structlog

from warmline.journal.kinds import Appended, Codec, Context, Meta, encode
from warmline.journal.requests import AppendRequest, EraseRequest, FireRequest, StreamRequest
from warmline.journal.store import (
    BatchStore,
    Changes,
    DueRow,
    ErasureRow,
    Found,
    KnownKey,
    StreamName,
    StreamRow,
    Wanted,
)
from warmline.kernel.envelope import Recorded
from warmline.kernel.errors import KeyReused, NotFound, WarmlineError

log = structlog.get_logger(__name__)

REFIRE_AFTER = 5_000
"""A due deadline whose command was refused or changed nothing is looked at again after this many milliseconds."""


class Cached(msgspec.Struct, frozen=True, gc=False):
    """A stream as last committed."""

    id: int
    seq: int
    state: Any
    deadlines: Mapping[str, int]


class Cache:
    """The states used last.  Written by the writer thread only; other threads may look."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: OrderedDict[StreamName, Cached] = OrderedDict()

    def get(self, name: StreamName) -> Cached | None:
        return self._entries.get(name)

    def put(self, name: StreamName, entry: Cached) -> None:
        self._entries[name] = entry
        self._entries.move_to_end(name)
        if len(self._entries) > self._size:
            self._entries.popitem(last=False)

    def evict(self, names: Sequence[StreamName]) -> None:
        for name in names:
            self._entries.pop(name, None)

    def clear(self) -> None:
        self._entries.clear()


class _Work:
    """A stream as this batch sees it so far."""

    __slots__ = ("before", "codec", "deadlines", "forced", "id", "name", "seq", "start", "state")

    def __init__(
        self, codec: Codec[Any], name: StreamName, id_: int, seq: int, state: Any, deadlines: Mapping[str, int]
    ) -> None:
        self.codec = codec
        self.name = name
        self.id = id_
        self.start = self.seq = seq
        self.state = state
        self.deadlines = self.before = deadlines
        self.forced: dict[str, int | None] | None = None


class Batch:
    """Decides the requests of one transaction.  ``changes`` and ``events`` are what came of it."""

    def __init__(self, store: BatchStore, cache: Cache, codecs: Mapping[str, Codec[Any]]) -> None:
        self._store = store
        self._cache = cache
        self._codecs = codecs
        self._works: dict[StreamName, _Work | None] = {}
        self._known: dict[tuple[str, str], KnownKey] = {}
        self.events: list[Recorded] = []
        self.changes = Changes(0)

    def lock(self, requests: Sequence[StreamRequest]) -> None:
        """Lock every stream concerned and load what the cache does not hold."""
        works, cache, alone = self._works, self._cache, self._store.alone
        wanted: dict[StreamName, Wanted] = {}
        codecs: dict[StreamName, Codec[Any]] = {}
        for request in requests:
            name = request.name
            if name in works:
                if request.create and name in wanted:
                    wanted[name] = wanted[name]._replace(create=True)
                continue
            cached = cache.get(name)
            if cached is not None and alone:
                works[name] = _Work(request.codec, name, cached.id, cached.seq, cached.state, cached.deadlines)
                continue
            works[name] = None
            codecs[name] = request.codec
            wanted[name] = Wanted(name, *((cached.id, cached.seq) if cached else (-1, -1)), request.create)
        if wanted:
            found = self._store.lock(list(wanted.values()))
            for name, row in zip(wanted, found, strict=True):
                if row is not None:
                    works[name] = self._load(codecs[name], name, row)
        if self._store.careful:
            keys = [(request.key.scope, request.key.key) for request in requests if request.key is not None]
            self._known = self._store.find_keys(keys) if keys else {}

    def decide(self, requests: Sequence[StreamRequest], at: int) -> None:
        """Give every request its result or its error; ``at`` is the batch's moment in milliseconds."""
        self.changes = Changes(at)
        for request in requests:
            try:
                if isinstance(request, AppendRequest):
                    request.result = self._append(request, at)
                elif isinstance(request, FireRequest):
                    request.result = self._fire(request, at)
                elif isinstance(request, EraseRequest):
                    request.result = self._erase(request, at)
            except WarmlineError as error:
                request.error = error
            except Exception as error:
                log.exception("a command could not be decided", stream=request.name)
                request.error = error
        for work in self._works.values():
            if work is not None:
                self._collect(work)

    def remember(self) -> None:
        """After the commit: bring the cache up to date."""
        for name, work in self._works.items():
            if work is not None and work.seq:
                self._cache.put(name, Cached(work.id, work.seq, work.state, work.deadlines))

    # -- loading ---------------------------------------------------------------------------------------------------

    def _load(self, codec: Codec[Any], name: StreamName, row: Found) -> _Work:
        if row.state is None and row.seq:
            cached = self._cache.get(name)
            assert cached is not None
            return _Work(codec, name, row.id, row.seq, cached.state, cached.deadlines)
        state = self._state(codec, name, row)
        return _Work(codec, name, row.id, row.seq, state, codec.kind.deadlines(state) if row.seq else {})

    def _state(self, codec: Codec[Any], name: StreamName, row: Found) -> Any:
        if row.seq == 0:
            return codec.kind.initial(name[1])
        if row.evolve_version == codec.kind.evolve_version and row.state is not None:
            state = codec.state(row.state)
            if state is not None:
                return state
        erased = self._store.erased_state(row.id)
        base = codec.state(erased[1]) if erased else None
        if base is not None and erased is not None:
            return codec.replay(base, self._store.history(row.id, erased[0]))
        return codec.replay(codec.kind.initial(name[1]), self._store.history(row.id, 0))

    # -- deciding --------------------------------------------------------------------------------------------------

    def _append(self, request: AppendRequest, at: int) -> Appended[Any]:
        key = request.key
        if key is None:
            work = self._existing(request)
            recorded = self._decided(work, request, at)
            return Appended(request.name[1], recorded, work.seq, work.state)
        name = (key.scope, key.key)
        known = self._known.get(name)
        if known is not None:
            return self._replayed(known, key.body_hash)
        try:
            work = self._existing(request)
            recorded = self._decided(work, request, at)
        except WarmlineError:
            # Refused now, but perhaps accepted when the key was first used: then that answer stands.
            found = self._store.find_keys([name])
            if name in found:
                return self._replayed(found[name], key.body_hash)
            raise
        if work.seq == 0:
            raise NotFound  # a command that makes nothing of a new stream leaves no key either
        self.changes.keys.append((key.scope, key.key, work.id, work.seq, key.body_hash, at))
        self._known[name] = KnownKey(work.id, work.seq, key.body_hash)
        return Appended(request.name[1], recorded, work.seq, work.state)

    def _decided(self, work: _Work, request: AppendRequest, at: int) -> tuple[Recorded, ...]:
        bodies = request.codec.kind.decide(work.state, request.command, Context(at, request.actor))
        return self._record(work, bodies, request.actor, at)

    def _existing(self, request: StreamRequest) -> _Work:
        work = self._works[request.name]
        if work is None or (work.seq == 0 and not request.create):
            raise NotFound
        return work

    def _replayed(self, known: KnownKey, body_hash: str) -> Appended[Any]:
        if known.body_hash != body_hash:
            raise KeyReused
        for name, work in self._works.items():
            if work is not None and work.id == known.stream:
                return Appended(name[1], (), known.seq, work.state, replayed=True)
        row = self._store.stream(known.stream)
        if row is None or row[0][0] not in self._codecs:
            raise NotFound
        name, found = row
        state = self._state(self._codecs[name[0]], name, found)
        return Appended(name[1], (), known.seq, state, replayed=True)

    def _record(self, work: _Work, bodies: Sequence[Any], actor: str, at: int) -> tuple[Recorded, ...]:
        """Append ``bodies`` to the stream; all of them or, if one cannot be encoded, none."""
        kind = work.codec.kind
        evolve, epoch_of, conversation_of = kind.evolve, kind.epoch, kind.conversation_id
        seq, state, (kind_name, stream_id) = work.seq, work.state, work.name
        recorded = []
        rows = []
        for body in bodies:
            seq += 1
            raw = encode(body)
            state = evolve(state, body, Meta(seq, at, actor))
            epoch = epoch_of(state)
            conversation = conversation_of(stream_id, state)
            position = self._store.next_position()
            type_, version = body.TYPE, body.VERSION
            rows.append((position, work.id, seq, type_, version, at, actor, conversation, epoch, raw.decode()))
            recorded.append(
                # In the order of the fields: naming them takes twice as long.
                Recorded(kind_name, stream_id, seq, type_, version, at, actor, epoch, raw, body, conversation, position)
            )
        if rows:
            work.deadlines = kind.deadlines(state)
            work.seq, work.state = seq, state
            self.changes.events += rows
            self.events += recorded
        return tuple(recorded)

    def _fire(self, request: FireRequest, at: int) -> bool:
        """Whether the deadline was due and its command was decided."""
        work = self._works[request.name]
        if work is None or work.seq == 0:
            self.changes.settled.append((request.stream, request.deadline))
            return False
        kind = request.deadline
        if work.forced is None:
            work.forced = {}
        due = work.deadlines.get(kind)
        if due is None or due > at:
            work.forced[kind] = due
            return False
        try:
            command = work.codec.kind.deadline_command(work.state, kind)
            bodies = work.codec.kind.decide(work.state, command, Context(at, request.actor))
            self._record(work, bodies, request.actor, at)
        except Exception:
            work.forced[kind] = at + REFIRE_AFTER
            raise
        due = work.deadlines.get(kind)
        if due is not None and due <= at:
            log.error("a deadline was answered but is still due", stream=work.name, deadline=kind)
            due = at + REFIRE_AFTER
        work.forced[kind] = due
        return True

    def _erase(self, request: EraseRequest, at: int) -> Appended[Any]:
        work = self._existing(request)
        recorded = self._record(work, [request.event], request.actor, at)
        subject = erased_subject(request.name)
        self.changes.erasures.append(ErasureRow(work.id, work.seq, subject, encode(work.state).decode(), at))
        return Appended(request.name[1], recorded, work.seq, work.state)

    # -- collecting ------------------------------------------------------------------------------------------------

    def _collect(self, work: _Work) -> None:
        changes, kind = self.changes, work.codec.kind
        if work.seq == 0:
            changes.unused.append(work.id)
            return
        if work.seq > work.start:
            changes.streams.append(
                StreamRow(
                    work.id,
                    work.name,
                    work.start,
                    work.seq,
                    encode(work.state).decode(),
                    kind.evolve_version,
                    kind.epoch(work.state),
                    kind.conversation_id(work.name[1], work.state),
                )
            )
        if work.forced is None and work.deadlines == work.before:
            return
        epoch = kind.epoch(work.state)
        forced = work.forced or {}
        for name, due in work.deadlines.items():
            before = work.before.get(name)
            # A later due is not written: the row fires early, finds out, and arms itself again.
            if name not in forced and (before is None or due < before):
                changes.due.append(DueRow(work.id, name, due, epoch))
        changes.settled += [
            (work.id, name) for name in work.before if name not in work.deadlines and name not in forced
        ]
        for name, rearmed in forced.items():
            if rearmed is None:
                changes.settled.append((work.id, name))
            else:
                changes.due.append(DueRow(work.id, name, rearmed, epoch))


def erased_subject(name: StreamName) -> str:
    """How an erased stream is listed for a restore: the SHA-256 of its kind and id."""
    return hashlib.sha256(f"{name[0]}\0{name[1]}".encode()).hexdigest()
