"""State at any point + the events after it = the state from the beginning: for snapshots and for consumers."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.journal.toy import COUNTER, Add, Counter, Erased, SetTimer, counter_kind, open_journal
from tests.support.pair import StorePair, copy_sqlite, sqlite_url

from warmline.journal import Journal
from warmline.journal.cursors import Cursor, next_query, read_next
from warmline.journal.kinds import StoredEvent
from warmline.kernel.envelope import Recorded
from warmline.kernel.errors import Conflict

names = st.sampled_from(["a", "b", "c"])
commands = st.one_of(
    st.builds(Add, by=st.integers(-2, 5), times=st.integers(1, 3), note=st.text(max_size=8)),
    st.builds(SetTimer, due=st.one_of(st.none(), st.integers(0, 2**40))),
    st.just("erase"),
)
stories = st.lists(st.tuples(names, commands), max_size=25)


def stored(event: Recorded) -> StoredEvent:
    return StoredEvent(event.seq, event.type, event.at, event.actor, event.raw)


class Told:
    """A story as it happened: each stream's state after each append, and where it was erased last."""

    def __init__(self) -> None:
        self.states: dict[str, dict[int, Counter]] = {}
        self.erased_at: dict[str, int] = {}

    async def play(self, journal: Journal, name: str, command: Any) -> None:
        if command != "erase":
            done = await journal.append(COUNTER, name, command, actor="t", create=True)
        elif name in self.states:
            done = await journal.erase(COUNTER, name, actor="t", event=Erased())
            self.erased_at[name] = done.seq
        else:
            return
        self.states.setdefault(name, {})[done.seq] = done.state

    async def compare_streams(self, journal: Journal) -> None:
        codec = journal.codecs[COUNTER]
        for name, states in self.states.items():
            final, top = await journal.snapshot(COUNTER, name)
            assert final == states[top]
            events = [stored(event) for event in await journal.events(COUNTER, name)]
            assert [event.seq for event in events] == list(range(1, top + 1))
            # What was erased cannot be replayed any more: then only later states lead to the final one.
            starts = states if name in self.erased_at else {0: Counter(id=name)} | states
            for seq, state in starts.items():
                if seq >= self.erased_at.get(name, 0):
                    assert codec.replay(state, events[seq:]) == final


async def compare_cursors(journal: Journal) -> None:
    """What comes after any cursor is the rest of everything."""
    query = next_query(journal.database.dialect)

    async def after(cursor: Cursor, limit: int) -> tuple[list[Recorded], Cursor]:
        return await journal.read(lambda conn: read_next(conn, query, journal.codecs, cursor, limit))

    everything, _end = await after(Cursor(), 1_000)
    for cut in range(1, len(everything) + 1, 4):
        first, cursor = await after(Cursor(), cut)
        assert first == everything[:cut]
        assert (await after(cursor, 1_000))[0] == everything[cut:]


async def tell(pair: StorePair, story: list[tuple[str, Any]]) -> None:
    """Play a story; then compare every way of knowing the states."""
    told = Told()
    async with open_journal(pair) as journal:
        for name, command in story:
            with contextlib.suppress(Conflict, UnicodeEncodeError):
                await told.play(journal, name, command)
        await told.compare_streams(journal)
        await compare_cursors(journal)
    async with open_journal(pair, kind=counter_kind(evolve_version=2)) as journal:
        await told.compare_streams(journal)  # rebuilt by now


@settings(max_examples=30)
@given(story=stories)
def test_every_way_of_knowing_a_state_agrees(sqlite_template: Path, story: list[tuple[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        copy_sqlite(sqlite_template, data)
        asyncio.run(tell(StorePair("sqlite+memory", data, sqlite_url(data), "", "x"), story))


async def test_it_holds_on_both_stores(pair: StorePair) -> None:
    story: list[tuple[str, Any]] = [
        *[("a", Add(by=n)) for n in range(6)],
        ("b", Add(times=3)),
        ("a", "erase"),
        ("b", Add(by=-1)),
        ("a", Add(by=7)),
        ("b", SetTimer(due=5)),
        ("b", Add(note="\x00☺")),
    ]
    await tell(pair, story)
