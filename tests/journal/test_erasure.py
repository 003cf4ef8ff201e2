"""Erasure: content goes, order and numbers stay."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
import sqlalchemy as sa
from tests.journal.toy import COUNTER, Add, Counter, Erased, counter_kind, open_journal
from tests.support.pair import StorePair

from warmline.journal import Journal
from warmline.journal.batch import erased_subject
from warmline.journal.consumers import ConsumerRunner, TransactionalConsumer
from warmline.journal.tables import erasures, events, journal_meta
from warmline.kernel.envelope import TOMBSTONE, Recorded
from warmline.kernel.errors import NotFound

SECRET = "Only my doctor may know this"


async def fill(journal: Journal) -> None:
    for _ in range(3):
        await journal.append(COUNTER, "a", Add(2, note=SECRET), actor="t", create=True)
    await journal.append(COUNTER, "b", Add(1, note="another's"), actor="t", create=True)


async def test_bodies_become_tombstones_and_everything_else_stays(pair: StorePair) -> None:
    async with open_journal(pair) as journal:
        await fill(journal)
        before = await journal.events(COUNTER, "a")
        late, done = await asyncio.gather(
            journal.append(COUNTER, "a", Add(1, note=SECRET), actor="t"),
            journal.erase(COUNTER, "a", actor="admin", event=Erased()),
        )
        assert (late.seq, done.seq) == (4, 5)
        after = await journal.events(COUNTER, "a")
        assert [event.raw for event in after[:4]] == [TOMBSTONE] * 4
        assert all(event.erased and event.body is None for event in after[:4])
        assert after[4].body == Erased()
        assert [(e.seq, e.type, e.at, e.actor) for e in after[:3]] == [(e.seq, e.type, e.at, e.actor) for e in before]
        assert (await journal.events(COUNTER, "b"))[0].body.note == "another's"
        assert await journal.snapshot(COUNTER, "a") == (Counter(id="a", total=7, adds=4, erased=True), 5)
        texts = await journal.read(lambda conn: conn.execute(sa.select(events.c.body)).scalars().all())
        assert not [text for text in texts if SECRET in text]
        listed = await journal.read(lambda conn: conn.execute(sa.select(erasures.c.subject)).scalars().all())
        assert listed == [erased_subject((COUNTER, "a"))]
        with pytest.raises(NotFound):
            await journal.erase(COUNTER, "unknown", actor="admin", event=Erased())


async def test_an_erased_stream_can_still_be_rebuilt(pair: StorePair) -> None:
    async with open_journal(pair) as journal:
        await fill(journal)
        await journal.erase(COUNTER, "a", actor="admin", event=Erased())
        await journal.append(COUNTER, "a", Add(1), actor="t")
    async with open_journal(pair, kind=counter_kind(evolve_version=2)) as journal:
        expected = Counter(id="a", total=7, adds=4, erased=True)
        assert await journal.snapshot(COUNTER, "a") == (expected, 5)
        done = await journal.append(COUNTER, "a", Add(1), actor="t")
        assert done.state.total == 8


async def test_the_text_is_gone_from_the_files(sqlite_pair: StorePair) -> None:
    async with open_journal(sqlite_pair) as journal:
        await fill(journal)
        await journal.erase(COUNTER, "a", actor="admin", event=Erased())
    for file in sqlite_pair.data.iterdir():
        assert SECRET.encode() not in file.read_bytes()


class Copies(TransactionalConsumer):
    """Copies notes away, and purges them when their stream is erased: what every copying consumer must do."""

    name = "copies"

    def __init__(self) -> None:
        self.seen = asyncio.Event()

    def apply(self, conn: sa.Connection, events: Sequence[Recorded]) -> None:
        for event in events:
            name = f"copy:{event.stream_id}:{event.seq}"
            if event.type == Erased.TYPE:
                conn.execute(sa.delete(journal_meta).where(journal_meta.c.name.startswith(f"copy:{event.stream_id}:")))
            elif not event.erased:
                conn.execute(sa.insert(journal_meta).values(name=name, value=event.body.note))

    async def applied(self, events: Sequence[Recorded]) -> None:
        if events[-1].type == Erased.TYPE:
            self.seen.set()


@pytest.mark.parametrize("late", [False, True])
async def test_consumers_see_the_erasure_and_purge(pair: StorePair, late: bool) -> None:
    async with open_journal(pair) as journal:
        consumer = Copies()
        runner = ConsumerRunner(journal, [consumer])
        if not late:
            await runner.start()
        await fill(journal)
        await journal.erase(COUNTER, "a", actor="admin", event=Erased())
        if late:
            await runner.start()
        await asyncio.wait_for(consumer.seen.wait(), 10)
        await runner.stop()
        query = sa.select(journal_meta.c.name).where(journal_meta.c.name.startswith("copy:"))
        assert await journal.read(lambda conn: conn.execute(query).scalars().all()) == ["copy:b:1"]
