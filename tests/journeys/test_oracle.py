"""Whole stories of a handover to Oracle's chat, played against its simulator over real HTTP."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any, ClassVar

import pytest
from tests.support.journey import lines, set_ladder, until, until_said
from tests.support.node import Stage
from tests.support.together import Together as Shared
from tests.support.together import beside

from warmline.accounts.access import SYSTEM
from warmline.bots.script import default_script, parse_script
from warmline.conformance.rigs.oracle import OracleRig
from warmline.simulators.oracle import OracleSimulator
from warmline.simulators.script import Kind

LOST = parse_script(default_script()).after_lost


class Together(Shared[OracleRig]):
    """What is seen of it is Oracle's engagement."""

    stages: ClassVar[frozenset[str]] = frozenset({"queued"})

    @property
    def oracle(self) -> OracleSimulator:
        """The vendor."""
        return self.rig.vendor

    def seen(self, talk: str) -> Any:
        return self.oracle.site.engagements[int(talk)]

    async def until_heard(self, theirs: Any, *wanted: str) -> None:
        await self.heard(str(theirs.id), *wanted)


@contextlib.asynccontextmanager
async def together(house: Stage, **readings: Any) -> AsyncIterator[Together]:
    async with beside(house, OracleRig.running(**readings)) as found:
        yield Together(*found)


async def test_from_the_bot_to_an_agent_in_oracle_and_back(shared_house: Stage) -> None:
    async with together(shared_house, greeting=True) as here:
        conversation, theirs = await here.asked("Where is my <b>lamp</b>?")
        state = await here.stage.state(conversation)
        assert (state.handover.position, state.handover.wait_minutes) == (1, 2)
        await here.oracle.queue_moves(theirs.id, 3, 301)
        await here.stage.until(conversation, lambda s: (s.handover.position, s.handover.wait_minutes) == (3, 6))
        context = here.rig.context(str(theirs.id))
        assert "Where is my <b>lamp</b>?" in context
        assert all("<b>lamp" not in line.body for line in theirs.lines), "what a visitor writes is no markup"
        await here.stage.say(conversation, "said while waiting")
        await here.oracle.agent_joins(theirs.id)
        state = await here.stage.until_stage(conversation, "connected")
        assert state.handover.agent.name == here.oracle.agents[0].name
        await here.stage.say(conversation, "Grüße 😀")
        await here.until_heard(theirs, "said while waiting", "Grüße 😀")
        for number in range(3):
            await here.oracle.agent_says(theirs.id, f"<p>line&nbsp;<i>{number}</i></p>", html=True)
        said = await until_said(here.stage, conversation, "agent", lambda said: len(said) == 4)
        assert said == ["Hello, how can I help you?", "line 0", "line 1", "line 2"]
        await here.oracle.close(theirs.id)
        state = await here.stage.until_stage(conversation, None)
        assert (state.status, state.owner) == ("open", "bot")
        assert await lines(here.stage, conversation, "agent") == said
        assert theirs.overlaps == 0, "one poll at a time"


async def test_a_session_that_moves_to_another_pool_goes_on(shared_house: Stage) -> None:
    async with together(shared_house, pool_field="poolId") as here:
        conversation, theirs = await here.connected()
        await here.oracle.move_pool(theirs.id, "pool07:lumen")
        await until(lambda: theirs.pool == "pool07:lumen")
        await here.oracle.agent_says(theirs.id, "Heard in the new pool")
        await until_said(here.stage, conversation, "agent", lambda said: said == ["Heard in the new pool"])
        await here.stage.say(conversation, "Said in the new pool")
        await here.until_heard(theirs, "Said in the new pool")
        assert here.oracle.calls.of("chat.post")[-1].query["pool"] == "pool07:lumen"


@pytest.mark.parametrize("joined", [True, False])
async def test_a_session_that_oracle_has_forgotten_is_over(shared_house: Stage, joined: bool) -> None:
    async with together(shared_house) as here:
        conversation, theirs = await (here.connected() if joined else here.asked())
        await here.oracle.forget(theirs.id)
        if joined:
            await here.stage.until_stage(conversation, None)
            assert await here.told_of_end(conversation) == "desk_lost"
            await here.stage.until_said(conversation, "bot", lambda said: said[-1] == LOST)
        else:
            await here.stage.until(conversation, lambda s: s.handover and s.handover.rung == 1)
        refused = [call for call in here.oracle.calls.of("chat.poll") if call.status == 403]
        assert len(refused) == 1


async def test_transfers_and_second_agents_end_nothing(shared_house: Stage) -> None:
    async with together(shared_house) as here:
        conversation, theirs = await here.connected()
        second, third = here.oracle.agents[1:3]
        await here.oracle.conferee_joins(theirs.id, second)
        await here.oracle.agent_says(theirs.id, "I help", agent=second)
        await here.oracle.conferee_leaves(theirs.id)
        await here.oracle.agent_says(theirs.id, "I lead")
        await until_said(here.stage, conversation, "agent", lambda said: said == ["I help", "I lead"])
        await here.oracle.transfer_to_agent(theirs.id, third)
        await here.stage.until(conversation, lambda s: s.handover.agent and s.handover.agent.name == third.name)
        await here.oracle.transfer_to_queue(theirs.id, here.oracle.queues[1])
        await here.stage.until_stage(conversation, "transferring")
        await here.oracle.agent_joins(theirs.id, second)
        state = await here.stage.until_stage(conversation, "connected")
        assert state.handover.agent.name == second.name


async def test_a_line_for_an_agent_who_has_left_is_said_to_be_undelivered(shared_house: Stage) -> None:
    async with together(shared_house) as here:
        conversation, theirs = await here.connected()
        await here.oracle.lead_leaves(theirs.id)
        await here.stage.until_stage(conversation, "transferring")
        await here.stage.say(conversation, "Hello?")
        await here.stage.until(conversation, lambda s: s.parked)
        assert here.oracle.calls.of("chat.post")[-1].status == 409
        await here.oracle.conclude(theirs.id, "IDLE_TIMEOUT")
        await here.stage.until_stage(conversation, None)
        assert await here.told_of_end(conversation) == "idle"


async def test_rules_that_have_nobody_lead_to_the_next_rung(shared_house: Stage) -> None:
    async with together(shared_house) as here:
        night = here.oracle.queues[2]
        information = json.dumps({"emailAddress": "{{email}}", "queueId": night.id})
        payload = json.loads(here.rig.payload) | {"sessionInformation": information}
        await set_ladder(here.stage, here.connection_id, json.dumps(payload))
        conversation = await here.stage.visit()
        await here.stage.say(conversation, "talk to a person")
        await here.stage.until(conversation, lambda s: s.handover and s.handover.rung == 1)
        assert [call.status for call in here.oracle.calls.of("chat.request")] == [409]
        assert here.oracle.conversations == []


async def test_a_blocked_line_is_told_by_oracles_own_notice(shared_house: Stage) -> None:
    async with together(shared_house) as here:
        conversation, theirs = await here.connected()
        links = " ".join(f"https://shop.example/{number}" for number in range(12))
        await here.stage.say(conversation, links)
        await until_said(here.stage, conversation, "agent", lambda said: any("blocked" in line for line in said))
        assert here.rig.heard(str(theirs.id)) == []


async def test_what_a_lost_answer_held_is_gone_and_what_follows_is_heard(shared_house: Stage) -> None:
    async with together(shared_house, lost_answer="gone") as here:
        conversation, theirs = await here.connected()
        here.oracle.trouble.next("chat.poll", Kind.LOST)
        await until(lambda: not here.oracle.trouble.orders)
        await here.oracle.agent_says(theirs.id, "nobody hears this")
        await until(lambda: any(call.trouble and call.status == 0 for call in here.oracle.calls.of("chat.poll")))
        await here.oracle.agent_says(theirs.id, "but this")
        await until_said(here.stage, conversation, "agent", lambda said: said == ["but this"])


async def test_a_wrong_password_is_said_in_words(shared_house: Stage) -> None:
    async with together(shared_house) as here:
        node = here.stage.node
        health = await node.connections.check(SYSTEM, here.connection_id)
        assert (health.ok, "3 agents" in health.sentence) == (True, True)
        await node.connections.update(SYSTEM, here.connection_id, settings={"password": "wrong"})
        health = await node.connections.check(SYSTEM, here.connection_id)
        assert not health.ok
        assert "credentials" in health.sentence
