"""Cases: asking a vendor for a person."""

from __future__ import annotations

from warmline.accounts.access import SYSTEM
from warmline.conformance.case import ASKS, Topic, Tried, case, until
from warmline.conformance.rig import Step
from warmline.handover.port import Availability, Grade, QueueRef
from warmline.simulators.script import Kind


@case(Topic.OPENING, Grade.BRONZE, "The test of the connection says in a sentence that all is well")
async def check_is_good(tried: Tried) -> None:
    health = await tried.stand.node.connections.check(SYSTEM, tried.stand.connection_id)
    assert health.ok, health.sentence
    assert len(health.sentence.split()) >= 2, health.sentence


@case(Topic.OPENING, Grade.BRONZE, "Wrong credentials are said in a sentence that shows none, and the ladder goes on")
async def wrong_credentials(tried: Tried) -> None:
    wrong = dict(tried.rig.wrong_credentials)
    if not wrong:
        return
    right = {name: value for name, value in tried.rig.settings.items() if name in wrong}
    await tried.update(**wrong)
    try:
        health = await tried.stand.node.connections.check(SYSTEM, tried.stand.connection_id)
        assert not health.ok, health.sentence
        for value in [*wrong.values(), *right.values()]:
            assert len(str(value)) < 6 or str(value) not in health.sentence, "the sentence shows a credential"
        conversation = await tried.stand.visit()
        await tried.stand.say(conversation, ASKS)
        await tried.stand.until(conversation, lambda s: s.handover and s.handover.rung == 1)
    finally:
        await tried.update(**right)


@case(Topic.OPENING, Grade.BRONZE, "The agent finds what was said before, and where the visitor is")
async def context_goes_along(tried: Tried) -> None:
    _conversation, talk = await tried.asks("Where is my lamp?")
    if not tried.can.context:
        return
    await until(lambda: "Where is my lamp?" in _all(tried, talk), "the agent can read what the visitor had said")


@case(Topic.OPENING, Grade.SILVER, "Asked again after a lost answer, the vendor has one talk")
async def answer_of_open_lost(tried: Tried) -> None:
    known = len(tried.rig.talks())
    tried.trouble(Step.OPEN, Kind.LOST)
    conversation, talk = await tried.asks("Where is my lamp?")
    await tried.joins(conversation, talk)
    assert len(tried.rig.talks()) == known + 1, f"{len(tried.rig.talks()) - known} talks were opened"


@case(Topic.OPENING, Grade.SILVER, "A vendor that is busy, failing or silent at first is asked again")
async def open_tried_again(tried: Tried) -> None:
    for kind in (Kind.TOO_MANY, Kind.FAILING, Kind.SILENT):
        known = len(tried.rig.talks())
        tried.trouble(Step.OPEN, kind)
        conversation, talk = await tried.asks()
        await tried.joins(conversation, talk)
        assert len(tried.rig.talks()) == known + 1, f"after {kind}: {len(tried.rig.talks()) - known} talks"


@case(Topic.OPENING, Grade.BRONZE, "When nobody will come, the next rung is tried")
async def nobody_comes(tried: Tried) -> None:
    conversation, talk = await tried.asks()
    await tried.rig.declines(talk)
    await tried.stand.until(conversation, lambda s: s.handover and s.handover.rung == 1)


@case(Topic.OPENING, Grade.BRONZE, "Availability answers, and never in the way")
async def availability_answers(tried: Tried) -> None:
    told = await tried.desk.availability(QueueRef(ref=None, bot_id=tried.stand.bot_id))
    assert told is not Availability.AWAY, "people are there at this vendor"


def _all(tried: Tried, talk: str) -> str:
    return "\n".join([tried.rig.context(talk), *tried.rig.heard(talk)])
