"""Conversations in the console: the list and its filters, the story of one, and what may be done with it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio
from tests.support.node import Stage, guest, staged
from tests.support.pair import StorePair
from tests.web.console.desk_agent import Agent, indexed, only_our_desk, signed_in, waiting

from warmline.conversations import commands as c
from warmline.conversations import events as e
from warmline.conversations.kind import CONVERSATION
from warmline.kernel.ids import uuid7
from warmline.web.console import conversations, conversations_page

HOSTILE = '"><svg onload=alert(1)>'


@pytest_asyncio.fixture(loop_scope="module")
async def stage(shared_house: Stage) -> AsyncIterator[Stage]:
    async with guest(shared_house) as opened:
        await only_our_desk(opened)
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def mina(stage: Stage) -> AsyncIterator[Agent]:
    async with signed_in(stage) as agent:
        yield agent


@pytest.fixture
async def own_stage(pair: StorePair) -> AsyncIterator[Stage]:
    """A node without anybody else's conversations."""
    async with staged(pair) as opened:
        await only_our_desk(opened)
        yield opened


@pytest.fixture
async def own_mina(own_stage: Stage) -> AsyncIterator[Agent]:
    async with signed_in(own_stage) as agent:
        yield agent


async def rows(agent: Agent, query: str = "") -> list[str]:
    """The ids the list shows, in its order."""
    page = await agent.get(f"/console/conversations{query}")
    assert page.status == 200, page.text
    return re.findall(r'id="row-([0-9a-f-]{36})"', page.text)


async def test_an_empty_list_says_what_will_be_here(own_mina: Agent) -> None:
    page = await own_mina.get("/console/conversations")
    assert "No conversations yet" in page.text
    assert "Nothing found" in (await own_mina.get("/console/conversations?q=lamp")).text


async def test_the_list_is_filtered_by_words_owner_and_widget(own_stage: Stage, own_mina: Agent) -> None:
    bot, waits, talks = (
        await own_stage.visit(),
        await waiting(own_stage, "my lamp is broken"),
        await waiting(own_stage, "hello"),
    )
    await own_stage.say(bot, "when do you open")
    await own_mina.post(f"/console/desk/{talks}/take")
    closed = await own_stage.visit()
    await own_stage.node.conversations.command(closed, c.Close(reason="agent"), actor="system")
    for each in (bot, waits, talks, closed):
        await indexed(own_stage, each)
    assert set(await rows(own_mina)) == {bot, waits, talks, closed}
    assert await rows(own_mina, "?view=waiting") == [waits]
    assert await rows(own_mina, "?view=person") == [talks]
    assert await rows(own_mina, "?view=bot") == [bot]
    assert await rows(own_mina, "?view=closed") == [closed]
    assert await rows(own_mina, "?q=BROKEN+lamp") == [waits]
    assert await rows(own_mina, f"?widget={own_stage.widget_id}&view=waiting") == [waits]
    assert await rows(own_mina, f"?widget={uuid7()}") == []
    assert "Mina Okafor" in (await own_mina.get("/console/conversations?view=person")).text


async def test_older_pages_continue_where_the_first_ends(
    own_stage: Stage, own_mina: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversations, "PAGE_SIZE", 2)
    made = [await own_stage.visit() for _ in range(5)]
    for each in made:
        await indexed(own_stage, each)
    found: list[str] = []
    query = ""
    for _ in range(3):
        page = await own_mina.get(f"/console/conversations{query}")
        found += re.findall(r'id="row-([0-9a-f-]{36})"', page.text)
        older = re.search(
            r'href="/console/conversations(\?cursor=[^"]+)"[^>]*>(?:(?!</a>).)*Older', page.text, re.DOTALL
        )
        query = older[1] if older else ""
    assert query == ""
    assert sorted(found) == sorted(made)
    assert (await own_mina.get("/console/conversations?cursor=nonsense")).status == 400


async def test_the_list_is_told_when_something_happens(stage: Stage, mina: Agent) -> None:
    url = f"{stage.base}/console/live?topic=conversations"
    async with mina.http.get(url) as answer, asyncio.timeout(15):
        assert await _event(answer) == "changed"
        await stage.visit()
        assert await _event(answer) == "changed"


async def _event(answer: aiohttp.ClientResponse) -> str:
    async for line in answer.content:
        name, _, value = line.decode().strip().partition(": ")
        if name == "event":
            return value
    raise AssertionError("the stream ended")


async def test_one_conversation_shows_its_story_and_what_is_known(stage: Stage, mina: Agent) -> None:
    conversation = await waiting(stage, "Where is my parcel?", HOSTILE)
    await stage.frame(conversation, frame="contact", name="Nora <b>", email="nora@mail.example", phone="", text="")
    page = (await mina.get(f"/console/conversations/{conversation}")).text
    for shown in (
        "Where is my parcel?",
        "&#34;&gt;&lt;svg onload=alert(1)&gt;",
        "A person was asked for",
        "Offered to Our desk",
        "Waiting in the queue, place 1",
        "Nora &lt;b&gt;",
        "mailto:nora%40mail.example",
        "Oak lamp",
        "https://shop.example/lamp",
        "1280x800",
        "Stage/1.0",
        "Somebody must join",
        conversation,
    ):
        assert shown in page, shown
    assert "<svg onload" not in page


async def test_a_page_address_that_is_no_web_address_is_no_link(stage: Stage, mina: Agent) -> None:
    widget = await stage.node.widgets.read(stage.widget_id)
    page = e.Page(url="javascript:alert(1)", title="odd")
    conversation = await stage.node.conversations.start(widget=widget, visitor_id=uuid7(), page=page, client_id=uuid7())
    html = (await mina.get(f"/console/conversations/{conversation}")).text
    assert "javascript:alert(1)" in html
    assert 'href="javascript' not in html


async def test_earlier_messages_are_loaded_page_by_page(
    stage: Stage, mina: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversations_page, "ROWS", 5)
    monkeypatch.setattr(conversations_page, "_READ", 6)
    conversation = await waiting(stage)
    for number in range(20):
        await stage.say(conversation, f"word {number:02}")
    html = (await mina.get(f"/console/conversations/{conversation}")).text
    found = [html]
    while more := re.search(r"/console/conversations/[^\"]+/earlier\?before=\d+", found[-1]):
        found.append((await mina.get(more[0])).text)
        assert len(found) < 30
    words = [re.findall(r"word (\d\d)<", part) for part in found]
    assert [word for part in reversed(words) for word in part] == [f"{number:02}" for number in range(20)]
    assert "Conversation started" in found[-1]
    assert (await mina.get(f"/console/conversations/{conversation}/earlier?before=x")).status == 404


async def test_asking_for_a_person_stopping_and_closing(stage: Stage, mina: Agent) -> None:
    conversation = await stage.visit()
    path = f"/console/conversations/{conversation}"
    assert "A person was asked for." in await mina.flash(await mina.post(f"{path}/handover"))
    state = await stage.until_stage(conversation, "queued")
    assert "has changed since then" in await mina.flash(await mina.post(f"{path}/handover"))
    assert "no longer waits" in await mina.flash(await mina.post(f"{path}/handover/cancel"))
    assert (await stage.state(conversation)).handover is None
    old = {"epoch": str(state.owner_epoch)}
    assert "has changed since then" in await mina.flash(await mina.post(f"{path}/handover/end", old))
    closed = await mina.flash(await mina.post(f"{path}/close"))
    assert "The conversation is closed." in closed
    assert "Mina Okafor asked for a person" in closed
    assert (await stage.state(conversation)).status == "closed"


async def test_ending_a_handover_needs_the_owner_the_page_showed(stage: Stage, mina: Agent) -> None:
    conversation = await waiting(stage)
    await mina.post(f"/console/desk/{conversation}/take")
    epoch = (await stage.state(conversation)).owner_epoch
    path = f"/console/conversations/{conversation}/handover/end"
    assert (await mina.post(path, {"epoch": "one"})).status == 400
    assert "has changed" in await mina.flash(await mina.post(path, {"epoch": str(epoch - 1)}))
    assert "has ended" in await mina.flash(await mina.post(path, {"epoch": str(epoch)}))


async def test_notes_are_for_colleagues_only(stage: Stage, mina: Agent) -> None:
    conversation = await stage.visit()
    path = f"/console/conversations/{conversation}"
    page = await mina.flash(await mina.post(f"{path}/notes", {"text": "Was here <last> week"}))
    assert "Was here &lt;last&gt; week" in page
    assert "Mina Okafor · note" in page
    assert "1 to 4000 characters" in await mina.flash(await mina.post(f"{path}/notes", {"text": " "}))
    assert all(
        not isinstance(event.body, e.MessagePosted)
        for event in await stage.events(conversation)
        if "last" in str(event.body)
    )


async def test_an_undelivered_message_is_shown_and_can_be_sent_again(stage: Stage, mina: Agent) -> None:
    conversation = await waiting(stage, "hello")
    message = next(event.body for event in await stage.events(conversation) if isinstance(event.body, e.MessagePosted))
    park = c.Park(message_id=message.message_id, connection_id=stage.desk_id, reason="410 Gone")
    await stage.node.conversations.command(conversation, park, actor="system")
    path = f"/console/conversations/{conversation}"
    page = (await mina.get(path)).text
    assert "A message was not delivered to Our desk · 410 Gone" in page
    assert f'value="{message.message_id}"' in page
    # The relay's own list does not know it, as after another agent has sent it again.
    answer = await mina.flash(await mina.post(f"{path}/resend", {"message_id": message.message_id}))
    assert "has changed since then" in answer
    await stage.node.conversations.command(conversation, c.Resent(message_id=message.message_id), actor="system")
    page = (await mina.get(path)).text
    assert "sent again and delivered" in page
    assert f'value="{message.message_id}"' not in page


async def test_erased_conversations_can_still_be_opened(stage: Stage, mina: Agent) -> None:
    conversation = await waiting(stage, "my secret")
    await stage.node.journal.erase(CONVERSATION, conversation, actor="system", event=e.VisitorErased(by="system"))
    page = await mina.get(f"/console/conversations/{conversation}")
    assert page.status == 200
    assert "my secret" not in page.text
    assert "A message was erased" in page.text


async def test_without_the_permission_nothing_opens(stage: Stage) -> None:
    conversation = await stage.visit()
    for path in ("/console/conversations", f"/console/conversations/{conversation}", "/console/contacts"):
        async with stage.http.get(stage.base + path, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["location"].partition("?")[0]) == (303, "/console/sign-in")
    url = f"{stage.base}/console/conversations/{conversation}/close"
    async with stage.http.post(url, data={}, headers={"origin": stage.base}, allow_redirects=False) as answer:
        assert answer.status == 303
    assert (await stage.state(conversation)).status == "open"


async def test_an_unknown_conversation_is_not_found(mina: Agent) -> None:
    for path in (f"/console/conversations/{uuid7()}", "/console/conversations/nonsense"):
        assert (await mina.get(path)).status == 404
    assert (await mina.post(f"/console/conversations/{uuid7()}/close")).status == 404
