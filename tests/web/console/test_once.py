"""A form that makes something makes it once, however often it is sent."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import sqlalchemy as sa
from tests.support.node import Stage, guest
from tests.web.console.desk_agent import PASSWORD, Agent, fresh_token, signed_in

from warmline.accounts.model import Role
from warmline.kernel.clock import DAY, SystemClock
from warmline.kernel.ids import uuid7
from warmline.platform.database import metadata
from warmline.web.console.form_tokens import new_token

_SECRET = re.compile(r"wl[kc]_[0-9a-f]{8}_[\w-]{43}|whsec_[\w+/=]{20,}")
_ONCE = re.compile(r'name="once" value="([^"]+)"')
SHOWN_ONCE = ("key", "rotated key", "wire key", "rotated wire key", "connection", "secret")
SEEN_AFTER = ("member", "bot", "widget")


@pytest_asyncio.fixture(loop_scope="module")
async def stage(shared_house: Stage) -> AsyncIterator[Stage]:
    async with guest(shared_house) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def ada(stage: Stage) -> AsyncIterator[Agent]:
    async with signed_in(stage, "Ada Boss", Role.ADMIN) as agent:
        yield agent


async def rows(stage: Stage, name: str) -> int:
    """How many rows a table has."""
    query = sa.select(sa.func.count()).select_from(metadata.tables[name])
    return int(await stage.node.journal.read(lambda conn: conn.execute(query).scalar_one()))


async def form_of(stage: Stage, what: str) -> tuple[str, str, str, dict[str, str]]:
    """The table that grows, the page with the form, where it is sent, and its fields."""
    connection = f"/console/connections/{stage.connection_id}"
    if what.startswith("rotated"):
        wire = "wire" in what
        page = f"{connection}/keys/{stage.wire_key_id}" if wire else f"/console/keys/{stage.v1_key_id}"
        return "api_keys", page, f"{page}/rotate", {"overlap": "3600"}
    crm = {"kind": "customcrm", "name": "Other", "submitted": "yes", "settings.webhook_url": stage.crm.url}
    crm |= {"settings.profile": "exact", "settings.timeout_s": "5", "bot_ids": stage.bot_id}
    member = {"name": "Jon", "email": f"jon-{uuid7()}@desk.example", "password": PASSWORD, "role": "agent"}
    widget = {"do": "save", "updated_at": "0", "name": "W", "bot_id": stage.bot_id, "look.title": "T"}
    found = {
        "key": ("api_keys", "/console/keys/new", "/console/keys", {"label": "New", "scopes": "audit:read"}),
        "wire key": ("api_keys", f"{connection}/keys", f"{connection}/keys", {"label": "CRM"}),
        "connection": ("connections", "/console/connections/new?kind=customcrm", "/console/connections", crm),
        "secret": ("audit", f"{connection}/keys", f"{connection}/secrets/signing_secret/rotate", {"overlap": "0"}),
        "member": ("members", "/console/members/new", "/console/members", member),
        "bot": ("bots", "/console/bots/new", "/console/bots", {"name": "B", "script": 'greeting = "Hello"'}),
        "widget": ("widgets", "/console/widgets/new", "/console/widgets", widget | {"look.bot_name": "B"}),
    }
    return found[what]


@pytest.mark.parametrize("what", SHOWN_ONCE)
async def test_a_reload_makes_no_second_secret_and_shows_none(stage: Stage, ada: Agent, what: str) -> None:
    table, page, path, fields = await form_of(stage, what)
    token = _ONCE.findall((await ada.get(page)).text)[0]
    before = await rows(stage, table)
    first = await ada.post(path, fields | {"once": token})
    assert first.status == 201, first.text
    secret = _SECRET.findall(first.text)[0]
    for _ in range(2):
        again = await ada.post(path, fields | {"once": token})
        assert (again.status, "is made already" in again.text, "shown once only" in again.text) == (409, True, True)
        assert secret not in again.text
        assert not _SECRET.search(again.text)
        ways = re.findall(r'<a class="button (?:primary|ghost)" href="([^"]+)"', again.text)
        assert ways
        assert [(await ada.get(way)).status for way in ways] == [200] * len(ways)
    changed = await ada.post(path, fields | {"once": token, "label": "Another", "name": "Another"})
    assert (changed.status, "is made already" in changed.text) == (409, True)
    assert await rows(stage, table) == before + 1
    assert (await ada.post(path, fields)).status == 201  # a form drawn anew


@pytest.mark.parametrize("what", SEEN_AFTER)
async def test_a_second_click_makes_no_second_thing_and_leads_to_the_first(stage: Stage, ada: Agent, what: str) -> None:
    table, page, path, fields = await form_of(stage, what)
    token = _ONCE.findall((await ada.get(page)).text)[0]
    before = await rows(stage, table)
    first = await ada.post(path, fields | {"once": token})
    assert first.status == 303, first.text
    assert await rows(stage, table) == before + 1
    again = await ada.post(path, fields | {"once": token})
    assert (again.status, again.location) == (303, first.location)
    assert await rows(stage, table) == before + 1


async def test_a_note_that_is_sent_twice_stands_there_once(stage: Stage, ada: Agent) -> None:
    conversation = await stage.visit()
    await stage.say(conversation, "Hello?")
    page = f"/console/conversations/{conversation}"
    sent = {"text": "Call her", "once": _ONCE.findall((await ada.get(page)).text)[0]}
    for fields in (sent, sent, sent | {"once": "old"}):
        assert (await ada.post(f"{page}/notes", fields)).location == page
    assert [event.type for event in await stage.events(conversation)].count("note.posted") == 1
    assert "too old" in (await ada.get(page)).text


async def test_two_clicks_at_once_make_one(stage: Stage, ada: Agent) -> None:
    table, _page, path, fields = await form_of(stage, "key")
    before = await rows(stage, table)
    sent = fields | {"once": fresh_token()}
    replies = await asyncio.gather(*(ada.post(path, sent) for _ in range(4)))
    assert sorted(reply.status for reply in replies) == [201, 409, 409, 409]
    assert await rows(stage, table) == before + 1


async def test_a_refused_form_may_be_sent_again(stage: Stage, ada: Agent) -> None:
    _table, _page, path, fields = await form_of(stage, "member")
    token = fresh_token()
    assert (await ada.post(path, fields | {"once": token, "password": "short"})).status == 400
    assert (await ada.post(path, fields | {"once": token})).status == 303


@pytest.mark.parametrize("what", [*SHOWN_ONCE, "member", "bot", "widget"])
async def test_a_form_without_a_fresh_token_makes_nothing(stage: Stage, ada: Agent, what: str) -> None:
    table, _page, path, fields = await form_of(stage, what)
    before = await rows(stage, table)
    for token in ("", "x", "zz.abc", new_token(SystemClock().now() - DAY), "1" * 5_000 + ".x"):
        reply = await ada.post(path, fields | {"once": token})
        assert (reply.status, "too old to be sent" in reply.text) == (400, True), token
        assert await rows(stage, table) == before
    assert fields.get("name", "") in reply.text  # what was typed is still there


async def test_nobody_is_told_what_another_member_made(stage: Stage, ada: Agent) -> None:
    _table, _page, path, fields = await form_of(stage, "key")
    token = fresh_token()
    assert (await ada.post(path, fields | {"once": token})).status == 201
    async with signed_in(stage, "Bea Boss", Role.ADMIN) as bea:
        assert (await bea.post(path, fields | {"once": token})).status == 201
