"""Every address of the console, from the framework's own table: who may, forged requests, and what a GET may do."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import sqlalchemy as sa
from tests.support.node import Stage, guest, staged
from tests.support.pair import StorePair
from tests.web.console.desk_agent import Agent, only_our_desk, signed_in, waiting
from tests.web.console.route_table import STREAMS, Address, RouteTable

from warmline.accounts.access import ROLE_SCOPES, SYSTEM
from warmline.accounts.model import Role
from warmline.accounts.tables import api_keys, audit, members, sessions
from warmline.conversations.tables import contacts, conversation_index
from warmline.platform.database import metadata
from warmline.web.security import CONSOLE_HEADERS

_CSRF = re.compile(r'name="csrf" value="([^"]+)"')
# Written by background work at any moment, or by looking at the clock; nothing in them belongs to a person.
MOVING = {"leases", "cursors", "deadlines", "journal_meta", "conversation_index", "threads", "fronts", "desk_waits"}
MOVING |= {"audit_anchors"}


# A second permission, asked for by the handler itself.
ALSO = {
    "/console/connections/{connection_id:str}/parked/{conversation_id:str}/{message_id:str}": "connections:read",
    "/console/connections/{connection_id:str}/parked": "conversations:read",
}


@dataclass
class House:
    """A stage with its route table, and a real thing behind every id."""

    stage: Stage
    table: RouteTable
    ids: dict[str, str]

    @contextlib.asynccontextmanager
    async def nobody(self) -> AsyncIterator[Agent]:
        """Somebody at the door, with the door's form token."""
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
            agent = Agent(self.stage, http, "nobody")
            found = _CSRF.search((await agent.get("/console/sign-in")).text)
            assert found
            agent.csrf = found[1]
            yield agent

    async def contents(self) -> dict[str, list[Any]]:
        """Every row that belongs to somebody."""

        def read(conn: sa.Connection) -> dict[str, list[Any]]:
            return {
                table.name: sorted(repr(row) for row in conn.execute(sa.select(table)))
                for table in metadata.sorted_tables
                if table.name not in MOVING
            }

        return await self.stage.node.journal.read(read)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_admission(module_sqlite_pair: StorePair) -> AsyncIterator[House]:
    async with contextlib.AsyncExitStack() as running:
        with pytest.MonkeyPatch.context() as monkeypatch:
            table = RouteTable(monkeypatch)
            stage = await running.enter_async_context(staged(module_sqlite_pair, rate_limit_scale=100))
        yield await furnished(stage, table)


@pytest.fixture
def house(shared_admission: House) -> House:
    return shared_admission


async def furnished(stage: Stage, table: RouteTable) -> House:
    """Somebody who waits, a member, keys: something behind every id."""
    await only_our_desk(stage)
    conversation = await waiting(stage, "Hello?")
    await stage.frame(conversation, frame="contact", name="Nora", email="nora@x.example", phone="", text="Call me")
    node = stage.node
    other = await node.accounts.create_member(SYSTEM, "o@desk.example", "Other", Role.AGENT, "a long enough password")
    v1 = await node.api_keys.create(SYSTEM, kind="v1", label="k", scopes=["conversations:read"])
    wires = await node.api_keys.list_keys(SYSTEM, kind="wire")
    file_id = await stage.upload(conversation, "note.txt", b"hello")
    await stage.frame(conversation, frame="message", text="", attachments=[file_id])
    ids = {
        "file_id": file_id,
        "conversation_id": conversation,
        "member_id": other.id,
        "key_id": v1.record.id,
        "wire_key_id": wires[0].id,
        "connection_id": stage.connection_id,
        "widget_id": stage.widget_id,
        "bot_id": stage.bot_id,
        "name": "signing_secret",
    }
    return House(stage, table, ids)


async def status(agent: Agent, address: Address, path: str, **headers: str) -> tuple[int, str]:
    """Status and where it leads, without reading bodies that never end; with the form's token."""
    sent = {"origin": agent.stage.base, "content-type": "application/x-www-form-urlencoded"} | headers
    body = {"csrf": agent.csrf} if address.method != "GET" else None
    url = agent.stage.base + path
    async with agent.http.request(address.method, url, data=body, headers=sent, allow_redirects=False) as answer:
        return answer.status, answer.headers.get("location", "")


@pytest.mark.parametrize("who", ["nobody", *Role])
async def test_every_address_opens_for_whom_it_says(house: House, who: str) -> None:
    async with contextlib.AsyncExitStack() as stack:
        if who == "nobody":
            agent = await stack.enter_async_context(house.nobody())
        else:
            agent = await stack.enter_async_context(signed_in(house.stage, "Ada Test", Role(who)))
        scopes = {str(scope) for scope in ROLE_SCOPES[Role(who)]} if who != "nobody" else set()
        wrong = []
        for address in house.table.addresses():
            code, location = await status(agent, address, address.filled())
            if who == "nobody" and not address.public:
                good = code == 303 and location.startswith("/console/sign-in")
            elif (address.scope and address.scope not in scopes) or ALSO.get(address.path, address.scope) not in {
                address.scope,
                *scopes,
            }:
                good = code == 403
            else:
                good = code != 403 and code < 500 and (who == "nobody" or not location.startswith("/console/sign-in?"))
            if not good:
                wrong.append((address.method, address.path, code, location))
        assert wrong == []


def test_only_the_door_is_open_and_changing_needs_a_permission(house: House) -> None:
    everything = house.table.addresses()
    assert {a.path for a in everything if a.public} == {"/console/sign-in", "/console/set-up"}
    free = {a.path for a in everything if not a.scope and not a.public}
    account = {f"/console/account{rest}" for rest in ("", "/name", "/password", "/sign-out-everywhere")}
    assert free == {"/console", "/console/live", "/console/ui", "/console/sign-out"} | account
    reading = {a.path for a in everything if a.method == "POST" and a.scope.endswith(":read")}
    assert reading == set(), "a change asks for more than the permission to look"
    assert {a.method for a in everything} <= {"GET", "HEAD", "POST"}


async def test_a_post_that_is_not_from_our_own_form_changes_nothing(house: House) -> None:
    ids = house.ids
    async with signed_in(house.stage, "Ada Test", Role.ADMIN) as ada:
        async with house.nobody() as nobody:
            before = await house.contents()
            for address in house.table.addresses("POST"):
                path = address.filled(**ids)
                for agent in (ada, nobody) if address.public else (ada,):
                    good = agent.csrf
                    tries: list[tuple[dict[str, str], dict[str, str]]] = [
                        ({"csrf": ""}, {}),
                        ({"csrf": good[:-1]}, {}),
                        ({"csrf": nobody.csrf if agent is ada else ada.csrf}, {}),
                        ({}, {"origin": "https://evil.example"}),
                        ({}, {"origin": "null"}),
                        ({}, {"origin": agent.stage.base + ".evil.example"}),
                        ({}, {"origin": ""}),
                        ({"csrf": ""}, {"x-csrf-token": "x"}),
                    ]
                    for fields, headers in tries:
                        reply = await agent.post(path, fields, **headers)
                        assert reply.status == 403, (path, fields, headers, reply.status)
            assert await house.contents() == before
        assert (await ada.get("/console/account")).status == 200


async def test_another_method_a_query_or_a_body_type_is_no_way_round(house: House) -> None:
    async with signed_in(house.stage, "Ada Test", Role.ADMIN) as ada:
        before = await house.contents()
        for address in house.table.addresses("POST"):
            path = address.filled(**house.ids)
            for method in ("PUT", "PATCH", "DELETE"):
                async with ada.http.request(method, ada.stage.base + path, data={"csrf": ada.csrf}) as answer:
                    assert answer.status in {403, 404, 405}, (method, path)
            async with ada.http.post(
                f"{ada.stage.base}{path}?csrf={ada.csrf}", headers={"origin": ada.stage.base}
            ) as answer:
                assert answer.status in {400, 403}
            async with ada.http.post(
                ada.stage.base + path, json={"csrf": ada.csrf}, headers={"origin": ada.stage.base}
            ) as answer:
                assert answer.status == 400
        assert await house.contents() == before


async def test_looking_changes_nothing_and_every_page_keeps_the_policy(house: House) -> None:
    async with signed_in(house.stage, "Ada Test", Role.ADMIN) as ada:
        before = await house.contents()
        for address in house.table.addresses("GET"):
            path = address.filled(**house.ids)
            if path in STREAMS:
                continue
            reply = await ada.get(path)
            # The one fragment that says where to go on in its query is not there without it.
            good = {404} if path.endswith("/earlier") else {200, 303}
            assert reply.status in good, (path, reply.status, reply.text[:300])
            check_policy(path, reply.text, reply.headers)
            assert reply.headers["cache-control"] == "no-store", path
        assert await house.contents() == before


def check_policy(path: str, html: str, headers: Any) -> None:
    """The headers are all there, and the page needs nothing they forbid."""
    for name, value in CONSOLE_HEADERS:
        if not (path.endswith("/preview") and name == b"content-security-policy"):  # frames the widget
            assert headers[name.decode()] == value.decode(), (path, name)
    directives = set(headers["content-security-policy"].split("; "))
    assert {"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"} <= directives
    assert {"base-uri 'none'", "form-action 'self'"} <= directives
    assert "unsafe" not in headers["content-security-policy"]
    for forbidden in (
        r"<script(?![^>]*\ssrc=)",
        r"<style",
        r"\sstyle=",
        r"\son[a-z]+=",
        r"javascript:",
        r'(?:src|action)="https?://',
    ):
        around = [html[max(0, found.start() - 80) : found.end() + 80] for found in re.finditer(forbidden, html)]
        assert around == [], path


@pytest.mark.parametrize(
    "path", ["/console/nothing", "/console/members/nothing", "/console/x/y/z", "/console/keys/%00"]
)
async def test_what_is_not_there_is_a_page_that_says_so(house: House, path: str) -> None:
    async with signed_in(house.stage, "Ada Test", Role.ADMIN) as ada:
        reply = await ada.get(path)
        assert (reply.status, "There is nothing here" in reply.text) == (404, True)
        assert 'href="/console/desk"' in reply.text  # a way back
        check_policy(path, reply.text, reply.headers)
    async with house.nobody() as nobody:
        reply = await nobody.get("/console/nothing<script>alert(1)</script>")
        assert reply.status == 404
        assert "<script>" not in reply.text
        check_policy(path, reply.text, reply.headers)


async def test_refusals_keep_the_headers_too(house: House) -> None:
    async with signed_in(house.stage, "Ada Test", Role.AGENT) as agent, house.nobody() as nobody:
        for reply in (
            await agent.get("/console/keys"),
            await agent.post("/console/account/name", {"csrf": ""}),
            await agent.post("/console/account/name", {"name": ""}),
            await agent.post("/console/account/name", {"name": "x" * 70_000}),
            await nobody.get("/console/keys"),
            await nobody.post("/console/sign-in", {"email": "a", "password": "b"}),
        ):
            assert reply.status in {303, 400, 401, 403, 413}
            check_policy("refusal", reply.text, reply.headers)


@pytest.mark.parametrize(
    "query", ["q=%00", "q=%25&before=%00", "before=%00", "q=%ff%fe", "before=x&before=y", "q=" + "a" * 3_000]
)
async def test_a_hostile_query_is_no_failure(shared_house: Stage, query: str) -> None:
    async with guest(shared_house) as stage, signed_in(stage, "Ada Test", Role.ADMIN) as ada:
        for path in ("/console/audit", "/console/conversations", "/console/contacts"):
            assert (await ada.get(f"{path}?{query}")).status in {200, 400, 404}, path
        for path in ("/console/members/a%00b", "/console/keys/%00", "/console/conversations/%00"):
            assert (await ada.get(path)).status == 404, path
        refused = await ada.post("/console/members", {"email": "a\x00@b.example", "name": "A", "password": "x\x00" * 9})
        assert refused.status == 400


def test_the_tables_that_must_not_change_are_looked_at() -> None:
    looked_at = {table.name for table in metadata.sorted_tables} - MOVING
    assert {members.name, sessions.name, api_keys.name, audit.name, contacts.name, "events"} <= looked_at
    assert conversation_index.name in MOVING  # follows the events, which are looked at
