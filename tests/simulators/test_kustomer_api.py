"""Kustomer's API as a stranger's client meets it: keys, roles, limits, schemas, the chat handoff."""

from __future__ import annotations

from typing import Any, Literal

import aiohttp
import pytest
from tests.simulators.kustomer_account import (
    FREE,
    NOBODY,
    handed_over,
    handoff,
    meeting,
    somebody,
    visitor_line,
)
from tests.simulators.receiver import Stranger, stranger

from warmline.kernel.clock import ManualClock
from warmline.simulators.kustomer import Assumptions, KustomerSimulator
from warmline.simulators.script import Kind, Script

HANDOFF, SEND = "/v2.1/chat/handoff", "/v2.1/chat/messages"
BAD = {"errors": [{"code": "bad_request", "message": "Invalid request body or parameters.", "meta": {}}]}


def code(answer: Any) -> str:
    return answer["errors"][0]["code"]


# ------------------------------------------------------------------------------------------- credentials
@pytest.mark.parametrize("given", ["", "Bearer another", "{token}", "Basic {token}"])
async def test_only_the_key_after_bearer_is_accepted(given: str) -> None:
    async with KustomerSimulator.running(script=FREE) as vendor:
        async with stranger(vendor.url, given.format(token=vendor.token)) as me:
            status, answer = await me.ask("GET", "/v1/users")
            assert (status, code(answer)) == (401, "unauthorized")
        assert vendor.calls[0].note
        assert "Authorization" not in vendor.calls[0].headers


async def test_a_key_does_what_its_roles_allow() -> None:
    held = {"org.permission.customer", "org.permission.message.create"}
    async with meeting(script=FREE, held_roles=held) as (vendor, me, _hook):
        current = await me.good("GET", "/v1/auth/tokens/current")
        assert current["data"]["attributes"]["roles"] == sorted(held)
        customer_id, session = await handed_over(vendor, me)
        assert (await me.ask("POST", SEND, visitor_line(customer_id, session, "Hello")))[0] == 201
        status, answer = await me.ask("POST", "/v2.1/chat/sessions", {"customerId": customer_id})
        assert (status, code(answer)) == (403, "forbidden")
        assert "org.permission.conversation.create" in vendor.calls[-1].note


async def test_a_handoff_may_need_both_roles_and_a_missing_one_may_be_401() -> None:
    other = Assumptions(handoff_roles="both", missing_role_status=401, error_form="jsonapi")
    held = {"org.permission.customer", "org.permission.message.create"}
    async with meeting(script=FREE, held_roles=held, assumptions=other) as (vendor, me, _hook):
        customer_id = await somebody(me)
        status, answer = await me.ask("POST", HANDOFF, handoff(vendor, customer_id))
        assert (status, answer["errors"][0]["status"], answer["errors"][0]["title"]) == (401, "401", "Forbidden")


# ------------------------------------------------------------------------------------------------ limits
async def test_the_budget_of_a_minute_is_counted_down() -> None:
    clock = ManualClock()
    async with meeting(clock=clock, plan="professional") as (vendor, me, _hook):
        headers = {"Authorization": me.token}
        async with me.session.get(f"{vendor.url}/v1/users", headers=headers) as answer:
            assert answer.headers["x-ratelimit-limit"] == "300"
            assert answer.headers["x-ratelimit-remaining"] == "299"
            assert int(answer.headers["x-ratelimit-reset"]) * 1000 == clock.now() + 60_000
        seen = [(await me.ask("GET", "/v1/users"))[0] for _ in range(300)]
        assert seen == [200] * 299 + [429]
        async with me.session.get(f"{vendor.url}/v1/users", headers=headers) as answer:
            assert (answer.status, answer.headers["x-ratelimit-remaining"]) == (429, "0")
            assert "Retry-After" not in answer.headers
        clock.advance(60_000)
        assert (await me.ask("GET", "/v1/users"))[0] == 200


async def test_a_customer_writes_120_messages_a_minute_at_most() -> None:
    clock = ManualClock()
    async with meeting(clock=clock, assumptions=Assumptions(retry_after_s=7)) as (vendor, me, _hook):
        customer_id, session = await handed_over(vendor, me)
        seen = [(await me.ask("POST", SEND, visitor_line(customer_id, session, "Hm"))) for _ in range(121)]
        assert [status for status, _answer in seen] == [201] * 120 + [429]
        assert code(seen[-1][1]) == "too_many_requests"
        clock.advance(60_000)
        assert (await me.ask("POST", SEND, visitor_line(customer_id, session, "Hm")))[0] == 201


async def test_a_body_that_is_too_large_is_413() -> None:
    async with meeting(script=FREE) as (vendor, me, _hook):
        customer_id, session = await handed_over(vendor, me)
        status, answer = await me.ask("POST", SEND, visitor_line(customer_id, session, "x" * 102_400))
        assert (status, code(answer)) == (413, "payload_too_large")


# ----------------------------------------------------------------------------------------------- handoff
async def test_a_handoff_is_a_session_and_a_conversation_of_one_id() -> None:
    async with meeting(script=FREE) as (vendor, me, _hook):
        customer_id, session = await handed_over(vendor, me, externalId="bot-7", lang="da")
        listed = await me.good("GET", f"/v2.1/chat/sessions/{session}/messages")
        assert [(one["type"], one["attributes"]["direction"], one["attributes"]["body"]) for one in listed["data"]] == [
            ("chat_message", "in", "Where is my lamp?"),
            ("chat_message", "out", "I will ask somebody."),
        ]
        assert listed["data"][1]["relationships"]["sentBy"]["data"]["id"] == vendor.bot.id
        await vendor.waiting()
        conversation = (await me.good("GET", f"/v1/conversations/{session}"))["data"]
        assert conversation["attributes"]["messageCount"] == 2
        assert conversation["attributes"]["assignedUsers"] == []
        assert conversation["relationships"]["customer"]["data"]["id"] == customer_id
        assert conversation["relationships"]["queue"]["data"]["id"] == vendor.queues[0].id
        sessions = await me.good("GET", f"/v2.1/chat/sessions?customerId={customer_id}&active=true")
        assert sessions["data"][0]["id"] == session
        assert sessions["data"][0]["attributes"]["custom"] == {"externalId": "bot-7"}


IN = {"direction": "in", "body": "Hello", "date": "2026-11-21T10:00:01Z"}
OUT = {**IN, "direction": "out"}


@pytest.mark.parametrize(
    ("messages", "status"),
    [
        ([IN], 422),
        ([IN, IN], 422),
        ([OUT, OUT], 422),
        ([], 422),
        ([IN, OUT] * 51, 422),
        ([IN, OUT] * 50, 201),
        ([IN, {**OUT, "body": ""}], 400),
        ([IN, {**OUT, "date": "yesterday"}], 400),
        ([IN, {**OUT, "direction": "sideways"}], 400),
        ([IN, {**OUT, "html": "<p>"}], 400),
    ],
)
async def test_the_rules_of_a_handoff(messages: list[object], status: int) -> None:
    async with meeting(script=FREE) as (vendor, me, _hook):
        body = handoff(vendor, await somebody(me), messages=messages)
        assert (await me.ask("POST", HANDOFF, body))[0] == status
        assert len(vendor.conversations) == (status == 201)


@pytest.mark.parametrize("missing", ["customerId", "messages", "from", "active"])
async def test_a_handoff_without_a_mandatory_field_is_refused(missing: str) -> None:
    async with meeting(script=FREE) as (vendor, me, _hook):
        body = handoff(vendor, await somebody(me))
        del body[missing]
        assert await me.ask("POST", HANDOFF, body) == (400, BAD)
        assert missing in vendor.calls[-1].note


@pytest.mark.parametrize(("field", "status"), [("customerId", 404), ("from", 400), ("queue", 400)])
async def test_a_handoff_names_what_exists(field: str, status: int) -> None:
    async with meeting(script=FREE) as (vendor, me, _hook):
        body = handoff(vendor, await somebody(me), **{field: NOBODY})
        assert (await me.ask("POST", HANDOFF, body))[0] == status


async def test_a_repeated_handoff_makes_another_session_unless_refused() -> None:
    cases: tuple[tuple[Literal["another", "refused"], int], ...] = (("another", 201), ("refused", 409))
    for repeat, status in cases:
        async with meeting(script=FREE, assumptions=Assumptions(handoff_repeat=repeat)) as (vendor, me, _hook):
            customer_id, _session = await handed_over(vendor, me, externalId="bot-7")
            again = await me.ask("POST", HANDOFF, handoff(vendor, customer_id, externalId="bot-7"))
            assert again[0] == status


async def test_what_is_handed_over_as_closed_waits_for_nobody() -> None:
    async with meeting(script=FREE) as (vendor, me, _hook):
        _customer, session = await handed_over(vendor, me, active=False)
        attributes = (await me.good("GET", f"/v1/conversations/{session}"))["data"]["attributes"]
        assert (attributes["status"], attributes["ended"]) == ("done", True)
        assert not vendor.conversations[0].waiting


async def test_an_answer_that_is_lost_can_be_found_again() -> None:
    async with meeting(script=FREE) as (vendor, me, _hook):
        customer_id, session = await handed_over(vendor, me)
        vendor.trouble.next("chat.message", Kind.LOST)
        with pytest.raises(aiohttp.ClientError):
            await me.ask("POST", SEND, visitor_line(customer_id, session, "Are you there?"))
        listed = await me.good("GET", f"/v2.1/chat/sessions/{session}/messages")
        assert listed["data"][-1]["attributes"]["body"] == "Are you there?"


async def test_ids_may_differ_between_session_and_conversation() -> None:
    async with meeting(script=FREE, assumptions=Assumptions(mirrored_ids="other")) as (vendor, me, _hook):
        customer_id, session = await handed_over(vendor, me)
        await vendor.waiting()
        made = await me.good("POST", SEND, visitor_line(customer_id, session, "Hello"))
        listed = (await me.good("GET", f"/v1/conversations/{session}/messages"))["data"]
        assert listed[-1]["id"] != made["data"]["id"]
        assert made["data"]["id"] in [one["attributes"]["externalId"] for one in listed]


# ------------------------------------------------------------------------------------------ the chat after
async def test_a_session_begins_empty_and_is_written_in_by_all() -> None:
    async with meeting(script=FREE) as (vendor, me, _hook):
        customer_id = await somebody(me)
        made = await me.good("POST", "/v2.1/chat/sessions", {"customerId": customer_id, "trackingId": "t-1"})
        session = made["data"]["id"]
        line = visitor_line(customer_id, session, "Hello")
        await me.good("POST", SEND, line)
        member = {**line, "from": vendor.agents[0].id, "body": "Hi", "auto": True}
        await me.good("POST", "/v2.1/chat/outbound/messages", member)
        bot = {**line, "from": vendor.bot.id, "body": "Beep"}
        await me.good("POST", "/v2.1/chat/outbound/assistant/messages", bot)
        typing = {"customerId": customer_id, "session": session, "from": vendor.bot.id, "typing": True}
        await me.good("POST", "/v2.1/chat/outbound/typing", typing)
        listed = await me.good("GET", f"/v2.1/chat/sessions/{session}/messages?fields=body&pageSize=2")
        assert [one["attributes"] for one in listed["data"]] == [{"body": "Hello"}, {"body": "Hi"}]
        following = await me.good("GET", listed["links"]["next"])
        assert [one["attributes"] for one in following["data"]] == [{"body": "Beep"}]
        assert following["links"]["next"] is None
        again = await me.good("POST", "/v2.1/chat/sessions", {"customerId": customer_id})
        assert again["data"]["attributes"]["trackingId"] == "t-1"
        assert (await me.ask("GET", "/v2.1/chat/sessions"))[0] == 400


@pytest.mark.parametrize(
    ("change", "status"),
    [({"body": ""}, 400), ({"session": NOBODY}, 404), ({"customerId": NOBODY}, 404), ({"attachments": [NOBODY]}, 400)],
)
async def test_a_message_needs_content_and_a_session_of_the_customer(change: dict[str, Any], status: int) -> None:
    async with meeting(script=FREE) as (vendor, me, _hook):
        customer_id, session = await handed_over(vendor, me)
        assert (await me.ask("POST", SEND, {**visitor_line(customer_id, session, "Hm"), **change}))[0] == status


async def _write_to(vendor: KustomerSimulator, me: Stranger, customer_id: str, session: str) -> int:
    return (await me.ask("POST", SEND, visitor_line(customer_id, session, "One more thing")))[0]


async def test_a_message_reopens_what_is_done_and_not_what_was_ended() -> None:
    async with meeting(script=FREE) as (vendor, me, _hook):
        customer_id, session = await handed_over(vendor, me)
        await vendor.mark(session, "done")
        assert await _write_to(vendor, me, customer_id, session) == 201
        assert vendor.conversations[0].status == "open"
        await vendor.close(session)
        assert await _write_to(vendor, me, customer_id, session) == 400
    async with meeting(script=FREE, assumptions=Assumptions(message_to_ended="reopens")) as (vendor, me, _hook):
        customer_id, session = await handed_over(vendor, me)
        await vendor.close(session)
        assert await _write_to(vendor, me, customer_id, session) == 201


async def test_what_is_no_json_and_what_is_not_there() -> None:
    async with meeting(script=Script(rate=None)) as (vendor, me, _hook):
        headers = {"Authorization": me.token}
        async with me.session.post(f"{vendor.url}/v1/customers", data=b"{", headers=headers) as answer:
            assert (answer.status, await answer.json()) == (400, BAD)
        for path in ("/v1/nothing", f"/v1/users/{NOBODY}", f"/v1/conversations/{NOBODY}"):
            status, refused = await me.ask("GET", path)
            assert (status, code(refused)) == (404, "not_found")


async def test_trouble_on_order_speaks_as_the_vendor() -> None:
    async with meeting(assumptions=Assumptions(retry_after_s=3)) as (vendor, me, _hook):
        vendor.trouble.next("users.list", Kind.TOO_MANY)
        async with me.session.get(f"{vendor.url}/v1/users", headers={"Authorization": me.token}) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (429, "3")
            assert answer.headers["x-ratelimit-remaining"] == "0"
        vendor.trouble.next("users.list", Kind.FAILING)
        status, refused = await me.ask("GET", "/v1/users")
        assert (status, code(refused)) == (500, "internal_server_error")
        assert (await me.ask("GET", "/v1/users"))[0] == 200
