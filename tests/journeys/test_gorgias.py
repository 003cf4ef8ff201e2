"""Whole stories of a handover to Gorgias, played against its simulator over real HTTP both ways."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from tests.support.journey import lines, until, until_said
from tests.support.node import Stage
from tests.support.together import Together as Shared
from tests.support.together import beside

from warmline.accounts.access import SYSTEM
from warmline.conformance.rigs.gorgias import GorgiasRig
from warmline.conversations.widgets import LadderStep
from warmline.kernel.errors import Invalid


class Together(Shared[GorgiasRig]):
    """A talk is a ticket."""

    def ticket(self, talk: str) -> Any:
        return self.rig.vendor.account.tickets[int(talk)]


@contextlib.asynccontextmanager
async def together(house: Stage, settings: dict[str, object] | None = None, **readings: Any) -> AsyncIterator[Together]:
    async with beside(house, GorgiasRig.running(**readings), settings=settings) as found:
        yield Together(*found)


async def test_from_the_bot_to_an_agent_in_gorgias_and_back(shared_house: Stage) -> None:
    async with together(shared_house) as here:
        conversation, talk = await here.asked()
        ticket = here.ticket(talk)
        assert (ticket.assignee_team_id, ticket.subject) == (here.rig.vendor.teams[0].id, "Chat with Visitor")
        assert ticket.tags == ["handover", "some", "tag"]
        said = [(line.from_agent, line.channel, line.body_text) for line in ticket.messages]
        assert said[0][1] == "internal-note"
        assert (False, "api", "Where is my lamp?") in said
        assert any(by_us and channel == "api" for by_us, channel, _text in said), "the bot's lines are there too"
        await here.stage.say(conversation, "said while waiting")
        # Nobody needs to take a ticket: the first answer tells that somebody is there.
        await here.rig.vendor.agent_says(int(talk), "Good day", html="<p>Good <b>day</b></p>")
        state = await here.stage.until_stage(conversation, "connected")
        assert state.handover.agent.name == here.rig.vendor.agents[0].name
        await here.stage.say(conversation, "Grüße 😀")
        await here.heard(talk, "said while waiting", "Grüße 😀")
        await here.rig.vendor.agent_notes(int(talk), "What a nice customer")
        await here.rig.says(talk, "Here it is")
        await until_said(here.stage, conversation, "agent", lambda said: said == ["Good day", "Here it is"])
        await here.rig.ends(talk)
        state = await here.stage.until_stage(conversation, None)
        assert (state.status, state.owner) == ("open", "bot")
        assert await lines(here.stage, conversation, "agent") == ["Good day", "Here it is"]
        assert here.rig.vendor.mailed == [], "nothing went to anybody's inbox"


async def test_every_other_reading_of_the_documentation_tells_the_same_story(shared_house: Stage) -> None:
    readings: dict[str, Any] = {
        "assignment_after_reply": True,
        "updates_for_messages": False,
        "events_for_imports": False,
        "values_are_text": False,
        "nothing_is": "",
        "stripped_bodies": False,
        "messages_shown": False,
        "webhooks_repeat": False,
    }
    async with together(shared_house, **readings) as here:
        conversation, talk = await here.asked()
        await here.rig.says(talk, "Good day")
        await here.stage.until_stage(conversation, "connected")
        await here.stage.say(conversation, "Thank you")
        await here.heard(talk, "Thank you")
        await here.rig.ends(talk)
        await here.stage.until_stage(conversation, None)
        # Where Gorgias does not take signatures off, they are shown.
        assert await lines(here.stage, conversation, "agent") == ["Good day\n\n--\nInes Duarte\nLumen Lamps"]


async def test_a_visitor_who_leaves_may_leave_the_ticket_open(shared_house: Stage) -> None:
    async with together(shared_house, {"close_tickets": False}) as here:
        conversation, talk = await here.connected()
        await here.stage.frame(conversation, frame="end")
        await until(lambda: here.ticket(talk).messages[-1].channel == "internal-note")
        assert "has left the chat" in here.ticket(talk).messages[-1].body_text
        assert here.ticket(talk).status == "open"


async def test_the_visitor_reads_that_it_is_a_ticket(shared_house: Stage) -> None:
    async with together(shared_house) as here:
        widget = await here.stage.node.widgets.read(here.stage.widget_id)
        step = LadderStep(connection_id=here.connection_id, payload=here.rig.payload)
        await here.stage.node.widgets.update(msgspec.structs.replace(widget, ladder=(step,)), actor="test")
        conversation, _talk = await here.asked()
        state = await here.stage.until(conversation, lambda s: s.handover)
        assert "ticket for the team" in state.handover.step.text


async def test_a_ticket_that_was_merged_away_is_said_in_words(shared_house: Stage) -> None:
    async with together(shared_house) as here:
        conversation, talk = await here.connected()
        _other, kept = await here.connected()
        await here.rig.vendor.merge(int(talk), int(kept))
        await here.stage.say(conversation, "Are you there?")
        await here.stage.until(conversation, lambda s: len(s.parked) == 1)


async def test_the_check_says_whether_gorgias_can_be_heard(shared_house: Stage) -> None:
    async with together(shared_house) as here:
        vendor, check = here.rig.vendor, here.stage.node.connections.check
        health = await check(SYSTEM, here.connection_id)
        assert health.ok, health.sentence
        (hook,) = vendor.integrations
        vendor.deactivate(hook.id)
        assert "switched the HTTP integration off" in (await check(SYSTEM, here.connection_id)).sentence
        vendor.unsubscribe(hook.id)
        assert "no HTTP integration" in (await check(SYSTEM, here.connection_id)).sentence
        vendor.subscribe(hook.http.url, ["ticket-message-created"])
        assert "lacks ticket-updated" in (await check(SYSTEM, here.connection_id)).sentence


async def test_a_payload_is_checked_when_it_is_saved(shared_house: Stage) -> None:
    async with together(shared_house) as here:
        step = LadderStep(connection_id=here.connection_id, payload='{\n "crmPlatform": "gorgias",\n}')
        (fault,) = here.stage.node.ladders.faults_of([step])
        assert isinstance(fault, Invalid)
        assert "Line 1, column 1: The field connectionId is missing" in fault.detail
