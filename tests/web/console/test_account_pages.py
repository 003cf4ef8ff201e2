"""Members, keys, the own account and the audit log, as an administrator meets them."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from urllib.parse import urlencode

import pytest
import pytest_asyncio
import sqlalchemy as sa
from tests.support.node import Stage, guest, staged
from tests.support.pair import StorePair
from tests.web.console.desk_agent import PASSWORD, Agent, signed_in

from warmline.accounts import audit as log
from warmline.accounts.access import KEY_SCOPES, SYSTEM
from warmline.accounts.model import Role
from warmline.accounts.tables import audit
from warmline.kernel.clock import DAY, MINUTE
from warmline.kernel.ids import uuid7

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\"'><svg onload=alert(1)>",
    "' autofocus onfocus='alert(1)",
    "{{ 7*7 }}{% raw %}",
    "javascript:alert(1)//",
    "</textarea></title><b>bold",
    "<!--#exec--><b>&amp;&#60;i&#62;",
]
_TOKEN = re.compile(r"wlk_[0-9a-f]{8}_[A-Za-z0-9_-]{43}")


@pytest_asyncio.fixture(loop_scope="module")
async def stage(shared_house: Stage) -> AsyncIterator[Stage]:
    async with guest(shared_house) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def ada(stage: Stage) -> AsyncIterator[Agent]:
    async with signed_in(stage, "Ada Boss", Role.ADMIN) as agent:
        yield agent


@pytest.fixture
async def own_stage(pair: StorePair) -> AsyncIterator[Stage]:
    """A node with one administrator, whose log nobody else writes."""
    async with staged(pair) as opened:
        yield opened


@pytest.fixture
async def own_ada(own_stage: Stage) -> AsyncIterator[Agent]:
    async with signed_in(own_stage, "Ada Boss", Role.ADMIN) as agent:
        yield agent


def check_is_text(page: str, words: str) -> None:
    """The words are on the page, and only as text."""
    shown = {html.unescape(part).strip() for part in re.findall(r">([^<>]+)<", page)}
    assert any(words in part for part in shown), words
    if re.search("[<>\"']", words):
        assert words not in page
    assert "49" not in re.findall(r">\s*(\d+)\s*<", page)


@pytest.mark.parametrize("words", HOSTILE)
async def test_names_are_text_wherever_they_stand(shared_sqlite_house: Stage, words: str) -> None:
    email = f"x-{uuid7()}@desk.example"
    async with guest(shared_sqlite_house) as stage, signed_in(stage, "Ada Boss", Role.ADMIN) as ada:
        made = await ada.post(
            "/console/members",
            {"name": words, "email": email, "password": PASSWORD, "role": "agent"},
        )
        assert made.status == 303
        assert (await ada.post("/console/account/name", {"name": words})).status == 303
        shown = await ada.post("/console/keys", {"label": words, "scopes": "audit:read", "lifetime": "0"})
        assert shown.status == 201
        [member] = [m for m in await stage.node.accounts.list_members(SYSTEM) if m.email == email]
        [key] = [k for k in await stage.node.api_keys.list_keys(SYSTEM, kind="v1") if k.label == words]
        check_is_text(shown.text, words)
        for path in (
            "/console/members",
            f"/console/members/{member.id}",
            "/console/keys",
            f"/console/keys/{key.id}",
            "/console/account",
            "/console/audit",
        ):
            check_is_text((await ada.get(path)).text, words)
        refused = await ada.post("/console/members", {"name": words, "email": words, "password": "", "role": words})
        assert refused.status == 400
        assert words not in refused.text or not re.search("[<>\"']", words)
        searched = (await ada.get(f"/console/audit?{urlencode({'q': words})}")).text
        assert words not in searched or not re.search("[<>\"']", words)


async def test_a_key_lives_from_its_making_to_its_end(stage: Stage, ada: Agent) -> None:
    new = await ada.get("/console/keys/new")
    assert all(f'value="{scope}"' in new.text for scope in KEY_SCOPES)
    assert "members:write" not in new.text

    shown = await ada.post("/console/keys", {"label": "Reports", "scopes": "conversations:read", "lifetime": "30"})
    assert shown.status == 201
    assert shown.headers["cache-control"] == "no-store"
    token = _TOKEN.findall(shown.text)[0]
    assert await call(stage, token) == 200
    [key] = [k for k in await stage.node.api_keys.list_keys(SYSTEM, kind="v1") if k.label == "Reports"]
    assert key.scopes == {"conversations:read"}
    assert key.expires_at
    # The end is counted from the form, the beginning is when the key was stored: moments apart.
    assert 0 <= key.created_at + 30 * DAY - key.expires_at < MINUTE

    page = f"/console/keys/{key.id}"
    for path in ("/console/keys", page, "/console/audit"):
        text = (await ada.get(path)).text
        assert token not in text
        assert not _TOKEN.search(text)
    assert key.prefix in (await ada.get("/console/keys")).text

    bad = await ada.post(f"{page}/rotate", {"overlap": "12345"})
    assert (bad.status, "Choose one of the given answers." in bad.text) == (400, True)
    rotated = await ada.post(f"{page}/rotate", {"overlap": "3600"})
    assert rotated.status == 201
    successor = _TOKEN.findall(rotated.text)[0]
    assert successor != token
    assert "for as long as the old one was made" in rotated.text
    assert [await call(stage, t) for t in (token, successor)] == [200, 200]

    assert "is revoked" in await ada.flash(await ada.post(f"{page}/revoke"))
    assert [await call(stage, t) for t in (token, successor)] == [401, 200]
    assert "/revoke" not in (await ada.get(page)).text
    dead = await ada.post(f"{page}/rotate", {"overlap": "0"})
    assert (dead.status, "not live any more" in dead.text) == (409, True)


async def call(stage: Stage, token: str) -> int:
    url = f"{stage.base}/api/v1/conversations"
    async with stage.http.get(url, headers={"authorization": f"Bearer {token}"}) as answer:
        return answer.status


async def test_a_key_form_that_is_refused_says_why_and_keeps_the_words(stage: Stage, ada: Agent) -> None:
    before = len(await stage.node.api_keys.list_keys(SYSTEM))
    for fields, sentence in (
        ({"label": "Kept words"}, "Choose at least one scope."),
        ({"label": "", "scopes": "audit:read"}, "This cannot be empty."),
        ({"label": "Kept words", "scopes": "members:write"}, "There is no scope"),
        ({"label": "Kept words", "scopes": "audit:read", "lifetime": "31"}, "Choose one of the given answers."),
    ):
        reply = await ada.post("/console/keys", fields)
        assert (reply.status, sentence in reply.text) == (400, True), fields
        assert f'value="{fields["label"]}"' in reply.text or not fields["label"]
    assert len(await stage.node.api_keys.list_keys(SYSTEM)) == before


async def test_members_are_added_changed_and_disabled(own_stage: Stage, own_ada: Agent) -> None:
    stage, ada = own_stage, own_ada
    fields = {"name": "Jon Tallis", "email": "Jon@Desk.example", "password": PASSWORD, "role": "lead"}
    assert "is added" in await ada.flash(await ada.post("/console/members", fields))
    again = await ada.post("/console/members", fields | {"email": "JON@desk.example"})
    assert (again.status, "exists already" in again.text) == (409, True)
    assert PASSWORD not in again.text
    wrong = await ada.post("/console/members", fields | {"email": "k@desk.example", "role": "owner"})
    assert (wrong.status, "Choose a role." in wrong.text) == (400, True)
    [jon] = [m for m in await stage.node.accounts.list_members(SYSTEM) if m.email == "jon@desk.example"]
    page = f"/console/members/{jon.id}"
    assert "role is changed" in await ada.flash(await ada.post(f"{page}/role", {"role": "agent"}))
    assert "is disabled" in await ada.flash(await ada.post(f"{page}/enabled", {"enabled": "no"}))
    assert "Let them sign in again" in (await ada.get(page)).text
    assert "can sign in again" in await ada.flash(await ada.post(f"{page}/enabled", {"enabled": "yes"}))

    own = f"/console/members/{ada.id}"
    for path, change in ((f"{own}/role", {"role": "lead"}), (f"{own}/enabled", {"enabled": "no"})):
        last = await ada.post(path, change)
        assert (last.status, "At least one administrator must remain." in last.text) == (409, True)
    assert (await ada.get("/console/keys")).status == 200


async def test_a_lead_sees_members_and_may_not_change_them(stage: Stage, ada: Agent) -> None:
    async with signed_in(stage, "Lea Lead", Role.LEAD) as lea:
        page = (await lea.get("/console/members")).text
        assert "Ada Boss" in page
        assert "Add member" not in page
        assert f"/console/members/{ada.id}" not in page
        assert "/console/keys" not in page


async def test_the_own_password_and_browsers(stage: Stage, ada: Agent) -> None:
    wrong = await ada.post("/console/account/password", {"current": "wrong", "password": "quite another password"})
    assert (wrong.status, "not your current password" in wrong.text) == (400, True)
    assert "quite another password" not in wrong.text
    elsewhere, token = await stage.node.accounts.sign_in(
        ada.email, PASSWORD, address="203.0.113.9", user_agent="<b>Old phone</b>"
    )
    listed = (await ada.get("/console/account")).text
    assert "&lt;b&gt;Old phone" in listed
    assert elsewhere.session.token_hash not in listed
    changed = await ada.post("/console/account/password", {"current": PASSWORD, "password": "quite another password"})
    assert "password is changed" in await ada.flash(changed)
    assert await stage.node.accounts.find_session(token) is None
    for _ in range(5):
        wrong = await ada.post("/console/account/password", {"current": "wrong", "password": "quite another password"})
        assert wrong.status == 400
    stopped = await ada.post("/console/account/password", {"current": "wrong", "password": "quite another password"})
    assert (stopped.status, "Too many attempts" in stopped.text) == (429, True)


async def test_the_audit_log_is_searched_paged_and_checked(own_stage: Stage, own_ada: Agent) -> None:
    stage, ada = own_stage, own_ada
    journal = stage.node.journal

    def write(conn: sa.Connection) -> None:
        for number in range(120):
            log.record(
                conn,
                node=journal.node_id,
                at=stage.node.clock.now(),
                actor="system",
                action="thing.tried",
                object_kind="thing",
                object_id=f"thing-{number:04d}",
            )

    await journal.write(write)
    seen: list[str] = []
    path = "/console/audit?q=THING.tried"
    for size in (50, 50, 20):
        page = (await ada.get(path)).text
        found = re.findall(r'title="(thing-\d{4})"', page)
        assert len(found) == size
        seen += found
        older = re.search(r'href="(/console/audit\?[^"]*before=[^"]+)"', page)
        assert bool(older) == (size == 50)
        path = html.unescape(older[1]) if older else path
    assert seen == [f"thing-{number:04d}" for number in reversed(range(120))]
    one = (await ada.get("/console/audit?q=thing-0007")).text
    assert re.findall(r'title="(thing-\d{4})"', one) == ["thing-0007"]
    nothing = (await ada.get("/console/audit?q=%25%22%3Cb%3E")).text
    assert "Nothing found" in nothing
    assert "<b>" not in nothing
    assert "Ada Boss" in (await ada.get("/console/audit?q=session.started")).text

    assert "Every row continues the one before it, and the anchors" in (await ada.get("/console/audit/check")).text
    await journal.write(
        lambda conn: conn.execute(sa.update(audit).where(audit.c.object_id == "thing-0050").values(actor="key:x"))
    )
    broken = (await ada.get("/console/audit/check")).text
    assert "The chain is broken" in broken
    assert "the row was changed" in broken
