"""Appending: order, refusals, keys, functions, hand-off; on both stores."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa
from tests.journal.toy import COUNTER, Add, Break, Counter, counter_kind, decide, every, open_journal
from tests.support.pair import StorePair

from warmline.journal import IdempotencyKey
from warmline.journal.journal import KEYS_KEPT, Journal
from warmline.journal.tables import events, idempotency, journal_meta, streams
from warmline.kernel.clock import ManualClock
from warmline.kernel.errors import Conflict, Invalid, KeyReused, NotFound, Unavailable


async def add(journal: Journal, stream: str, by: int = 1, *, create: bool = True, **more: Any) -> Any:
    key = more.pop("key", None)
    return await journal.append(COUNTER, stream, Add(by=by, **more), actor="tester", create=create, key=key)


async def count(journal: Journal, table: sa.Table) -> int:
    found: int = await journal.read(
        lambda conn: conn.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
    )
    return found


async def test_an_append_is_answered_with_its_events_and_the_state_after_them(pair: StorePair) -> None:
    async with open_journal(pair) as journal:
        done = await add(journal, "a", 2, times=3, note="naïve ☺")
        assert [event.seq for event in done.events] == [1, 2, 3]
        assert done.seq == 3
        assert done.state == Counter(id="a", total=6, adds=3)
        assert done.stream_id == "a"
        stored = await journal.events(COUNTER, "a")
        assert [event.raw for event in stored] == [event.raw for event in done.events]
        assert stored[1].body == done.events[1].body
        assert (stored[2].at, stored[2].actor, stored[2].owner_epoch) == (done.events[2].at, "tester", 3)
        assert stored[0].conversation_id == "c-a"
        assert [event.seq for event in await journal.events(COUNTER, "a", after=1, limit=1)] == [2]
        assert await journal.snapshot(COUNTER, "a") == (done.state, 3)


async def test_concurrent_appends_to_few_streams_leave_no_gap_and_lose_no_update(pair: StorePair) -> None:
    async with open_journal(pair) as journal:
        names = [f"s{number % 7}" for number in range(700)]
        done = await asyncio.gather(*(add(journal, name) for name in names))
        assert journal.writer.batches < len(names)
        for name in set(names):
            seqs = [event.seq for event in await journal.events(COUNTER, name)]
            assert seqs == list(range(1, 101))
            assert sorted(one.seq for one in done if one.stream_id == name) == seqs
            state, seq = await journal.snapshot(COUNTER, name)
            assert (state.total, seq) == (100, 100)


async def test_a_refused_command_fails_alone(pair: StorePair) -> None:
    async with open_journal(pair) as journal:
        commands = [Add(1), Add(-1), Break(), Add(2)]
        outcomes = await asyncio.gather(
            *(journal.append(COUNTER, "a", command, actor="t", create=True) for command in commands),
            return_exceptions=True,
        )
        assert isinstance(outcomes[1], Conflict)
        assert outcomes[1].code == "negative"
        assert isinstance(outcomes[2], TypeError)
        state, seq = await journal.snapshot(COUNTER, "a")
        assert (state.total, seq) == (3, 2)


async def test_only_create_makes_a_stream_and_a_refused_creation_leaves_nothing(pair: StorePair) -> None:
    async with open_journal(pair) as journal:
        with pytest.raises(NotFound):
            await add(journal, "a", create=False)
        with pytest.raises(Conflict):
            await add(journal, "a", -1, key=IdempotencyKey("s", "k", "h"))
        with pytest.raises(NotFound):
            await journal.snapshot(COUNTER, "a")
        assert await count(journal, streams) == 0
        assert await count(journal, idempotency) == 0
        assert (await add(journal, "a", key=IdempotencyKey("s", "k", "h"))).seq == 1
        assert (await add(journal, "a", create=False)).seq == 2


async def test_the_same_key_is_appended_once_and_answered_twice(pair: StorePair) -> None:
    key = IdempotencyKey("scope", "one", "hash")
    async with open_journal(pair) as journal:
        first = await add(journal, "a", 5, key=key)
        await add(journal, "a", 1)
        again = await add(journal, "a", 5, key=key)
        assert (again.replayed, again.seq, again.events) == (True, first.seq, ())
        assert again.state.total == 6
        other = await add(journal, "b", 5, key=key)
        assert (other.replayed, other.stream_id) == (True, "a")
        assert await count(journal, streams) == 1
        with pytest.raises(KeyReused):
            await add(journal, "a", 5, key=IdempotencyKey("scope", "one", "another hash"))
        assert not (await add(journal, "a", 5, key=IdempotencyKey("scope 2", "one", "hash"))).replayed
    async with open_journal(pair) as journal:
        assert (await add(journal, "a", 5, key=key)).seq == first.seq
        assert (await add(journal, "z", 5, key=key)).stream_id == "a"


async def test_a_repeated_command_is_answered_as_before_even_if_it_would_be_refused_now(pair: StorePair) -> None:
    picky = counter_kind(
        decide=lambda state, command, context: decide(state, Add(-1) if state.adds else command, context)
    )
    key = IdempotencyKey("scope", "one", "hash")
    async with open_journal(pair, kind=picky) as journal:
        first = await add(journal, "a", key=key)
        with pytest.raises(Conflict):
            await add(journal, "a", key=IdempotencyKey("scope", "two", "hash"))
        again = await add(journal, "a", key=key)
        assert (again.seq, again.replayed) == (first.seq, True)
        assert (await add(journal, "unknown", key=key, create=False)).stream_id == "a"
        with pytest.raises(KeyReused):
            await add(journal, "a", key=IdempotencyKey("scope", "one", "other"))


async def test_the_same_key_within_one_transaction_is_appended_once(pair: StorePair) -> None:
    key = IdempotencyKey("scope", "one", "hash")
    async with open_journal(pair) as journal:
        done = await asyncio.gather(*(add(journal, "a", key=key) for _ in range(50)))
        assert [one.seq for one in done] == [1] * 50
        assert sum(not one.replayed for one in done) == 1
        made = await asyncio.gather(*(add(journal, f"n{n}", key=IdempotencyKey("new", "k", "h")) for n in range(9)))
        assert len({one.stream_id for one in made}) == 1
        assert await count(journal, streams) == 2


async def test_old_keys_are_forgotten(pair: StorePair, clock: ManualClock) -> None:
    key = IdempotencyKey("scope", "old", "hash")
    async with open_journal(pair, clock=clock) as journal:
        await add(journal, "a", key=key)
        clock.advance(KEYS_KEPT - 1)
        await add(journal, "a", key=IdempotencyKey("scope", "young", "hash"))
        assert await journal.purge_keys() == 0
        clock.advance(2)
        assert await journal.purge_keys() == 1
        assert not (await add(journal, "a", key=key)).replayed
        assert (await add(journal, "a", key=IdempotencyKey("scope", "young", "hash"))).replayed


async def test_a_function_that_fails_undoes_only_its_own_work(pair: StorePair) -> None:
    def good(conn: sa.Connection) -> str:
        conn.execute(sa.insert(journal_meta).values(name="good", value="1"))
        return "done"

    def bad(conn: sa.Connection) -> None:
        conn.execute(sa.insert(journal_meta).values(name="bad", value="1"))
        conn.execute(sa.insert(journal_meta).values(name="good", value="2"))

    async with open_journal(pair) as journal:
        outcomes = await asyncio.gather(
            add(journal, "a"), journal.write(good), journal.write(bad), add(journal, "a"), return_exceptions=True
        )
        assert outcomes[1] == "done"
        assert isinstance(outcomes[2], sa.exc.IntegrityError)
        assert not isinstance(outcomes[3], BaseException)
        assert outcomes[3].seq == 2
        names = await journal.read(lambda conn: conn.execute(sa.select(journal_meta.c.name)).scalars().all())
        assert set(names) == {"good", "incarnation"}


async def test_readers_cannot_write(pair: StorePair) -> None:
    async with open_journal(pair) as journal:
        with pytest.raises((sa.exc.DBAPIError, Unavailable)):
            await journal.read(lambda conn: conn.execute(sa.insert(journal_meta).values(name="x", value="y")))


async def test_text_that_a_store_could_choke_on_harms_nobody(pair: StorePair) -> None:
    async with open_journal(pair) as journal:
        outcomes: Any = await asyncio.gather(
            add(journal, "a"),
            add(journal, "a", note="\ud800"),
            add(journal, "a", note="a\x00b"),
            return_exceptions=True,
        )
        fine, lone, nul = outcomes
        assert fine.seq == 1
        assert isinstance(lone, UnicodeEncodeError)
        assert nul.seq == 2
        assert (await journal.events(COUNTER, "a"))[1].body.note == "a\x00b"
        for bad in ("x\x00", "x\udc00"):
            with pytest.raises(Invalid):
                await add(journal, bad)


async def test_listeners_hear_every_commit_in_order_and_cannot_harm_each_other(pair: StorePair) -> None:
    async with open_journal(pair) as journal:
        broken, stop_broken = every(journal)
        journal.listen(lambda _events: broken[0].no_such_attribute)
        heard, stop = every(journal)
        for _ in range(3):
            done = await add(journal, "a", times=2)
            assert heard[-1] == done.events[-1]  # before the answer
        stop()
        stop_broken()
        await add(journal, "a")
        assert [event.seq for event in heard] == [1, 2, 3, 4, 5, 6]


async def test_another_node_hears_through_the_bus(postgres_pair: StorePair) -> None:
    async with open_journal(postgres_pair, node="n1") as one, open_journal(postgres_pair, node="n2") as two:
        mine, _stop = every(one)
        heard = asyncio.Event()
        theirs: list[Any] = []
        two.listen(theirs.extend)
        two.listen(lambda _events: heard.set())
        done = await add(one, "a", 4, note="x" * 200_000, times=3)
        while len(theirs) < 3:
            await asyncio.wait_for(heard.wait(), 10)
            heard.clear()
        assert [(event.seq, event.body) for event in theirs] == [(event.seq, event.body) for event in done.events]
        assert len(mine) == 3
        assert one.incarnation == two.incarnation


async def test_events_of_a_newer_version_are_counted_and_ignored(pair: StorePair) -> None:
    def newer(conn: sa.Connection) -> None:
        stream = conn.execute(sa.select(streams.c.id)).scalar_one()
        row = {"stream": stream, "version": 1, "at": 1, "actor": "new", "owner_epoch": 0}
        conn.execute(
            sa.insert(events),
            [
                row | {"seq": 2, "type": "counter.from_the_future", "body": '{"x":1}'},
                row | {"seq": 3, "type": "counter.added", "body": '{"by":"no number"}'},
            ],
        )
        conn.execute(sa.update(streams).values(seq=3, evolve_version=99))

    async with open_journal(pair) as journal:
        await add(journal, "a", 5)
        await journal.write(newer)
    async with open_journal(pair) as journal:
        assert (await journal.snapshot(COUNTER, "a")) == (Counter(id="a", total=5, adds=1), 3)
        done = await add(journal, "a", 1)
        assert (done.seq, done.state.total) == (4, 6)
        stored = await journal.events(COUNTER, "a")
        assert [event.body is None for event in stored] == [False, True, True, False]
        assert stored[1].raw == b'{"x":1}'
        assert journal.codecs[COUNTER].unknown_events >= 2


async def test_a_snapshot_of_another_version_is_rebuilt_from_the_stream(pair: StorePair) -> None:
    async with open_journal(pair) as journal:
        await add(journal, "a", 5, times=2)
    twice = counter_kind(
        evolve_version=2, evolve=lambda state, body, meta: Counter(id=state.id, total=state.total + 2 * body.by)
    )
    async with open_journal(pair, kind=twice) as journal:
        assert await journal.snapshot(COUNTER, "a") == (Counter(id="a", total=20), 2)
        assert (await add(journal, "a", 1)).state.total == 22
        versions = await journal.read(lambda conn: conn.execute(sa.select(streams.c.evolve_version)).scalars().all())
        assert versions == [2]


async def test_stopping_answers_everything_and_then_refuses(pair: StorePair) -> None:
    async with open_journal(pair) as journal:
        waiting = [journal.append_nowait(COUNTER, "a", Add(), actor="t", create=True) for _ in range(1_200)]
        await journal.stop()
        assert [one.result().seq for one in waiting] == list(range(1, 1_201))
        with pytest.raises(Unavailable):
            await add(journal, "a")


async def test_the_incarnation_belongs_to_the_store(pair: StorePair) -> None:
    async with open_journal(pair) as journal:
        first = journal.incarnation
        assert first
    async with open_journal(pair) as journal:
        assert journal.incarnation == first


async def test_a_caller_that_went_away_harms_nobody(pair: StorePair) -> None:
    async with open_journal(pair) as journal:
        gone = journal.append_nowait(COUNTER, "a", Add(), actor="t", create=True)
        gone.cancel()
        assert (await add(journal, "a")).seq == 2
