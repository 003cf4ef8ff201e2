"""Whole stories of a handover to Salesforce's Enhanced Chat, played against its simulator over real HTTP."""

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
from warmline.conformance.rigs.salesforce import SalesforceRig
from warmline.kernel.errors import Invalid
from warmline.simulators.salesforce import Assumptions, SalesforceSimulator
from warmline.simulators.script import Kind


class Together(Shared[SalesforceRig]):
    """What is seen of it is Salesforce's conversation."""

    @property
    def vendor(self) -> SalesforceSimulator:
        return self.rig.vendor

    def seen(self, talk: str) -> Any:
        return self.vendor.org.conversations[talk]

    async def hears(self, theirs: Any, *wanted: str) -> None:
        await self.heard(theirs.id, *wanted)


@contextlib.asynccontextmanager
async def together(house: Stage, assumptions: Assumptions | None = None, **settings: object) -> AsyncIterator[Together]:
    async with beside(house, SalesforceRig.running(assumptions), settings=settings) as found:
        yield Together(*found)


async def test_from_the_bot_to_an_agent_in_salesforce_and_back(shared_house: Stage) -> None:
    async with together(shared_house) as here:
        conversation, theirs = await here.asked()
        first = here.rig.context(theirs.id)
        assert "Where is my lamp?" in first
        assert "Reason: requested_by_visitor" in first
        assert theirs.routing_attributes == {"Visitor_Name": "Visitor", "Order_Number": "A-17"}
        assert theirs.language == "en-US"
        await here.stage.until(conversation, lambda s: s.handover and s.handover.position == 1)
        await here.stage.say(conversation, "said while waiting")
        await here.vendor.agent_joins(theirs.id)
        state = await here.stage.until_stage(conversation, "connected")
        assert state.handover.agent.name == here.vendor.agents[0].name
        await here.stage.say(conversation, "Grüße 😀")
        await here.hears(theirs, "said while waiting", "Grüße 😀")
        for number in range(5):
            await here.vendor.agent_says(theirs.id, f"line {number}")
        await until_said(here.stage, conversation, "agent", lambda said: len(said) == 5)
        await here.vendor.close(theirs.id)
        state = await here.stage.until_stage(conversation, None)
        assert (state.status, state.owner) == ("open", "bot")
        assert await here.told_of_end(conversation) == "agent_left"
        assert "handover.transferring" not in [event.type for event in await here.stage.events(conversation)]
        assert await lines(here.stage, conversation, "agent") == [f"line {number}" for number in range(5)]


@pytest.mark.parametrize("close", [False, True])
async def test_the_visitor_ends_the_session_and_the_conversation_where_that_is_wished(
    shared_house: Stage, close: bool
) -> None:
    async with together(shared_house, close_conversation=close) as here:
        conversation, theirs = await here.connected()
        await here.stage.say(conversation, "one last thing")
        await here.stage.frame(conversation, frame="end")
        await until(lambda: theirs.over and theirs.closed is close)
        await here.hears(theirs, "one last thing")


async def test_the_waiting_time_is_told_where_the_org_tells_it(shared_house: Stage) -> None:
    async with together(shared_house, Assumptions(queue_updates="wait")) as here:
        conversation, _theirs = await here.asked()
        state = await here.stage.until(conversation, lambda s: s.handover and s.handover.wait_minutes is not None)
        assert state.handover.wait_minutes >= 1
        assert state.handover.position is None


@pytest.mark.parametrize("reading", ["accepted", "conflict"])
async def test_what_was_taken_without_an_answer_is_there_once(shared_house: Stage, reading: Any) -> None:
    assumptions = Assumptions(repeated_conversation=reading, repeated_message=reading, entry_identifier="own")
    async with together(shared_house, assumptions) as here:
        here.vendor.trouble.next("conversation.start", Kind.LOST)
        here.vendor.trouble.next("message.send", Kind.LOST)
        conversation, theirs = await here.connected()
        assert [one.id for one in here.vendor.conversations] == [theirs.id]
        assert len(theirs.said_by("EndUser")) == 1
        here.vendor.trouble.next("message.send", Kind.LOST)
        for text in ("first", "first", "second"):
            await here.stage.say(conversation, text)
        await here.hears(theirs, "first", "first", "second")


@pytest.mark.parametrize(
    "assumptions",
    [
        Assumptions(participant_first=True),
        Assumptions(work_results=False),
        Assumptions(removed_on_transfer=False),
        Assumptions(participant_first=True, work_results=False, entry_identifier="own"),
    ],
)
async def test_a_transfer_is_seen_under_every_reading(shared_house: Stage, assumptions: Assumptions) -> None:
    async with together(shared_house, assumptions) as here:
        conversation, theirs = await here.connected()
        await here.vendor.transfer_to_queue(theirs.id, here.vendor.queues[1])
        await here.stage.until_stage(conversation, "transferring")
        await here.vendor.agent_joins(theirs.id, here.vendor.agents[1])
        state = await here.stage.until_stage(conversation, "connected")
        assert state.handover.agent.name == here.vendor.agents[1].name
        await here.vendor.transfer_to_agent(theirs.id, here.vendor.agents[2])
        name = here.vendor.agents[2].name
        await here.stage.until(
            conversation, lambda s: s.handover and s.handover.stage == "connected" and s.handover.agent.name == name
        )
        await here.vendor.close(theirs.id)
        await here.stage.until_stage(conversation, None)


@pytest.mark.parametrize("updates", ["position", "none"])
async def test_an_agent_who_goes_away_leaves_the_visitor_waiting_for_another(shared_house: Stage, updates: Any) -> None:
    async with together(shared_house, Assumptions(queue_updates=updates)) as here:
        conversation, theirs = await here.connected()
        if updates == "none":
            here.vendor.trouble.next("conversation.get", Kind.FAILING)  # it is asked again with the stream's next ping
        await here.vendor.unassign(theirs.id)
        state = await here.stage.until_stage(conversation, "transferring")
        assert state.handover.position == (1 if updates == "position" else None)
        await here.vendor.agent_joins(theirs.id, here.vendor.agents[1])
        state = await here.stage.until_stage(conversation, "connected")
        assert state.handover.agent.name == here.vendor.agents[1].name
        await here.vendor.close(theirs.id, by="System")
        await here.stage.until_stage(conversation, None)
        assert await here.told_of_end(conversation) == "idle"


@pytest.mark.parametrize("replays", [True, False])
async def test_what_was_said_while_no_stream_stood_is_caught_up_with(shared_house: Stage, replays: bool) -> None:
    async with together(shared_house, Assumptions(replays=replays)) as here:
        conversation, theirs = await here.connected()
        streams = len(here.vendor.calls.of("stream"))
        here.vendor.trouble.next("stream", Kind.FAILING)
        await here.vendor.drop_stream(theirs.id)
        await here.vendor.agent_says(theirs.id, "Are you there?")
        await until_said(here.stage, conversation, "agent", lambda said: said == ["Are you there?"])
        assert len(here.vendor.calls.of("stream")) >= streams + 2
        await here.vendor.drop_stream(theirs.id, clean=True)
        await here.vendor.agent_says(theirs.id, "And now?")
        await until_said(here.stage, conversation, "agent", lambda said: said == ["Are you there?", "And now?"])


async def test_a_token_is_renewed_before_it_expires(shared_house: Stage) -> None:
    async with together(shared_house, Assumptions(token_life_s=4)) as here:
        conversation, theirs = await here.connected()
        await here.vendor.calls.wait("token.continue", 2, timeout_s=15)
        await here.stage.say(conversation, "still here")
        await here.hears(theirs, "still here")
        await here.vendor.agent_says(theirs.id, "So am I.")
        await until_said(here.stage, conversation, "agent", lambda said: said == ["So am I."])
        assert here.vendor.calls.of("token.make")[1:] == []


@pytest.mark.parametrize("line", ["sentence", "json"])
async def test_a_token_that_is_over_for_good_leads_to_the_next_rung(shared_house: Stage, line: Any) -> None:
    async with together(shared_house, Assumptions(expired_line=line)) as here:
        conversation, theirs = await here.connected()
        await here.vendor.expire_tokens(theirs.id)
        await here.stage.until(conversation, lambda s: s.handover and s.handover.rung == 1)
        failed = [one for one in await here.stage.events(conversation) if one.type == "handover.rung_failed"]
        assert [one.body.reason for one in failed] == ["desk_lost"]
        health = await here.stage.node.connections.check(SYSTEM, here.connection_id)
        assert health.ok, "one visitor's token says nothing of the connection"


async def test_what_was_said_may_go_into_a_parameter(shared_house: Stage) -> None:
    async with together(shared_house, context_parameter="Context", context_bytes=650) as here:
        _conversation, theirs = await here.asked()
        told = theirs.routing_attributes["Context"]
        assert "please stay here." in told
        assert "(Earlier lines were left out.)" in told
        assert len(told.encode()) <= 650
        assert theirs.said_by("EndUser") == []


async def test_a_wrong_org_is_said_in_words_and_leaves_the_rung(shared_house: Stage) -> None:
    async with together(shared_house) as here:
        connections = here.stage.node.connections
        health = await connections.check(SYSTEM, here.connection_id)
        assert health.ok, health.sentence
        for settings, path in (
            ({"org_id": "572000000000000"}, "$.settings.org_id"),
            ({"developer_name": "My Deployment"}, "$.settings.developer_name"),
            ({"routing_attributes": "visitorName: Name"}, "$.settings.routing_attributes"),
            ({"context_parameter": "What was said"}, "$.settings.context_parameter"),
        ):
            with pytest.raises(Invalid) as fault:
                await connections.update(SYSTEM, here.connection_id, settings=settings)
            assert fault.value.fields["path"] == path
