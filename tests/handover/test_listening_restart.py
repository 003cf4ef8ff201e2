"""A node that listens is stopped in the middle of it, and another goes on from the same store: nothing is lost or doubled."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa
from tests.support import listened
from tests.support.journey import connect, lines, until
from tests.support.listened import Vendor, ask, heard, talk
from tests.support.node import Stage, staged
from tests.support.pair import StorePair

from warmline.conversations.commands import Close
from warmline.conversations.events import VisitorErased
from warmline.conversations.kind import CONVERSATION
from warmline.handover.thread_tables import threads

KINDS = ["polled", "streamed"]


@pytest.fixture(autouse=True)
def _kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    listened.register(monkeypatch)


@contextlib.asynccontextmanager
async def node(pair: StorePair, before: Stage | None = None) -> AsyncIterator[Stage]:
    async with staged(pair, allow_private_targets="127.0.0.0/8") as stage:
        if before is not None:
            stage.tokens = before.tokens
        yield stage


@pytest.mark.parametrize("kind", KINDS)
async def test_another_node_goes_on_where_one_stopped_listening(pair: StorePair, kind: str) -> None:
    async with Vendor.running() as vendor:
        async with node(pair) as first:
            await connect(first, kind, {"url": vendor.url})
            conversation = await talk(first, vendor)
            await until(lambda: vendor.only.held == 1)
        await until(lambda: vendor.only.held == 0)
        await vendor.tell("said", text="Are you still there?")
        async with node(pair, first) as second:
            await heard(second, conversation, ["Hello, I am Ada.", "Are you still there?"])
            await second.say(conversation, "Yes.")
            await until(lambda: vendor.only.said == ["Yes."])
            await vendor.tell("ended")
            await second.until_stage(conversation, None)
        assert vendor.only.asked[-1] >= 2, "the stored state was gone on from"
        assert vendor.only.most_held == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_of_two_nodes_one_listens_until_the_other_has_to(postgres_pair: StorePair, kind: str) -> None:
    async with Vendor.running() as vendor, node(postgres_pair) as second:
        async with node(postgres_pair) as first:
            await connect(first, kind, {"url": vendor.url})
            conversation = await talk(first, vendor)
            await vendor.tell("said", text="One at a time.")
            await heard(first, conversation, ["Hello, I am Ada.", "One at a time."])
        await vendor.tell("said", text="Who is it now?")
        await heard(second, conversation, ["Hello, I am Ada.", "One at a time.", "Who is it now?"])
        assert vendor.only.most_held == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_a_state_that_was_not_saved_brings_the_same_events_again(pair: StorePair, kind: str) -> None:
    async with Vendor.running() as vendor:
        async with node(pair) as first:
            await connect(first, kind, {"url": vendor.url})
            conversation = await ask(first, vendor)
            (early,) = await _states(first, conversation)
            await vendor.tell("joined", name="Ada")
            await vendor.tell("said", text="Hello.")
            await heard(first, conversation, ["Hello."])
            await until(lambda: vendor.only.held == 1)
        # As after a crash between the events and the state.
        _put_back(pair, conversation, early)
        await vendor.tell("said", text="And again.")
        async with node(pair, first) as second:
            await heard(second, conversation, ["Hello.", "And again."])
            await vendor.tell("ended")
            await second.until_stage(conversation, None)
            assert await lines(second, conversation, "agent") == ["Hello.", "And again."]
        assert vendor.only.asked.count(0) >= 2


async def test_a_stream_prepared_by_one_node_is_opened_by_another(pair: StorePair) -> None:
    async with Vendor.running() as vendor:
        async with node(pair) as first:
            await connect(first, "streamed", {"url": vendor.url})
            vendor.opening.clear()
            conversation = await first.visit()
            await first.say(conversation, "talk to a person")
            await until(lambda: bool(vendor.sessions) and vendor.only.held == 1)
            await vendor.tell("joined", name="Ada")
            await vendor.tell("said", text="Hello.")
        vendor.refuse["make"] = 403
        vendor.opening.set()
        async with node(pair, first) as second:
            await heard(second, conversation, ["Hello."])


@pytest.mark.parametrize("kind", KINDS)
async def test_what_cannot_be_decrypted_any_more_is_lost_and_the_ladder_goes_on(
    sqlite_pair: StorePair, kind: str
) -> None:
    pair = sqlite_pair
    async with Vendor.running() as vendor:
        async with node(pair) as first:
            await connect(first, kind, {"url": vendor.url})
            conversation = await talk(first, vendor)
        _put_back(pair, conversation, "wk1.unknown.AAAA")
        async with node(pair, first) as second:
            await second.until(conversation, lambda s: s.handover and s.handover.rung == 1)


async def test_an_erased_conversation_keeps_no_session(pair: StorePair) -> None:
    async with Vendor.running() as vendor, node(pair) as stage:
        await connect(stage, "polled", {"url": vendor.url})
        conversation = await talk(stage, vendor)
        assert None not in await _states(stage, conversation)
        await stage.node.conversations.command(conversation, Close(reason="api"), actor="system")
        await stage.node.journal.erase(CONVERSATION, conversation, actor="system", event=VisitorErased(by="system"))
        while await _states(stage, conversation) != [None]:
            pass
        await until(lambda: vendor.only.held == 0)


async def _states(stage: Stage, conversation: str) -> list[str | None]:
    query = sa.select(threads.c.state).where(threads.c.conversation_id == conversation)
    return list(await stage.node.journal.read(lambda conn: conn.execute(query).scalars().all()))


def _put_back(pair: StorePair, conversation: str, state: str | None) -> None:
    """Write the state while no node runs."""
    database = pair.open_database()
    try:
        with database.writer() as conn:
            conn.execute(sa.update(threads).where(threads.c.conversation_id == conversation).values(state=state))
            conn.commit()
    finally:
        database.close()
