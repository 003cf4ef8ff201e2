"""A form with several faults says all of them at once: each at its field, and together above, with the way there."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tests.support.node import Stage, guest
from tests.web.console.person import Person, signed_in

Sent = tuple[tuple[str, str], ...]

CONNECTION: Sent = (
    ("kind", "customcrm"),
    ("submitted", "yes"),
    ("name", ""),
    ("settings.webhook_url", "ftp://x"),
    ("settings.profile", "other"),
    ("settings.timeout_s", "900"),
)
WIDGET: Sent = (
    ("do", "save"),
    ("updated_at", "0"),
    ("name", ""),
    ("bot_id", "none"),
    ("origins", "shop.example"),
    ("look.title", "x" * 121),
    ("look.bot_name", "x" * 121),
    ("look.accent", "red"),
    ("ladder[0].connection_id", "nowhere"),
    ("ladder[0].text", "x" * 501),
    ("ladder[0].idle_after_s", "soon"),
)
FORMS: dict[str, tuple[str, Sent, set[str]]] = {
    "member": (
        "/console/members",
        (("name", ""), ("email", "nobody"), ("password", "short"), ("role", "owner")),
        {"name", "email", "password", "role"},
    ),
    "key": ("/console/keys", (("label", ""), ("lifetime", "31")), {"label", "scopes", "lifetime"}),
    "bot": ("/console/bots", (("name", " "), ("script", "greeting = ")), {"name", "script"}),
    "connection": (
        "/console/connections",
        CONNECTION,
        {"name", "settings.webhook_url", "settings.profile", "settings.timeout_s"},
    ),
    "widget": (
        "/console/widgets",
        WIDGET,
        {name for name, _value in WIDGET} - {"do", "updated_at"},
    ),
}


@pytest_asyncio.fixture(loop_scope="module")
async def stage(shared_sqlite_house: Stage) -> AsyncIterator[Stage]:
    async with guest(shared_sqlite_house) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def admin(stage: Stage) -> AsyncIterator[Person]:
    async with signed_in(stage) as person:
        yield person


def check_summary(page: str, faults: int) -> set[str]:
    """The ids of the fields that the summary leads to; every one is there, marked, and described by its sentence."""
    found = re.search(r'<div class="flash bad error-summary"[^>]*>.*?</ul>', page, re.DOTALL)
    assert found, page
    assert 'tabindex="-1" autofocus' in found[0]
    assert f"{faults} things have to be put right" in found[0]
    assert found[0].count("<li>") == faults
    targets = re.findall(r'href="#([^"]+)"', found[0])
    assert len(targets) == faults, "every fault leads to its field"
    for target in targets:
        [field] = re.findall(rf'<(?:input|select|textarea|fieldset)[^>]* id="{re.escape(target)}"[^>]*>', page)
        assert 'aria-invalid="true"' in field
        assert f'aria-describedby="{target}-error' in field
        assert f'id="{target}-error"' in page
    assert "<title>Error: " in page
    return set(targets)


@pytest.mark.parametrize("name", FORMS)
async def test_all_faults_are_told_at_once(admin: Person, name: str) -> None:
    path, fields, wrong = FORMS[name]
    answer = await admin.post(path, *fields)
    assert answer.status == 400
    targets = check_summary(answer.text, len(wrong))
    names = set(re.findall(r'name="([^"]+)"', answer.text))
    assert {field for field in wrong if field in names} == wrong
    assert targets == {"field-" + re.sub(r"[.\[]", "-", field.replace("]", "")) for field in wrong}
    assert re.search(
        rf'<form[^>]* action="{path}"[^>]*novalidate|<form[^>]*novalidate[^>]* action="{path}"', answer.text
    )


async def test_one_fault_is_one(admin: Person) -> None:
    path, fields, _wrong = FORMS["member"]
    good = {"name": "Jon", "email": "jon@desk.example", "password": "short", "role": "agent"}
    answer = await admin.post(path, *(dict(fields) | good).items())
    assert "One thing has to be put right" in answer.text
    assert 'value="jon@desk.example"' in answer.text
    assert "short" not in html.unescape(answer.text).replace("shortcut", "")


async def test_a_changed_connection_and_bot_tell_all_as_well(stage: Stage, admin: Person) -> None:
    base = f"/console/connections/{stage.connection_id}"
    answer = await admin.post(f"{base}/settings", *CONNECTION)
    assert answer.status == 400
    check_summary(answer.text, 4)
    page = (await admin.get(f"/console/bots/{stage.bot_id}")).text
    [version] = re.findall(r'name="updated_at" value="(\d+)"', page)
    fields = (("updated_at", version), ("name", ""), ("script", "x"))
    answer = await admin.post(f"/console/bots/{stage.bot_id}", *fields)
    assert answer.status == 400
    check_summary(answer.text, 2)


async def test_a_page_without_faults_has_no_summary(admin: Person) -> None:
    for path in ("/console/members/new", "/console/keys/new", "/console/bots/new", "/console/widgets/new"):
        page = (await admin.get(path)).text
        assert "error-summary" not in page
        assert "<title>Error" not in page
