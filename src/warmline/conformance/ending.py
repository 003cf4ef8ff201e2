"""Cases: how a talk ends, from either side or from none."""

from __future__ import annotations

from warmline.conformance.case import Topic, Tried, case, until
from warmline.conformance.rig import Step
from warmline.handover.port import Grade
from warmline.simulators.script import Kind


@case(Topic.ENDING, Grade.BRONZE, "The agent ends it: the conversation goes back to the bot")
async def agent_ends(tried: Tried) -> None:
    conversation, talk = await tried.talks()
    await tried.rig.says(talk, "Good bye.")
    await tried.agents_said(conversation, "Good bye.")
    await tried.rig.ends(talk)
    state = await tried.stand.until_stage(conversation, None)
    assert state.owner == "bot", state.owner
    told = {event.type: event.body for event in await tried.stand.events(conversation)}
    assert "handover.transferring" not in told, "the visitor was told that he is being passed on"
    assert told["handover.ended"].reason == "agent_left", told["handover.ended"]


@case(Topic.ENDING, Grade.BRONZE, "The visitor ends it: his last line still arrives, and the vendor is told")
async def visitor_ends(tried: Tried) -> None:
    conversation, talk = await tried.talks()
    await tried.stand.say(conversation, "one last thing")
    await tried.stand.frame(conversation, frame="end")
    await until(lambda: tried.rig.is_over(talk), "the talk is over at the vendor")
    await tried.heard(talk, "one last thing")


@case(Topic.ENDING, Grade.SILVER, "The visitor ends while his last line is unanswered: it stands there once")
async def visitor_ends_in_doubt(tried: Tried) -> None:
    conversation, talk = await tried.talks()
    tried.trouble(Step.SEND, Kind.LOST)
    await tried.stand.say(conversation, "one last thing")
    await tried.heard(talk, "one last thing")
    await tried.stand.frame(conversation, frame="end")
    await until(lambda: tried.rig.is_over(talk), "the talk is over at the vendor")
    assert list(tried.rig.heard(talk)) == ["one last thing"]


@case(Topic.ENDING, Grade.BRONZE, "The visitor gives up waiting, and the vendor is told")
async def visitor_gives_up(tried: Tried) -> None:
    conversation, talk = await tried.asks()
    await tried.stand.frame(conversation, frame="cancel")
    await tried.stand.until_stage(conversation, None)
    await until(lambda: tried.rig.is_over(talk), "the talk is over at the vendor")


@case(Topic.ENDING, Grade.SILVER, "Both end it at once: it ends once")
async def both_end(tried: Tried) -> None:
    conversation, talk = await tried.talks()
    await tried.stand.frame(conversation, frame="end")
    if not tried.rig.is_over(talk):
        await tried.rig.ends(talk)
    await tried.stand.until_stage(conversation, None)
    await until(lambda: tried.rig.is_over(talk), "the talk is over at the vendor")
    ended = [event for event in await tried.stand.events(conversation) if event.type == "handover.ended"]
    assert len(ended) == 1, f"it ended {len(ended)} times"


@case(Topic.ENDING, Grade.SILVER, "The vendor does not take the good-bye at once: it is told again")
async def close_fails(tried: Tried) -> None:
    conversation, talk = await tried.talks()
    tried.trouble(Step.CLOSE, Kind.FAILING)
    await tried.stand.frame(conversation, frame="end")
    await until(lambda: tried.rig.is_over(talk), "the talk is over at the vendor")


@case(Topic.ENDING, Grade.SILVER, "An agent who vanishes without a word does not hold the visitor for ever")
async def agent_vanishes(tried: Tried) -> None:
    await tried.stand.set_ladder(tried.rig.payload, idle_after_s=1.0)
    try:
        conversation, talk = await tried.talks()
        await tried.rig.vanishes(talk)
        await tried.stand.say(conversation, "Hello?")
        await tried.stand.until_stage(conversation, None)
    finally:
        await tried.stand.set_ladder(tried.rig.payload)
