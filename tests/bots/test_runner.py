"""The bot in a conversation: on the journal, on both store pairs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence

import pytest
from tests.support.core import Core, open_core
from tests.support.pair import StorePair

from warmline.bots.engine import (
    CloseConversation,
    Engine,
    OfferContact,
    RequestHandover,
    Run,
    Said,
    Say,
    Started,
    Trigger,
    Turn,
)
from warmline.bots.faq import FaqEngine
from warmline.bots.runner import BotRunner
from warmline.bots.script import default_script, parse_script
from warmline.bots.service import Bot, Bots
from warmline.conversations import commands as c
from warmline.conversations import events as e
from warmline.journal.consumers import ConsumerRunner
from warmline.kernel.clock import ManualClock
from warmline.kernel.envelope import Recorded
from warmline.kernel.errors import NotFound
from warmline.kernel.ids import BotId, uuid7

Answer = Callable[[Run, Trigger], Turn]


class Scripted:
    """Bots whose engines are functions, by bot id."""

    def __init__(self, answers: dict[str, Answer]) -> None:
        self.answers = answers

    async def brain(self, bot_id: str) -> tuple[Bot, Engine]:
        if bot_id not in self.answers:
            raise NotFound("There is no such bot.")
        bot = Bot(id=BotId(bot_id), name="Botty", script="", created_at=0, updated_at=0)
        return bot, Function(self.answers[bot_id])


class Function:
    def __init__(self, answer: Answer) -> None:
        self.answer = answer

    def turn(self, run: Run, trigger: Trigger) -> Turn:
        return self.answer(run, trigger)


def when(reached: asyncio.Event, type_: str, stream_id: str | None = None) -> Callable[[Sequence[Recorded]], None]:
    """A listener that sets ``reached`` at the first event of that type."""

    def listen(events: Sequence[Recorded]) -> None:
        if any(event.type == type_ and stream_id in {None, event.stream_id} for event in events):
            reached.set()

    return listen


def echo(run: Run, trigger: Trigger) -> Turn:
    if isinstance(trigger, Said):
        return Turn(says=(Say(text=f"you said {trigger.text}"),), run={"turns": run.get("turns", 0) + 1})
    return Turn(says=(Say(text=type(trigger).__name__),), run=run)


def raises(_run: Run, trigger: Trigger) -> Turn:
    if isinstance(trigger, Started):
        return Turn(says=(Say(text="hello"),))
    raise KeyError("secret words of the visitor")


def hands_over(_run: Run, trigger: Trigger) -> Turn:
    if isinstance(trigger, Said):
        return Turn(says=(Say(text="one moment"),), effects=(RequestHandover(reason="requested_by_visitor"),))
    return Turn()


@pytest.fixture
async def core(pair: StorePair, clock: ManualClock) -> AsyncIterator[Core]:
    async with open_core(pair, clock) as opened:
        yield opened


def runner(core: Core, answers: dict[str, Answer], **fields: float) -> BotRunner:
    found = BotRunner(core.journal, Scripted(answers), core.ladder_for, **fields)
    core.consumers = [found]
    return found


async def test_the_bot_greets_and_answers_each_message_in_order(core: Core) -> None:
    runner(core, {"b": echo})
    conversation = await core.start(bot_id="b")
    for text in ("one", "two", "three"):
        await core.says(conversation, text)
    await core.catch_up()
    said = await core.said(conversation)
    assert [line.text for line in said] == ["Started", "you said one", "you said two", "you said three"]
    assert {line.name for line in said} == {"Botty"}
    state = await core.state(conversation)
    assert state.run == {"turns": 3}
    assert state.turn_seq == 0, "no answer is owed"


async def test_last_words_and_the_request_are_one_commit_and_the_bot_is_silent_from_then_on(core: Core) -> None:
    bots = runner(core, {"b": hands_over})
    conversation = await core.start(bot_id="b")
    await core.says(conversation, "a person please")
    await core.catch_up()
    await core.says(conversation, "are you still there?")
    await core.catch_up()
    types = [event.type for event in await core.events(conversation)]
    assert types[-4:] == ["message.posted", "run.advanced", "handover.requested", "message.posted"]
    assert len(await core.said(conversation)) == 1
    state = await core.state(conversation)
    assert state.owner == "desk"
    assert state.handover is not None
    assert (state.handover.reason, state.handover.ladder) == ("requested_by_visitor", core.ladder)
    assert bots.refused == {}


async def test_a_turn_that_was_overtaken_by_a_handover_is_refused_and_counted(core: Core) -> None:
    deciding, go_on = threading.Event(), threading.Event()

    def waits(run: Run, trigger: Trigger) -> Turn:
        if isinstance(trigger, Said):
            deciding.set()
            assert go_on.wait(10)
        return echo(run, trigger)

    bots = runner(core, {"b": waits}, turn_within=20.0)
    conversation = await core.start(bot_id="b")
    await core.catch_up()
    await core.says(conversation, "hm")
    turn = asyncio.create_task(core.catch_up())
    assert await asyncio.to_thread(deciding.wait, 10)
    await core.ask(conversation)
    go_on.set()
    await turn
    assert [line.text for line in await core.said(conversation)] == ["Started"]
    assert bots.refused == {"stale_owner": 1}


async def test_the_same_events_again_change_nothing(core: Core) -> None:
    bots = runner(core, {"b": echo})
    conversation = await core.start(bot_id="b")
    await core.says(conversation, "one")
    events = tuple(core.heard)
    await core.catch_up()
    before = await core.events(conversation)
    await core.give(bots, events)
    assert await core.events(conversation) == before


async def test_a_failing_bot_hands_the_conversation_to_a_person_visibly(core: Core) -> None:
    runner(core, {"b": raises})
    conversation = await core.start(bot_id="b")
    await core.says(conversation, "secret words")
    await core.catch_up()
    events = await core.events(conversation)
    assert [event.type for event in events][-2:] == ["bot.failed", "handover.requested"]
    assert events[-2].body == e.BotFailed(error="KeyError"), "the class, never the text"
    state = await core.state(conversation)
    assert state.handover is not None
    assert state.handover.reason == "bot_failed"


async def test_a_bot_that_is_gone_hands_over_too(core: Core) -> None:
    runner(core, {})
    conversation = await core.start(bot_id="gone")
    await core.says(conversation, "hello?")
    await core.catch_up()
    assert (await core.state(conversation)).owner == "desk"


async def test_a_bot_that_hangs_holds_up_nobody_else_and_hands_over(core: Core) -> None:
    go_on, answered = threading.Event(), asyncio.Event()

    def hangs(_run: Run, trigger: Trigger) -> Turn:
        if isinstance(trigger, Said):
            go_on.wait(20)
        return Turn()

    runner(core, {"slow": hangs, "b": echo}, turn_within=1.0)
    stuck, other = await core.start(bot_id="slow"), await core.start(bot_id="b")
    await core.catch_up()
    forget = core.journal.listen(when(answered, "run.advanced", other))
    await core.says(stuck, "hello")
    await core.says(other, "hello")
    turn = asyncio.create_task(core.catch_up())
    await asyncio.wait_for(answered.wait(), 10)
    assert (await core.said(other))[-1].text == "you said hello"
    await turn
    go_on.set()
    forget()
    state = await core.state(stuck)
    assert state.handover is not None
    assert state.handover.reason == "bot_failed"


async def test_when_nobody_came_the_bot_says_so_and_offers_to_leave_a_contact(core: Core) -> None:
    script = parse_script(default_script())
    runner(core, {"b": FaqEngine(script).turn})
    core.ladder = ()
    conversation = await core.start(bot_id="b")
    await core.says(conversation, "I want to talk to a human")
    await core.catch_up()
    last = (await core.said(conversation))[-1]
    assert last.text == script.handover_failed
    assert [button.text for button in last.buttons] == ["Leave my contact", "Try again"]
    assert (await core.state(conversation)).owner == "bot"


async def test_the_bot_picks_up_after_cancelling_and_after_the_agent(core: Core) -> None:
    script = parse_script(default_script())
    runner(core, {"b": FaqEngine(script).turn})
    conversation = await core.start(bot_id="b")
    await core.ask(conversation)
    await core.do(conversation, c.CancelHandover(by="visitor"))
    await core.catch_up()
    assert (await core.said(conversation))[-1].text == script.handover_cancelled
    await core.ask(conversation)
    agent = e.Agent(name="Ann", id="ann")
    await core.do(
        conversation,
        c.DeskSays(connection_id=core.ladder[0].connection_id, verb="joined", agent=agent),
        c.EndHandover(reason="agent_left"),
    )
    await core.catch_up()
    assert (await core.said(conversation))[-1].text == script.after_agent


async def test_effects_offer_contact_and_close(core: Core) -> None:
    def ends(_run: Run, trigger: Trigger) -> Turn:
        say = Say(text="bye", buttons=(e.Button(text="Shop", kind="link", url="https://shop.example"),))
        effects = (OfferContact(text="Leave my contact"), CloseConversation())
        return Turn(says=(say,), effects=effects if isinstance(trigger, Said) else ())

    runner(core, {"b": ends})
    conversation = await core.start(bot_id="b")
    await core.says(conversation, "bye")
    await core.catch_up()
    assert [button.text for button in (await core.said(conversation))[-1].buttons] == ["Leave my contact", "Shop"]
    assert (await core.state(conversation)).status == "closed"


async def test_stored_bots_answer_by_themselves_under_the_consumer_runner(core: Core) -> None:
    bots = Bots(core.journal, core.clock)
    bot = await bots.create(name="Shop", script=default_script())
    running = ConsumerRunner(core.journal, [BotRunner(core.journal, bots, core.ladder_for)])
    handed_over = asyncio.Event()
    core.journal.listen(when(handed_over, e.HandoverRequested.TYPE))
    await running.start()
    try:
        conversation = await core.start(bot_id=bot.id)
        await core.do(conversation, c.VisitorSays(message_id=uuid7(), text="Ein Mensch, bitte"))
        await asyncio.wait_for(handed_over.wait(), 20)
    finally:
        await running.stop()
    texts = [line.text for line in await core.said(conversation)]
    script = parse_script(default_script())
    assert texts == [script.greeting, script.handing_over]


async def test_a_new_script_is_in_force_at_the_next_turn(core: Core) -> None:
    bots = Bots(core.journal, core.clock)
    bot = await bots.create(name="Shop", script='greeting = "old"')
    core.consumers = [BotRunner(core.journal, bots, core.ladder_for)]
    first = await core.start(bot_id=bot.id)
    await core.catch_up()
    changed = await bots.update(bot.id, script='greeting = "new"')
    assert changed.name == "Shop"
    second = await core.start(bot_id=bot.id)
    await core.catch_up()
    assert [line.text for line in await core.said(first)] == ["old"]
    assert [line.text for line in await core.said(second)] == ["new"]
