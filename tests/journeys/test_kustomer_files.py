"""Files on their way to Kustomer's agents and back, by both readings of where an agent's file opens."""

from __future__ import annotations

from typing import Any

import pytest
from tests.journeys.test_kustomer import together
from tests.support.files import PDF, png, send_file
from tests.support.journey import until, until_said
from tests.support.node import Stage

from warmline.simulators.samples import PICTURE_NAME
from warmline.simulators.script import Kind


@pytest.mark.parametrize("links", ["signed", "api"])
async def test_files_go_both_ways(shared_house: Stage, links: str) -> None:
    async with together(shared_house, attachment_links=links) as here:
        conversation, theirs = await here.connected()
        here.kustomer.trouble.next("chat.message", Kind.LOST)
        await send_file(here.stage, conversation, "Lampe größe.png", png(), "Look \U0001f600")
        await send_file(here.stage, conversation, "bill.pdf", PDF)
        await here.stage.say(conversation, "That is all.")

        def said() -> list[Any]:
            lines = [one for one in theirs.messages if one.direction == "in"][2:]
            held = here.kustomer.account.attachments
            return [[(held[file].name, held[file].content) for file in one.attachments] or one.body for one in lines]

        await until(lambda: "That is all." in said())
        pictured = [("Lampe größe.png", png())]
        assert said() == [pictured, "Look \U0001f600", [("bill.pdf", PDF)], "That is all."]
        await here.kustomer.agent_sends_sample(theirs.id, "picture")
        await here.kustomer.agent_says(theirs.id, "Like this?")
        await until_said(here.stage, conversation, "agent", lambda said: len(said) == 2)
        posted = [one.body for one in await here.stage.events(conversation) if one.type == "message.posted"]
        ((file,),) = [body.attachments for body in posted if body.author == "agent" and body.attachments]
        assert (file.name, file.media_type) == (PICTURE_NAME, "image/png")
        state = await here.stage.until_stage(conversation, "connected")
        assert state.handover.agent.name == here.kustomer.agents[0].name
