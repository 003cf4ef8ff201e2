"""Cases: what is said, shown and done while somebody is there."""

from __future__ import annotations

import asyncio

from warmline.conformance.case import NotApplicable, Topic, Tried, case, until
from warmline.handover.port import Grade


@case(Topic.TALKING, Grade.BRONZE, "An agent joins, is named where the vendor names him, and both are heard in order")
async def both_ways(tried: Tried) -> None:
    conversation, talk = await tried.asks()
    name = await tried.joins(conversation, talk)
    state = await tried.stand.state(conversation)
    assert (state.handover.agent.name or "") == name, f"the visitor sees {state.handover.agent.name!r}, not {name!r}"
    said = []
    for number in range(3):
        await tried.stand.say(conversation, f"question {number}")
        await tried.rig.says(talk, f"answer {number}")
        said.append(f"answer {number}")
        await tried.agents_said(conversation, *said)
    await tried.heard(talk, "question 0", "question 1", "question 2")


@case(Topic.TALKING, Grade.BRONZE, "Ten lines written at once arrive in their order, each once")
async def many_at_once(tried: Tried) -> None:
    conversation, talk = await tried.talks()
    lines = [f"line {number}" for number in range(10)]
    for line in lines:
        await tried.stand.say(conversation, line)
    await tried.heard(talk, *lines)
    for line in lines[:5]:
        await tried.rig.says(talk, line)
    await tried.agents_said(conversation, *lines[:5])


@case(Topic.TALKING, Grade.BRONZE, "What is said while waiting is not lost")
async def said_while_waiting(tried: Tried) -> None:
    conversation, talk = await tried.asks()
    await tried.stand.say(conversation, "said while waiting")
    await tried.joins(conversation, talk)
    await tried.stand.say(conversation, "said afterwards")
    await tried.heard(talk, "said while waiting", "said afterwards")


@case(Topic.TALKING, Grade.BRONZE, "The same words twice are two lines")
async def same_words_twice(tried: Tried) -> None:
    conversation, talk = await tried.talks()
    for _time in range(2):
        await tried.stand.say(conversation, "Hello?")
    await tried.heard(talk, "Hello?", "Hello?")
    for _time in range(2):
        await tried.rig.says(talk, "Yes.")
    await tried.agents_said(conversation, "Yes.", "Yes.")


@case(Topic.TALKING, Grade.BRONZE, "What the visitor wrote never comes back as an agent's line")
async def no_echo(tried: Tried) -> None:
    conversation, talk = await tried.talks()
    await tried.stand.say(conversation, "It is me.")
    await tried.heard(talk, "It is me.")
    await tried.rig.says(talk, "I see.")
    await tried.agents_said(conversation, "I see.")


@case(Topic.TALKING, Grade.GOLD, "The visitor sees that the agent types")
async def agent_types(tried: Tried) -> None:
    if not tried.can.agent_typing:
        raise NotApplicable("the vendor does not tell it")
    conversation, talk = await tried.talks()
    typed = asyncio.Event()
    bus = tried.stand.node.bus
    seen = await bus.subscribe(
        f"typing.{conversation}", lambda _subject, data: typed.set() if data == b"agent 1" else None
    )
    try:
        async with asyncio.timeout(15):
            while not typed.is_set():
                await tried.rig.types(talk)
                try:
                    await asyncio.wait_for(typed.wait(), 1.0)
                except TimeoutError:
                    continue
    except TimeoutError:
        raise AssertionError("the visitor was never shown that the agent types") from None
    finally:
        await seen.unsubscribe()


@case(Topic.TALKING, Grade.GOLD, "The agent sees that the visitor types")
async def visitor_types(tried: Tried) -> None:
    if not tried.can.visitor_typing:
        raise NotApplicable("the vendor cannot show it")
    conversation, talk = await tried.talks()
    await tried.stand.frame(conversation, frame="typing", on=True)
    await until(lambda: tried.rig.saw_typing(talk), "the agent is shown that the visitor types")


@case(Topic.TALKING, Grade.GOLD, "The place in the queue is told as the vendor tells it, and else none")
async def place_in_queue(tried: Tried) -> None:
    conversation, talk = await tried.asks()
    if not (tried.can.queue_position or tried.can.waiting_time):
        state = await tried.stand.state(conversation)
        told = (state.handover.position, state.handover.wait_minutes)
        assert told == (None, None), f"a figure was made up: {told}"
        return
    await tried.rig.moves_in_queue(talk, 3, 2)
    if tried.can.queue_position:
        await tried.stand.until(conversation, lambda s: s.handover and s.handover.position == 3)
    if tried.can.waiting_time:
        await tried.stand.until(conversation, lambda s: s.handover and s.handover.wait_minutes == 2)


@case(Topic.TALKING, Grade.GOLD, "A transfer is seen, and the next agent is heard under his own name")
async def transfer(tried: Tried) -> None:
    if not tried.can.transfer:
        raise NotApplicable("the vendor tells of none")
    conversation, talk = await tried.talks()
    await tried.stand.say(conversation, "before")
    await tried.heard(talk, "before")
    await tried.rig.transfers(talk)
    name = await tried.rig.joins(talk, 1)
    await tried.rig.says(talk, "I go on here.")
    await tried.stand.until_said(conversation, "agent", lambda said: "I go on here." in said)
    await tried.stand.until(
        conversation,
        lambda s: s.handover and s.handover.stage == "connected" and (s.handover.agent.name or "") == name,
    )
    await tried.stand.say(conversation, "after")
    await tried.heard(talk, "before", "after")
