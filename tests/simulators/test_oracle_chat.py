"""Oracle's chat as a stranger's client meets it: the way in, queue, agents, transfers, and every end."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from tests.simulators.oracle_account import CONTEXT, ESTABLISH, basic, chatting, meeting
from tests.simulators.receiver import stranger

from warmline.kernel.clock import ManualClock
from warmline.simulators.oracle import AbuseScreen, Assumptions, OracleSimulator
from warmline.simulators.script import Act, Script, Step, Waits


# --------------------------------------------------------------------------------------------- the way in
async def test_a_session_is_established_with_json_inside_json_both_ways() -> None:
    async with meeting() as (vendor, caller):
        answer = await caller.establish(emailAddress="kim@example.com", queueId=1)
        assert f"http://{answer['server']['domain']}:{answer['server']['port']}" == vendor.url
        started = await caller.good("requestEngagement", {"clientTransactionId": 7})
        assert started["engagementIdString"] == str(started["engagementId"])
        assert started["engagementId"] > 2**53
        assert (started["clientTransactionId"], started["clientTransactionIdString"]) == (7, "7")
        assert (await vendor.waiting()).information == {"emailAddress": "kim@example.com", "queueId": 1}


@pytest.mark.parametrize("given", ["", "Basic eDp5", "Bearer {basic}"])
async def test_only_the_service_account_may_establish_sessions(given: str) -> None:
    async with OracleSimulator.running() as vendor, stranger(vendor.url, given.format(basic=basic(vendor))) as me:
        status, _answer = await me.ask("POST", ESTABLISH, {"sessionInformation": "{}"}, **{CONTEXT: "Warmline"})
        assert status == 401


@pytest.mark.parametrize(
    ("context", "body", "status"),
    [
        ("x" * 40, {"sessionInformation": "{}"}, 200),
        ("x" * 41, {"sessionInformation": "{}"}, 400),
        (None, {"sessionInformation": "{}"}, 400),
        ("Warmline", {}, 400),
        ("Warmline", {"sessionInformation": {"emailAddress": "kim@example.com"}}, 400),
        ("Warmline", {"sessionInformation": "kim"}, 400),
        ("Warmline", {"sessionInformation": '{"queueId": "1"}'}, 400),
        ("Warmline", {"sessionInformation": '{"emailAddress": 7}'}, 400),
        ("Warmline", {"sessionInformation": "{}", "site": "x"}, 400),
    ],
)
async def test_what_a_session_may_be_established_with(context: str | None, body: object, status: int) -> None:
    async with meeting() as (_vendor, caller):
        headers = {} if context is None else {CONTEXT: context}
        assert (await caller.me.ask("POST", ESTABLISH, body, **headers))[0] == status


async def test_attributes_that_are_not_listed_pass_unless_told_otherwise() -> None:
    body = {"sessionInformation": '{"colour": "green"}'}
    for refused, status in ((False, 200), (True, 400)):
        async with meeting(assumptions=Assumptions(refuse_unknown_attributes=refused)) as (_vendor, caller):
            assert (await caller.me.ask("POST", ESTABLISH, body, **{CONTEXT: "Warmline"}))[0] == status


async def test_an_engagement_needs_a_token_that_is_still_good() -> None:
    clock = ManualClock()
    async with meeting(clock=clock, assumptions=Assumptions(token_lifetime_s=60)) as (_vendor, caller):
        await caller.establish()
        assert (await caller.chat("requestEngagement", {}, Authorization="Bearer other"))[0] == 403
        clock.advance(60_000)
        assert (await caller.chat("requestEngagement", {}))[0] == 403
        await caller.begin()
        assert (await caller.chat("requestEngagement", {"clientRequestTime": "2026-11-21 10:00"}))[0] == 400


async def test_rules_dequeue_with_409() -> None:
    async with meeting() as (vendor, caller):
        await caller.establish(queueId=vendor.queues[2].id)
        assert (await caller.chat("requestEngagement", {}))[0] == 409
        assert vendor.conversations == []


async def test_site_pool_and_session_must_be_right() -> None:
    async with meeting() as (_vendor, caller):
        await caller.begin()
        good, caller.pool = caller.pool, "pool99"
        assert (await caller.chat("getMessages", {}))[0] == 404
        caller.pool, caller.prefix = good, caller.prefix.replace("lumen_lamps", "elsewhere")
        assert (await caller.chat("getMessages", {}))[0] == 404
        caller.prefix = caller.prefix.replace("elsewhere", "lumen_lamps")
        assert (await caller.chat("postMessage", {"body": "hello"}, SessionId="gone"))[0] == 403


# ------------------------------------------------------------------------------------------- the queue
async def test_position_and_waiting_time_are_told_as_numbers_and_texts() -> None:
    async with meeting() as (vendor, caller):
        await caller.begin(firstName="Kim")
        first = await vendor.waiting()
        await caller.begin(firstName="Mia")
        (waits,) = await caller.news()
        assert (waits["position"], waits["positionString"]) == (2, "2")
        assert (waits["expectedWaitTimeSeconds"], waits["averageWaitTimeSecondsString"]) == (180, "90")
        await vendor.agent_joins(first.id)
        assert (await caller.until("WaitInformationChanged"))["position"] == 1
        assert first.title == "Kim"


@pytest.mark.parametrize(("kind", "sessions"), [("AGENTS", 3), ("SESSIONS", 8)])
async def test_the_queue_tells_who_is_there(kind: str, sessions: int) -> None:
    async with chatting() as (vendor, caller, _engagement):
        question = quote(json.dumps({"queueId": 1, "chatProactiveAvailableType": kind}))
        path = f"{caller.prefix}getQueueStats?pool={caller.pool}&request={question}"
        answer = await caller.me.good("GET", path)
        assert (answer["availableAgentSessions"], answer["engagementsInQueue"]) == (sessions, 0)
        for agent in vendor.agents:
            agent.online = False
        assert (await caller.me.good("GET", path))["availableAgentSessionsString"] == "0"
        assert (await caller.me.ask("GET", path.replace("request", "question")))[0] == 400
        assert (await caller.me.ask("GET", f"{path}%0A"))[0] == 400
        rules = f"{caller.prefix}getEngagementQueue?pool={caller.pool}&request=%7B%7D"
        assert (await caller.me.good("GET", rules))["queueIdString"] == "1"


async def test_a_queue_that_times_out_ends_the_chat() -> None:
    async with meeting() as (vendor, caller):
        await caller.begin()
        await vendor.close((await vendor.waiting()).id)
        assert (await caller.until("Concluded"))["reason"] == "QUEUE_TIMEOUT"
        assert (await caller.chat("getMessages", {}))[0] == 403


# ------------------------------------------------------------------------------------------ the chat
async def test_agents_write_html_and_greet() -> None:
    async with meeting() as (vendor, caller):
        await caller.begin()
        one = await vendor.waiting()
        await vendor.agent_joins(one.id)
        joined = await caller.until("ParticipantAdded")
        assert (joined["name"], joined["role"], bool(joined["greeting"])) == ("Astrid Holm", "LEAD", True)
        await vendor.agent_says(one.id, "a  < b\nand more")
        await vendor.agent_sends_sample(one.id, "html")
        said = await caller.news()
        assert [each["clientId"] == joined["clientId"] for each in said] == [True, True]
        assert said[0]["body"] == "a&nbsp; &lt; b<br>and more"
        assert "<script>" in said[1]["body"]
        numbers = [each["sequenceNumber"] for each in one.sent]
        assert numbers == list(range(1, len(numbers) + 1))


async def test_typing_goes_both_ways() -> None:
    async with chatting() as (vendor, caller, one):
        await vendor.agent_types(one.id)
        await vendor.agent_types(one.id, on=False)
        assert [each["mode"] for each in await caller.news()] == ["RESPONDING", "LISTENING"]
        await caller.good("activity", {"mode": "RESPONDING", "sneakPreview": "I th"})
        assert (one.typing, one.preview) == (True, "I th")
        await caller.good("activity", {"mode": "LISTENING"})
        assert one.typing is False
        assert (await caller.chat("activity", {"mode": "TYPING"}))[0] == 400


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"body": ""},
        {"body": 7},
        {"body": "hello", "text": "x"},
        {"body": "hello", "messageDataMap": {"seq": 7}},
        {"body": "hello", "clientTransactionId": "7"},
        {"body": "hello", "clientTransactionId": 2**63},
    ],
)
async def test_a_post_of_another_form_is_refused(body: dict) -> None:
    async with chatting() as (_vendor, caller, one):
        assert (await caller.chat("postMessage", body))[0] == 400
        assert one.lines == []


async def test_a_post_keeps_what_came_with_it_and_does_not_come_back() -> None:
    async with chatting() as (_vendor, caller, one):
        body = {"body": "<b>hello</b>", "richText": True, "messageId": "m1", "messageDataMap": {"seq": "4"}}
        answer = await caller.good("postMessage", {**body, "clientRequestTime": "2026-11-21T10:00:00+01:00"})
        assert answer["messageId"] == "m1"
        (line,) = one.lines
        assert (line.side, line.body, line.rich, line.message_id, line.data) == (
            *("visitor", "<b>hello</b>", True, "m1"),
            {"seq": "4"},
        )
        assert await caller.names() == []


async def test_a_transfer_to_the_queue_is_no_end() -> None:
    async with chatting() as (vendor, caller, one):
        await vendor.transfer_to_queue(one.id, vendor.queues[1])
        left, waits = await caller.news()
        assert (left["role"], left["disconnectReason"], waits["position"]) == ("LEAD", "TRANSFERRED_TO_QUEUE", 1)
        await caller.good("postMessage", {"body": "still here"})
        await vendor.agent_joins(one.id, vendor.agents[1])
        assert (await caller.until("ParticipantAdded"))["name"] == "Noah Vinter"


async def test_a_transfer_to_an_agent_and_a_second_agent_who_comes_and_goes() -> None:
    async with chatting() as (vendor, caller, one):
        await vendor.conferee_joins(one.id, vendor.agents[2])
        await vendor.agent_says(one.id, "Hi", agent=vendor.agents[2])
        await vendor.conferee_leaves(one.id)
        assert await caller.names() == ["ParticipantAdded", "MessagePosted", "ParticipantLeft"]
        await vendor.transfer_to_agent(one.id, vendor.agents[1])
        assert await caller.names() == ["ParticipantAdded", "RoleChanged", "RoleChanged", "ParticipantLeft"]
        assert one.lead is not None
        assert one.lead.agent is vendor.agents[1]
        await vendor.agent_connection(one.id, "ABSENT")
        assert (await caller.news())[0]["connectionState"] == "ABSENT"


async def test_a_lead_who_leaves_with_nobody_to_follow_makes_posts_409() -> None:
    async with chatting() as (vendor, caller, one):
        await vendor.lead_leaves(one.id)
        assert (await caller.chat("postMessage", {"body": "hello?"}))[0] == 409
        assert await caller.names() == ["ParticipantLeft"]
        await vendor.agent_joins(one.id, vendor.agents[1])
        assert (await caller.chat("postMessage", {"body": "hello?"}))[0] == 200


@pytest.mark.parametrize(("reading", "status"), [(409, 409), (403, 403)])
async def test_an_ended_chat_is_told_once_and_its_session_goes(reading: Any, status: int) -> None:
    async with chatting(assumptions=Assumptions(post_after_end=reading)) as (vendor, caller, one):
        await vendor.close(one.id)
        assert (await caller.chat("postMessage", {"body": "hello?"}))[0] == status
        (ended,) = await caller.news()
        assert (ended["reason"], ended["role"]) == ("AGENT_CONCLUDED", "LEAD")
        for operation in ("getMessages", "activity", "concludeEngagement"):
            assert (await caller.chat(operation, {"mode": "LISTENING"} if operation == "activity" else {}))[0] == 403


async def test_the_visitor_ends_it() -> None:
    async with chatting() as (_vendor, caller, one):
        await caller.good("concludeEngagement", {})
        assert one.state == "ended"
        assert (await caller.chat("concludeEngagement", {}))[0] == 200
        assert [each["reason"] for each in await caller.news()] == ["END_USER_CONCLUDED"]


async def test_files_of_agents_come_as_messages_of_their_own_or_as_links() -> None:
    async with chatting(assumptions=Assumptions(file_url_field="fileUrl")) as (vendor, caller, one):
        await vendor.agent_sends_sample(one.id, "picture")
        _text, file = await caller.news()
        assert file["messageName"] == "RNEngagementFileAttachmentMessage"
        async with caller.me.session.get(file["fileUrl"]) as answer:
            assert (answer.status, answer.content_type) == (200, "image/png")
    async with chatting(assumptions=Assumptions(file_as="link")) as (vendor, caller, one):
        await vendor.agent_sends_sample(one.id, "picture")
        assert '<a href="http' in (await caller.news())[1]["body"]


# --------------------------------------------------------------------------------------------- abuse
@pytest.mark.parametrize(
    "body", ["x" * 101, "http://a http://b http://c", "🎉🎉🎉🎉"], ids=["length", "links", "emoji"]
)
async def test_a_blocked_post_is_answered_well_and_repeated_abuse_ends_the_chat(body: str) -> None:
    screen = AbuseScreen(max_characters=100, max_links=2, max_emoji=3, blocks_until_end=1)
    async with chatting(assumptions=Assumptions(abuse=screen)) as (_vendor, caller, one):
        assert (await caller.chat("postMessage", {"body": body}))[0] == 200
        assert one.lines == []
        assert "blocked" in (await caller.news())[0]["body"]
        assert (await caller.chat("postMessage", {"body": body}))[0] == 409
        assert await caller.names() == ["Concluded"]


async def test_the_same_post_again_and_again_is_abuse_unless_nothing_is_screened() -> None:
    for screen, kept in ((AbuseScreen(repeats=3), 2), (None, 4)):
        async with chatting(assumptions=Assumptions(abuse=screen)) as (_vendor, caller, one):
            for _ in range(4):
                await caller.good("postMessage", {"body": "hello?"})
            assert len(one.lines) == kept


# ------------------------------------------------------------------------------------- the scripted agent
async def test_a_script_plays_a_whole_chat() -> None:
    steps = (
        Step(act=Act.JOINS),
        Step(act=Act.SAYS, text="sample:rtl", after_visitor=True),
        Step(act=Act.TO_AGENT, agent=1),
        Step(act=Act.CLOSES),
    )
    async with meeting(script=Script(steps=steps, waits=Waits(hold_ms=2_000))) as (vendor, caller):
        await caller.begin()
        await caller.until("ParticipantAdded")
        await caller.good("postMessage", {"body": "hello"})
        assert (await caller.until("Concluded"))["reason"] == "AGENT_CONCLUDED"
        assert [line.side for line in vendor.conversations[0].lines] == ["visitor", "agent"]
