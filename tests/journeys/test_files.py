"""Files and long texts on their way to a desk, as the custom CRM sees them: links, parts, and nothing lost in a restart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest_asyncio
from tests.journeys.test_handover import connected, texts
from tests.support.crm import Call
from tests.support.files import PDF, png, send_file
from tests.support.node import Stage, guest

from warmline.accounts.access import SYSTEM

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"


@pytest_asyncio.fixture(loop_scope="module")
async def stage(shared_house: Stage) -> AsyncIterator[Stage]:
    async with guest(shared_house) as opened:
        yield opened


async def fetched(url: str) -> tuple[int, bytes]:
    """What somebody without any key gets."""
    async with aiohttp.ClientSession() as stranger, stranger.get(url) as reply:
        return reply.status, await reply.read()


async def set_profile(stage: Stage, profile: str) -> None:
    known = stage.node.connections.get(stage.connection_id)
    await stage.node.connections.update(SYSTEM, stage.connection_id, settings={**known.settings, "profile": profile})


async def test_a_crm_without_files_gets_a_link_that_works_for_a_while(stage: Stage) -> None:
    conversation = await connected(stage)
    picture = png()
    await send_file(stage, conversation, "Lampe größe.png", picture, "Look \U0001f600")
    (call,) = await stage.crm.until(conversation, "widgetMessage")
    text, _, line = call.body["data"]["text"].partition("\n")
    name, _, url = line.partition(": ")
    assert (text, name) == ("Look \U0001f600", "Lampe größe.png")
    assert url.startswith(f"{stage.base}/files/")
    assert await fetched(url) == (200, picture)
    assert call.body["data"].keys() == {"platformConversationId", "eventType", "text"}


async def test_a_rich_crm_gets_files_of_their_own(stage: Stage) -> None:
    await set_profile(stage, "rich")
    conversation = await connected(stage)
    kept = await send_file(stage, conversation, "bill.pdf", PDF)
    (call,) = await stage.crm.until(conversation, "widgetMessage")
    data = call.body["data"]
    [file] = data["warmline"]["attachments"]
    assert data["text"] == ""
    assert (file["name"], file["mediaType"], file["size"]) == ("bill.pdf", "application/pdf", kept["size"])
    assert await fetched(file["url"]) == (200, PDF)


async def test_what_was_sent_to_the_bot_stands_in_the_transcript_that_the_desk_gets(stage: Stage) -> None:
    await set_profile(stage, "rich")
    conversation = await stage.visit()
    await send_file(stage, conversation, "bill.pdf", PDF, "My bill")
    await stage.say(conversation, "I want to talk to a person")
    (call,) = await stage.crm.until(conversation, "widgetEscalate")
    lines = [line["text"] for line in call.body["data"]["warmline"]["transcript"]]
    [line] = [one for one in lines if one.startswith("My bill\nbill.pdf: ")]
    assert await fetched(line.partition("bill.pdf: ")[2]) == (200, PDF)
    transcript = call.body["data"]["warmline"]["transcriptUrl"]
    async with stage.http.get(transcript) as reply:
        messages = (await reply.json())["messages"]
    [file] = [one for message in messages for one in message["attachments"]]
    assert await fetched(file["url"]) == (200, PDF)


async def test_the_longest_message_arrives_in_order_and_whole(stage: Stage) -> None:
    conversation = await connected(stage)
    text = (f"\u202bمرحبا\u202c {FAMILY} words and more words. " * 300)[:10_000]
    await stage.say(conversation, text)
    await stage.say(conversation, "after it")
    calls = await stage.crm.until(conversation, "widgetMessage", 3)
    assert [call.headers["webhook-id"].count("_2") for call in calls[:2]] == [0, 1]
    first, second, last = texts(calls)
    assert last == "after it"
    assert f"{first} {second}" == text.strip()
    assert all(len(part.encode("utf-16-le")) // 2 <= 10_000 for part in (first, second))


async def test_trouble_between_two_parts_repeats_neither_the_first_nor_the_order(stage: Stage) -> None:
    conversation = await connected(stage)
    text = "a sentence with words. " * 434
    text = f"{text[:9_980]}{FAMILY * 4}"
    refused = asyncio.Event()

    async def answer(call: Call) -> int:
        if "_2" in call.headers["webhook-id"] and not refused.is_set():
            refused.set()
            return 503
        return 200

    stage.crm.answers["widgetMessage"] = answer
    await stage.say(conversation, text)
    calls = await stage.crm.until(conversation, "widgetMessage", 2)
    assert refused.is_set()
    tried: list[Any] = stage.crm.of(conversation, "widgetMessage")
    assert [("_2" in call.headers["webhook-id"], call.status) for call in tried] == [
        (False, 200),
        (True, 503),
        (True, 200),
    ]
    assert "".join(texts(calls)).replace(" ", "") == text.replace(" ", "")


async def test_a_bot_answers_a_message_that_is_only_a_file(stage: Stage) -> None:
    conversation = await stage.visit()
    await stage.until(conversation, lambda state: state.turn_seq == 0)
    greeting = await stage.lines(conversation, "bot")
    await send_file(stage, conversation, "bill.pdf", PDF)
    state = await stage.until(conversation, lambda state: state.files and state.turn_seq == 0)
    assert state.owner == "bot"
    assert len(await stage.lines(conversation, "bot")) > len(greeting)
