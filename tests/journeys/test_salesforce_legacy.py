"""Whole stories of a handover to Salesforce's retired Live Agent, played against its simulator over real HTTP."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any, ClassVar

import pytest
from tests.support.journey import set_ladder, until, until_said
from tests.support.node import Stage
from tests.support.together import Together as Shared
from tests.support.together import beside

from warmline.accounts.access import SYSTEM
from warmline.bots.script import default_script, parse_script
from warmline.conformance.rigs.salesforce_legacy import SalesforceLegacyRig
from warmline.simulators.salesforce_legacy import SalesforceLegacySimulator
from warmline.simulators.salesforce_legacy.state import Chat
from warmline.simulators.script import Kind

LOST = parse_script(default_script()).after_lost


class Together(Shared[SalesforceLegacyRig]):
    """What is seen of it is Salesforce's chat."""

    stages: ClassVar[frozenset[str]] = frozenset({"queued"})

    @property
    def vendor(self) -> SalesforceLegacySimulator:
        """The vendor."""
        return self.rig.vendor

    def seen(self, talk: str) -> Chat:
        return next(one for one in self.vendor.conversations if one.id == talk)

    async def until_heard(self, theirs: Chat, *wanted: str) -> None:
        await self.heard(theirs.id, *wanted)


@contextlib.asynccontextmanager
async def together(house: Stage, **readings: Any) -> AsyncIterator[Together]:
    async with beside(house, SalesforceLegacyRig.running(**readings)) as found:
        yield Together(*found)


async def test_from_the_bot_to_an_agent_of_live_agent_and_back(shared_house: Stage) -> None:
    async with together(shared_house) as here:
        conversation, theirs = await here.asked()
        await here.vendor.queue_moves(theirs.id, 3, 301)
        await here.stage.until(conversation, lambda s: (s.handover.position, s.handover.wait_minutes) == (3, 6))
        context = here.rig.context(theirs.id)
        assert "Where is my lamp?" in context
        assert "Order number: A-17" in context
        await here.stage.say(conversation, "said while waiting")
        await here.vendor.agent_joins(theirs.id, here.vendor.agents[1])
        state = await here.stage.until_stage(conversation, "connected")
        assert state.handover.agent.name == "Noah Vinter"
        await here.stage.say(conversation, "Grüße 😀")
        await here.until_heard(theirs, "said while waiting", "Grüße 😀")
        await here.vendor.agent_says(theirs.id, "Here I am")
        await until_said(here.stage, conversation, "agent", lambda said: said == ["Here I am"])
        await here.vendor.close(theirs.id)
        state = await here.stage.until_stage(conversation, None)
        assert (state.status, state.owner) == ("open", "bot")
        refused = [call.operation for call in here.vendor.calls if call.status == 500]
        assert refused == [], "nothing is sent before an agent has accepted"
        assert theirs.session.overlaps == 0, "one poll at a time"


@pytest.mark.parametrize("reading", ["told", "only in the session data"])
async def test_a_session_that_moves_to_another_server_goes_on(shared_house: Stage, reading: Any) -> None:
    async with together(shared_house, missed_after_reconnect=reading) as here:
        conversation, theirs = await here.connected()
        await here.stage.say(conversation, "before")
        await here.until_heard(theirs, "before")
        here.vendor.trouble.next("session.reconnect", Kind.LOST)
        await here.vendor.lose_affinity(theirs.id)
        await here.vendor.agent_says(theirs.id, "said while it moved")
        await here.stage.say(conversation, "asked while it moved")
        await here.until_heard(theirs, "before", "asked while it moved")
        await here.vendor.agent_says(theirs.id, "and after")
        said = ["said while it moved", "and after"]
        await until_said(here.stage, conversation, "agent", lambda found: found == said)
        await here.stage.say(conversation, "after")
        await here.until_heard(theirs, "before", "asked while it moved", "after")
        assert not theirs.session.resyncing


async def test_a_line_whose_answer_was_lost_is_not_said_again_on_the_other_server(shared_house: Stage) -> None:
    async with together(shared_house) as here:
        conversation, theirs = await here.connected()
        here.vendor.trouble.next("chat.message", Kind.LOST, 20)
        await here.stage.say(conversation, "only once")
        await here.until_heard(theirs, "only once")
        await here.vendor.lose_affinity(theirs.id)
        here.vendor.trouble.clear()
        await until(lambda: not (theirs.session.moved or theirs.session.resyncing))
        await here.stage.say(conversation, "and on")
        await here.until_heard(theirs, "only once", "and on")


async def test_a_session_that_moves_while_the_visitor_waits_goes_on(shared_house: Stage) -> None:
    async with together(shared_house) as here:
        conversation, theirs = await here.asked()
        await here.vendor.lose_affinity(theirs.id)
        await until(lambda: not (theirs.session.moved or theirs.session.resyncing))
        await here.vendor.agent_joins(theirs.id)
        await here.stage.until_stage(conversation, "connected")
        await here.stage.say(conversation, "Hello")
        await here.until_heard(theirs, "Hello")


@pytest.mark.parametrize("joined", [True, False])
async def test_a_session_that_salesforce_has_forgotten_is_over(shared_house: Stage, joined: bool) -> None:
    async with together(shared_house) as here:
        conversation, theirs = await (here.connected() if joined else here.asked())
        await here.vendor.forget(theirs.id)
        if joined:
            await here.stage.until_stage(conversation, None)
            assert await here.told_of_end(conversation) == "desk_lost"
            await here.stage.until_said(conversation, "bot", lambda said: said[-1] == LOST)
        else:
            await here.stage.until(conversation, lambda s: s.handover and s.handover.rung == 1)


async def test_transfers_and_lost_agents_end_nothing_until_the_last_one_is_gone(shared_house: Stage) -> None:
    async with together(shared_house) as here:
        conversation, theirs = await here.connected()
        second, third = here.vendor.agents[1:3]
        await here.vendor.transfer_to_agent(theirs.id, second)
        await here.stage.until(conversation, lambda s: s.handover.agent and s.handover.agent.name == second.name)
        await here.vendor.disconnect_agent(theirs.id)
        await here.stage.until_stage(conversation, "transferring")
        await here.vendor.agent_joins(theirs.id, third)
        state = await here.stage.until_stage(conversation, "connected")
        assert state.handover.agent.name == third.name
        await here.vendor.send_unknown_event(theirs.id)
        await here.vendor.send_custom_event(theirs.id, "Offer", "10 %")
        await here.vendor.agent_asks_for_file(theirs.id)
        await here.vendor.agent_says(theirs.id, "Still here")
        await until_said(here.stage, conversation, "agent", lambda said: said == ["Still here"])
        await here.vendor.fail(theirs.id)  # the only agent went offline in the middle
        state = await here.stage.until_stage(conversation, None)
        assert state.owner == "bot"


async def test_lines_that_follow_each_other_at_once_do_not_vanish(shared_house: Stage) -> None:
    async with together(shared_house, vanish_within_ms=10) as here:
        conversation, theirs = await here.connected()
        lines = [f"line {number}" for number in range(5)]
        for line in lines:
            await here.stage.say(conversation, line)
        await here.until_heard(theirs, *lines)


@pytest.mark.parametrize("reading", ["accepted", "refused"])
async def test_whoever_gives_up_waiting_leaves_nothing_behind(shared_house: Stage, reading: Any) -> None:
    async with together(shared_house, end_while_waiting=reading) as here:
        conversation, theirs = await here.asked()
        await here.stage.frame(conversation, frame="cancel")
        await here.stage.until_stage(conversation, None)
        await until(lambda: here.rig.is_over(theirs.id))


@pytest.mark.parametrize("wrapped", [True, False])
async def test_a_button_at_which_nobody_is_leads_to_the_next_rung(shared_house: Stage, wrapped: bool) -> None:
    async with together(shared_house, visitor_answers_wrapped=wrapped) as here:
        org = here.vendor.org
        night = {"buttonId": org.buttons[2].id, "deploymentId": f"{org.deployment_id}AAA"}
        await set_ladder(here.stage, here.connection_id, json.dumps(json.loads(here.rig.payload) | night))
        conversation = await here.stage.visit()
        await here.stage.say(conversation, "talk to a person")
        await here.stage.until(conversation, lambda s: s.handover and s.handover.rung == 1)
        assert {call.status for call in here.vendor.calls.of("visitor.availability")} == {200}
        assert here.vendor.conversations == []


async def test_the_check_says_in_words_what_is_wrong(shared_house: Stage) -> None:
    async with together(shared_house) as here:
        node = here.stage.node

        async def said(**settings: str) -> str:
            if settings:
                await node.connections.update(SYSTEM, here.connection_id, settings=settings)
            health = await node.connections.check(SYSTEM, here.connection_id)
            return f"{health.ok}: {health.sentence}"

        assert (await said()).startswith("True: Salesforce answers.")
        assert "does not know the button" in await said(button_id="573000000000000")
        assert (await said(organization_id="00D000000000000")).startswith("False: Salesforce")
        await here.vendor.move_org("https://elsewhere.example/chat")
        assert "https://elsewhere.example/chat" in await said()
