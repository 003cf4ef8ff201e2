"""Whole stories of a handover to Freshchat, played against its simulator over real HTTP both ways."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.support.journey import lines, until, until_equal, until_said
from tests.support.node import Stage
from tests.support.together import beside

from warmline.accounts.access import SYSTEM
from warmline.conformance.rigs.freshchat import FreshchatRig
from warmline.conversations.widgets import LadderStep
from warmline.kernel.errors import Invalid
from warmline.simulators.freshchat import Assumptions
from warmline.simulators.script import Kind


@contextlib.asynccontextmanager
async def freshchat(house: Stage, **readings: Any) -> AsyncIterator[tuple[Stage, FreshchatRig, str]]:
    """A stage whose widget has Freshchat as its first rung, the Freshchat behind it, and the connection's id."""
    async with beside(house, FreshchatRig.running(Assumptions(**readings))) as found:
        yield found


async def ask(stage: Stage, rig: FreshchatRig, conversation: str = "") -> tuple[str, str]:
    """A visitor who waits for a person: our conversation and Freshchat's."""
    conversation = conversation or await stage.visit()
    for text in ("Where is my lamp?", "talk to a person"):
        await stage.say(conversation, text)
    talk = await rig.until_waiting()
    await stage.until(conversation, lambda s: s.handover and s.handover.stage == "queued" and not s.handover.rung)
    return conversation, talk


async def talk_with(stage: Stage, rig: FreshchatRig) -> tuple[str, str]:
    """The same with an agent who has taken it."""
    conversation, talk = await ask(stage, rig)
    await rig.joins(talk)
    await stage.until_stage(conversation, "connected")
    return conversation, talk


async def play(stage: Stage, rig: FreshchatRig) -> None:
    """From the bot to an agent and back."""
    conversation, talk = await ask(stage, rig)
    told = rig.context(talk)
    for text in ("Where is my lamp?", "talk to a person", "Reason: requested_by_visitor", "Language: en"):
        assert text in told
    await stage.say(conversation, "said while waiting")
    await rig.joins(talk)
    state = await stage.until_stage(conversation, "connected")
    agent = rig.vendor.agents[0]
    assert (state.handover.agent.name, state.handover.agent.avatar) == (agent.name, agent.avatar_url)
    await stage.say(conversation, "Grüße 😀")
    await until_equal(lambda: rig.heard(talk), ["said while waiting", "Grüße 😀"])
    wanted = [f"Zeile {number} 🙂" for number in range(3)]
    for text in wanted:
        await rig.says(talk, text)
    await until_said(stage, conversation, "agent", lambda said: said == wanted)
    await rig.ends(talk)
    state = await stage.until_stage(conversation, None)
    assert (state.status, state.owner) == ("open", "bot")
    assert await lines(stage, conversation, "agent") == wanted


# -- the story -------------------------------------------------------------------------------------------------------


async def test_from_the_bot_to_an_agent_in_freshchat_and_back(shared_house: Stage) -> None:
    async with freshchat(shared_house) as (stage, rig, _id):
        await play(stage, rig)
        (talk,) = rig.vendor.conversations
        assert (talk.group_id, talk.channel_id) == (rig.vendor.groups[0].id, rig.vendor.channels[0].id)
        (user,) = rig.vendor.users
        assert user.reference_id.startswith("warmline-")


@pytest.mark.parametrize(
    "readings",
    [
        {"ids": "numeric to read", "made_status": 200, "newest_first": False, "message_type_missing": True},
        {
            "ids": "both",
            "one_conversation_per_topic": True,
            "events_for_first_messages": False,
            "rule_assigns_group": False,
            "api_acts_as": "agent",
            "reference_id_once": True,
            "message_to_resolved": "refused",
        },
    ],
    ids=["numbers", "one conversation for all"],
)
async def test_other_readings_of_the_documentation_tell_the_same_story(
    shared_house: Stage, readings: dict[str, Any]
) -> None:
    async with freshchat(shared_house, **readings) as (stage, rig, _id):
        await play(stage, rig)


async def test_the_visitor_ends_first_and_freshchat_is_told(shared_house: Stage) -> None:
    async with freshchat(shared_house) as (stage, rig, _id):
        conversation, talk = await talk_with(stage, rig)
        await stage.say(conversation, "one last thing")
        await stage.frame(conversation, frame="end")
        await until(lambda: rig.is_over(talk))
        assert rig.heard(talk) == ["one last thing"]


# -- what is special here --------------------------------------------------------------------------------------------


async def test_a_conversation_that_is_gone_on_with_is_not_ended_by_its_earlier_end(shared_house: Stage) -> None:
    async with freshchat(shared_house, one_conversation_per_topic=True) as (stage, rig, _id):
        conversation, first = await talk_with(stage, rig)
        rig.vendor.webhooks.set(paused=True)
        await stage.frame(conversation, frame="end")
        await until(lambda: rig.is_over(first))
        await stage.until_stage(conversation, None)
        await stage.say(conversation, "talk to a person")
        second = await rig.until_waiting()
        assert second == first
        await stage.until(conversation, lambda s: s.handover and s.handover.stage == "offered")
        rig.vendor.webhooks.set(paused=False)
        await rig.vendor.webhooks.settled()
        await rig.joins(second)
        await stage.until_stage(conversation, "connected")
        await rig.says(second, "Here I am again.")
        await until_said(stage, conversation, "agent", lambda said: said == ["Here I am again."])
        await rig.ends(second)
        await stage.until_stage(conversation, None)


async def test_what_is_said_after_an_end_that_nobody_heard_of_opens_it_again(shared_house: Stage) -> None:
    async with freshchat(shared_house, message_to_resolved="refused") as (stage, rig, _id):
        conversation, talk = await talk_with(stage, rig)
        rig.vendor.webhooks.set(lose=True)
        await rig.ends(talk)
        rig.vendor.webhooks.set(lose=False)
        await stage.say(conversation, "One more thing.")
        await until_equal(lambda: rig.heard(talk), ["One more thing."])
        assert not rig.is_over(talk)
        await rig.joins(talk, 1)
        await stage.until(
            conversation,
            lambda s: s.handover and s.handover.agent and s.handover.agent.name == rig.vendor.agents[1].name,
        )


async def test_somebody_who_was_not_assigned_answers(shared_house: Stage) -> None:
    async with freshchat(shared_house) as (stage, rig, _id):
        conversation, talk = await ask(stage, rig)
        await rig.vendor.agent_says(talk, "I saw this by chance.", agent=rig.vendor.agents[2])
        state = await stage.until_stage(conversation, "connected")
        assert state.handover.agent.name == rig.vendor.agents[2].name
        await until_said(stage, conversation, "agent", lambda said: said == ["I saw this by chance."])


async def test_neither_notes_nor_other_peoples_conversations_are_shown(shared_house: Stage) -> None:
    async with freshchat(shared_house) as (stage, rig, _id):
        conversation, talk = await talk_with(stage, rig)
        other = await rig.vendor.foreign_conversation()
        await rig.vendor.agent_joins(other.id)
        await rig.vendor.agent_says(other.id, "Yes, to Bergen as well.")
        await rig.vendor.agent_says(talk, "He is angry.", private=True)
        await rig.vendor.agent_says(talk, "Sentiment: angry", bots_note=True)
        await rig.vendor.send_old_payload(talk)
        await rig.vendor.agent_sends_unknown_part(talk)
        await rig.vendor.close(other.id)
        await rig.says(talk, "All is well.")
        await until_said(stage, conversation, "agent", lambda said: said == ["All is well."])
        await rig.vendor.webhooks.settled()
        assert {one.state for one in rig.vendor.webhooks.log} == {"delivered"}


async def test_a_file_whose_address_comes_later_is_read_again(shared_house: Stage) -> None:
    async with freshchat(shared_house, late_file_urls=True) as (stage, rig, _id):
        conversation, talk = await talk_with(stage, rig)
        name, _body = await rig.sends_file(talk)
        await rig.vendor.calls.wait("messages.list")
        await rig.says(talk, "Did you get it?")
        said = await until_said(stage, conversation, "agent", lambda said: "Did you get it?" in said)
        assert name not in said, "only a file that never got an address is named in words"


async def test_a_start_whose_answer_was_lost_is_found_again(shared_house: Stage) -> None:
    async with freshchat(shared_house) as (stage, rig, _id):
        rig.vendor.trouble.next("conversations.start", Kind.LOST)
        await talk_with(stage, rig)
        assert len(rig.talks()) == 1
        assert len(rig.vendor.calls.of("conversations.start")) == 1


async def test_a_topic_of_the_scenario_s_own_and_a_check_in_words(shared_house: Stage) -> None:
    async with freshchat(shared_house) as (stage, rig, connection_id):
        node = stage.node
        queues = {queue.name: queue.ref for queue in await node.connections.desk(connection_id).queues()}  # type: ignore[attr-defined]
        lamps, bills = rig.vendor.channels[:2]
        assert queues["Topic Bills"] == f"topic:{bills.id}"
        assert queues["Group Billing"] == f"group:{rig.vendor.groups[1].id}"
        assert "Topic Old shop" not in queues
        for wrong, sentence in (
            ({"topic_id": "nowhere"}, "topic of this connection is not among"),
            ({"topic_id": lamps.id, "group_id": "nobody"}, "group of this connection is not among"),
            ({"group_id": rig.vendor.groups[0].id, "api_token": "wrong"}, "credentials"),
        ):
            await node.connections.update(SYSTEM, connection_id, settings=wrong)
            health = await node.connections.check(SYSTEM, connection_id)
            assert (health.ok, sentence in health.sentence) == (False, True), health.sentence


async def test_the_published_payload_is_taken_and_checked(shared_house: Stage) -> None:
    async with freshchat(shared_house) as (stage, rig, connection_id):
        ladders = stage.node.ladders
        assert list(ladders.faults_of([LadderStep(connection_id=connection_id, payload=rig.payload)])) == []
        step = LadderStep(connection_id=connection_id, payload='{\n "crmPlatform": "freshchat",\n}')
        (fault,) = ladders.faults_of([step])
        assert isinstance(fault, Invalid)
        assert "The field connectionId is missing" in fault.detail
