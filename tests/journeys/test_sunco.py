"""Whole stories of a handover to Zendesk's agents, played against the simulated Sunshine Conversations both ways."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.support.journey import lines, until, until_said
from tests.support.node import Stage
from tests.support.together import Together as Shared
from tests.support.together import beside

from warmline.accounts.access import SYSTEM
from warmline.conformance.rigs.sunco import SuncoRig
from warmline.simulators.script import Kind
from warmline.simulators.sunco import Assumptions
from warmline.simulators.sunco.state import OWN_PLACE


class Together(Shared[SuncoRig]):
    """An agent is there when he has said something."""

    async def connected(self) -> tuple[str, str]:
        conversation, talk = await self.asks()
        await self.rig.joins(talk)
        await self.rig.says(talk, "Hello.")
        await self.stage.until_stage(conversation, "connected")
        return conversation, talk


@contextlib.asynccontextmanager
async def together(house: Stage, **options: Any) -> AsyncIterator[Together]:
    async with beside(house, SuncoRig.running(**options)) as found:
        yield Together(*found)


async def test_from_the_bot_to_an_agent_in_zendesk_and_back(shared_house: Stage) -> None:
    async with together(shared_house) as here:
        conversation, talk = await here.asked()
        ticket = here.rig.conversation(talk).ticket
        assert ticket is not None
        assert (ticket.group_id, set(ticket.tags)) == (here.rig.vendor.groups[1].id, {"some", "tag"})
        seen = [str(one.content["text"]) for one in here.rig.conversation(talk).seen]
        assert seen[0].startswith("Reason: requested_by_visitor")
        assert "Where is my lamp?" in seen[1]
        await here.stage.say(conversation, "said while waiting")
        await here.rig.joins(talk)
        await here.rig.says(talk, "Hello, I look.")
        state = await here.stage.until_stage(conversation, "connected")
        assert state.handover.agent.name == here.rig.vendor.agents[0].name
        await here.stage.say(conversation, "Grüße 😀")
        await here.heard(talk, "said while waiting", "Grüße 😀")
        for number in range(4):
            await here.rig.says(talk, f"line {number}")
        await until_said(here.stage, conversation, "agent", lambda said: len(said) == 5)
        await here.rig.ends(talk)
        state = await here.stage.until_stage(conversation, None)
        assert (state.status, state.owner) == ("open", "bot")
        assert await lines(here.stage, conversation, "agent") == [
            "Hello, I look.",
            *(f"line {number}" for number in range(4)),
        ]


async def test_control_is_taken_before_anything_is_said_and_then_passed_and_offered(shared_house: Stage) -> None:
    async with together(shared_house) as here:
        await here.asked()
        asked = here.rig.vendor.calls
        order = [
            call.operation for call in asked if call.operation.startswith(("users", "conv", "control", "messages"))
        ]
        assert order[:2] == ["users.create", "conversations.create"]
        passes = [
            (call.operation, call.json["switchboardIntegration"]) for call in asked if "control." in call.operation
        ]
        assert passes == [
            ("control.pass", OWN_PLACE),
            ("control.pass", "zd:agentWorkspace"),
            ("control.offer", OWN_PLACE),
        ]
        assert order.index("control.pass") < order.index("messages.post")


@pytest.mark.parametrize("operation", ["conversations.create", "messages.post", "control.pass", "control.offer"])
async def test_whatever_answer_of_opening_is_lost_there_is_one_ticket(shared_house: Stage, operation: str) -> None:
    async with together(shared_house) as here:
        here.rig.vendor.trouble.next(operation, Kind.LOST)
        conversation, talk = await here.asked()
        assert here.rig.talks() == [talk]
        texts = [str(one.content["text"]) for one in here.rig.conversation(talk).messages]
        assert len(texts) == len(set(texts)), "nothing was told twice"
        await here.rig.says(talk, "Hello.")
        await here.stage.until_stage(conversation, "connected")


async def test_the_next_agent_is_seen_by_his_first_message(shared_house: Stage) -> None:
    async with together(shared_house) as here:
        conversation, talk = await here.connected()
        await here.rig.transfers(talk)
        name = await here.rig.joins(talk, 1)
        await here.rig.says(talk, "I go on here.")
        await here.stage.until(conversation, lambda s: s.handover and s.handover.agent.name == name)


async def test_zendesks_bot_does_not_join(shared_house: Stage) -> None:
    async with together(shared_house) as here:
        conversation, talk = await here.asked()
        await here.rig.vendor.bot_says(talk, "Somebody will be with you.")
        await here.rig.says(talk, "I am.")
        state = await here.stage.until_stage(conversation, "connected")
        assert state.handover.agent.name == here.rig.vendor.agents[0].name
        await until_said(here.stage, conversation, "agent", lambda said: said == ["I am."])


async def test_a_pass_that_fails_leaves_the_rung(shared_house: Stage) -> None:
    async with together(shared_house) as here:
        conversation = await here.stage.visit()
        # The first pass is to ourselves; the simulator lets whichever comes next fail afterwards.
        here.rig.vendor.next_pass_fails("switchboard_invalid_target")
        await here.stage.say(conversation, "talk to a person")
        await here.stage.until(conversation, lambda s: s.handover and s.handover.rung == 1)


async def test_events_of_several_talks_in_one_request(shared_house: Stage) -> None:
    async with together(shared_house, assumptions=Assumptions(batch_events=True, agent_typing=True)) as here:
        first, one = await here.connected()
        second, two = await here.connected()
        for talk, text in ((one, "for the first"), (two, "for the second")):
            await here.rig.says(talk, text)
        await until_said(here.stage, first, "agent", lambda said: said == ["Hello.", "for the first"])
        await until_said(here.stage, second, "agent", lambda said: said == ["Hello.", "for the second"])


async def test_an_integrations_own_key_is_enough(shared_house: Stage) -> None:
    async with together(shared_house, scope="integration") as here:
        health = await here.stage.node.connections.check(SYSTEM, here.connection_id)
        assert (health.ok, "may not look" in health.sentence) == (True, True), health.sentence
        conversation, talk = await here.connected()
        await here.stage.say(conversation, "one last thing")
        await here.stage.frame(conversation, frame="end")
        await until(lambda: here.rig.is_over(talk))
        await here.heard(talk, "one last thing")


async def test_a_switchboard_without_our_place_is_said_in_words(shared_house: Stage) -> None:
    async with together(shared_house) as here:
        node = here.stage.node
        await node.connections.update(SYSTEM, here.connection_id, settings={"switchboard_integration": "elsewhere"})
        health = await node.connections.check(SYSTEM, here.connection_id)
        assert (health.ok, "no “elsewhere”" in health.sentence) == (False, True)
        await node.connections.update(SYSTEM, here.connection_id, settings={"app_id": "5ebee0975ac5304b664a12fa"})
        assert not (await node.connections.check(SYSTEM, here.connection_id)).ok
