"""Widgets and bots in the console, over HTTP on a running server."""

from __future__ import annotations

import html
import re

import sqlalchemy as sa
from tests.support.node import Stage, guest, staged
from tests.support.pair import StorePair
from tests.web.console.person import signed_in

from warmline.accounts.model import Role
from warmline.accounts.tables import audit
from warmline.bots.script import default_script, parse_script

LIST = "/console/widgets"
BOTS = "/console/bots"
_VERSION = re.compile(r'name="updated_at" value="(\d+)"')


def filled(stage: Stage, *rungs: dict[str, str], **changes: str) -> list[tuple[str, str]]:
    """The widget's form; a rung is its fields by name."""
    values = {
        "do": "save",
        "updated_at": "0",
        "name": "Shop",
        "bot_id": stage.bot_id,
        "origins": "https://shop.example\n",
        "look.title": "Shop chat",
        "look.subtitle": "",
        "look.bot_name": "Shoppy",
        "look.language": "",
        "look.accent": "#1f6f5c",
    }
    fields = list((values | changes).items())
    for place, rung in enumerate(rungs):
        fields += [(f"ladder[{place}].{name}", value) for name, value in rung.items()]
    return fields


def rungs_of(page: str) -> list[str]:
    """The ids of the connections on the form's rungs, in order."""
    selects = re.findall(r'<select[^>]*name="ladder\[\d+\]\.connection_id".*?</select>', page, re.DOTALL)
    chosen = [re.search(r'value="([^"]+)" selected', select) for select in selects]
    return [found[1] if found else "" for found in chosen]


async def actions(stage: Stage, object_id: str) -> list[tuple[str, str]]:
    """Action and actor of every audit row about an object."""
    query = sa.select(audit.c.action, audit.c.actor).where(audit.c.object_id == object_id).order_by(audit.c.id)
    rows = await stage.node.journal.read(lambda conn: conn.execute(query).all())
    return [(row.action, row.actor.partition(":")[0]) for row in rows]


async def test_a_widget_is_made_with_two_rungs_and_their_deadlines(sqlite_pair: StorePair) -> None:
    async with staged(sqlite_pair) as stage, signed_in(stage) as admin:
        crm = {
            "connection_id": stage.connection_id,
            "text": "One moment.",
            "escalate_to": "billing",
            "answer_within_s": "45",
            "connect_within_s": "2.5",
            "lost_after_s": "",
            "idle_after_s": "90",
        }
        answer = await admin.post(LIST, *filled(stage, crm, {"connection_id": stage.desk_id, "text": "Still looking."}))
        page = html.unescape(await admin.follow(answer))
        widget = (await stage.node.widgets.list())[-1]
        assert (widget.name, widget.allowed_origins, widget.look.accent) == (
            "Shop",
            ("https://shop.example",),
            "#1f6f5c",
        )
        first, second = widget.ladder
        assert (first.answer_within_s, first.connect_within_s, first.lost_after_s, first.idle_after_s) == (
            45,
            150,
            None,
            5400,
        )
        assert (first.escalate_to, second.escalate_to) == ("billing", None)
        base = stage.node.settings.public_url
        assert f'<script src="{base}/widget/loader.js" data-widget="{widget.id}" async></script>' in page
        assert f"script-src {base}; frame-src {base};" in page
        edit = (await admin.get(f"{LIST}/{widget.id}/edit")).text
        assert rungs_of(edit) == [stage.connection_id, stage.desk_id]
        assert re.search(r'name="ladder\[0\]\.connect_within_s"[^>]*value="2.5"', edit)
        assert await actions(stage, widget.id) == [("widget.created", "member")]


async def test_every_wrong_line_of_the_origins_is_named(sqlite_pair: StorePair) -> None:
    async with staged(sqlite_pair) as stage, signed_in(stage) as admin:
        lines = "https://shop.example\n\nshop.example\nhttps://a.example/path"
        answer = await admin.post(LIST, *filled(stage, origins=lines))
        text = html.unescape(answer.text)
        assert answer.status == 400
        assert "Line 3 (“shop.example”)" in text
        assert "Line 4 (“https://a.example/path”)" in text
        assert "Line 1" not in text
        assert len(await stage.node.widgets.list()) == 1


async def test_faults_of_a_rung_stand_at_the_rung(sqlite_pair: StorePair) -> None:
    async with staged(sqlite_pair) as stage, signed_in(stage) as admin:
        good = {"connection_id": stage.desk_id}
        for rung, place in (
            ({"connection_id": stage.desk_id, "answer_within_s": "soon"}, "field-ladder-1-answer_within_s-error"),
            ({"connection_id": stage.desk_id, "idle_after_s": "-1"}, "field-ladder-1-idle_after_s-error"),
            ({"connection_id": stage.desk_id, "idle_after_s": "nan"}, "field-ladder-1-idle_after_s-error"),
            ({"connection_id": "nowhere"}, "field-ladder-1-connection_id-error"),
            ({"connection_id": stage.desk_id, "text": "x" * 501}, "field-ladder-1-text-error"),
        ):
            answer = await admin.post(LIST, *filled(stage, good, rung))
            assert answer.status == 400
            assert f'id="{place}"' in answer.text, place
        for changes in ({"name": ""}, {"look.accent": "red"}, {"bot_id": "0" * 24}):
            assert (await admin.post(LIST, *filled(stage, **changes))).status == 400
        assert len(await stage.node.widgets.list()) == 1


async def test_the_ladder_is_built_by_plain_posts_that_save_nothing(sqlite_pair: StorePair) -> None:
    async with staged(sqlite_pair) as stage, signed_in(stage) as admin:
        crm, desk = stage.connection_id, stage.desk_id
        rungs: list[dict[str, str]] = []
        for button, after in (
            ("add", [crm]),
            ("add", [crm, desk]),
            ("down-0", [desk, crm]),
            ("up-0", [desk, crm]),
            ("up-1", [crm, desk]),
            ("remove-0", [desk]),
            ("remove-7", [desk]),
            ("down-x", [desk]),
            ("remove-0", []),
        ):
            page = await admin.post(LIST, *filled(stage, *rungs, do=button, name="Half <typed>"))
            assert page.status == 200
            assert rungs_of(page.text) == after, button
            assert "Half &lt;typed&gt;" in page.text
            rungs = [{"connection_id": one} for one in after]
        assert len(await stage.node.widgets.list()) == 1


async def test_two_who_edit_at_once_do_not_undo_each_other(shared_sqlite_house: Stage) -> None:
    async with guest(shared_sqlite_house) as stage, signed_in(stage) as admin:
        path = f"{LIST}/{stage.widget_id}/edit"
        found = _VERSION.search((await admin.get(path)).text)
        assert found is not None
        await admin.follow(await admin.post(path, *filled(stage, name="First", updated_at=found[1])))
        stale = str(int(found[1]) - 1)
        late = await admin.post(path, *filled(stage, name="Second", updated_at=stale))
        assert late.status == 409
        assert "Somebody else has saved" in late.text
        assert (await stage.node.widgets.read(stage.widget_id)).name == "First"


async def test_a_widget_is_previewed_and_switched_off_and_on(shared_sqlite_house: Stage) -> None:
    async with guest(shared_sqlite_house) as stage, signed_in(stage) as admin:
        path = f"{LIST}/{stage.widget_id}"
        preview = await admin.get(f"{path}/preview")
        assert f'src="/widget/loader.js" data-widget="{stage.widget_id}"' in preview.text
        assert "frame-src 'self'" in preview.policy
        assert "unsafe" not in preview.policy
        off = await admin.follow(await admin.post(f"{path}/enabled", ("enabled", "no")))
        assert "This widget is off" in off
        async with stage.http.post(f"{stage.base}/widget/session", json={"widget_id": stage.widget_id}) as reply:
            assert reply.status == 404
        assert "This widget is off" in (await admin.get(f"{path}/preview")).text
        await admin.post(f"{path}/enabled", ("enabled", "yes"))
        assert await stage.visit()
        assert [name for name, _ in await actions(stage, stage.widget_id)] == [
            "widget.created",
            "widget.disabled",
            "widget.enabled",
        ]


async def test_a_script_is_changed_and_its_faults_name_line_or_field(shared_sqlite_house: Stage) -> None:
    async with guest(shared_sqlite_house) as stage, signed_in(stage) as admin:
        path = f"{BOTS}/{stage.bot_id}"

        async def submit(script: str) -> tuple[int, str]:
            found = _VERSION.search((await admin.get(path)).text)
            assert found is not None
            fields = (("name", "Shop bot"), ("script", script), ("updated_at", found[1]))
            answer = await admin.post(path, *fields)
            return answer.status, html.unescape(answer.text)

        status, text = await submit('greeting = "hi"\r\nlanguage = nope\r\n')
        assert status == 400
        assert "line 2" in text
        status, text = await submit('greeting = "hi"\r\n\r\n[[faq]]\r\nid = "a"\r\nanswer = "b"\r\n')
        assert "Question 1 (line 3): Give questions or keywords" in text
        status, text = await submit("greeting = 7")
        assert "greeting: Expected" in text
        assert (await stage.node.bots.get(stage.bot_id)).script == default_script()

        status, _ = await submit('greeting = "Welcome <i>in</i>"\r\n')
        assert status == 303
        assert (await stage.node.bots.get(stage.bot_id)).script == 'greeting = "Welcome <i>in</i>"\n'
        assert "Welcome &lt;i&gt;in&lt;/i&gt;" in (await admin.get(path)).text
        await admin.post(f"{path}/reset")
        assert (await stage.node.bots.get(stage.bot_id)).script == default_script()
        assert [name for name, _ in await actions(stage, stage.bot_id)] == ["bot.created", "bot.updated", "bot.updated"]


async def test_a_bot_is_added(sqlite_pair: StorePair) -> None:
    async with staged(sqlite_pair) as stage, signed_in(stage) as admin:
        assert "greeting" in (await admin.get(f"{BOTS}/new")).text
        answer = await admin.post(BOTS, ("name", "Second"), ("script", 'greeting = "hi"'))
        assert "Second" in await admin.follow(answer)
        listed = (await admin.get(f"{BOTS}?q=seco")).text
        assert "Second" in listed
        assert "Stage bot" not in listed
        assert (await admin.post(BOTS, ("name", ""), ("script", 'greeting = "hi"'))).status == 400


async def test_a_lead_reads_and_changes_nothing(shared_sqlite_house: Stage) -> None:
    async with guest(shared_sqlite_house) as stage:
        widget, bot = f"{LIST}/{stage.widget_id}", f"{BOTS}/{stage.bot_id}"
        async with signed_in(stage, Role.LEAD) as lead:
            for path in (LIST, widget, f"{widget}/preview", BOTS, bot):
                page = await lead.get(path)
                assert page.status == 200, path
                assert "Switch off" not in page.text
            for path in (f"{LIST}/new", f"{widget}/edit", f"{BOTS}/new"):
                assert (await lead.get(path)).status == 403, path
            for path in (LIST, f"{widget}/edit", f"{widget}/enabled", BOTS, bot, f"{bot}/reset"):
                assert (await lead.post(path, ("enabled", "no"))).status == 403, path
        async with signed_in(stage, Role.AGENT) as agent:
            for path in (LIST, widget, BOTS, bot):
                assert (await agent.get(path)).status == 403, path


def script_of(page: str) -> str:
    """What stands in the form's script."""
    [found] = re.findall(r"<textarea[^>]*>\n(.*?)</textarea>", page, re.DOTALL)
    return html.unescape(found)


async def test_a_new_bot_starts_empty_or_from_the_example(sqlite_pair: StorePair) -> None:
    async with staged(sqlite_pair) as stage, signed_in(stage) as admin:
        plain = (await admin.get(f"{BOTS}/new")).text
        assert 'href="/console/bots/new?from=empty" aria-current="page"' in plain
        empty = script_of(plain)
        assert script_of((await admin.get(f"{BOTS}/new?from=empty")).text) == empty
        assert script_of((await admin.get(f"{BOTS}/new?from=nonsense")).text) == empty
        example = (await admin.get(f"{BOTS}/new?from=example")).text
        assert script_of(example) == default_script()
        assert 'href="/console/bots/new?from=example" aria-current="page"' in example

        await admin.post(BOTS, ("name", "Mine"), ("script", empty.replace("\n", "\r\n")))
        [bot] = [one for one in await stage.node.bots.list() if one.name == "Mine"]
        _bot, _engine = await stage.node.bots.brain(bot.id)
        assert parse_script(bot.script).faq == ()

        # What is written as a comment is right as it stands.
        grown = empty.replace("# [[faq]]", "[[faq]]").replace("#\n[[faq]]", "[[faq]]")
        grown = re.sub(r"(?m)^# (id|questions|keywords|answer) =", r"\1 =", grown)
        assert [entry.id for entry in parse_script(grown).faq] == ["opening-hours"]
