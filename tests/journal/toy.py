"""A kind of stream that knows how to count, and journals over it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import msgspec
from msgspec.structs import replace
from tests.support.pair import StorePair

from warmline.journal import Context, Journal, Meta, StreamKind
from warmline.kernel.clock import Clock, ManualClock
from warmline.kernel.errors import Conflict
from warmline.platform.bus import Bus

COUNTER = "counter"


class Added(msgspec.Struct, frozen=True):
    TYPE: ClassVar[str] = "counter.added"
    VERSION: ClassVar[int] = 1
    by: int
    note: str = ""


class TimerSet(msgspec.Struct, frozen=True):
    TYPE: ClassVar[str] = "counter.timer_set"
    VERSION: ClassVar[int] = 1
    due: int | None


class Rang(msgspec.Struct, frozen=True):
    TYPE: ClassVar[str] = "counter.rang"
    VERSION: ClassVar[int] = 1


class Erased(msgspec.Struct, frozen=True):
    TYPE: ClassVar[str] = "counter.erased"
    VERSION: ClassVar[int] = 1


class Counter(msgspec.Struct, frozen=True):
    id: str
    total: int = 0
    adds: int = 0
    due: int | None = None
    rings: int = 0
    erased: bool = False


class Add(msgspec.Struct, frozen=True):
    """Add ``by`` in ``times`` events; negative amounts are refused."""

    by: int = 1
    times: int = 1
    note: str = ""


class SetTimer(msgspec.Struct, frozen=True):
    due: int | None


class Ring(msgspec.Struct, frozen=True):
    pass


class Break(msgspec.Struct, frozen=True):
    """A command that decide chokes on."""


def decide(state: Counter, command: Any, context: Context) -> Sequence[Any]:
    if isinstance(command, Add):
        if command.by < 0:
            raise Conflict("Counters only grow.", code="negative")
        return [Added(by=command.by, note=command.note)] * command.times
    if isinstance(command, SetTimer):
        return [TimerSet(due=command.due)]
    if isinstance(command, Ring):
        assert state.due is not None
        assert state.due <= context.at
        return [Rang()]
    msg = f"no decision for {command}"
    raise TypeError(msg)


def evolve(state: Counter, body: Any, _meta: Meta) -> Counter:
    if isinstance(body, Added):
        return replace(state, total=state.total + body.by, adds=state.adds + 1)
    if isinstance(body, TimerSet):
        return replace(state, due=body.due)
    if isinstance(body, Rang):
        return replace(state, due=None, rings=state.rings + 1)
    if isinstance(body, Erased):
        return replace(state, erased=True)
    return state


def deadlines(state: Counter) -> Mapping[str, int]:
    return {} if state.due is None else {"ring": state.due}


def counter_kind(**changed: Any) -> StreamKind[Counter]:
    """The toy kind, or a variant of it."""
    fields: dict[str, Any] = {
        "name": COUNTER,
        "initial": lambda stream_id: Counter(id=stream_id),
        "decide": decide,
        "evolve": evolve,
        "events": {body.TYPE: body for body in (Added, TimerSet, Rang, Erased)},
        "state_type": Counter,
        "evolve_version": 1,
        "epoch": lambda state: state.adds,
        "deadlines": deadlines,
        "deadline_command": lambda _state, _kind: Ring(),
        "conversation_id": lambda stream_id, _state: f"c-{stream_id}",
    }
    return StreamKind(**(fields | changed))


@asynccontextmanager
async def open_journal(
    pair: StorePair,
    *,
    clock: Clock | None = None,
    bus: Bus | None = None,
    node: str = "n1",
    kind: StreamKind[Counter] | None = None,
) -> AsyncIterator[Journal]:
    """A running journal on the pair's store with a database and a bus of its own; stopped at the end."""
    database = pair.open_database()
    own = bus or pair.make_bus()
    await own.start()
    journal = Journal(database, clock or ManualClock(), own, [kind or counter_kind()], node_id=node)
    try:
        await journal.start()
        yield journal
    finally:
        await journal.stop()
        await own.stop()
        database.close()


def every(journal: Journal) -> tuple[list[Any], Callable[[], None]]:
    """A list that grows by every event the journal hands off, and the end of that."""
    heard: list[Any] = []
    return heard, journal.listen(heard.extend)
