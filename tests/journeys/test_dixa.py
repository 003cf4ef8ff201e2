"""Whole stories of a handover to Dixa, played against its simulator over real HTTP both ways."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from tests.support.journey import connect, lines, until, until_equal, until_said
from tests.support.node import Stage, guest

from warmline.accounts.access import SYSTEM
from warmline.conversations.widgets import LadderStep
from warmline.kernel.errors import Invalid
from warmline.simulators.dixa import DixaSimulator
from warmline.simulators.script import Kind, Script

PAYLOAD = """{
  "tags": ["some", "tag"],
  "email": "{{email}}",
  "queueId": "%s",
  "widgetId": "a4fda39e-0d78-40a4-afbd-b2d35d0b2a3a",
  "crmPlatform": "dixa",
  "connectionId": "96f2fc68-beb0-48f4-9efc-78b399205e00", // the old system's
}"""


@dataclass
class Together:
    """A stage whose widget has Dixa as its first rung, and the Dixa behind it."""

    stage: Stage
    dixa: DixaSimulator
    connection_id: str

    async def asked(self) -> tuple[str, Any]:
        """A visitor who waits for a person: our conversation and Dixa's."""
        conversation = await self.stage.visit()
        await self.stage.say(conversation, "Where is my lamp?")
        await self.stage.say(conversation, "talk to a person")
        waiting = await self.dixa.waiting(timeout_s=15)
        await self.stage.until(
            conversation, lambda s: s.handover and s.handover.stage in {"offered", "queued"} and not s.handover.rung
        )
        return conversation, waiting

    async def connected(self) -> tuple[str, Any]:
        """A visitor who talks with an agent."""
        conversation, theirs = await self.asked()
        await self.dixa.agent_joins(theirs.id)
        await self.stage.until_stage(conversation, "connected")
        return conversation, theirs


@contextlib.asynccontextmanager
async def together(house: Stage) -> AsyncIterator[Together]:
    async with DixaSimulator.running(script=Script(rate=None)) as dixa, guest(house) as stage:
        settings: dict[str, object] = {
            "api_url": dixa.url,
            "api_token": dixa.token,
            "webhook_secret": dixa.secret,
            "bot_agent_id": dixa.bot.id,
        }
        connection_id = await connect(stage, "dixa", settings, PAYLOAD % dixa.queues[0].id)
        dixa.subscribe(f"{stage.base}/in/{connection_id}")
        yield Together(stage, dixa, connection_id)


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


async def test_the_visitor_ends_first_and_dixa_is_told(shared_house: Stage) -> None:
    async with together(shared_house) as here:
        conversation, theirs = await here.connected()
        await here.stage.say(conversation, "one last thing")
        await here.stage.frame(conversation, frame="end")
        await until(lambda: theirs.state == "Closed")
        assert texts(theirs)[-1] == "one last thing"


async def test_an_import_whose_answer_was_lost_is_found_again(shared_house: Stage) -> None:
    async with together(shared_house) as here:
        here.dixa.trouble.next("conversations.import", Kind.LOST)
        _conversation, theirs = await here.asked()
        assert [one.id for one in here.dixa.conversations] == [theirs.id]
        assert len(here.dixa.calls.of("conversations.import")) == 1


@pytest.mark.parametrize("kind", [Kind.TOO_MANY, Kind.FAILING, Kind.LOST])
async def test_a_line_arrives_once_whatever_happens_to_its_call(shared_house: Stage, kind: Kind) -> None:
    async with together(shared_house) as here:
        conversation, theirs = await here.connected()
        here.dixa.trouble.next("messages.add", kind, 2 if kind is not Kind.LOST else 1)
        for text in ("first", "second", "third"):
            await here.stage.say(conversation, text)
        await until_theirs(theirs, ["Where is my lamp?", "talk to a person", "first", "second", "third"])


async def test_deliveries_that_repeat_and_overtake_each_other(shared_house: Stage) -> None:
    async with together(shared_house) as here:
        conversation, theirs = await here.connected()
        here.dixa.script.webhooks.duplicates = 2
        here.dixa.script.webhooks.unknown_events = True
        for text in ("one", "two"):
            await here.dixa.agent_says(theirs.id, text)
            await until_said(here.stage, conversation, "agent", lambda said, text=text: text in said)  # type: ignore[misc]
        assert await lines(here.stage, conversation, "agent") == ["one", "two"]


async def test_a_transfer_is_seen(shared_house: Stage) -> None:
    async with together(shared_house) as here:
        conversation, theirs = await here.connected()
        await here.dixa.transfer_to_queue(theirs.id, here.dixa.queues[-1])
        await here.stage.until_stage(conversation, "transferring")
        await here.dixa.agent_joins(theirs.id, here.dixa.agents[1])
        state = await here.stage.until_stage(conversation, "connected")
        assert state.handover.agent.name == here.dixa.agents[1].name


async def test_a_wrong_token_is_said_in_words_and_leaves_the_rung(shared_house: Stage) -> None:
    async with together(shared_house) as here:
        node = here.stage.node
        health = await node.connections.check(SYSTEM, here.connection_id)
        assert health.ok, health.sentence
        await node.connections.update(SYSTEM, here.connection_id, settings={"api_token": "wrong"})
        health = await node.connections.check(SYSTEM, here.connection_id)
        assert not health.ok
        assert "credentials" in health.sentence
        conversation = await here.stage.visit()
        await here.stage.say(conversation, "talk to a person")
        await here.stage.until(conversation, lambda s: s.handover and s.handover.rung == 1)


async def test_a_payload_is_checked_when_it_is_saved(shared_house: Stage) -> None:
    async with together(shared_house) as here:
        step = LadderStep(connection_id=here.connection_id, payload='{\n "crmPlatform": "dixa",\n}')
        (fault,) = here.stage.node.ladders.faults_of([step])
        assert isinstance(fault, Invalid)
        assert fault.fields["path"] == "$.ladder[0].payload"
        assert "Line 1, column 1: The field connectionId is missing" in fault.detail
