"""The API of Sunshine Conversations as a stranger's client meets it: keys, schemas, users, messages, files, set-up."""

from __future__ import annotations

import base64
from typing import Any

import aiohttp
import pytest
from tests.simulators.receiver import stranger
from tests.simulators.sunco_account import (
    KIM,
    NOBODY,
    app,
    by_business,
    by_user,
    calling,
    conversation,
)

from warmline.simulators.samples import picture
from warmline.simulators.sunco import Assumptions, SuncoSimulator

BAD = {"errors": [{"code": "bad_request", "title": "Bad request"}]}


def refused(code: str, title: str) -> dict[str, Any]:
    return {"errors": [{"code": code, "title": title}]}


# ------------------------------------------------------------------------------------------- credentials
@pytest.mark.parametrize("given", ["", "Bearer x", "Basic x", "Basic " + base64.b64encode(b"app_1:wrong").decode()])
async def test_only_the_key_is_accepted(given: str) -> None:
    async with (
        SuncoSimulator.running() as vendor,
        stranger(vendor.url, given) as me,
    ):
        answer = await me.ask("GET", f"{app(vendor)}/switchboards")
        assert answer == (401, refused("unauthorized", "Authorization is required"))
        assert vendor.calls[0].note


async def test_older_accounts_have_no_sc_in_their_paths_and_other_apps_are_not_found() -> None:
    async with SuncoSimulator.running() as vendor, calling(vendor) as me:
        me.base = vendor.url
        assert (await me.ask("GET", f"/v2/apps/{vendor.account.app_id}"))[0] == 200
        assert await me.ask("GET", f"/v2/apps/{NOBODY}") == (404, refused("app_not_found", "App not found"))
        assert await me.ask("GET", "/v2/oauth") == (404, refused("not_found", "Resource not found"))


async def test_an_integrations_own_key_may_do_less() -> None:
    async with SuncoSimulator.running(scope="integration") as vendor, calling(vendor) as me:
        one = await conversation(me)
        assert await me.ask("GET", "/switchboards") == (403, refused("forbidden", "Forbidden"))
        assert (await me.ask("GET", "/integrations"))[0] == 403
        mine = f"/integrations/{vendor.account.own.id}/webhooks"
        assert await me.good("GET", mine) == {"webhooks": []}
        other = next(key for key in vendor.account.integrations if key != vendor.account.own.id)
        assert (await me.ask("GET", f"/integrations/{other}/webhooks"))[0] == 403
        path = f"/conversations/{one}"
        assert (await me.ask("POST", f"{path}/releaseControl", {}))[0] == 403
        assert (await me.ask("POST", f"{path}/acceptControl", {}))[0] == 403
        await me.good("POST", f"{path}/offerControl", {"switchboardIntegration": "warmline"})
        await me.good("POST", f"{path}/acceptControl", {})
        await me.good("POST", f"{path}/releaseControl", {})
        found = (await me.good("GET", path))["conversation"]
        assert "activeSwitchboardIntegration" not in found


# ------------------------------------------------------------------------------------------------- users
async def test_a_user_is_made_once_and_found_by_either_id() -> None:
    async with SuncoSimulator.running() as vendor, calling(vendor) as me:
        made = (await me.good("POST", "/users", {**KIM, "metadata": {"vip": True}}))["user"]
        assert (made["externalId"], made["profile"]["surname"], made["metadata"]) == ("kim-1", "Berg", {"vip": True})
        assert await me.ask("POST", "/users", KIM) == (409, refused("conflict", "User already exists"))
        for key in ("kim-1", made["id"]):
            assert (await me.good("GET", f"/users/{key}"))["user"] == made
        changed = await me.good("PATCH", "/users/kim-1", {"profile": {"givenName": "Kimberly"}})
        assert changed["user"]["profile"] == {"givenName": "Kimberly", "surname": "Berg", "email": "kim@example.com"}
        assert await me.ask("GET", "/users/nobody") == (404, refused("user_not_found", "User not found"))


@pytest.mark.parametrize(
    "body",
    [
        {"externalId": ""},
        {"externalId": "x" * 1_025},
        {"profile": {"email": "no address"}},
        {"metadata": {"deep": {"er": 1}}},
        {"metadata": {"list": [1]}},
        {"metadata": {"long": "x" * 4_100}},
        {"name": "Kim"},
        {"profile": {"name": "Kim"}},
    ],
)
async def test_a_wrong_user_is_refused(body: dict[str, Any]) -> None:
    async with SuncoSimulator.running() as vendor, calling(vendor) as me:
        assert await me.ask("POST", "/users", body) == (400, BAD)
        assert not vendor.account.users


async def test_unknown_fields_pass_where_that_reading_is_chosen() -> None:
    relaxed = Assumptions(refuse_unknown_fields=False)
    async with SuncoSimulator.running(assumptions=relaxed) as vendor, calling(vendor) as me:
        assert (await me.ask("POST", "/users", {"name": "Kim"}))[0] == 201


# ----------------------------------------------------------------------------------------- conversations
async def test_a_personal_conversation_has_exactly_one_participant() -> None:
    async with SuncoSimulator.running() as vendor, calling(vendor) as me:
        first, second = await conversation(me), await conversation(me)
        found = await me.good("GET", "/conversations?filter[userExternalId]=kim-1&page[size]=1")
        assert [(one["id"], one["isDefault"]) for one in found["conversations"]] == [(first, True)]
        assert found["meta"]["hasMore"] is True
        rest = await me.good("GET", f"/conversations?filter[userExternalId]=kim-1&page[after]={first}")
        assert [(one["id"], one["isDefault"]) for one in rest["conversations"]] == [(second, False)]
        kim = {"userExternalId": "kim-1"}
        wrong: tuple[list[dict[str, str]], ...] = ([], [kim, kim], [{}])
        for participants in wrong:
            body = {"type": "personal", "participants": participants}
            assert await me.ask("POST", "/conversations", body) == (400, BAD)
        body = {"type": "personal", "participants": [{"userId": NOBODY}]}
        assert await me.ask("POST", "/conversations", body) == (404, refused("user_not_found", "User not found"))
        assert await me.ask("GET", "/conversations") == (400, BAD)
        assert (await me.ask("GET", f"/conversations/{NOBODY}"))[1]["errors"][0]["code"] == "conversation_not_found"
        changed = await me.good("PATCH", f"/conversations/{first}", {"metadata": {"lang": "de"}, "displayName": "Lamp"})
        assert (changed["conversation"]["metadata"], changed["conversation"]["displayName"]) == ({"lang": "de"}, "Lamp")
        who = await me.good("GET", f"/conversations/{first}/participants")
        assert [one["userId"] for one in who["participants"]] == list(vendor.account.users)


async def test_the_newest_page_comes_first_and_pages_lead_back() -> None:
    async with SuncoSimulator.running() as vendor, calling(vendor) as me:
        path = f"/conversations/{await conversation(me)}/messages"
        for number in range(103):
            await me.good("POST", path, by_user(str(number), metadata={"number": number}))
        newest = await me.good("GET", path)
        assert [one["metadata"]["number"] for one in newest["messages"]] == list(range(3, 103))
        assert newest["meta"]["hasMore"] is True
        assert newest["links"]["prev"].endswith(f"page[before]={newest['messages'][0]['id']}")
        older = await me.good("GET", f"{path}?page[before]={newest['meta']['beforeCursor']}")
        assert [one["content"]["text"] for one in older["messages"]] == ["0", "1", "2"]
        assert older["meta"]["hasMore"] is False
        later = await me.good("GET", f"{path}?page[after]={newest['messages'][-2]['id']}")
        assert [one["content"]["text"] for one in later["messages"]] == ["102"]
        both = f"{path}?page[after]={newest['messages'][0]['id']}&page[before]={newest['messages'][1]['id']}"
        assert (await me.ask("GET", both))[0] == 400
        assert (await me.ask("GET", f"{path}?page[before]={NOBODY}"))[0] == 400
        assert vendor.conversations[0].messages[0].content == {"type": "text", "text": "0"}


async def test_inside_a_page_the_newest_may_come_first() -> None:
    async with (
        SuncoSimulator.running(assumptions=Assumptions(page_order="newest first")) as vendor,
        calling(vendor) as me,
    ):
        path = f"/conversations/{await conversation(me)}/messages"
        for text in ("one", "two"):
            await me.good("POST", path, by_user(text))
        found = (await me.good("GET", path))["messages"]
        assert [one["content"]["text"] for one in found] == ["two", "one"]


# ---------------------------------------------------------------------------------------------- messages
async def test_a_message_comes_back_with_its_metadata() -> None:
    async with SuncoSimulator.running() as vendor, calling(vendor) as me:
        path = f"/conversations/{await conversation(me)}/messages"
        made = (await me.good("POST", path, by_user("x" * 4_096, metadata={"id": "m-1"})))["messages"][0]
        assert (made["metadata"], made["source"]) == ({"id": "m-1"}, {"type": "api:conversations"})
        assert made["author"] == {"type": "user", "userId": next(iter(vendor.account.users)), "displayName": "Kim Berg"}
        rich = by_business("", metadata={"id": "m-2"})
        rich["content"] = {"type": "text", "htmlText": "<p>Hello <b>Kim</b></p>"}
        rich["author"]["subtypes"] = ["AI"]
        made = (await me.good("POST", path, rich))["messages"][0]
        assert made["content"] == {"type": "text", "htmlText": "<p>Hello <b>Kim</b></p>", "text": "Hello Kim"}
        assert made["author"] == {"type": "business", "subtypes": ["AI"], "displayName": "Bot"}


@pytest.mark.parametrize(
    "body",
    [
        by_user("x" * 4_097),
        by_user(""),
        by_user("x", author={"type": "user"}),
        by_user("x", author={"type": "business", "userExternalId": "kim-1"}),
        by_user("x", author={"type": "agent", "userExternalId": "kim-1"}),
        by_user("x", author={"type": "business", "subtypes": ["agent"]}),
        by_user("x", content={"type": "formResponse", "fields": []}),
        by_user("x", content={"type": "image"}),
        by_user("x", content={"type": "image", "mediaUrl": "lamp.png"}),
        by_user("x", content={"type": "file", "mediaUrl": "https://x.example/a", "altText": "x" * 129}),
        by_user("x", content={"type": "text", "htmlText": "<p>x</p>", "markdownText": "x"}),
        by_user("x", metadata={"nested": {}}),
        by_user("x", id="m-1"),
        {"content": {"type": "text", "text": "x"}},
    ],
)
async def test_a_wrong_message_is_refused(body: dict[str, Any]) -> None:
    async with SuncoSimulator.running() as vendor, calling(vendor) as me:
        one = await conversation(me)
        assert await me.ask("POST", f"/conversations/{one}/messages", body) == (400, BAD)
        assert vendor.calls[-1].note
        assert vendor.conversations[0].messages == []


async def test_a_stranger_cannot_write_into_somebody_elses_conversation() -> None:
    async with SuncoSimulator.running() as vendor, calling(vendor) as me:
        one = await conversation(me)
        await me.good("POST", "/users", {"externalId": "sam"})
        body = by_user("x", author={"type": "user", "userExternalId": "sam"})
        assert (await me.ask("POST", f"/conversations/{one}/messages", body))[0] == 400
        body = by_user("x", author={"type": "user", "userId": NOBODY})
        assert (await me.ask("POST", f"/conversations/{one}/messages", body))[0] == 404
        assert vendor.conversations[0].messages == []


async def test_a_full_conversation_is_locked_and_a_large_body_refused() -> None:
    async with SuncoSimulator.running(message_limit=1) as vendor, calling(vendor) as me:
        path = f"/conversations/{await conversation(me)}/messages"
        await me.good("POST", path, by_user("one"))
        sentence = "Message limit of 1 per conversation reached."
        assert await me.ask("POST", path, by_user("two")) == (423, refused("locked", sentence))
        assert (await me.ask("POST", path, by_user("x" * 100_000)))[0] == 413
        assert len(vendor.conversations[0].messages) == 1


async def test_a_user_can_read_but_not_type() -> None:
    async with SuncoSimulator.running() as vendor, calling(vendor) as me:
        path = f"/conversations/{await conversation(me)}/activity"
        kim = {"type": "user", "userExternalId": "kim-1"}
        assert await me.good("POST", path, {"author": kim, "type": "conversation:read"}) == {}
        assert await me.ask("POST", path, {"author": kim, "type": "typing:start"}) == (400, BAD)
        assert await me.good("POST", path, {"author": {"type": "business"}, "type": "typing:start"}) == {}
        assert [what for _at, what in vendor.conversations[0].activity][-1] == "typing:start by the business"


# ------------------------------------------------------------------------------------------------- files
@pytest.mark.parametrize("private", [False, True])
async def test_a_file_is_uploaded_sent_and_fetched(private: bool) -> None:
    async with SuncoSimulator.running(private_attachments=private) as vendor, calling(vendor) as me:
        form = aiohttp.FormData()
        form.add_field("source", picture(), filename="my lamp.png", content_type="image/png")
        headers = {"Authorization": me.token}
        where = f"{me.base}/attachments?access=public&for=message"
        async with me.session.post(where, data=form, headers=headers) as answer:
            assert answer.status == 201
            made = (await answer.json())["attachment"]
        assert made["mediaType"] == "image/png"
        async with me.session.get(made["mediaUrl"]) as answer:
            assert answer.status == (401 if private else 200)
        async with me.session.get(made["mediaUrl"], headers=headers) as answer:
            assert (answer.content_type, await answer.read()) == ("image/png", picture())
        path = f"/conversations/{await conversation(me)}/messages"
        line = by_user("", content={"type": "image", "mediaUrl": made["mediaUrl"], "altText": "lamp"})
        sent = (await me.good("POST", path, line))["messages"][0]["content"]
        assert (sent["mediaType"], sent["mediaSize"], sent["altText"]) == ("image/png", len(picture()), "lamp")
        assert (await me.ask("POST", "/attachments?access=public", {}))[0] == 400
        assert (await me.ask("POST", "/attachments", {}))[0] == 400


# ------------------------------------------------------------------------------------------------ set-up
async def test_an_integration_is_made_with_one_webhook_and_put_into_the_switchboard() -> None:
    async with SuncoSimulator.running() as vendor, calling(vendor) as me:
        hook = {"target": "http://127.0.0.1:9/hook", "triggers": ["conversation:message"]}
        body = {"type": "custom", "displayName": "Mine", "webhooks": [hook]}
        made = (await me.good("POST", "/integrations", body))["integration"]
        assert len(made["webhooks"][0]["secret"]) == 32
        mine = f"/integrations/{made['id']}"
        one = f"{mine}/webhooks/{made['webhooks'][0]['id']}"
        assert (await me.good("GET", one))["webhook"] == made["webhooks"][0]
        changed = await me.good("PATCH", one, {"triggers": ["user:merge"], "includeFullUser": True})
        assert (changed["webhook"]["triggers"], changed["webhook"]["includeFullUser"]) == (["user:merge"], True)
        assert (await me.ask("PATCH", one, {"triggers": ["conversation:dance"]}))[0] == 400
        for _ in range(9):
            await me.good("POST", f"{mine}/webhooks", hook)
        assert (await me.ask("POST", f"{mine}/webhooks", hook))[0] == 400
        assert (await me.ask("DELETE", one))[0] == 200
        assert (await me.ask("GET", one))[1]["errors"][0]["code"] == "webhook_not_found"
        custom = (await me.good("GET", "/integrations?filter[types]=custom"))["integrations"]
        assert [one["displayName"] for one in custom] == ["Warmline", "Mine"]
        for wrong in ({**body, "type": "telegram"}, {**body, "webhooks": []}, {**body, "webhooks": [hook, hook]}):
            assert (await me.ask("POST", "/integrations", wrong))[0] == 400
        board = (await me.good("GET", "/switchboards"))["switchboards"][0]
        lines = f"/switchboards/{board['id']}/switchboardIntegrations"
        line = {"name": "mine", "integrationId": made["id"], "deliverStandbyEvents": False, "messageHistoryCount": 5}
        placed = (await me.good("POST", lines, line))["switchboardIntegration"]
        assert (placed["integrationType"], placed["deliverStandbyEvents"]) == ("custom", False)
        assert (await me.ask("POST", lines, line))[0] == 400
        assert (await me.ask("POST", lines, {"name": "two words", "integrationId": made["id"]}))[0] == 400
        assert (await me.ask("POST", lines, {"name": "neither"}))[0] == 400
        for number in range(6):
            await me.good("POST", lines, {"name": f"more-{number}", "integrationId": made["id"]})
        status, answer = await me.ask("POST", lines, {"name": "eleventh", "integrationId": made["id"]})
        assert (status, answer["errors"][0]["code"]) == (400, "too_many_switchboard_integrations")
        following = {"nextSwitchboardIntegrationId": board["defaultSwitchboardIntegrationId"]}
        await me.good("PATCH", f"{lines}/{placed['id']}", following)
        await me.good("PATCH", f"/switchboards/{board['id']}", {"defaultSwitchboardIntegrationId": placed["id"]})
        found = await me.good("GET", f"/conversations/{await conversation(me)}")
        assert found["conversation"]["activeSwitchboardIntegration"]["name"] == "mine"
        assert (await me.ask("DELETE", mine))[0] == 200
        assert len((await me.good("GET", lines))["switchboardIntegrations"]) == 3
        status, answer = await me.ask("POST", "/switchboards", {})
        assert (status, answer["errors"][0]["title"]) == (400, "Only one switchboard can be created per app")
        assert vendor.account.switchboard.default_id == placed["id"]
