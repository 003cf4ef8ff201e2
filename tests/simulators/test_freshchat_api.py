"""The REST API of a simulated Freshchat, as a stranger's client meets it."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from tests.simulators.freshchat_account import FREE, conversation, handed_over, line, meeting, somebody
from tests.simulators.receiver import Stranger, stranger

from warmline.simulators.freshchat import Assumptions, FreshchatSimulator
from warmline.simulators.samples import picture
from warmline.simulators.script import Kind


async def upload(me: Stranger, path: str, body: bytes, kind: str, *, field: str = "file") -> tuple[int, Any]:
    form = aiohttp.FormData()
    form.add_field(field, body, filename="a b.bin", content_type=kind)
    async with me.session.post(me.base + path, data=form, headers={"Authorization": me.token}) as answer:
        return answer.status, await answer.json()


# ---------------------------------------------------------------------------------------------- the account
@pytest.mark.parametrize("given", ["", "Bearer nothing", "Token x"])
async def test_a_call_needs_the_token(given: str) -> None:
    async with FreshchatSimulator.running(script=FREE) as vendor, stranger(f"{vendor.url}/v2", given) as me:
        status, answer = await me.ask("GET", "/accounts/configuration")
        assert status == 401
        assert answer == {"code": 401, "status": "UNAUTHENTICATED", "message": "Unauthenticated"}


async def test_topics_groups_and_agents_are_listed_by_pages() -> None:
    async with meeting(script=FREE) as (vendor, me, _hook):
        assert (await me.good("GET", "/accounts/configuration"))["organisation_id"]
        first = await me.good("GET", "/channels?items_per_page=2")
        assert [one["name"] for one in first["channels"]] == ["Lamps", "Bills"]
        assert first["pagination"]["total_pages"] == 2
        second = await me.good("GET", first["links"]["next_page"]["href"].removeprefix("/v2"))
        assert [(one["name"], one["enabled"]) for one in second["channels"]] == [("Old shop", False)]
        groups = (await me.good("GET", "/groups"))["groups"]
        assert [one["routing_type"] for one in groups] == ["INTELLIASSIGN", "DISABLED"]
        agents = (await me.good("GET", "/agents"))["agents"]
        assert [one["first_name"] for one in agents] == ["Astrid", "Noah", "Mei"]
        one = await me.good("GET", f"/agents/{vendor.agents[1].id}")
        assert (one["last_name"], one["availability_status"]) == ("Vinter", "AVAILABLE")
        status, answer = await me.ask("GET", "/agents/nobody")
        assert (status, answer["status"]) == (404, "AGENT_NOT_FOUND")
        for wrong in ("page=0", "items_per_page=many"):
            assert (await me.ask("GET", f"/groups?{wrong}"))[0] == 400


async def test_what_is_not_there_is_said_in_freshchats_form() -> None:
    async with meeting(script=FREE) as (vendor, me, _hook):
        status, answer = await me.ask("GET", "/nothing")
        assert (status, answer["code"], answer["status"]) == (404, 404, "NOT_FOUND")
        vendor.trouble.next("groups.list", Kind.TOO_MANY)
        assert (await me.ask("GET", "/groups"))[0] == 429
        vendor.trouble.next("groups.list", Kind.FAILING)
        assert (await me.ask("GET", "/groups"))[0] == 500


# ---------------------------------------------------------------------------------------------------- users
async def test_users_are_found_by_reference_and_properties_are_replaced() -> None:
    async with meeting(script=FREE) as (_vendor, me, _hook):
        assert (await me.good("GET", "/users?reference_id=v1"))["users"] == []
        made = await somebody(me, reference_id="v1", properties=[{"name": "page", "value": "/lamps"}])
        (found,) = (await me.good("GET", "/users?reference_id=v1"))["users"]
        assert found["id"] == made
        assert (await me.good("GET", "/users?email=KIM@example.com"))["users"][0]["id"] == made
        changed = await me.good("PUT", f"/users/{made}", {"properties": [{"name": "plan", "value": "gold"}]})
        assert changed["properties"] == [{"name": "plan", "value": "gold"}]
        assert (await me.good("GET", f"/users/{made}"))["first_name"] == "Kim"
        assert (await me.ask("GET", "/users"))[0] == 400
        assert (await me.ask("POST", "/users", {"nickname": "K"}))[0] == 400
        assert (await me.ask("PUT", "/users/nobody", {}))[0] == 404


async def test_a_second_user_of_one_reference_may_be_refused() -> None:
    async with meeting(script=FREE, assumptions=Assumptions(reference_id_once=True)) as (_vendor, me, _hook):
        await somebody(me, reference_id="v1")
        assert (await me.ask("POST", "/users", {"reference_id": "v1"}))[0] == 409


# -------------------------------------------------------------------------------------------- conversations
async def test_a_conversation_starts_with_messages_and_a_group() -> None:
    async with meeting(script=FREE) as (vendor, me, _hook):
        user_id, one = await handed_over(vendor, me, assigned_group_id=vendor.groups[1].id)
        read = await me.good("GET", f"/conversations/{one}")
        assert (read["status"], read["assigned_group_id"]) == ("new", vendor.groups[1].id)
        assert "freshchat_conversation_id" not in read
        assert (await me.good("GET", f"/users/{user_id}/conversations"))["conversations"] == [{"id": one}]
        assert (await vendor.waiting()).id == one


@pytest.mark.parametrize(
    "change",
    [
        {"channel_id": "nowhere"},
        {"users": []},
        {"users": [{"id": "nobody"}]},
        {"messages": []},
        {"status": "sleeping"},
        {"assigned_group_id": "nobody"},
        {"assigned_agent_id": "nobody"},
        {"surprise": True},
        {"messages": [{"message_parts": [{"text": {"content": "x"}}], "actor_type": "user", "actor_id": "other"}]},
        {"messages": [{"message_parts": [{"text": {"content": "x"}}], "actor_type": "agent", "actor_id": "nobody"}]},
    ],
)
async def test_a_wrong_conversation_is_refused(change: dict[str, Any]) -> None:
    async with meeting(script=FREE) as (vendor, me, _hook):
        user_id = await somebody(me)
        status, answer = await me.ask("POST", "/conversations", {**conversation(vendor, user_id), **change})
        assert status in {400, 404}
        assert answer["code"] == status
        assert vendor.conversations == []


@pytest.mark.parametrize(
    "change",
    [
        {"message_parts": []},
        {"message_parts": [{"text": {"content": "  "}}]},
        {"message_parts": [{}]},
        {"message_parts": [{"text": {"content": "x"}, "image": {"url": "https://a.example/b.png"}}]},
        {"message_parts": [{"poem": {"content": "x"}}]},
        {"message_type": "private"},
        {"user_id": "other"},
        {"channel_id": "other"},
    ],
)
async def test_a_wrong_message_is_refused(change: dict[str, Any]) -> None:
    async with meeting(script=FREE) as (vendor, me, _hook):
        user_id, one = await handed_over(vendor, me)
        body = {**line(user_id, "Hello"), **change}
        assert (await me.ask("POST", f"/conversations/{one}/messages", body))[0] == 400
        assert len(vendor.conversations[0].messages) == 1


async def test_messages_are_listed_from_a_moment_on_by_pages() -> None:
    async with meeting(script=FREE) as (vendor, me, _hook):
        user_id, one = await handed_over(vendor, me)
        path = f"/conversations/{one}/messages"
        for text in ("One", "Two"):
            await me.good("POST", path, line(user_id, text))
        page = await me.good("GET", f"{path}?items_per_page=2")
        texts = [each["message_parts"][0]["text"]["content"] for each in page["messages"]]
        assert texts == ["Two", "One"]
        rest = await me.good("GET", page["link"]["href"].removeprefix("/v2"))
        assert [each["message_parts"][0]["text"]["content"] for each in rest["messages"]] == ["Where is my lamp?"]
        assert "link" not in rest
        assert (await me.good("GET", f"{path}?from_time=2100-01-01T00:00:00.000Z"))["messages"] == []
        assert (await me.ask("GET", f"{path}?from_time=soon"))[0] == 400


async def test_status_and_assignment_are_changed_but_not_properties() -> None:
    async with meeting(script=FREE) as (vendor, me, _hook):
        _user, one = await handed_over(vendor, me)
        path = f"/conversations/{one}"
        status, answer = await me.ask("PUT", path, {"properties": {"a": "b"}})
        assert (status, answer["message"]) == (400, "Conversation payload not valid")
        assert (await me.ask("PUT", path, {"status": "odd"}))[0] == 400
        assert (await me.ask("PUT", path, {"channel_id": "other"}))[0] == 400
        taken = await me.good("PUT", path, {"assigned_agent_id": vendor.agents[0].id})
        assert (taken["status"], taken["assigned_agent_id"]) == ("assigned", vendor.agents[0].id)
        assert (await me.good("PUT", path, {"status": "resolved"}))["status"] == "resolved"
        assert (await me.good("PUT", path, {"status": "resolved"}))["status"] == "resolved"
        assert (await me.good("PUT", path, {"status": "new"}))["status"] == "new"
        assert vendor.conversations[0].waiting


async def test_a_line_after_the_resolution_reopens_or_is_refused() -> None:
    async with meeting(script=FREE) as (vendor, me, _hook):
        user_id, one = await handed_over(vendor, me)
        before = vendor.conversations[0].interaction_id
        await vendor.close(one)
        await me.good("POST", f"/conversations/{one}/messages", line(user_id, "One more thing"))
        assert vendor.conversations[0].status == "reopened"
        assert vendor.conversations[0].interaction_id != before
    refusing = Assumptions(message_to_resolved="refused")
    async with meeting(script=FREE, assumptions=refusing) as (vendor, me, _hook):
        user_id, one = await handed_over(vendor, me)
        await vendor.close(one)
        assert (await me.ask("POST", f"/conversations/{one}/messages", line(user_id, "Hello?")))[0] == 400
        assert len(vendor.conversations[0].messages) == 1


async def test_one_conversation_may_serve_a_user_in_a_topic_for_ever() -> None:
    async with meeting(script=FREE, assumptions=Assumptions(one_conversation_per_topic=True)) as (vendor, me, _hook):
        user_id, one = await handed_over(vendor, me)
        await vendor.close(one)
        again = await me.good("POST", "/conversations", conversation(vendor, user_id))
        assert again["conversation_id"] == one
        assert vendor.conversations[0].status == "reopened"
        assert len(vendor.conversations[0].messages) == 2
    async with meeting(script=FREE) as (vendor, me, _hook):
        user_id, one = await handed_over(vendor, me)
        again = await me.good("POST", "/conversations", conversation(vendor, user_id))
        assert again["conversation_id"] != one


@pytest.mark.parametrize(("ids", "by_guid", "by_number"), [("both", 200, 200), ("numeric to read", 404, 200)])
async def test_newer_accounts_number_their_conversations(ids: Any, by_guid: int, by_number: int) -> None:
    async with meeting(script=FREE, assumptions=Assumptions(ids=ids, made_status=200)) as (vendor, me, _hook):
        user_id = await somebody(me)
        status, made = await me.ask("POST", "/conversations", conversation(vendor, user_id))
        number = made["freshchat_conversation_id"]
        assert (status, type(number)) == (200, int)
        assert (await me.ask("GET", f"/conversations/{made['conversation_id']}"))[0] == by_guid
        assert (await me.ask("GET", f"/conversations/{made['conversation_id']}/messages"))[0] == by_guid
        assert (await me.ask("GET", f"/conversations/{number}"))[0] == by_number
        await me.good("POST", f"/conversations/{made['conversation_id']}/messages", line(user_id, "By name"))
        assert vendor.conversations[0].messages[-1].text == "By name"


# ---------------------------------------------------------------------------------------------------- files
async def test_files_are_uploaded_and_sent_by_their_hash() -> None:
    async with meeting(script=FREE) as (vendor, me, _hook):
        user_id, one = await handed_over(vendor, me)
        everything = bytes(range(256)) * 3 + b"\r\n\r\n--\n"
        status, kept = await upload(me, "/files/upload", everything, "application/octet-stream")
        assert (status, kept["file_name"], kept["file_size"]) == (200, "a b.bin", len(everything))
        assert vendor.uploads[kept["file_hash"]].body == everything
        part = {"file": {"name": kept["file_name"], "file_hash": kept["file_hash"]}}
        sent = await me.good("POST", f"/conversations/{one}/messages", {**line(user_id, ""), "message_parts": [part]})
        assert sent["message_parts"] == [part]
        assert "error_code" not in sent
        part = {"file": {"name": "x", "fileHash": "unknown"}}
        status, lost = await me.ask(
            "POST", f"/conversations/{one}/messages", {**line(user_id, ""), "message_parts": [part]}
        )
        assert (status, lost["status"], lost["error_code"]) == (201, "Failed", 400)


async def test_pictures_are_uploaded_and_sent_by_their_address() -> None:
    async with meeting(script=FREE) as (_vendor, me, _hook):
        status, kept = await upload(me, "/images/upload", picture(), "image/png", field="image")
        assert status == 200
        async with me.session.get(kept["url"]) as answer:
            assert (answer.status, answer.content_type, await answer.read()) == (200, "image/png", picture())
        assert (await upload(me, "/images/upload", b"x", "text/plain"))[0] == 400
        assert (await upload(me, "/files/upload", b"x", "text/plain", field="other"))[0] == 400
        assert (await me.ask("POST", "/files/upload", {}))[0] == 400
        assert (await me.ask("GET", kept["url"].replace(me.base.removesuffix("/v2"), "") + "x"))[0] == 404


async def test_an_upload_may_be_named_by_an_address() -> None:
    async with meeting(script=FREE, assumptions=Assumptions(upload_answer="url")) as (_vendor, me, _hook):
        _status, kept = await upload(me, "/files/upload", b"lamp", "text/plain")
        assert "file_hash" not in kept
        async with me.session.get(kept["url"]) as answer:
            assert await answer.read() == b"lamp"
