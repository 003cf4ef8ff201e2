"""Our own desk on the journal: queue, places, taking, answering, putting back, ending."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.support.core import CRM, CRM_RUNG, DESK, DESK_RUNG, Core, open_core
from tests.support.pair import StorePair

from warmline.conversations import commands as c
from warmline.conversations import events as e
from warmline.conversations.index import ConversationIndex
from warmline.conversations.kind import CONVERSATION
from warmline.deskwork.queue import DeskQueue
from warmline.deskwork.service import DeskMember, DeskWork
from warmline.deskwork.tables import desk_queue, desk_waits
from warmline.kernel.clock import MINUTE, ManualClock
from warmline.kernel.errors import Conflict, KeyReused, NotFound

ANN = DeskMember(id="ann", name="Ann", avatar="https://shop.example/ann.png")
BOB = DeskMember(id="bob", name="Bob")


@pytest.fixture
async def core(pair: StorePair, clock: ManualClock) -> AsyncIterator[Core]:
    async with open_core(pair, clock) as opened:
        opened.consumers = [ConversationIndex(), DeskQueue(opened.journal)]
        yield opened


@pytest.fixture
def desk(core: Core) -> DeskWork:
    return DeskWork(core.journal, core.clock, core.conversations)


async def waits(core: Core, text: str = "I need help") -> str:
    """A visitor who waits in our queue; each asks a second after the one before."""
    core.clock.advance(1_000)
    page = e.Page(title="Oak lamp", url="https://shop.example/lamp")
    conversation = await core.start(page=page)
    await core.says(conversation, text)
    await core.ask(conversation)
    await core.catch_up()
    return conversation


async def place(core: Core, conversation: str) -> tuple[int | None, int | None]:
    held = (await core.state(conversation)).handover
    assert held is not None
    return held.position, held.wait_minutes


async def told(core: Core, conversation: str) -> list[int | None]:
    bodies = [event.body for event in await core.events(conversation)]
    return [body.position for body in bodies if isinstance(body, e.HandoverQueued)]


async def test_the_queue_shows_the_longest_waiting_first_with_what_an_agent_wants_to_know(
    core: Core, desk: DeskWork
) -> None:
    first, second = await waits(core, "Where is my order?"), await waits(core)
    core.clock.advance(3_000)
    queue = await desk.queue()
    assert [entry.conversation_id for entry in queue] == [first, second]
    entry = queue[0]
    assert (entry.snippet, entry.page_title, entry.position) == ("Where is my order?", "Oak lamp", 1)
    assert (entry.waited, entry.connection_id, entry.language) == (4_000, DESK, "en")
    (count,) = await desk.counts()
    assert (count.connection_id, count.waiting, count.oldest_since) == (DESK, 2, entry.since)
    assert await desk.queue("another") == []


async def test_places_count_from_one_and_are_told_only_when_they_change(core: Core, desk: DeskWork) -> None:
    visitors = [await waits(core) for _ in range(3)]
    assert [await place(core, each) for each in visitors] == [(1, None), (2, None), (3, None)]
    assert [await told(core, each) for each in visitors] == [[1], [2], [3]]
    await desk.take(visitors[1], ANN)
    await core.catch_up()
    assert [await told(core, each) for each in visitors] == [[1], [2], [3, 2]]
    await core.do(visitors[0], c.CancelHandover(by="visitor"))
    await core.catch_up()
    assert await told(core, visitors[2]) == [3, 2, 1]


async def test_what_a_waiting_visitor_adds_is_seen_before_taking(core: Core, desk: DeskWork) -> None:
    conversation = await waits(core)
    await core.says(conversation, "It is about order 7")
    await core.catch_up()
    assert (await desk.queue())[0].snippet == "It is about order 7"
    assert await told(core, conversation) == [1]


async def test_of_two_agents_who_take_at_once_one_gets_the_visitor(core: Core, desk: DeskWork) -> None:
    conversation = await waits(core)
    results = await asyncio.gather(desk.take(conversation, ANN), desk.take(conversation, BOB), return_exceptions=True)
    refused = [result for result in results if isinstance(result, Conflict)]
    assert [each.code for each in refused] == ["already_connected"]
    await core.catch_up()
    held = (await core.state(conversation)).handover
    assert held is not None
    winner = ANN if held.agent == ANN.agent else BOB
    assert held.agent == winner.agent
    assert [entry.conversation_id for entry in await desk.mine(winner.id)] == [conversation]
    assert await desk.queue() == []
    before = await core.events(conversation)
    await desk.take(conversation, winner)
    assert await core.events(conversation) == before, "taking again changes nothing"


async def test_the_agent_answers_once_per_client_id(core: Core, desk: DeskWork) -> None:
    conversation = await waits(core)
    with pytest.raises(Conflict) as early:
        await desk.say(conversation, ANN, text="hello", client_id="1")
    assert early.value.code == "not_connected"
    await desk.take(conversation, ANN)
    seq = await desk.say(conversation, ANN, text="hello", client_id="1")
    assert await desk.say(conversation, ANN, text="hello", client_id="1") == seq
    with pytest.raises(KeyReused):
        await desk.say(conversation, ANN, text="other", client_id="1")
    (line,) = await core.said(conversation, "agent")
    assert (line.text, line.name, line.avatar, line.author_id) == ("hello", "Ann", ANN.avatar, "ann")
    with pytest.raises(Conflict) as other:
        await desk.say(conversation, BOB, text="hello", client_id="2")
    assert other.value.code == "not_yours"


async def test_putting_back_returns_the_visitor_to_the_front_under_a_new_epoch(core: Core, desk: DeskWork) -> None:
    first, second = await waits(core), await waits(core)
    await desk.take(first, ANN)
    await core.catch_up()
    epoch = (await core.state(first)).owner_epoch
    await desk.put_back(first, ANN)
    await core.catch_up()
    assert [entry.conversation_id for entry in await desk.queue()] == [first, second]
    assert (await core.state(first)).owner_epoch == epoch + 1
    assert await place(core, first) == (1, None)
    assert await told(core, second) == [2, 1, 2]
    with pytest.raises(Conflict):
        await desk.say(first, ANN, text="still me?", client_id="9")
    await desk.take(first, BOB)
    await desk.say(first, BOB, text="hello", client_id="1")


async def test_a_place_told_in_the_moment_of_taking_is_no_transfer(core: Core, desk: DeskWork) -> None:
    conversation = await waits(core)
    await desk.take(conversation, ANN)
    await core.catch_up()
    await desk.put_back(conversation, ANN)
    await desk.take(conversation, BOB)  # before the queue has told anybody his place
    epoch = (await core.state(conversation)).owner_epoch
    late = c.DeskSays(connection_id=DESK, verb="queued", epoch=epoch, only_waiting=True, position=1)
    with pytest.raises(Conflict) as refused:
        await core.journal.append(CONVERSATION, conversation, late, actor="desk:late")
    assert refused.value.code == "already_connected"
    held = (await core.state(conversation)).handover
    assert held is not None
    assert (held.stage, held.agent.name if held.agent else "") == ("connected", BOB.name)


async def test_ending_gives_the_conversation_back_to_the_bot(core: Core, desk: DeskWork) -> None:
    conversation = await waits(core)
    await desk.take(conversation, ANN)
    with pytest.raises(Conflict) as other:
        await desk.end(conversation, BOB)
    assert other.value.code == "not_yours"
    await desk.end(conversation, ANN)
    await core.catch_up()
    assert (await core.state(conversation)).owner == "bot"
    assert await desk.mine("ann") == []
    with pytest.raises(Conflict) as over:
        await desk.take(conversation, ANN)
    assert over.value.code == "no_handover"
    await core.do(conversation, c.Close(reason="visitor"))
    with pytest.raises(Conflict) as closed:
        await desk.take(conversation, ANN)
    assert closed.value.code == "closed"
    with pytest.raises(NotFound):
        await desk.take("unknown", ANN)


async def test_what_another_desk_owns_can_only_be_read(core: Core, desk: DeskWork) -> None:
    core.ladder = (CRM_RUNG, DESK_RUNG)
    conversation = await waits(core)
    assert await desk.queue() == []
    await core.do(conversation, c.DeskSays(connection_id=CRM, verb="joined", agent=e.Agent(name="Ann", id="ann")))
    for act in (
        desk.take(conversation, ANN),
        desk.say(conversation, ANN, text="x", client_id="1"),
        desk.put_back(conversation, ANN),
        desk.end(conversation, ANN),
        desk.typing(conversation, ANN, on=True),
    ):
        with pytest.raises(Conflict) as refused:
            await act
        assert refused.value.code == "owned_by_desk"


async def test_who_comes_down_the_ladder_keeps_the_place_that_the_time_of_asking_gives(
    core: Core, desk: DeskWork
) -> None:
    core.ladder = (CRM_RUNG, DESK_RUNG)
    early = await waits(core)
    core.ladder = (DESK_RUNG,)
    late = await waits(core)
    await core.do(early, c.DeskSays(connection_id=CRM, verb="failed"))
    assert [entry.conversation_id for entry in await desk.queue()] == [late]
    await core.do(early, c.AcceptOffer(epoch=(await core.state(early)).owner_epoch, thread_ref="t"))
    await core.catch_up()
    assert [entry.conversation_id for entry in await desk.queue()] == [early, late]
    assert (await place(core, early))[0] == 1
    assert await told(core, late) == [1, 2]


async def test_minutes_are_told_once_five_waits_are_known(core: Core, desk: DeskWork) -> None:
    for _ in range(5):
        conversation = await waits(core)
        assert await place(core, conversation) == (1, None)
        core.clock.advance(2 * MINUTE)
        await desk.take(conversation, ANN)
        await core.catch_up()
    assert len(await core.rows(desk_waits)) == 5
    first, second = await waits(core), await waits(core)
    assert await place(core, first) == (1, 2)
    assert await place(core, second) == (2, 4)


async def test_only_the_latest_waits_are_kept(core: Core, desk: DeskWork) -> None:
    for _ in range(23):
        conversation = await waits(core)
        await desk.take(conversation, ANN)
        await core.catch_up()
    assert len(await core.rows(desk_waits)) == 20


async def test_the_same_events_again_change_nothing(core: Core, desk: DeskWork) -> None:
    conversation = await waits(core)
    await desk.take(conversation, ANN)
    await desk.put_back(conversation, ANN)
    await core.catch_up()
    rows, waited = await core.rows(desk_queue), await core.rows(desk_waits)
    events = await core.events(conversation)
    await core.give(core.consumers[1], events)
    assert await core.rows(desk_queue) == rows
    assert await core.rows(desk_waits) == waited
    assert await core.events(conversation) == events


async def test_an_erasure_takes_the_texts_out_of_the_queue(core: Core, desk: DeskWork) -> None:
    await waits(core, "my name is Vera")
    conversation = await waits(core, "my name is Vera")
    await core.erase(conversation)
    await core.catch_up()
    (row,) = [row for row in await core.rows(desk_queue) if row["conversation_id"] == conversation]
    assert (row["snippet"], row["page_title"], row["page_url"]) == ("", "", "")
    assert (await desk.queue())[0].snippet == "my name is Vera", "others keep theirs"


async def test_typing_reaches_who_watches(core: Core, desk: DeskWork) -> None:
    conversation = await waits(core)
    await desk.take(conversation, ANN)
    heard: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
    bus = core.conversations._bus
    subscription = await bus.subscribe(
        f"typing.{conversation}", lambda subject, data: heard.put_nowait((subject, data))
    )
    await desk.typing(conversation, ANN, on=True)
    assert await asyncio.wait_for(heard.get(), 10) == (f"typing.{conversation}", b"agent 1")
    await subscription.unsubscribe()
