"""Whole stories of a handover to Kustomer, played against its simulator over real HTTP both ways."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.support.journey import lines, until_equal, until_said
from tests.support.node import Stage
from tests.support.together import Together as Shared
from tests.support.together import beside

from warmline.conformance.rigs.kustomer import KustomerRig
from warmline.conversations.widgets import LadderStep
from warmline.kernel.errors import Invalid
from warmline.simulators.kustomer import KustomerSimulator
from warmline.simulators.script import Kind


class Together(Shared[KustomerRig]):
    """What is seen of it is Kustomer's conversation."""

    @property
    def kustomer(self) -> KustomerSimulator:
        """The vendor."""
        return self.rig.vendor

    def seen(self, talk: str) -> Any:
        return self.kustomer.account.conversations[talk]


@contextlib.asynccontextmanager
async def together(house: Stage, *, queue: bool = True, **readings: Any) -> AsyncIterator[Together]:
    def payload(rig: KustomerRig) -> str:
        return rig.payload if queue else rig.payload_without_queue

    async with beside(house, KustomerRig.running(**readings), payload=payload) as found:
        yield Together(*found)


def texts(theirs: Any, direction: str = "in") -> list[str]:
    return [message.body for message in theirs.messages if message.direction == direction]


async def until_theirs(theirs: Any, wanted: list[str]) -> None:
    await until_equal(lambda: texts(theirs), wanted)


async def test_from_the_bot_to_an_agent_in_kustomer_and_back(shared_house: Stage) -> None:
    async with together(shared_house) as here:
        conversation, theirs = await here.asked()
        assert theirs.queue_id == here.kustomer.queues[1].id
        assert texts(theirs) == ["Where is my lamp?", "talk to a person"]
        assert texts(theirs, "out"), "the bot's lines were handed off as the bot's"
        assert all(one.author_id == here.kustomer.bot.id for one in theirs.messages if one.direction == "out")
        await here.stage.say(conversation, "said while waiting")
        await here.kustomer.agent_joins(theirs.id)
        state = await here.stage.until_stage(conversation, "connected")
        assert state.handover.agent.name == here.kustomer.agents[0].name
        await here.stage.say(conversation, "Grüße 😀")
        await until_theirs(theirs, ["Where is my lamp?", "talk to a person", "said while waiting", "Grüße 😀"])
        for number in range(5):
            await here.kustomer.agent_says(theirs.id, f"line {number}")
        said = await until_said(here.stage, conversation, "agent", lambda said: len(said) == 5)
        assert sorted(said) == [f"line {number}" for number in range(5)]
        await here.kustomer.close(theirs.id)
        state = await here.stage.until_stage(conversation, None)
        assert (state.status, state.owner) == ("open", "bot")
        assert len(await lines(here.stage, conversation, "agent")) == 5, "nothing of the bot's came back as an agent's"
        assert len(theirs.tags) == 2
        assert len(theirs.notes) == 1


async def test_without_a_queue_kustomers_own_routing_decides(shared_house: Stage) -> None:
    async with together(shared_house, queue=False) as here:
        conversation, theirs = await here.asked()
        await here.stage.until_stage(conversation, "queued")
        assert theirs.queue_id == here.kustomer.queues[0].id


async def test_a_handoff_whose_answer_was_lost_is_found_again(shared_house: Stage) -> None:
    async with together(shared_house) as here:
        here.kustomer.trouble.next("chat.handoff", Kind.LOST)
        _conversation, theirs = await here.asked()
        assert [one.id for one in here.kustomer.conversations] == [theirs.id]
        assert len(here.kustomer.calls.of("chat.handoff")) == 1
        assert len(theirs.notes) == 1


async def test_of_two_lines_with_the_same_words_the_one_whose_answer_was_lost_is_not_repeated(
    shared_house: Stage,
) -> None:
    async with together(shared_house) as here:
        conversation, theirs = await here.connected()
        here.kustomer.trouble.next("chat.message", Kind.LOST)
        for text in ("same", "same", "third"):
            await here.stage.say(conversation, text)
        await until_theirs(theirs, ["Where is my lamp?", "talk to a person", "same", "same", "third"])


@pytest.mark.parametrize("split", [False, True])
async def test_a_transfer_is_seen(shared_house: Stage, split: bool) -> None:
    async with together(shared_house, split_transfers=split) as here:
        conversation, theirs = await here.connected()
        await here.kustomer.transfer_to_queue(theirs.id, here.kustomer.queues[-1])
        await here.stage.until_stage(conversation, "transferring")
        await here.kustomer.agent_joins(theirs.id, here.kustomer.agents[1])
        state = await here.stage.until_stage(conversation, "connected")
        assert state.handover.agent.name == here.kustomer.agents[1].name


async def test_an_agent_who_answers_before_he_is_assigned_has_joined(shared_house: Stage) -> None:
    async with together(shared_house, assignment_after_reply=True) as here:
        conversation, theirs = await here.asked()
        await here.kustomer.agent_joins(theirs.id)
        await here.kustomer.agent_says(theirs.id, "I am here.")
        state = await here.stage.until_stage(conversation, "connected")
        assert state.handover.agent.name == here.kustomer.agents[0].name
        await until_said(here.stage, conversation, "agent", lambda said: said == ["I am here."])


async def test_an_assignment_that_overtakes_the_transfer_before_it(shared_house: Stage) -> None:
    async with together(shared_house) as here:
        conversation, theirs = await here.connected()
        here.kustomer.script.webhooks.reorder = True
        await here.kustomer.transfer_to_queue(theirs.id, here.kustomer.queues[-1])
        await here.kustomer.agent_joins(theirs.id, here.kustomer.agents[1])
        here.kustomer.script.webhooks.reorder = False
        await here.stage.until(
            conversation, lambda s: s.handover and s.handover.agent.name == here.kustomer.agents[1].name
        )
        await here.kustomer.agent_says(theirs.id, "I go on here.")
        await until_said(here.stage, conversation, "agent", lambda said: said == ["I go on here."])
        state = await here.stage.until_stage(conversation, "connected")
        assert state.handover.agent.name == here.kustomer.agents[1].name


async def test_a_line_of_which_the_event_has_only_the_beginning(shared_house: Stage) -> None:
    async with together(shared_house, preview_characters=40, mirrored_ids="other") as here:
        conversation, theirs = await here.connected()
        long = "Your lamp left our warehouse this morning. " * 20
        await here.kustomer.agent_says(theirs.id, long)
        said = await until_said(here.stage, conversation, "agent", bool)
        assert [one.strip() for one in said] == [long.strip()]


async def test_a_payload_is_checked_when_it_is_saved(shared_house: Stage) -> None:
    async with together(shared_house) as here:
        broken = '{\n "crmPlatform": "kustomer",\n "queue": null,\n "connectionId": "not an id"\n}'
        step = LadderStep(connection_id=here.connection_id, payload=broken)
        (fault,) = here.stage.node.ladders.faults_of([step])
        assert isinstance(fault, Invalid)
        assert fault.fields["path"] == "$.ladder[0].payload"
        assert "Line 4" in fault.detail


@pytest.mark.parametrize(
    "reading",
    [
        {"closing": "status"},
        {"closing": "ended"},
        {"import_mark": "importedAt", "mirrored_ids": "other"},
        {"newest_first": True, "handoff_repeat": "refused", "error_form": "jsonapi"},
        {"events_for_imports": False, "updates_for_messages": False, "default_routing": False},
    ],
    ids="-".join,
)
async def test_the_same_story_however_the_documentation_is_read(
    shared_sqlite_house: Stage, reading: dict[str, Any]
) -> None:
    async with together(shared_sqlite_house, **reading) as here:
        here.kustomer.trouble.next("chat.handoff", Kind.LOST)
        conversation, theirs = await here.connected()
        here.kustomer.trouble.next("chat.message", Kind.LOST)
        for text in ("same", "same"):
            await here.stage.say(conversation, text)
        await until_theirs(theirs, ["Where is my lamp?", "talk to a person", "same", "same"])
        await here.kustomer.agent_says(theirs.id, "Here it is.")
        await until_said(here.stage, conversation, "agent", lambda said: said == ["Here it is."])
        await here.kustomer.close(theirs.id)
        await here.stage.until_stage(conversation, None)
        assert len(here.kustomer.conversations) == 1
        assert len(theirs.notes) == 1


async def test_what_no_person_says_connects_nobody(shared_sqlite_house: Stage) -> None:
    async with together(shared_sqlite_house) as here:
        conversation, theirs = await here.asked()
        await here.kustomer.agent_says(theirs.id, "We have got your message.", auto=True)
        await here.kustomer.agent_joins(theirs.id)
        await here.stage.until_stage(conversation, "connected")
        await here.kustomer.agent_says(theirs.id, "Hello!")
        await until_said(here.stage, conversation, "agent", lambda said: said == ["Hello!"])
