"""Connections, widgets, keys, bots, contacts and parked messages through the API."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.support.node import Stage, staged
from tests.support.pair import StorePair
from tests.web.api.asking import Client, client, client_with, connect

from warmline.conversations.tables import widgets

NOBODY = "00000000-0000-7000-8000-000000000000"


async def test_a_connection_is_made_changed_tried_and_taken_out_of_use(pair: StorePair) -> None:
    async with staged(pair) as stage:
        api = client(stage)
        kinds = {kind["key"]: kind for kind in (await api.get("/connections/kinds"))["items"]}
        assert {"customcrm", "builtin"} <= set(kinds)
        fields = {field["name"]: field for field in kinds["customcrm"]["fields"]}
        assert (fields["webhook_url"]["required"], fields["signing_secret"]["generated"]) == (True, True)

        wanted: dict[str, Any] = {
            "kind": "customcrm",
            "name": "Second CRM",
            "settings": {"webhook_url": stage.crm.url, "profile": "rich"},
            "bot_ids": [stage.bot_id],
        }
        made = await api.ask("POST", "/connections", wanted, repeat="second")
        assert made.status == 201, made
        again = await api.ask("POST", "/connections", wanted, repeat="second")
        assert (again.status, again.body) == (201, made.body)
        secret = made.body["secrets"]["signing_secret"]
        connection = made.body["connection"]["id"]
        shown = await api.get(f"/connections/{connection}")
        assert shown["settings"]["profile"] == "rich"
        assert secret not in str(shown)
        assert secret not in str(await api.get("/connections"))
        assert len((await api.get("/connections"))["items"]) == 3

        for change, path in (
            ({"kind": "nothing"}, "$.kind"),
            ({"settings": {}}, "$.settings.webhook_url"),
            ({"settings": {"webhook_url": "ftp://x"}}, "$.settings.webhook_url"),
            ({"settings": {"webhook_url": stage.crm.url, "signing_secret": "mine"}}, "$.settings.signing_secret"),
            ({"settings": {"webhook_url": stage.crm.url, "nothing": 1}}, "$.settings.nothing"),
            ({"bot_ids": ["x"]}, "$.bot_ids[0]"),
            ({"name": ""}, "$.name"),
        ):
            refused = await api.ask("POST", "/connections", wanted | change)
            assert (refused.status, refused.body["path"]) == (400, path), refused

        changed = await api.ask("PATCH", f"/connections/{connection}", {"settings": {"profile": "exact"}})
        assert changed.body["settings"]["webhook_url"] == stage.crm.url
        assert changed.body["settings"]["profile"] == "exact"
        health = await api.post(f"/connections/{connection}/check")
        assert (await api.get(f"/connections/{connection}"))["health"]["sentence"] == health["sentence"]
        assert (await api.post(f"/connections/{connection}/disable"))["enabled"] is False
        (await api.ask("POST", f"/connections/{connection}/check")).problem(409, "connection_disabled")
        assert (await api.post(f"/connections/{connection}/enable"))["enabled"] is True
        rotated = await api.post(f"/connections/{connection}/secrets/signing_secret/rotate", {"overlap_s": 60})
        assert rotated["secrets"]["signing_secret"] not in {secret, ""}
        refused = await api.ask("POST", f"/connections/{connection}/secrets/other/rotate", {})
        refused.problem(400, "unknown_setting")
        (await api.ask("GET", f"/connections/{NOBODY}")).problem(404, "connection_not_found")


async def test_the_keys_of_a_connection_open_its_wire(pair: StorePair) -> None:
    async with staged(pair) as stage:
        api = client(stage)
        path = f"/connections/{stage.connection_id}/keys"
        conversation = await stage.visit()

        async def opens(token: str) -> bool:
            status, _ = await stage.report(conversation, "escalationFailed", headers={"Authorization": token})
            return status != 401

        made = await api.post(path, {"label": "Backup"})
        assert await opens(made["token"])
        assert (await Client(stage, made["token"]).ask("GET", "/bots")).status == 401
        rotated = await api.post(f"{path}/{made['key']['id']}/rotate", {"overlap_s": 0})
        assert (await opens(made["token"]), await opens(rotated["token"])) == (False, True)
        (await api.ask("POST", f"{path}/{made['key']['id']}/rotate", {})).problem(409, "key_not_live")
        assert (await api.ask("DELETE", f"{path}/{rotated['key']['id']}")).status == 204
        assert not await opens(rotated["token"])
        listed = {key["id"]: key["state"] for key in (await api.get(path))["items"]}
        assert (listed[made["key"]["id"]], listed[rotated["key"]["id"]]) == ("revoked", "revoked")
        # A key is found only below its own connection, and never among the keys of this API.
        other = f"/connections/{stage.desk_id}/keys/{rotated['key']['id']}"
        (await api.ask("DELETE", other)).problem(404, "not_found")
        (await api.ask("GET", f"/keys/{rotated['key']['id']}")).problem(404, "not_found")


async def test_keys_are_made_within_the_makers_own_powers(pair: StorePair) -> None:
    async with staged(pair) as stage:
        maker = await client_with(stage, "keys:read", "keys:write", "widgets:read")
        wanted = {"label": "Reader", "scopes": ["widgets:read"], "expires_at": "2999-01-01T00:00:00Z"}
        made = await maker.post("/keys", wanted, repeat="reader")
        assert (await maker.post("/keys", wanted, repeat="reader")) == made
        reader = Client(stage, made["token"])
        assert (await reader.ask("GET", "/bots")).status == 200
        (await maker.ask("POST", "/keys", {**wanted, "scopes": ["audit:read"]})).problem(403, "scope_missing")
        (await maker.ask("POST", "/keys", {**wanted, "scopes": ["nothing"]})).problem(400, "scope_unknown")
        (await maker.ask("POST", "/keys", {**wanted, "scopes": []})).problem(400, "invalid")
        past = await maker.ask("POST", "/keys", {**wanted, "expires_at": "2001-01-01T00:00:00Z"})
        past.problem(400, "expiry_past")
        nonsense = await maker.ask("POST", "/keys", {**wanted, "expires_at": "tomorrow"})
        assert nonsense.problem(400, "date_time")["path"] == "$.expires_at"

        rotated = await maker.post(f"/keys/{made['key']['id']}/rotate", {"overlap_s": 3600})
        assert (await reader.ask("GET", "/bots")).status == 200
        assert (await Client(stage, rotated["token"]).ask("GET", "/bots")).status == 200
        assert (await maker.get(f"/keys/{made['key']['id']}"))["state"] == "expiring"
        assert rotated["key"]["expires_at"] > made["key"]["expires_at"]  # as long as the old one, from now
        assert made["token"] not in str(await maker.get("/keys"))
        seen: list[str] = []
        cursor = ""
        while True:
            page = await maker.get(f"/keys?limit=1{cursor}")
            seen += [key["id"] for key in page["items"]]
            if page["next_cursor"] is None:
                break
            cursor = f"&cursor={page['next_cursor']}"
        assert seen == sorted(seen, reverse=True)
        assert {made["key"]["id"], rotated["key"]["id"]} <= set(seen)


async def test_a_widget_takes_files_from_its_beginning_or_once_somebody_says_so(pair: StorePair) -> None:
    async with staged(pair) as stage:
        api = client(stage)

        async def takes_files(look: dict[str, Any] | None = None) -> bool:
            address = f"/widgets/{made['id']}"
            shown = (
                await api.ask("PATCH", address, {"look": look}) if look is not None else await api.ask("GET", address)
            )
            assert shown.status == 200, shown
            return bool(shown.body["look"]["attachments"])

        made = await api.post("/widgets", {"name": "Shop", "bot_id": stage.bot_id, "look": {"title": "Lamps"}})
        assert await takes_files()
        # As it is stored where there were no files yet.
        older = widgets.update().where(widgets.c.id == made["id"]).values(look='{"title":"Lamps"}')
        await stage.node.journal.write(lambda conn: conn.execute(older))
        assert not await takes_files()
        assert not await takes_files({"title": "More lamps"}), "nobody has said so"
        assert await takes_files({"title": "More lamps", "attachments": True})
        assert await takes_files({"title": "Lamps"})
        assert not await takes_files({"attachments": False})


async def test_a_widget_is_made_changed_and_switched_off(pair: StorePair) -> None:
    async with staged(pair) as stage:
        api = client(stage)
        wanted: dict[str, Any] = {
            "name": "Shop",
            "bot_id": stage.bot_id,
            "allowed_origins": ["https://shop.example:443/", "https://shop.example"],
            "ladder": [{"connection_id": stage.desk_id, "text": "Hold on.", "answer_within_s": 20}],
            "look": {"title": "Lamps", "accent": "#2f6f5e"},
        }
        made = await api.post("/widgets", wanted, repeat="shop")
        assert (await api.post("/widgets", wanted, repeat="shop"))["id"] == made["id"]
        assert made["allowed_origins"] == ["https://shop.example"]
        assert f'data-widget="{made["id"]}"' in made["embed_html"]
        assert made["ladder"][0]["answer_within_s"] == 20
        for change, path in (
            ({"bot_id": "0" * 24}, "$.bot_id"),
            ({"ladder": [{"connection_id": NOBODY}]}, "$.ladder[0].connection_id"),
            ({"allowed_origins": ["https://shop.example/path"]}, "$.allowed_origins[0]"),
            ({"look": {"accent": "red"}}, "$.look.accent"),
            ({"name": "\u0000"}, "$.name"),
        ):
            refused = await api.ask("POST", "/widgets", wanted | change)
            assert (refused.status, refused.body["path"]) == (400, path), refused
            refused = await api.ask("PATCH", f"/widgets/{made['id']}", change)
            assert (refused.status, refused.body["path"]) == (400, path), refused
        changed = await api.ask("PATCH", f"/widgets/{made['id']}", {"name": "Shop 2"})
        assert (changed.body["name"], changed.body["look"]["title"]) == ("Shop 2", "Lamps")
        assert (await api.post(f"/widgets/{made['id']}/disable"))["enabled"] is False
        async with stage.http.post(f"{stage.base}/widget/session", json={"widget_id": made["id"]}) as reply:
            assert reply.status == 404
        assert (await api.post(f"/widgets/{made['id']}/enable"))["enabled"] is True
        assert [one["id"] for one in (await api.get("/widgets?search=shop 2"))["items"]] == [made["id"]]
        (await api.ask("GET", f"/widgets/{NOBODY}")).problem(404, "not_found")


async def test_bots_are_read(sqlite_pair: StorePair) -> None:
    async with staged(sqlite_pair) as stage:
        api = client(stage)
        assert [bot["id"] for bot in (await api.get("/bots"))["items"]] == [stage.bot_id]
        assert "[" in (await api.get(f"/bots/{stage.bot_id}"))["script"]
        (await api.ask("GET", f"/bots/{'0' * 24}")).problem(404, "not_found")
        (await api.ask("GET", "/bots/x")).problem(404, "not_found")


async def test_a_contact_is_found_and_dealt_with(pair: StorePair) -> None:
    async with staged(pair) as stage:
        api = client(stage)
        conversation = await stage.visit()
        await stage.frame(conversation, frame="contact", name="Noor", email="noor@example.net", phone="", text="Call")
        contact = (await until_some(api, "/contacts"))[0]
        assert (contact["conversation_id"], contact["email"], contact["done_at"]) == (
            conversation,
            "noor@example.net",
            None,
        )
        assert (await api.ask("PATCH", f"/contacts/{contact['id']}", {"done": True})).status == 204
        done = (await api.get("/contacts?done=true"))["items"]
        assert [one["id"] for one in done] == [contact["id"]]
        assert done[0]["done_at"] is not None
        assert (await api.get("/contacts?done=false"))["items"] == []
        (await api.ask("PATCH", f"/contacts/{NOBODY}", {"done": True})).problem(404, "not_found")


async def until_some(api: Client, path: str) -> list[dict[str, Any]]:
    """The items of a list, once there are any: lists follow the journal by a moment."""
    async with asyncio.timeout(15):
        while True:
            items: list[dict[str, Any]] = (await api.get(path))["items"]
            if items:
                return items
            await asyncio.sleep(0.05)


async def park(stage: Stage, conversation: str, text: str) -> str:
    """A message that the CRM refuses; its id."""
    stage.crm.answers["widgetMessage"] = 422
    await stage.say(conversation, text)
    state = await stage.until(conversation, lambda state: len(state.parked) > 0)
    stage.crm.answers["widgetMessage"] = 200
    parked: str = state.parked[-1]
    return parked


async def test_a_parked_message_is_sent_again_once(pair: StorePair) -> None:
    async with staged(pair) as stage:
        api = client(stage)
        conversation = await stage.visit()
        await connect(stage, conversation)
        message = await park(stage, conversation, "Is it oak?")
        listed = (await api.get(f"/parked?connection_id={stage.connection_id}"))["items"]
        assert [(one["conversation_id"], one["message_id"]) for one in listed] == [(conversation, message)]
        assert listed[0]["reason"]
        assert (await api.get(f"/parked?connection_id={NOBODY}"))["items"] == []

        path = f"/parked/{conversation}/{message}/resend"
        stage.crm.answers["widgetMessage"] = 422
        (await api.ask("POST", path)).problem(502, "desk_refused")
        stage.crm.answers["widgetMessage"] = 200
        sent = await api.post(path)
        assert sent["resent_at"] is not None
        calls = stage.crm.of(conversation, "widgetMessage", accepted=True)
        assert len(calls) == 1
        assert "Is it oak?" in str(calls[0].body)
        (await api.ask("POST", path)).problem(409, "already_resent")
        assert (await api.get("/parked"))["items"] == []
        assert (await stage.state(conversation)).parked == ()
        (await api.ask("POST", f"/parked/{conversation}/{NOBODY}/resend")).problem(404, "not_found")
        (await api.ask("GET", "/parked?cursor=AAAA")).problem(400, "cursor")
