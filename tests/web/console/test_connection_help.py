"""What the console says about a connection besides its form: queues, help, the file for its maintainer, its failures."""

from __future__ import annotations

import contextlib
import html
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec
from tests.support.journey import connect
from tests.support.node import Stage, guest
from tests.web.console.person import Person, signed_in

from warmline.accounts.access import SYSTEM
from warmline.conformance.rigs.dixa import DixaRig
from warmline.handover.diagnostics import Diagnostics
from warmline.handover.port import Health

PAGES = "/console/connections"


@contextlib.asynccontextmanager
async def dixa(house: Stage) -> AsyncIterator[tuple[Stage, DixaRig, str, Person]]:
    """A guest with a Dixa, and an administrator who looks."""
    async with DixaRig.running() as rig, guest(house) as stage, signed_in(stage) as admin:
        connection_id = await connect(stage, "dixa", dict(rig.settings), rig.payload)
        yield stage, rig, connection_id, admin


def _fails(stage: Stage, connection_id: str) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        health = stage.node.connections.get(connection_id).health
        return health is not None and not health.ok

    return look


async def test_queues_are_listed_searched_and_their_ids_copied(shared_house: Stage) -> None:
    async with dixa(shared_house) as (_stage, rig, connection_id, admin):
        page = (await admin.get(f"{PAGES}/{connection_id}/queues")).text
        for queue in rig.vendor.queues:
            assert queue.name in page
            assert queue.id in page
        found = (await admin.get(f"{PAGES}/{connection_id}/queues?q=bill")).text
        assert "Billing" in found
        assert "Night shift" not in found
        nothing = (await admin.get(f"{PAGES}/{connection_id}/queues?q=%3Cb%3E")).text
        assert "Nothing found" in nothing
        assert "“<b>”" not in nothing
        await admin.post(f"{PAGES}/{connection_id}/enabled", ("enabled", "no"))
        off = (await admin.get(f"{PAGES}/{connection_id}/queues")).text
        assert "did not tell its queues" in off


async def test_a_desk_without_queues_has_no_page_for_them(shared_house: Stage) -> None:
    async with guest(shared_house) as stage, signed_in(stage) as admin:
        page = (await admin.get(f"{PAGES}/{stage.desk_id}")).text
        assert "/queues" not in page


async def test_the_report_holds_what_went_wrong_and_nothing_that_was_said(shared_house: Stage) -> None:
    async with dixa(shared_house) as (stage, rig, connection_id, admin):
        await rig.subscribe(f"{stage.base}/in/{connection_id}")
        conversation = await stage.visit()
        await stage.say(conversation, "my card number is 4111")
        await stage.say(conversation, "talk to a person")
        talk = await rig.until_waiting()
        await rig.joins(talk)
        await rig.says(talk, "a secret answer")
        await stage.until_said(conversation, "agent", bool)
        answer = await admin.get(f"{PAGES}/{connection_id}/report.json")
        assert answer.disposition.startswith("attachment")
        report = msgspec.json.decode(answer.text, type=Diagnostics)
        assert report.desk["key"] == "dixa"
        assert [one["conversation_id"] for one in report.threads["latest"]] == [conversation]
        assert report.reports["by_state"]["done"] >= 2
        assert report.ladders == [{"widget": stage.widget_id, "rung": 1, "of": 2, "payload": True}]
        for hidden in ("4111", "secret answer", rig.vendor.token, rig.vendor.secret, rig.vendor.agents[0].name):
            assert hidden not in answer.text
        page = html.unescape((await admin.get(f"{PAGES}/{connection_id}/help")).text)
        assert report.send_to in page
        assert conversation in page


async def test_a_failure_is_told_on_every_page_until_somebody_knows(shared_house: Stage) -> None:
    async with dixa(shared_house) as (stage, rig, connection_id, admin):
        connections = stage.node.connections
        name = connections.get(connection_id).name
        told = f'<strong dir="auto">{name}</strong> fails'
        await admin.post(f"{PAGES}/{connection_id}/check")
        assert told not in (await admin.get("/console/widgets")).text
        await connections.update(SYSTEM, connection_id, settings={"api_token": "expired"})
        conversation = await stage.visit()
        await stage.say(conversation, "talk to a person")
        await stage.until(conversation, lambda s: s.handover and s.handover.rung == 1)
        await stage.until_true(_fails(stage, connection_id), "the refused credential is noted")
        page = (await admin.get("/console/widgets")).text
        assert told in page
        assert "credentials" in page
        await connections.note_health(connection_id, Health(ok=False, sentence="In other words."))
        await admin.post(f"{PAGES}/{connection_id}/seen")
        assert told not in (await admin.get("/console/widgets")).text
        await connections.note_health(connection_id, Health(ok=False, sentence="And others still."))
        assert told not in (await admin.get("/console/widgets")).text
        await connections.update(SYSTEM, connection_id, settings={"api_token": rig.vendor.token})
        await admin.post(f"{PAGES}/{connection_id}/check")
        await connections.note_health(connection_id, Health(ok=False, sentence="Again."))
        assert told in (await admin.get("/console/widgets")).text


async def test_a_payload_is_previewed_with_a_real_conversation(shared_house: Stage) -> None:
    async with dixa(shared_house) as (stage, rig, connection_id, admin):
        conversation = await stage.visit()
        await stage.frame(conversation, frame="contact", name="Ada", email="ada@shop.example", phone="", text="")
        edit = f"/console/widgets/{stage.widget_id}/edit"
        fields = [
            ("name", "Shop"),
            ("bot_id", stage.bot_id),
            ("origins", ""),
            ("ladder[0].connection_id", connection_id),
            ("ladder[0].payload", rig.payload),
            ("ladder[0].preview_of", conversation),
            ("do", "preview-0"),
        ]
        page = html.unescape((await admin.post(edit, *fields)).text)
        assert '"email": "ada@shop.example"' in page
        broken = [(name, value.replace("tags", "tugs")) for name, value in fields]
        page = html.unescape((await admin.post(edit, *broken)).text)
        assert "Line 1, column" in page
        assert '"email": "ada@shop.example"' not in page
