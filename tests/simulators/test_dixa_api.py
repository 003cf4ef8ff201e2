"""Dixa's API as a stranger's client meets it: credentials, schemas, people, conversations, queues."""

from __future__ import annotations

from typing import Any

import pytest
from tests.simulators.account import (
    FREE,
    handed_over,
    imported,
    inbound,
    meeting,
    somebody,
    text,
)
from tests.simulators.receiver import Stranger, stranger

from warmline.kernel.clock import ManualClock
from warmline.simulators.dixa import Assumptions, DixaSimulator
from warmline.simulators.script import Script

DECODING = {"message": "Decoding failure in request"}
INVALID = {"message": "Invalid value in request"}
NOT_FOUND = {"message": "The requested resource could not be found"}
NOBODY = "00000000-0000-4000-8000-000000000000"


# ------------------------------------------------------------------------------------------- credentials
@pytest.mark.parametrize("given", ["", "another", "Bearer {token}"])
async def test_only_the_bare_token_is_accepted(given: str) -> None:
    async with DixaSimulator.running(script=FREE) as vendor:
        async with stranger(vendor.url, given.format(token=vendor.token)) as me:
            assert await me.ask("GET", "/v1/queues") == (401, {"message": "Unauthorized"})
        assert vendor.calls[0].note
        assert "Authorization" not in vendor.calls[0].headers


async def test_the_other_readings_of_the_documentation_can_be_had() -> None:
    assumptions = Assumptions(accept_bearer=True, refused_status=403)
    async with DixaSimulator.running(script=FREE, assumptions=assumptions) as vendor:
        async with stranger(vendor.url, f"Bearer {vendor.token}") as me:
            assert (await me.ask("GET", "/v1/queues"))[0] == 200
        async with stranger(vendor.url, "another") as me:
            assert (await me.ask("GET", "/v1/queues"))[0] == 403


async def test_calls_beyond_the_burst_are_refused_until_time_passes() -> None:
    clock = ManualClock()
    async with DixaSimulator.running(clock=clock) as vendor, stranger(vendor.url, vendor.token) as me:
        seen = [(await me.ask("GET", "/v1/organization"))[0] for _ in range(6)]
        assert seen == [200] * 4 + [429] * 2
        clock.advance(100)
        assert (await me.ask("GET", "/v1/organization"))[0] == 200
        status, body = await me.ask("GET", "/v1/organization")
        assert (status, list(body)) == (429, ["message"])


async def test_a_wrong_credential_does_not_use_up_the_rate() -> None:
    async with DixaSimulator.running(clock=ManualClock()) as vendor:
        async with stranger(vendor.url, "another") as other:
            assert {(await other.ask("GET", "/v1/queues"))[0] for _ in range(9)} == {401}
        async with stranger(vendor.url, vendor.token) as me:
            assert (await me.ask("GET", "/v1/queues"))[0] == 200


# ------------------------------------------------------------------------------------------------ schemas
async def _try_import(vendor: DixaSimulator, me: Stranger, without: str = "", **more: Any) -> tuple[int, Any]:
    body = imported(vendor, await somebody(me), **more)
    body.pop(without, None)
    return await me.ask("POST", "/v1/conversations/import", body)


@pytest.mark.parametrize("missing", ["genericChannelName", "requesterId", "direction", "createdAt"])
async def test_an_import_without_a_mandatory_field_is_refused(missing: str) -> None:
    async with DixaSimulator.running(script=FREE) as vendor, stranger(vendor.url, vendor.token) as me:
        assert await _try_import(vendor, me, missing) == (400, DECODING)
        assert missing in vendor.calls[-1].note
        assert not vendor.conversations


@pytest.mark.parametrize(
    ("field", "value", "answer"),
    [
        ("requesterId", "kim", DECODING),
        ("createdAt", "yesterday", DECODING),
        ("createdAt", "2026-11-21T10:00:00", DECODING),
        ("_type", "ChatImport", DECODING),
        ("requesterConnectionStatus", "Perhaps", DECODING),
        ("messages", [{"_type": "Inbound", "content": text("no import")}], DECODING),
        ("messages", [{"_type": "InboundImport", "content": {"value": "untyped"}, "createdAt": "x"}], DECODING),
        ("widgetId", NOBODY, DECODING),
        ("genericChannelName", "widgetchat", INVALID),
        ("direction", "Sideways", INVALID),
    ],
)
async def test_an_import_with_a_wrong_field_is_refused(field: str, value: object, answer: dict) -> None:
    async with DixaSimulator.running(script=FREE) as vendor, stranger(vendor.url, vendor.token) as me:
        assert await _try_import(vendor, me, "", **{field: value}) == (400, answer)


async def test_unknown_fields_pass_where_that_reading_is_chosen() -> None:
    relaxed = Assumptions(refuse_unknown_fields=False)
    async with meeting(script=FREE, assumptions=relaxed) as (vendor, me, _hook):
        assert (await _try_import(vendor, me, widgetId=NOBODY))[0] == 201


async def test_unknown_fields_are_found_in_the_depth_of_a_body() -> None:
    async with DixaSimulator.running(script=FREE) as vendor, stranger(vendor.url, vendor.token) as me:
        number = await handed_over(vendor, me)
        line = inbound("hello", attachments=[{"url": "https://x.example/a.png", "mime": "image/png"}])
        assert await me.ask("POST", f"/v1/conversations/{number}/messages", line) == (400, DECODING)
        assert vendor.calls[-1].note == "$.attachments[0].mime is not in the schema"


async def test_what_is_no_json_and_what_is_not_there() -> None:
    async with DixaSimulator.running(script=FREE) as vendor, stranger(vendor.url, vendor.token) as me:
        headers = {"Authorization": vendor.token}
        async with me.session.post(f"{vendor.url}/v1/endusers", data=b"{", headers=headers) as answer:
            assert (answer.status, await answer.json()) == (400, DECODING)
        assert await me.ask("GET", "/v1/conversations/7") == (404, NOT_FOUND)
        assert await me.ask("GET", "/v1/conversations/seven") == (400, INVALID)
        assert await me.ask("GET", "/v1/nothing/here") == (404, NOT_FOUND)
        assert await _try_import(vendor, me, requesterId=NOBODY) == (404, NOT_FOUND)


# ------------------------------------------------------------------------------------------------- people
async def test_end_users_are_made_once_and_found_again() -> None:
    async with DixaSimulator.running(script=FREE) as vendor, stranger(vendor.url, vendor.token) as me:
        assert (await me.good("GET", "/v1/endusers?email=kim@example.com"))["data"] == []
        made = (await me.good("POST", "/v1/endusers", {"email": "kim@example.com", "externalId": "v-1"}))["data"]
        for query in ("email=KIM@example.com", "externalId=v-1"):
            assert (await me.good("GET", f"/v1/endusers?{query}"))["data"] == [made]
        assert (await me.good("GET", f"/v1/endusers/{made['id']}"))["data"] == made
        assert await me.ask("POST", "/v1/endusers", {"email": "kim@example.com"}) == (400, INVALID)
        assert await me.ask("GET", "/v1/endusers?email=a&phone=1") == (400, INVALID)


@pytest.mark.parametrize(("reading", "status"), [("refused", 400), ("accepted", 201)])
async def test_the_email_of_an_agent_makes_no_end_user_unless_told(reading: Any, status: int) -> None:
    assumptions = Assumptions(agent_email=reading)
    async with meeting(script=FREE, assumptions=assumptions) as (vendor, me, _hook):
        assert (await me.ask("POST", "/v1/endusers", {"email": vendor.agents[0].email}))[0] == status


async def test_lists_come_in_pages() -> None:
    async with DixaSimulator.running(script=FREE) as vendor, stranger(vendor.url, vendor.token) as me:
        first = await me.good("GET", "/v1/agents?pageLimit=3")
        rest = await me.good("GET", first["meta"]["next"])
        assert [len(first["data"]), len(rest["data"]), rest["meta"]] == [3, 1, {}]
        assert {one["email"] for one in first["data"] + rest["data"]} >= {agent.email for agent in vendor.agents}
        assert await me.ask("GET", "/v1/agents?pageKey=%21") == (400, INVALID)


# ------------------------------------------------------------------------------------------ conversations
async def test_a_conversation_is_imported_with_its_transcript_and_read_back() -> None:
    async with DixaSimulator.running(script=FREE) as vendor, stranger(vendor.url, vendor.token) as me:
        number = await handed_over(vendor, me, queue=1)
        one = (await me.good("GET", f"/v1/conversations/{number}"))["data"]
        assert (one["_type"], one["id"], one["state"]) == ("GenericConversation", number, "Open")
        assert one["queue"]["id"] == vendor.queues[1].id
        assert "assignment" not in one
        lines = (await me.good("GET", f"/beta/conversations/{number}/messages"))["data"]
        assert [(line["attributes"]["content"]["value"], line["attributes"]["direction"]) for line in lines] == [
            ("Where is my lamp?", "Inbound"),
            ("I will ask somebody.", "Outbound"),
        ]
        assert lines[0]["createdAt"] == "2026-11-21T10:00:01.000Z[GMT]"


async def test_what_an_import_cannot_do_is_told_beside_its_number() -> None:
    async with DixaSimulator.running(script=FREE) as vendor, stranger(vendor.url, vendor.token) as me:
        body = imported(vendor, await somebody(me))
        body["assignment"] = {"agentId": NOBODY, "assignedAt": body["createdAt"]}
        body["messages"][0] |= {"attachments": [{"url": "file:///etc/passwd"}], "externalId": "42"}
        made = (await me.good("POST", "/v1/conversations/import", body))["data"]
        assert [fault["message"] for fault in made["partialErrors"]] == [
            "Invalid attachment url in message. externalId: 42",
            "The conversation could not be assigned",
        ]
        assert vendor.conversations[0].messages[0].attachments == ()


async def test_messages_are_added_with_an_external_id_that_comes_back() -> None:
    async with DixaSimulator.running(script=FREE) as vendor, stranger(vendor.url, vendor.token) as me:
        number = await handed_over(vendor, me)
        path = f"/v1/conversations/{number}/messages"
        for _twice in range(2):
            added = (await me.good("POST", path, inbound("Still there?", externalId="m-1")))["data"]
            assert (added["direction"], added["externalId"]) == ("Inbound", "m-1")
        reply = {"_type": "Outbound", "agentId": vendor.agents[1].id, "content": text("Yes")}
        await me.good("POST", path, reply)
        listed = (await me.good("GET", path))["data"][2:]
        assert [line.get("externalId") for line in listed] == ["m-1", "m-1", None]
        assert listed[2]["authorId"] == vendor.agents[1].id
        assert (await me.ask("POST", path, {**reply, "agentId": NOBODY}))[0] == 404


async def test_an_external_id_may_be_told_to_make_messages_unique() -> None:
    assumptions = Assumptions(external_id_once=True)
    async with meeting(script=FREE, assumptions=assumptions) as (vendor, me, _hook):
        path = f"/v1/conversations/{await handed_over(vendor, me)}/messages"
        first = await me.good("POST", path, inbound("once", externalId="m-1"))
        assert await me.good("POST", path, inbound("once", externalId="m-1")) == first


async def test_tags_notes_and_attributes() -> None:
    async with DixaSimulator.running(script=FREE) as vendor, stranger(vendor.url, vendor.token) as me:
        number = await handed_over(vendor, me)
        base = f"/v1/conversations/{number}"
        known = (await me.good("POST", "/v1/tags", {"name": "vip"}))["data"]
        assert (await me.ask("PUT", f"{base}/tags/{known['id']}"))[0] == 204
        assert (await me.ask("PUT", f"{base}/tags/{NOBODY}"))[0] == 404
        assert (await me.ask("POST", f"{base}/tags/bulk", {"data": [{"name": "lamp"}]}))[0] == 202
        await vendor.changes.until(lambda: vendor.conversations[0].tags == {"vip", "lamp"})
        assert {tag["name"] for tag in (await me.good("GET", f"{base}/tags"))["data"]} == {"vip", "lamp"}

        note = (await me.good("POST", f"{base}/notes", {"message": "Came from /lamps"}))["data"]
        assert (note["csid"], note["message"]) == (number, "Came from /lamps")
        outcomes = await me.good(
            "POST", f"{base}/notes/bulk", {"data": [{"message": "a"}, {"message": "b", "agentId": NOBODY}]}
        )
        assert [one["_type"] for one in outcomes["data"]] == ["BulkActionSuccess", "BulkActionFailure"]
        assert len((await me.good("GET", f"{base}/notes"))["data"]) == 2

        page = (await me.good("GET", "/v1/custom-attributes"))["data"][0]
        set_to = (await me.good("PATCH", f"{base}/custom-attributes", {page["id"]: "/lamps"}))["data"]
        assert [(one["identifier"], one["value"]) for one in set_to] == [("page", "/lamps")]
        assert await me.ask("PATCH", f"{base}/custom-attributes", {NOBODY: "x"}) == (400, INVALID)


async def test_claim_close_and_reopen() -> None:
    async with DixaSimulator.running(script=FREE) as vendor, stranger(vendor.url, vendor.token) as me:
        number = await handed_over(vendor, me)
        base = f"/v1/conversations/{number}"
        first, second = vendor.agents[0].id, vendor.agents[1].id
        assert (await me.ask("PUT", f"{base}/claim", {"agentId": first}))[0] == 204
        assert (await me.ask("PUT", f"{base}/claim", {"agentId": second}))[0] == 409
        assert (await me.ask("PUT", f"{base}/claim", {"agentId": second, "force": True}))[0] == 204
        assert (await me.good("GET", base))["data"]["assignment"]["agentId"] == second
        for _twice in range(2):
            assert (await me.ask("PUT", f"{base}/close"))[0] == 204
        assert (await me.good("GET", base))["data"]["state"] == "Closed"
        assert (await me.ask("PUT", f"{base}/reopen"))[0] == 204
        assert vendor.conversations[0].waiting


async def test_a_conversation_is_put_off_by_somebody_who_is_known() -> None:
    async with meeting(script=FREE) as (vendor, me, hook):
        base = f"/v1/conversations/{await handed_over(vendor, me)}"
        until = {"timestamp": "2026-12-01T08:00:00Z"}
        assert await me.ask("PUT", f"{base}/followup", {**until, "userId": NOBODY}) == (404, NOT_FOUND)
        assert (await me.ask("PUT", f"{base}/followup", {**until, "userId": vendor.agents[0].id}))[0] == 204
        assert (await me.good("GET", base))["data"]["state"] == "Pending"
        await hook.of("CONVERSATION_PENDING")
        await vendor.agent_joins(vendor.conversations[0].id)
        await hook.of("CONVERSATION_OPEN")


async def test_closing_twice_may_be_refused() -> None:
    async with meeting(script=FREE, assumptions=Assumptions(closing_twice="refused")) as (vendor, me, _hook):
        base = f"/v1/conversations/{await handed_over(vendor, me)}"
        assert [(await me.ask("PUT", f"{base}/close"))[0] for _twice in range(2)] == [204, 400]


async def test_what_is_not_there_is_404_everywhere() -> None:
    async with meeting(script=FREE) as (vendor, me, _hook):
        base = f"/v1/conversations/{await handed_over(vendor, me)}"
        for method, path, body in (
            ("GET", f"/v1/endusers/{NOBODY}", None),
            ("GET", f"/v1/agents/{NOBODY}", None),
            ("GET", f"/v1/queues/{NOBODY}", None),
            ("GET", f"/v1/webhooks/{NOBODY}", None),
            ("DELETE", f"{base}/tags/{NOBODY}", None),
            ("PUT", f"{base}/transfer/queue", {"queueId": NOBODY}),
            ("PUT", f"{base}/claim", {"agentId": NOBODY}),
            ("POST", f"{base}/notes", {"message": "x", "agentId": NOBODY}),
        ):
            assert await me.ask(method, path, body) == (404, NOT_FOUND), path
        assert (await me.ask("GET", f"/v1/queues/{NOBODY}/availability"))[0] == 409
        assert await me.ask("GET", "/v1/agents/astrid") == (400, INVALID)


async def test_tags_come_off_and_members_are_seen() -> None:
    async with meeting(script=FREE) as (vendor, me, hook):
        base = f"/v1/conversations/{await handed_over(vendor, me)}"
        tag = (await me.good("POST", "/v1/tags", {"name": "vip"}))["data"]
        assert (await me.good("POST", "/v1/tags", {"name": "vip"}))["data"] == tag
        assert (await me.good("GET", "/v1/tags"))["data"] == [tag]
        assert [(await me.ask(how, f"{base}/tags/{tag['id']}"))[0] for how in ("PUT", "DELETE")] == [204, 204]
        await hook.of("CONVERSATION_TAG_REMOVED")
        assert (await me.good("GET", f"{base}/tags"))["data"] == []
        one = (await me.good("GET", f"/v1/agents/{vendor.agents[1].id}"))["data"]
        assert (one["displayName"], one["email"]) == (vendor.agents[1].name, vendor.agents[1].email)
        vendor.agents[1].online = False
        states = {each["userId"]: each["connectionStatus"] for each in await me.good("GET", "/v1/agents/presence")}
        assert (states[vendor.agents[0].id], states[vendor.agents[1].id]) == ("Connected", "Disconnected")


# ------------------------------------------------------------------------------------------------- queues
async def test_positions_count_who_came_before() -> None:
    async with DixaSimulator.running(script=FREE) as vendor, stranger(vendor.url, vendor.token) as me:
        first = await handed_over(vendor, me)
        second = await handed_over(vendor, me, email="lee@example.com")
        for number, place in ((first, 1), (second, 2)):
            for path in (
                f"/v1/queues/conversation-position/{number}",
                f"/v1/queues/{vendor.queues[0].id}/conversations/{number}/position",
            ):
                assert (await me.good("GET", path))["data"]["position"] == place
        await vendor.agent_joins(first)
        assert (await me.ask("GET", f"/v1/queues/conversation-position/{first}")) == (404, NOT_FOUND)
        assert (await me.good("GET", f"/v1/queues/conversation-position/{second}"))["data"]["position"] == 1


async def test_availability_tells_the_length_of_the_queue_only_when_nobody_is_there() -> None:
    async with DixaSimulator.running(script=FREE) as vendor, stranger(vendor.url, vendor.token) as me:
        await handed_over(vendor, me)
        path = f"/v1/queues/{vendor.queues[0].id}/availability"
        channel = {"_type": "GenericChannel", "genericChannelName": "genericapimessaging", "availability": "Available"}
        assert (await me.good("GET", path))["data"] == [{"_type": "Success", "channelAvailability": channel}]
        for agent in vendor.agents:
            agent.online = False
        nobody = channel | {"availability": "NotAvailable", "queueSize": 1}
        assert (await me.good("GET", path))["data"] == [{"_type": "Success", "channelAvailability": nobody}]
        names = [(queue["name"], queue["isDefault"]) for queue in (await me.good("GET", "/v1/queues"))["data"]]
        assert names == [("Support", True), ("Billing", False), ("Night shift", False)]


@pytest.mark.parametrize("routing", [True, False])
async def test_what_nobody_transfers_is_routed_by_dixa_itself(routing: bool) -> None:
    assumptions = Assumptions(default_routing=routing)
    script = Script(rate=None)
    async with meeting(script=script, assumptions=assumptions) as (vendor, me, _hook):
        await me.good("POST", "/v1/conversations/import", imported(vendor, await somebody(me)))
        if routing:
            assert (await vendor.waiting()).queue_id == vendor.queues[0].id
        else:
            with pytest.raises(TimeoutError):
                await vendor.waiting(timeout_s=0.3)
