"""Contacts that visitors left: found, dealt with, and opened again."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
from tests.support.node import Stage, staged
from tests.support.pair import StorePair
from tests.web.console.desk_agent import Agent, indexed, signed_in

from warmline.kernel.ids import uuid7
from warmline.web.console import contacts


@pytest.fixture
async def stage(pair: StorePair) -> AsyncIterator[Stage]:
    async with staged(pair) as opened:
        yield opened


@pytest.fixture
async def mina(stage: Stage) -> AsyncIterator[Agent]:
    async with signed_in(stage) as agent:
        yield agent


async def leave(stage: Stage, **fields: str) -> str:
    conversation = await stage.visit()
    await stage.frame(conversation, frame="contact", **fields)
    await indexed(stage, conversation)
    return conversation


def forms(html: str) -> list[str]:
    return re.findall(r'action="/console/contacts/([0-9a-f-]{36})"', html)


async def test_an_empty_list_says_what_will_be_here(mina: Agent) -> None:
    assert "Nobody to come back to" in (await mina.get("/console/contacts")).text
    assert "kept here" in (await mina.get("/console/contacts?show=done")).text


async def test_a_contact_is_found_done_and_opened_again(stage: Stage, mina: Agent) -> None:
    conversation = await leave(
        stage, name="Nora <Kern>", email="nora@mail.example", phone="+49 30 1", text="Call me & soon"
    )
    await leave(stage, email="otto@mail.example")
    page = (await mina.get("/console/contacts?q=NORA")).text
    assert "Nora &lt;Kern&gt;" in page
    assert "Call me &amp; soon" in page
    assert 'href="mailto:nora%40mail.example"' in page
    assert f"/console/conversations/{conversation}" in page
    (contact,) = forms(page)

    done = await mina.post(f"/console/contacts/{contact}", {"done": "yes", "back": "/console/contacts?q=NORA"})
    assert done.location == "/console/contacts?q=NORA"
    assert "Marked as done." in await mina.flash(done)
    assert forms((await mina.get("/console/contacts")).text) != [contact]
    finished = (await mina.get("/console/contacts?show=done")).text
    assert "Done by Mina Okafor" in finished
    assert forms(finished) == [contact]

    again = await mina.post(f"/console/contacts/{contact}", {"done": "no", "back": "https://evil.example/"})
    assert again.location == "/console/contacts"
    assert len(forms((await mina.get("/console/contacts")).text)) == 2


async def test_older_contacts_are_on_the_next_page(stage: Stage, mina: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contacts, "PAGE_SIZE", 2)
    for number in range(3):
        await leave(stage, email=f"n{number}@mail.example")
    first = (await mina.get("/console/contacts")).text
    older = re.search(r'href="(/console/contacts\?cursor=[^"]+)"', first)
    assert older
    second = (await mina.get(older[1])).text
    assert len(forms(first)) == 2
    assert len({*forms(first), *forms(second)}) == 3


async def test_what_does_not_exist_or_is_forged_changes_nothing(stage: Stage, mina: Agent) -> None:
    await leave(stage, email="nora@mail.example")
    (contact,) = forms((await mina.get("/console/contacts")).text)
    assert (await mina.post(f"/console/contacts/{contact}", {"done": "yes", "csrf": ""})).status == 403
    assert (await mina.post(f"/console/contacts/{uuid7()}", {"done": "yes"})).status == 404
    assert (await mina.post("/console/contacts/nonsense", {"done": "yes"})).status == 404
    assert forms((await mina.get("/console/contacts")).text) == [contact]
