"""Kustomer's records as a stranger's client meets them: people, conversations, notes, tags, routing, files, webhooks."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from tests.simulators.kustomer_account import (
    FREE,
    NOBODY,
    change_of,
    events_of,
    handed_over,
    meeting,
    somebody,
    visitor_line,
)

from warmline.simulators.kustomer import Assumptions
from warmline.simulators.samples import picture

HOOK = {"name": "Ours", "url": "https://hooks.example.com/k", "events": ["kustomer.message.create"]}


# ------------------------------------------------------------------------------------------- customers
async def test_a_customer_is_found_by_address_and_external_id() -> None:
    async with meeting(script=FREE) as (_vendor, me, hook):
        path = "/v1/customers/email=kim%40example.com"
        assert (await me.ask("GET", path))[0] == 404
        fields = {"name": "Kim", "externalId": "v-1", "emails": [{"type": "home", "email": "Kim@example.com"}]}
        made = (await me.good("POST", "/v1/customers", fields))["data"]
        assert (await me.good("GET", path))["data"] == made
        assert (await me.good("GET", "/v1/customers/externalId=v-1"))["data"] == made
        assert (await me.good("GET", f"/v1/customers/{made['id']}"))["data"]["attributes"]["name"] == "Kim"
        assert (await events_of(hook, "customer.create"))[0]["data"]["id"] == made["id"]

        assert (await me.ask("POST", "/v1/customers", {"emails": fields["emails"]}))[0] == 409
        assert (await me.ask("POST", "/v1/customers", {"externalId": "v-1"}))[0] == 409
        await me.good("PUT", f"/v1/customers/{made['id']}", {"name": "Kim Holm", "custom": {"planStr": "gold"}})
        update = (await events_of(hook, "customer.update"))[0]
        assert update["changes"]["attributes"]["name"] == {"op": "replace", "before": "Kim", "after": "Kim Holm"}
        assert update["meta"] == {"customChanged": True}


# ---------------------------------------------------------------------------------------- conversations
async def test_the_caller_changes_a_conversation() -> None:
    async with meeting(script=FREE) as (vendor, me, hook):
        _customer, session = await handed_over(vendor, me)
        path = f"/v1/conversations/{session}"
        tagged = await me.good("POST", f"{path}/tags", ["vip", "lamp"])
        assert [vendor.account.tags[one].name for one in tagged["data"]["attributes"]["tags"]] == ["vip", "lamp"]
        await me.good("PATCH", path, {"queue": {"id": vendor.queues[1].id}, "name": "A lamp", "externalId": "h-1"})
        moved = await change_of(hook, "queue", {"type": "queue", "id": vendor.queues[1].id})
        assert moved["changes"]["attributes"]["name"]["after"] == "A lamp"
        assert (await vendor.waiting()).queue_id == vendor.queues[1].id
        assert (await me.good("GET", "/v1/conversations/externalId=h-1"))["data"]["id"] == session

        ending = {"status": "done", "ended": True, "endedByType": "customer", "endedReason": "customer_ended"}
        await me.good("PATCH", path, ending)
        ended = await change_of(hook, "ended", True)
        assert (ended["client"], ended["data"]["attributes"]["endedByType"]) == ("api-gw", "customer")


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"status": "closed"}, 400),
        ({"priority": 6}, 400),
        ({"queue": {"id": NOBODY}}, 400),
        ({"assignedUsers": [NOBODY]}, 400),
        ({"assignedUsers": [NOBODY] * 11}, 400),
        ({"subject": "A lamp"}, 400),
        ({"rev": 99}, 409),
    ],
)
async def test_a_wrong_change_is_refused(change: dict[str, Any], status: int) -> None:
    async with meeting(script=FREE) as (vendor, me, _hook):
        _customer, session = await handed_over(vendor, me)
        assert (await me.ask("PATCH", f"/v1/conversations/{session}", change))[0] == status


async def test_a_message_can_be_recorded_under_an_external_id_once() -> None:
    async with meeting(script=FREE) as (_vendor, me, hook):
        customer_id = await somebody(me)
        made = await me.good("POST", "/v1/conversations", {"customer": customer_id, "name": "A lamp"})
        path = f"/v1/conversations/{made['data']['id']}/messages"
        body = {"channel": "chat", "app": "warmline", "preview": "Hello", "direction": "in", "externalId": "m-1"}
        assert (await me.ask("POST", path, body))[0] == 201
        assert (await me.ask("POST", path, body))[0] == 409
        assert (await me.ask("POST", path, {"channel": "chat", "preview": "Hello"}))[0] == 400
        found = await me.good("GET", "/v1/messages/externalid=m-1")
        assert found["data"]["attributes"]["app"] == "warmline"
        assert (await events_of(hook, "message.create"))[0]["dataId"] == found["data"]["id"]
        assert (await me.good("GET", f"/v1/customers/{customer_id}/conversations"))["data"][0]["id"] == made["data"][
            "id"
        ]


async def test_notes_and_tags() -> None:
    async with meeting(script=FREE) as (vendor, me, _hook):
        _customer, session = await handed_over(vendor, me)
        path = f"/v1/conversations/{session}"
        await me.good("POST", f"{path}/notes", {"body": "Came from /lamps", "externalId": "n-1"})
        assert (await me.ask("POST", f"{path}/notes", {"body": "Again", "externalId": "n-1"}))[0] == 409
        assert (await me.ask("POST", f"{path}/notes", {"body": ""}))[0] == 400
        assert [one["attributes"]["body"] for one in (await me.good("GET", f"{path}/notes"))["data"]] == [
            "Came from /lamps"
        ]
        await me.good("POST", f"{path}/tags", ["vip", "vip"])
        tag = (await me.good("GET", "/v1/tags"))["data"][0]
        assert (await me.good("GET", f"/v1/tags/{tag['id']}"))["data"]["attributes"]["name"] == "vip"
        emptied = await me.good("DELETE", f"{path}/tags", ["vip"])
        assert emptied["data"]["attributes"]["tags"] == []


# --------------------------------------------------------------------------------------- users and routing
async def test_users_have_names_and_some_have_pictures() -> None:
    async with meeting(script=FREE) as (vendor, me, _hook):
        users = (await me.good("GET", "/v1/users"))["data"]
        assert [one["attributes"]["displayName"] for one in users] == [
            *(agent.name for agent in vendor.agents),
            vendor.bot.name,
        ]
        astrid = (await me.good("GET", f"/v1/users/{vendor.agents[0].id}"))["data"]["attributes"]
        async with me.session.get(astrid["avatarUrl"]) as answer:
            assert answer.content_type == "image/png"
        assert "avatarUrl" not in users[2]["attributes"]
        assert (await me.good("GET", "/v1/users/current"))["data"]["id"] == vendor.bot.id


async def test_a_work_item_goes_from_the_queue_to_an_agent() -> None:
    async with meeting(script=FREE, assumptions=Assumptions(default_routing=False)) as (vendor, me, _hook):
        _customer, session = await handed_over(vendor, me)
        assert (await vendor.waiting()).queue_id is None
        path = f"/v1/routing/conversations/{session}/work-items"
        asked = {"resource": session, "resourceType": "conversation", "queue": vendor.queues[1].id}
        assert (await me.ask("POST", "/v1/routing/work-items", asked))[0] == 201
        assert (await me.ask("POST", "/v1/routing/work-items", asked))[0] == 200

        async def status() -> list[str]:
            return [one["attributes"]["status"] for one in (await me.good("GET", path))["data"]]

        assert await status() == ["queued"]
        await vendor.offer(session)
        assert await status() == ["routed"]
        await vendor.decline(session)
        assert await status() == ["queued"]
        await me.good("PATCH", f"/v1/conversations/{session}", {"assignedUsers": [vendor.agents[0].id]})
        assert await status() == ["accepted"]
        await vendor.close(session)
        assert await status() == ["completed"]
        queues = (await me.good("GET", "/v1/routing/queues"))["data"]
        assert [one["attributes"]["name"] for one in queues] == [one.name for one in vendor.queues]
        metrics = await me.good("GET", f"/v1/chat/queues/metrics/{queues[0]['id']},{queues[1]['id']}")
        assert [one["attributes"]["latestWaitTime"] for one in metrics["data"]] == [None, 0]


# ------------------------------------------------------------------------------------------------- files
async def test_a_file_is_announced_uploaded_and_sent() -> None:
    async with meeting(script=FREE) as (vendor, me, hook):
        customer_id, session = await handed_over(vendor, me)
        content = picture()
        about = {"name": "lamp.png", "contentType": "image/png", "contentLength": len(content)}
        made = await me.good("POST", "/v1/attachments", about)
        assert made["data"]["attributes"]["uploaded"] is False
        upload = made["meta"]["upload"]

        async def send(fields: dict[str, str], body: bytes) -> int:
            form = aiohttp.FormData(fields)
            form.add_field("file", body, filename="lamp.png", content_type="image/png")
            async with me.session.post(upload["url"], data=form) as answer:
                return answer.status

        assert await send({**upload["fields"], "X-Amz-Signature": "forged"}, content) == 403
        assert await send(upload["fields"], content[:-1]) == 400
        assert await send(upload["fields"], content) == 204
        file = {"_id": made["data"]["id"], **about}
        line = {"customerId": customer_id, "session": session, "attachments": [file]}
        await me.good("POST", "/v2.1/chat/messages", line)
        # No order is promised: which of the three it is, the list of its files tells.
        spoken = [one["data"]["id"] for one in await events_of(hook, "message.create", 3)]
        lists = [await me.good("GET", f"/v1/messages/{message}/attachments") for message in spoken]
        (listed,) = [one for one in lists if one["data"]]
        async with me.session.get(listed["data"][0]["links"]["related"]) as answer:
            assert await answer.read() == content
        async with me.session.get(listed["data"][0]["links"]["related"].split("?")[0]) as answer:
            assert answer.status == 403


async def test_a_file_may_stay_where_it_is_or_need_the_key() -> None:
    async with meeting(script=FREE, assumptions=Assumptions(attachment_links="api")) as (vendor, me, _hook):
        about = {"name": "a.pdf", "contentType": "application/pdf", "contentLength": 3}
        kept = await me.good("POST", "/v1/attachments", {**about, "externalUrl": "https://files.example.com/a.pdf"})
        assert "meta" not in kept
        assert kept["data"]["links"]["related"] == "https://files.example.com/a.pdf"
        for url in ("http://files.example.com/a.pdf", "https://me:secret@files.example.com/a.pdf"):
            assert (await me.ask("POST", "/v1/attachments", {**about, "externalUrl": url}))[0] == 400
        _customer, session = await handed_over(vendor, me)
        message = await vendor.agent_sends_sample(session, "picture")
        known = await me.good("GET", f"/v1/attachments/{message.attachments[0]}")
        async with me.session.get(known["data"]["links"]["related"]) as answer:
            assert answer.status == 401
        async with me.session.get(known["data"]["links"]["related"], headers={"Authorization": me.token}) as answer:
            assert await answer.read() == picture()


# ---------------------------------------------------------------------------------------------- webhooks
async def test_five_webhooks_and_not_a_sixth() -> None:
    async with meeting(script=FREE) as (_vendor, me, _hook):
        made = [await me.ask("POST", "/v1/outbound-webhooks", HOOK) for _ in range(5)]
        assert [status for status, _answer in made] == [201] * 4 + [422]
        one = made[0][1]["data"]
        assert (await me.good("GET", one["links"]["self"]))["data"]["attributes"]["token"] == one["attributes"]["token"]
        assert await me.ask("DELETE", one["links"]["self"]) == (204, None)
        assert (await me.ask("POST", "/v1/outbound-webhooks", HOOK))[0] == 201
        assert len((await me.good("GET", "/v1/outbound-webhooks"))["data"]) == 5


@pytest.mark.parametrize(
    "change",
    [
        {"url": "ftp://hooks.example.com"},
        {"url": "http://hooks.example.com"},
        {"url": "https://hooks.example.com/" + "x" * 255},
        {"events": []},
        {"events": ["kustomer.message.create"] * 13},
        {"events": ["kustomer.message.sing"]},
        {"secret": "mine"},
    ],
)
async def test_a_wrong_webhook_is_refused(change: dict[str, Any]) -> None:
    async with meeting(script=FREE, assumptions=Assumptions(allow_http_webhooks=False)) as (_vendor, me, _hook):
        assert (await me.ask("POST", "/v1/outbound-webhooks", {**HOOK, **change}))[0] == 400
        assert (await me.ask("POST", "/v1/outbound-webhooks", {"name": "Ours"}))[0] == 400


async def test_a_webhook_gets_its_events_with_its_headers_and_its_attempts_are_listed() -> None:
    async with meeting(script=FREE) as (vendor, me, hook):
        vendor.unsubscribe(vendor.subscriptions[0].id)
        fields = {**HOOK, "url": hook.url, "headers": [{"name": "X-Source", "value": "kustomer"}]}
        made = (await me.good("POST", "/v1/outbound-webhooks", fields))["data"]
        hook.statuses = [500]
        customer_id, session = await handed_over(vendor, me)
        await me.good("POST", "/v2.1/chat/messages", visitor_line(customer_id, session, "Hello"))
        await hook.until(lambda self: len(self.received) == 4)
        await vendor.webhooks.settled()
        assert {one.json["name"] for one in hook.received} == {"kustomer.message.create"}
        assert {one.headers["X-Source"] for one in hook.received} == {"kustomer"}
        tried = (await me.good("GET", f"{made['links']['self']}/transactions"))["data"]
        assert sorted(one["attributes"]["status"] for one in tried) == [200, 200, 200, 500]
        names = (await me.good("GET", "/v1/outbound-webhooks/events"))["data"]
        assert "kustomer.message.create" in [one["id"] for one in names]


# ------------------------------------------------------------------------------------------ what is not there
@pytest.mark.parametrize(
    "path",
    [
        "/v1/customers/externalId=nobody",
        "/v1/conversations/externalId=nothing",
        "/v1/messages/externalid=nothing",
        f"/v1/messages/{NOBODY}",
        f"/v1/messages/{NOBODY}/attachments",
        f"/v1/attachments/{NOBODY}",
        f"/v1/tags/{NOBODY}",
        f"/v1/routing/queues/{NOBODY}",
        f"/v1/outbound-webhooks/{NOBODY}",
    ],
)
async def test_what_is_not_there_is_404(path: str) -> None:
    async with meeting(script=FREE) as (_vendor, me, _hook):
        assert (await me.ask("GET", path))[0] == 404


@pytest.mark.parametrize("query", ["page=0", "page=x", "pageSize=-1"])
async def test_a_wrong_page_is_refused(query: str) -> None:
    async with meeting(script=FREE) as (_vendor, me, _hook):
        assert (await me.ask("GET", f"/v1/users?{query}"))[0] == 400


async def test_external_ids_of_conversations_are_unique_and_a_queue_can_be_left() -> None:
    async with meeting(script=FREE) as (vendor, me, hook):
        customer_id, session = await handed_over(vendor, me)
        await me.good(
            "PATCH", f"/v1/conversations/{session}", {"externalId": "h-1", "custom": {"pageUrl": "https://a.b"}}
        )
        again = {"customer": customer_id, "externalId": "h-1"}
        assert (await me.ask("POST", "/v1/conversations", again))[0] == 409
        await vendor.waiting()
        left = await me.good("PATCH", f"/v1/conversations/{session}", {"queue": {"id": None}})
        assert "queue" not in left["data"]["relationships"]
        assert (await change_of(hook, "queue", None))["changes"]["relationships"]["queue"]["op"] == "remove"


async def test_a_rating_is_an_update() -> None:
    async with meeting(script=FREE) as (vendor, me, hook):
        _customer, session = await handed_over(vendor, me)
        await me.good("PUT", f"/v2.1/chat/satisfaction-responses/{session}", {"rating": 5, "comment": "Quick"})
        await change_of(hook, "satisfaction", 5)


async def test_the_messages_of_a_handoff_may_raise_no_events_and_may_say_that_they_were_imported() -> None:
    silent = Assumptions(events_for_imports=False, import_mark="importedAt", newest_first=True)
    async with meeting(script=FREE, assumptions=silent) as (vendor, me, hook):
        _customer, session = await handed_over(vendor, me)
        await vendor.waiting()
        await vendor.webhooks.settled()
        assert "kustomer.message.create" not in {one.json["name"] for one in hook.received}
        listed = (await me.good("GET", f"/v2.1/chat/sessions/{session}/messages"))["data"]
        assert [one["attributes"]["direction"] for one in listed] == ["out", "in"]
        assert all("importedAt" in one["attributes"] for one in listed)
