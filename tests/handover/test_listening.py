"""Desks that are listened to: everything they have heard reaches the conversation once, in order, whatever breaks."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

import pytest
import sqlalchemy as sa
from tests.support import listened
from tests.support.journey import connect, lines, until, until_said
from tests.support.listened import Vendor, ask, heard, talk
from tests.support.node import Stage, guest

from warmline.accounts.access import SYSTEM
from warmline.handover.port import Health
from warmline.handover.thread_tables import threads

KINDS = ["polled", "streamed"]


@pytest.fixture(scope="module", autouse=True)
def _kinds() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        listened.register(patch)
        yield


@contextlib.asynccontextmanager
async def together(house: Stage, kind: str) -> AsyncIterator[tuple[Stage, Vendor]]:
    async with Vendor.running() as vendor, guest(house) as stage:
        await connect(stage, kind, {"url": vendor.url})
        yield stage, vendor


async def stored_state(stage: Stage, conversation: str) -> list[str | None]:
    query = sa.select(threads.c.state).where(threads.c.conversation_id == conversation).order_by(threads.c.rung)
    return list(await stage.node.journal.read(lambda conn: conn.execute(query).scalars().all()))


# -- the ordinary way ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
async def test_from_the_bot_to_an_agent_and_back(shared_house: Stage, kind: str) -> None:
    async with together(shared_house, kind) as (stage, vendor):
        conversation = await ask(stage, vendor)
        await vendor.tell("queue", position=2)
        state = await stage.until_stage(conversation, "queued")
        assert state.handover.position == 2
        await vendor.tell("typing")
        await vendor.tell("something new")
        await vendor.tell("joined", name="Ada")
        await vendor.tell("said", text="Hello.")
        await heard(stage, conversation, ["Hello."])
        await stage.say(conversation, "My lamp is broken.")
        await until(lambda: vendor.only.said == ["My lamp is broken."])
        (sealed,) = await stored_state(stage, conversation)
        assert sealed is not None
        assert vendor.only.token not in sealed

        await vendor.tell("said", text="Goodbye.")
        await vendor.tell("ended")
        await stage.until_stage(conversation, None)
        await heard(stage, conversation, ["Hello.", "Goodbye."])
        await until(lambda: vendor.only.held == 0)
        await _until_forgotten(stage, conversation)
        assert vendor.only.most_held == 1


async def _until_forgotten(stage: Stage, conversation: str) -> None:
    query = sa.select(threads.c.phase, threads.c.id).where(threads.c.conversation_id == conversation)
    row = None
    while row is None or row.phase != "done":
        row = await stage.node.journal.read(lambda conn: conn.execute(query).first())
    assert await stored_state(stage, conversation) == [None]
    assert f"listener:{row.id}" not in {task.get_name() for task in asyncio.all_tasks()}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_visitor_who_leaves_is_said_goodbye_to_and_nobody_listens_on(shared_house: Stage, kind: str) -> None:
    async with together(shared_house, kind) as (stage, vendor):
        conversation = await talk(stage, vendor)
        await stage.frame(conversation, frame="end")
        await until(lambda: vendor.only.closed)
        await _until_forgotten(stage, conversation)
        await until(lambda: vendor.only.held == 0)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_second_handover_counts_its_events_anew(shared_house: Stage, kind: str) -> None:
    async with together(shared_house, kind) as (stage, vendor):
        conversation = await talk(stage, vendor)
        await vendor.tell("ended")
        await stage.until_stage(conversation, None)
        await stage.say(conversation, "talk to a person")
        await until(lambda: len(vendor.sessions) == 2 and vendor.newest.held == 1)
        await vendor.tell("joined", name="Ada")
        await vendor.tell("said", text="Me again.")
        await heard(stage, conversation, ["Hello, I am Ada.", "Me again."])


async def test_what_comes_before_open_has_returned_waits_for_it(shared_house: Stage) -> None:
    async with together(shared_house, "streamed") as (stage, vendor):
        vendor.opening.clear()
        conversation = await stage.visit()
        await stage.say(conversation, "talk to a person")
        await until(lambda: bool(vendor.sessions) and vendor.only.held == 1)
        await vendor.tell("queue", position=1)
        await vendor.tell("joined", name="Ada")
        await vendor.tell("said", text="Quick, am I not?")
        assert (await stage.state(conversation)).handover.stage == "requested"
        assert not vendor.only.opened
        vendor.opening.set()
        await heard(stage, conversation, ["Quick, am I not?"])


async def test_a_desk_lives_until_its_settings_change(shared_house: Stage) -> None:
    async with Vendor.running() as vendor, guest(shared_house) as stage:
        connection = await connect(stage, "polled", {"url": vendor.url})
        connections = stage.node.connections
        desk = connections.desk(connection)
        await connections.note_health(connection, Health(ok=False, sentence="Away."))
        await connections.refresh()
        assert connections.desk(connection) is desk
        await connections.update(SYSTEM, connection, settings={"url": f"{vendor.url}/other"})
        assert connections.desk(connection) is not desk


# -- trouble -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
async def test_answers_that_are_lost_are_asked_for_again(shared_house: Stage, kind: str) -> None:
    async with together(shared_house, kind) as (stage, vendor):
        conversation = await ask(stage, vendor)
        vendor.lose = 2
        await vendor.tell("joined", name="Ada")
        await vendor.tell("said", text="One.")
        await until(lambda: vendor.lose == 0)
        await vendor.tell("said", text="Two.")
        await heard(stage, conversation, ["One.", "Two."])


@pytest.mark.parametrize("kind", KINDS)
async def test_events_told_twice_are_shown_once(shared_house: Stage, kind: str) -> None:
    async with together(shared_house, kind) as (stage, vendor):
        vendor.twice = True
        conversation = await talk(stage, vendor)
        await vendor.tell("said", text="Two.")
        await vendor.tell("ended")
        await stage.until_stage(conversation, None)
        assert await lines(stage, conversation, "agent") == ["Hello, I am Ada.", "Two."]


async def test_a_stream_that_was_cut_goes_on_where_it_was(shared_house: Stage) -> None:
    async with together(shared_house, "streamed") as (stage, vendor):
        conversation = await talk(stage, vendor)
        vendor.cut_streams()
        await until(lambda: len(vendor.only.asked) == 2)
        await vendor.tell("said", text="Still there?")
        await heard(stage, conversation, ["Hello, I am Ada.", "Still there?"])
        assert vendor.only.asked == [0, 2]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [429, 503])
async def test_a_vendor_in_trouble_is_asked_again(shared_house: Stage, kind: str, status: int) -> None:
    async with together(shared_house, kind) as (stage, vendor):
        conversation = await talk(stage, vendor)
        vendor.refuse["listen"] = status
        vendor.retry_after = "0"
        vendor.cut_streams()
        await vendor.tell("said", text="Can you hear me?")
        await until(lambda: vendor.only.held == 0)
        await stage.say(conversation, "Hello?")
        await until(lambda: vendor.only.said == ["Hello?"])
        vendor.refuse.clear()
        assert (await stage.state(conversation)).handover.rung == 0
        await until_said(stage, conversation, "agent", lambda said: "Can you hear me?" in said)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_desk_that_is_not_heard_counts_as_one_that_takes_nothing(shared_house: Stage, kind: str) -> None:
    async with together(shared_house, kind) as (stage, vendor):
        conversation = await talk(stage, vendor)
        vendor.refuse["listen"] = 503
        vendor.cut_streams()
        await stage.until(conversation, lambda s: s.handover.stalled_since is not None)
        vendor.refuse.clear()
        await stage.until(conversation, lambda s: s.handover.stalled_since is None)
        told = [one.type for one in await stage.events(conversation) if one.type.startswith("delivery.")]
        assert told == ["delivery.stalled", "delivery.recovered"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [401, 404])
async def test_a_refusal_for_good_takes_the_handover_down_the_ladder(
    shared_house: Stage, kind: str, status: int
) -> None:
    async with together(shared_house, kind) as (stage, vendor):
        conversation = await talk(stage, vendor)
        vendor.refuse["listen"] = status
        vendor.cut_streams()
        await stage.until(conversation, lambda s: s.handover and s.handover.rung == 1)
        failed = [one.body for one in await stage.events(conversation) if one.type == "handover.rung_failed"]
        assert [body.reason for body in failed] == ["desk_lost"]
        await until(lambda: vendor.only.closed)


@pytest.mark.parametrize("operation", ["make", "listen", "open"])
async def test_a_stream_that_is_refused_from_the_start_is_a_rung_that_refused(
    shared_house: Stage, operation: str
) -> None:
    async with together(shared_house, "streamed") as (stage, vendor):
        vendor.refuse[operation] = 403
        conversation = await stage.visit()
        await stage.say(conversation, "talk to a person")
        await stage.until(conversation, lambda s: s.handover and s.handover.rung == 1)
        failed = [one.body for one in await stage.events(conversation) if one.type == "handover.rung_failed"]
        assert [body.reason for body in failed] == ["refused"]
        await until(lambda: all(session.held == 0 for session in vendor.sessions.values()))


async def test_a_visitor_need_not_wait_for_a_stream_that_does_not_stand(shared_house: Stage) -> None:
    async with together(shared_house, "streamed") as (stage, vendor):
        vendor.refuse["listen"] = 503
        conversation = await stage.visit()
        await stage.say(conversation, "talk to a person")
        await until(lambda: bool(vendor.sessions))
        assert (await stage.state(conversation)).handover.stage == "requested"
        await stage.frame(conversation, frame="cancel")
        await stage.until_stage(conversation, None)
        await until(lambda: vendor.only.closed)
        assert not vendor.only.opened


@pytest.mark.parametrize("kind", KINDS)
async def test_a_vendor_that_says_nobody_comes_is_left_for_the_next_rung(shared_house: Stage, kind: str) -> None:
    async with together(shared_house, kind) as (stage, vendor):
        conversation = await ask(stage, vendor)
        await vendor.tell("failed")
        await stage.until(conversation, lambda s: s.handover and s.handover.rung == 1)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_thread_that_is_over_without_a_word_ends_the_handover(shared_house: Stage, kind: str) -> None:
    async with together(shared_house, kind) as (stage, vendor):
        conversation = await talk(stage, vendor)
        await vendor.tell("silence")
        await stage.until_stage(conversation, None)
