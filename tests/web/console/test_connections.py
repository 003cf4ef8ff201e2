"""Connections in the console, over HTTP on a running server."""

from __future__ import annotations

import html
import re

import sqlalchemy as sa
from tests.support.node import Stage, guest, staged
from tests.support.pair import StorePair
from tests.web.console.person import Person, signed_in

from warmline.accounts.model import Role
from warmline.accounts.tables import audit
from warmline.simulators.registry import SIMULATORS

LIST = "/console/connections"
_SECRET = re.compile(r'id="secret-signing_secret"[^>]*><code>([^<]+)<')
_KEY = re.compile(r'id="new-key"[^>]*><code>([^<]+)<')


def settings(stage: Stage, **changes: str) -> list[tuple[str, str]]:
    """The custom CRM's form, filled in."""
    values = {
        "kind": "customcrm",
        "submitted": "yes",
        "name": "Billing CRM",
        "settings.webhook_url": stage.crm.url,
        "settings.profile": "exact",
        "settings.escalate_to": "",
        "settings.timeout_s": "5",
        "bot_ids": stage.bot_id,
    }
    return list((values | changes).items())


async def added(stage: Stage, person: Person) -> str:
    """Add a connection through the form; its id."""
    before = {one.id for one in stage.node.connections.list()}
    answer = await person.post(LIST, *settings(stage))
    assert answer.status == 201, answer.text
    (new,) = {one.id for one in stage.node.connections.list()} - before
    return new


async def actions(stage: Stage, object_id: str) -> list[str]:
    """What the audit log says was done to an object, in order."""
    query = sa.select(audit.c.action).where(audit.c.object_id == object_id).order_by(audit.c.id)
    return list(await stage.node.journal.read(lambda conn: conn.execute(query).scalars().all()))


async def test_whoever_has_no_account_is_told_of_the_simulator(shared_sqlite_house: Stage) -> None:
    async with guest(shared_sqlite_house) as stage, signed_in(stage) as admin:
        for kind in stage.node.connections.kinds:
            page = (await admin.get(f"{LIST}/new?kind={kind}")).text
            told = re.search(r'<p class="[^"]*" id="simulator">(.*?)</p>', page)
            assert (told is not None) == (kind in SIMULATORS), kind
            if told:
                assert f"<code>warmline simulate {kind}</code>" in told[1]
                assert f"WARMLINE_ALLOW_PRIVATE_TARGETS=127.0.0.1:{SIMULATORS[kind].port}<" in told[1]


async def test_the_form_of_the_kind_is_drawn_and_faults_stand_at_their_fields(sqlite_pair: StorePair) -> None:
    async with staged(sqlite_pair) as stage, signed_in(stage) as admin:
        choice = await admin.get(f"{LIST}/new")
        assert "Custom CRM" in choice.text
        page = (await admin.get(f"{LIST}/new?kind=customcrm")).text
        for label in ("Webhook address", "What is sent", "Ask whether the team is online", "Patience"):
            assert label in page
        assert "Signing secret" not in page  # the server makes it

        refused = await admin.post(LIST, *settings(stage, **{"settings.webhook_url": "ftp://<b>crm</b>"}))
        assert refused.status == 400
        assert 'id="field-settings-webhook_url-error"' in refused.text
        assert "ftp://<b>" not in refused.text
        assert "ftp://&lt;b&gt;crm" in refused.text

        range_ = await admin.post(LIST, *settings(stage, **{"settings.timeout_s": "900"}))
        assert 'id="field-settings-timeout_s-error"' in range_.text
        assert "between 1 and 10" in range_.text
        assert len(stage.node.connections.list()) == 2


async def test_a_made_connection_shows_its_secret_once(sqlite_pair: StorePair) -> None:
    async with staged(sqlite_pair) as stage, signed_in(stage) as admin:
        answer = await admin.post(LIST, *settings(stage))
        assert answer.status == 201
        found = _SECRET.search(answer.text)
        assert found is not None
        secret = html.unescape(found[1])
        assert secret.startswith("whsec_")
        new = stage.node.connections.list()[-1]
        for page in ("", "/settings", "/keys", "/parked"):
            shown = await admin.get(f"{LIST}/{new.id}{page}")
            assert shown.status == 200
            assert secret not in html.unescape(shown.text)
        overview = (await admin.get(f"{LIST}/{new.id}")).text
        assert f"{stage.node.settings.public_url}/agent/converse/send-message-to-widget" in overview
        assert stage.bot_id in overview
        assert await actions(stage, new.id) == ["connection.created"]


async def test_a_test_is_a_real_call_and_says_in_a_sentence_what_came_of_it(sqlite_pair: StorePair) -> None:
    async with staged(sqlite_pair) as stage, signed_in(stage) as admin:
        path = f"{LIST}/{stage.connection_id}/check"
        stage.crm.replies["isTeamOnline"] = {"isOnline": True}
        part = await admin.post(path, htmx=True)
        assert part.status == 200
        assert "<html" not in part.text
        assert "The webhook answers; the team is online." in part.text
        assert [call.event for call in stage.crm.calls] == ["isTeamOnline"]

        stage.crm.answers["isTeamOnline"] = 500
        part = await admin.post(path, htmx=True)
        assert "Failing" in part.text

        # Without scripts the page itself tells.
        page = await admin.follow(await admin.post(path))
        assert "Failing" in page
        listed = (await admin.get(f"{LIST}?state=failing")).text
        assert "Stage CRM" in listed
        assert "Our desk" not in listed
        assert "Our desk" in (await admin.get(f"{LIST}?q=OUR")).text


async def test_settings_change_and_a_switch_can_be_turned_off_again(shared_sqlite_house: Stage) -> None:
    async with guest(shared_sqlite_house) as stage, signed_in(stage) as admin:
        path = f"{LIST}/{stage.connection_id}/settings"
        on = settings(stage, **{"settings.team_online": "yes", "settings.escalate_to": "billing"})
        page = await admin.follow(await admin.post(path, *on))
        assert "Billing CRM" in page
        known = stage.node.connections.get(stage.connection_id)
        assert known.settings["team_online"] is True
        assert known.settings["escalate_to"] == "billing"
        assert re.search(r'name="settings.team_online"[^>]*checked', (await admin.get(path)).text)
        await admin.post(path, *settings(stage))
        assert stage.node.connections.get(stage.connection_id).settings["team_online"] is False


async def test_a_rotated_secret_signs_beside_the_old_one_until_it_ends(shared_sqlite_house: Stage) -> None:
    async with guest(shared_sqlite_house) as stage, signed_in(stage) as admin:
        base = f"{LIST}/{stage.connection_id}"
        answer = await admin.post(f"{base}/secrets/signing_secret/rotate", ("overlap", "3600"))
        assert answer.status == 201
        assert _SECRET.search(answer.text)
        await admin.post(f"{base}/check", htmx=True)
        assert stage.crm.calls[-1].headers["webhook-signature"].count("v1,") == 2
        await admin.post(f"{base}/secrets/signing_secret/rotate", ("overlap", "0"))
        await admin.post(f"{base}/check", htmx=True)
        assert stage.crm.calls[-1].headers["webhook-signature"].count("v1,") == 1
        wrong = await admin.post(f"{base}/secrets/signing_secret/rotate", ("overlap", "7"))
        assert wrong.status == 400


async def test_a_wire_key_lives_is_rotated_and_dies(shared_sqlite_house: Stage) -> None:
    async with guest(shared_sqlite_house) as stage, signed_in(stage) as admin:
        base = f"{LIST}/{stage.connection_id}/keys"
        made = await admin.post(base, ("label", "Zendesk <bridge>"))
        found = _KEY.search(made.text)
        assert made.status == 201
        assert found is not None
        first = found[1]
        listed = (await admin.get(base)).text
        assert "Zendesk &lt;bridge&gt;" in listed
        assert first not in listed
        key = stage.node.api_keys.authenticate(first, "wire")
        assert key.connection_id == stage.connection_id

        rotated = await admin.post(f"{base}/{key.id}/rotate", ("overlap", "3600"))
        second = _KEY.search(rotated.text)
        assert second is not None
        conversation = await stage.visit()
        for token in (first, second[1]):
            status, _ = await stage.report(conversation, "message", headers={"Authorization": token}, text="hi")
            assert status == 409  # let in, but nobody has been asked for

        assert "revoked" in await admin.follow(await admin.post(f"{base}/{key.id}/revoke"))
        status, _ = await stage.report(conversation, "message", headers={"Authorization": first}, text="hi")
        assert status == 401
        assert (await admin.post(base, ("label", " "))).status == 400
        elsewhere = await admin.get(f"{LIST}/{stage.desk_id}/keys/{key.id}")
        assert elsewhere.status == 404


async def test_a_switched_off_connection_says_so_and_cannot_be_tried(shared_sqlite_house: Stage) -> None:
    async with guest(shared_sqlite_house) as stage, signed_in(stage) as admin:
        base = f"{LIST}/{stage.connection_id}"
        page = await admin.follow(await admin.post(f"{base}/enabled", ("enabled", "no")))
        assert "This connection is off" in page
        tried = await admin.post(f"{base}/check", htmx=True)
        assert "This connection is disabled." in tried.text
        assert "Switch off" in await admin.follow(await admin.post(f"{base}/enabled", ("enabled", "yes")))
        assert await actions(stage, stage.connection_id) == [
            "connection.created",
            "connection.disabled",
            "connection.enabled",
        ]


async def test_a_parked_message_is_listed_and_sent_again(shared_sqlite_house: Stage) -> None:
    async with guest(shared_sqlite_house) as stage, signed_in(stage) as admin:
        conversation = await stage.visit()
        await stage.say(conversation, "Talk to a person")
        await stage.crm.until(conversation, "widgetEscalate")
        await stage.until_stage(conversation, "offered")
        await stage.report(conversation, "escalationSuccess", agent="Mina")
        stage.crm.answers["widgetMessage"] = 422
        await stage.say(conversation, "Are you there?")
        base = f"{LIST}/{stage.connection_id}/parked"
        state = await stage.until(conversation, lambda known: len(known.parked) == 1)
        page = (await admin.get(base)).text
        assert conversation in page
        path = f"{base}/{conversation}/{state.parked[0]}"
        refused = await admin.post(path, htmx=True)
        assert "Send again" in refused.text
        stage.crm.answers["widgetMessage"] = 200
        sent = await admin.post(path, htmx=True)
        assert "Sent again" in sent.text
        assert "Nothing waits" in (await admin.get(base)).text


async def test_a_lead_reads_an_agent_does_not(shared_sqlite_house: Stage) -> None:
    async with guest(shared_sqlite_house) as stage:
        one = f"{LIST}/{stage.connection_id}"
        async with signed_in(stage, Role.LEAD) as lead:
            for path in (LIST, one, f"{one}/keys", f"{one}/parked"):
                page = await lead.get(path)
                assert page.status == 200, path
                assert "Switch off" not in page.text
                assert "Make key" not in page.text
            assert (await lead.get(f"{LIST}/new")).status == 403
            assert (await lead.get(f"{one}/settings")).status == 403
            for path in (f"{one}/enabled", f"{one}/check", f"{one}/keys", f"{one}/settings", LIST):
                assert (await lead.post(path, ("enabled", "no"), ("label", "x"))).status == 403, path
        async with signed_in(stage, Role.AGENT) as agent:
            assert (await agent.get(LIST)).status == 403
        assert stage.node.connections.get(stage.connection_id).enabled


async def test_a_forged_form_changes_nothing(shared_sqlite_house: Stage) -> None:
    async with guest(shared_sqlite_house) as stage, signed_in(stage) as admin:
        admin.csrf = "guessed"
        answer = await admin.post(f"{LIST}/{stage.connection_id}/enabled", ("enabled", "no"))
        assert answer.status == 403
        assert stage.node.connections.get(stage.connection_id).enabled
        assert (await admin.get(f"{LIST}/nobody")).status == 404
