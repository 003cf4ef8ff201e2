"""Whole stories of a handover to Dixa, played against its simulator over real HTTP both ways."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from tests.support.journey import lines, until_equal, until_said
from tests.support.node import Stage
from tests.support.together import Together as Shared
from tests.support.together import beside

from warmline.conformance.rigs.dixa import DixaRig
from warmline.conversations.widgets import LadderStep
from warmline.kernel.errors import Invalid
from warmline.simulators.dixa import DixaSimulator
from warmline.simulators.script import Kind


class Together(Shared[DixaRig]):
    """What is seen of it is Dixa's conversation."""

    @property
    def dixa(self) -> DixaSimulator:
        """The vendor."""
        return self.rig.vendor

    def seen(self, talk: str) -> Any:
        return self.dixa.account.conversations[int(talk)]


@contextlib.asynccontextmanager
async def together(house: Stage) -> AsyncIterator[Together]:
    async with beside(house, DixaRig.running()) as found:
        yield Together(*found)


def texts(theirs: Any, direction: str = "Inbound") -> list[str]:
    return [message.text for message in theirs.messages if message.direction == direction]


async def until_theirs(theirs: Any, wanted: list[str]) -> None:
    await until_equal(lambda: texts(theirs), wanted)


async def test_from_the_bot_to_an_agent_in_dixa_and_back(shared_house: Stage) -> None:
    async with together(shared_house) as here:
        conversation, theirs = await here.asked()
        assert theirs.queue_id == here.dixa.queues[0].id
        assert texts(theirs) == ["Where is my lamp?", "talk to a person"]
        assert texts(theirs, "Outbound"), "the bot's lines were imported as the bot's"
        await here.stage.say(conversation, "said while waiting")
        await here.dixa.agent_joins(theirs.id)
        state = await here.stage.until_stage(conversation, "connected")
        assert state.handover.agent.name == here.dixa.agents[0].name
        await here.stage.say(conversation, "Grüße 😀")
        await until_theirs(theirs, ["Where is my lamp?", "talk to a person", "said while waiting", "Grüße 😀"])
        for number in range(5):
            await here.dixa.agent_says(theirs.id, f"line {number}")
        await until_said(here.stage, conversation, "agent", lambda said: len(said) == 5)
        await here.dixa.close(theirs.id)
        state = await here.stage.until_stage(conversation, None)
        assert (state.status, state.owner) == ("open", "bot")
        assert await lines(here.stage, conversation, "agent") == [f"line {number}" for number in range(5)]
        assert theirs.tags
        assert len(theirs.notes) == 1


async def test_an_import_whose_answer_was_lost_is_found_again(shared_house: Stage) -> None:
    async with together(shared_house) as here:
        here.dixa.trouble.next("conversations.import", Kind.LOST)
        _conversation, theirs = await here.asked()
        assert [one.id for one in here.dixa.conversations] == [theirs.id]
        assert len(here.dixa.calls.of("conversations.import")) == 1


async def test_a_payload_is_checked_when_it_is_saved(shared_house: Stage) -> None:
    async with together(shared_house) as here:
        step = LadderStep(connection_id=here.connection_id, payload='{\n "crmPlatform": "dixa",\n}')
        (fault,) = here.stage.node.ladders.faults_of([step])
        assert isinstance(fault, Invalid)
        assert fault.fields["path"] == "$.ladder[0].payload"
        assert "Line 1, column 1: The field connectionId is missing" in fault.detail
