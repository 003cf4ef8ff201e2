"""The calls of the simulated Salesforce, as a stranger's client makes them: what is good, and what is refused."""

from __future__ import annotations

import io
import json
import uuid
from typing import Any

import aiohttp
import pytest
from tests.simulators.salesforce_account import API, FREE, Visitor, line, meeting, token_request, visiting

from warmline.simulators.salesforce import Assumptions, SalesforceSimulator
from warmline.simulators.samples import picture
from warmline.simulators.script import Kind, Script


async def send_file(one: Visitor, body: bytes, media_type: str = "image/png", name: str = "leaf.png") -> int:
    """Upload; the status."""
    entry = {
        "esDeveloperName": one.vendor.developer_name,
        "message": {"id": str(uuid.uuid4()), "fileId": str(uuid.uuid4()), "text": "Look"},
        "isNewMessagingSession": False,
    }
    form = aiohttp.FormData()
    form.add_field("messageEntry", json.dumps(entry), content_type="application/json")
    form.add_field("fileData", io.BytesIO(body), content_type=media_type, filename=name)
    url, headers = f"{one.me.base}{API}{one.path}/file", {"Authorization": one.me.token}
    async with one.me.session.post(url, data=form, headers=headers) as answer:
        return answer.status


@pytest.mark.parametrize(
    "wrong",
    [
        {"orgId": "00D000000000000"},
        {"esDeveloperName": "Other"},
        {"capabilitiesVersion": "2"},
        {"platform": "Phone"},
        {"surprise": 1},
        {"context": {"appName": "x"}},
    ],
)
async def test_a_token_is_only_given_to_the_deployment(wrong: dict[str, Any]) -> None:
    async with SalesforceSimulator.running(script=FREE) as vendor, visiting(vendor) as one:
        path = "/authorization/unauthenticated/access-token"
        assert (await one.ask("POST", path, token_request(vendor, **wrong)))[0] == 400


async def test_a_token_is_renewed_for_the_same_visitor_and_opens_nothing_of_others() -> None:
    async with SalesforceSimulator.running(script=FREE) as vendor, visiting(vendor) as one, visiting(vendor) as other:
        await one.begin()
        _status, again = await one.ask("GET", "/authorization/continuation-access-token")
        assert again["accessToken"].count(".") == 2
        other_token, other.me.token = other.me.token, f"Bearer {again['accessToken']}"
        assert (await other.ask("GET", one.path))[0] == 200
        other.me.token = other_token
        assert (await other.ask("GET", one.path))[0] == 403
        other.me.token = "Bearer a.b.c"
        status, refusal = await other.ask("GET", one.path)
        assert (status, refusal["error"]) == (401, "Unauthorized")
        path = f"{one.me.base}/eventrouter/v1/sse"
        async with one.me.session.get(path, headers={"Authorization": one.me.token}) as answer:
            assert answer.status == 400  # no X-Org-Id


@pytest.mark.parametrize(
    "conversation_id",
    ["3F0E7A44-9F5E-4B8E-9D3C-0A9B7C1D2E3F", "3f0e7a44-9f5e-1b8e-9d3c-0a9b7c1d2e3f", "42"],
)
async def test_a_conversation_needs_a_lower_case_uuid(conversation_id: str) -> None:
    async with SalesforceSimulator.running(script=FREE) as vendor, visiting(vendor) as one:
        body = {"conversationId": conversation_id, "esDeveloperName": vendor.developer_name}
        assert (await one.ask("POST", "/conversation", body))[0] == 400
        assert vendor.conversations == []


@pytest.mark.parametrize(("reading", "status"), [("accepted", 201), ("conflict", 409)])
async def test_a_repeated_conversation(reading: str, status: int) -> None:
    assumptions = Assumptions(repeated_conversation=reading)  # type: ignore[arg-type]
    async with SalesforceSimulator.running(script=FREE, assumptions=assumptions) as vendor, visiting(vendor) as one:
        await one.begin()
        body = {"conversationId": one.conversation, "esDeveloperName": vendor.developer_name}
        assert (await one.ask("POST", "/conversation", body))[0] == status
        assert [found.sessions for found in vendor.conversations] == [1]


@pytest.mark.parametrize(("reading", "status"), [("accepted", 202), ("conflict", 409)])
async def test_a_repeated_message(reading: str, status: int) -> None:
    assumptions = Assumptions(repeated_message=reading)  # type: ignore[arg-type]
    async with SalesforceSimulator.running(script=FREE, assumptions=assumptions) as vendor, visiting(vendor) as one:
        await one.begin()
        message_id = str(uuid.uuid4())
        assert (await one.say("Once", message_id))[0] == 202
        assert (await one.say("Once", message_id))[0] == status
        assert [entry.text for entry in vendor.conversations[0].said_by("EndUser")] == ["Once"]


async def test_messages_are_checked() -> None:
    async with SalesforceSimulator.running(script=FREE) as vendor, visiting(vendor) as one:
        await one.begin()
        strange = line(vendor, "Hello")
        strange["message"]["surprise"] = True
        for body in (strange, line(vendor, ""), line(vendor, "x" * 8_193), line(vendor, "Hello", "UPPER"), {}):
            assert (await one.ask("POST", f"{one.path}/message", body))[0] == 400
        assert (await one.ask("POST", f"/conversation/{uuid.uuid4()}/message", line(vendor, "Hi")))[0] == 404
        assert (await one.ask("GET", "/nothing"))[0] == 404
        assert vendor.conversations[0].messages == []


async def test_twenty_two_messages_a_minute_and_no_more() -> None:
    patience = Assumptions(retry_after_s=7)
    async with (
        SalesforceSimulator.running(script=Script(rate="vendor"), assumptions=patience) as vendor,
        visiting(vendor) as one,
    ):
        await one.begin()
        statuses = [(await one.say(str(count)))[0] for count in range(23)]
        assert statuses == [202] * 22 + [429]
        headers = {"Authorization": one.me.token}
        url = f"{one.me.base}{API}{one.path}/message"
        async with one.me.session.post(url, json=line(vendor, "Again"), headers=headers) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (429, "7")
        for _more in range(2):
            await one.begin()
        body = {"conversationId": str(uuid.uuid4()), "esDeveloperName": vendor.developer_name}
        assert (await one.ask("POST", "/conversation", body))[0] == 429


async def test_files_are_small_and_of_known_types() -> None:
    async with meeting() as (vendor, one):
        await one.begin()
        assert await send_file(one, picture()) == 202
        (kept,) = vendor.conversations[0].said_by("EndUser")[0].files
        assert (kept.name, kept.media_type, kept.body) == ("leaf.png", "image/png", picture())
        said = (await one.hear("CONVERSATION_MESSAGE"))[0]["abstractMessage"]["staticContent"]
        assert (said["formatType"], said["attachments"][0]["name"]) == ("Attachments", "leaf.png")
        assert await send_file(one, b"#!/bin/sh", "application/x-sh", "run.sh") == 415
        assert await send_file(one, b"0" * (5 * 1024 * 1024 + 1)) == 413
        assert (await one.ask("POST", f"{one.path}/file", {"no": "form"}))[0] == 400
        await vendor.agent_sends_sample(one.conversation, "picture")
        there = (await one.hear("CONVERSATION_MESSAGE", 2))[1]["abstractMessage"]["staticContent"]["attachments"][0]
        async with one.me.session.get(there["url"]) as answer:
            assert await answer.read() == picture()


async def test_typing_and_receipts_of_the_visitor_are_seen() -> None:
    async with meeting() as (vendor, one):
        await one.begin()
        typing = {"entryType": "TypingStartedIndicator", "id": str(uuid.uuid4())}
        assert (await one.ask("POST", f"{one.path}/entry", typing))[0] == 202
        assert (await one.ask("POST", f"{one.path}/entry", {**typing, "entryType": "Dancing"}))[0] == 400
        assert vendor.conversations[0].typing == 1
        said = await vendor.agent_says(one.conversation, "Hello")
        ack = {"id": str(uuid.uuid4()), "entryType": "ReadAcknowledgement", "conversationEntryId": said.identifier}
        assert (await one.ask("POST", f"{one.path}/acknowledge-entries", {"acks": [ack]}))[0] == 200
        assert vendor.conversations[0].acknowledged == [said.identifier]
        await one.say("Thanks")
        await vendor.agent_reads(one.conversation)
        await one.hear("CONVERSATION_READ_ACKNOWLEDGEMENT")


async def test_entries_are_paged_from_both_ends() -> None:
    async with SalesforceSimulator.running(script=FREE) as vendor, visiting(vendor) as one:
        await one.begin()
        await vendor.waiting()
        for text in ("one", "two", "three"):
            await one.say(text)

        async def texts(query: str) -> list[str]:
            _status, answer = await one.ask("GET", f"{one.path}/entries?entryTypeFilter=Message{query}")
            payloads = [entry["entryPayload"] for entry in answer["conversationEntries"]]
            return [payload["abstractMessage"]["staticContent"]["text"] for payload in payloads]

        assert await texts("") == ["one", "two", "three"]
        assert await texts("&limit=2") == ["two", "three"]
        assert await texts("&limit=2&direction=FromStart") == ["one", "two"]
        after = vendor.conversations[0].messages[-1].at + 1
        assert await texts(f"&startTimestamp={after}") == []
        for wrong in ("limit=51", "limit=0", "limit=x", "direction=Sideways"):
            assert (await one.ask("GET", f"{one.path}/entries?{wrong}"))[0] == 400


async def test_a_session_ends_and_a_further_message_begins_another() -> None:
    async with meeting() as (vendor, one):
        await one.begin()
        await vendor.waiting()
        name = f"?esDeveloperName={vendor.developer_name}"
        assert (await one.ask("DELETE", f"{one.path}/session"))[0] == 400
        for _twice in range(2):
            assert (await one.ask("DELETE", f"{one.path}/session{name}"))[0] == 204
        ended = (await one.hear("CONVERSATION_SESSION_STATUS_CHANGED", 2))[1]
        assert (ended["sessionStatus"], ended["sessionEndedByRole"]) == ("Ended", "EndUser")
        await one.say("Again", isNewMessagingSession=True, routingAttributes={"Department": "Billing"})
        waiting = await vendor.waiting()
        assert (waiting.sessions, waiting.queue_id) == (2, vendor.queues[1].id)
        assert (await one.ask("DELETE", f"{one.path}{name}"))[0] == 204
        await one.hear("CONVERSATION_CLOSE_CONVERSATION")
        assert (await one.say("Too late"))[0] == 403
        _status, listed = await one.ask("GET", "/conversation/list")
        assert (listed["openConversationsFound"], listed["conversations"]) == (0, [])
        _status, listed = await one.ask("GET", "/conversation/list?inclClosedConvs=true")
        assert [found["id"] for found in listed["conversations"]] == [one.conversation]


async def test_a_session_based_channel_closes_and_a_repeated_end_may_be_refused() -> None:
    assumptions = Assumptions(session_based=True, repeated_end="refused")
    async with meeting(assumptions=assumptions) as (vendor, one):
        await one.begin()
        await vendor.waiting()
        await vendor.agent_joins(one.conversation)
        await vendor.go_quiet(one.conversation)
        await vendor.close(one.conversation, by="System")
        assert (await one.say("Hello?"))[0] == 403
        path = f"{one.path}/session?esDeveloperName={vendor.developer_name}"
        assert (await one.ask("DELETE", path))[0] == 404


async def test_the_switchboard_reaches_every_call() -> None:
    async with SalesforceSimulator.running(script=FREE) as vendor, visiting(vendor) as one:
        await one.begin()
        vendor.trouble.next("message.send", Kind.FAILING)
        vendor.trouble.next("message.send", Kind.TOO_MANY)
        vendor.trouble.next("message.send", Kind.LOST)
        assert (await one.say("a"))[0] == 500
        assert (await one.say("b"))[0] == 429
        with pytest.raises(aiohttp.ClientError):
            await one.say("c")
        assert [entry.text for entry in vendor.conversations[0].messages] == ["c"]
        await vendor.agent_says(one.conversation, "Which?", options=["Red", "Blue"])
        offered: Any = vendor.conversations[0].messages[-1].payload["abstractMessage"]
        assert [item["titleItem"]["title"] for item in offered["choices"]["optionItems"]] == ["Red", "Blue"]


async def test_the_page_acts_as_an_agent_and_has_no_webhooks() -> None:
    async with meeting() as (vendor, one):
        await one.begin(_firstName="Kim")
        await vendor.waiting()
        await one.say("Where is my lamp?")

        async def act(**fields: str) -> int:
            data = {"conversation": one.conversation, **fields}
            url = f"{vendor.url}/simulator/act"
            async with one.me.session.post(url, data=data, allow_redirects=False) as answer:
                return answer.status

        assert await act(act="say", text="Too early") == 409
        acts = (
            *("decline", "join", "type", "stop", "read", "to-queue", "join", "to-agent"),
            *("quiet", "unassign", "join", "unknown", "disappear"),
        )
        assert [await act(act=name) for name in acts] == [303] * len(acts)
        assert await act(act="say", text="Hello") == 303
        assert await act(act="sample", sample="picture") == 303
        async with one.me.session.get(f"{vendor.url}/?conversation={one.conversation}") as answer:
            page = await answer.text()
        for shown in ("Where is my lamp?", "Hello", "Kim", "Astrid Holm, gone", vendor.org.id, vendor.developer_name):
            assert shown in page
        ends = ("close", "expire", "drop")
        assert [await act(act=name) for name in ends] == [303] * len(ends)
        assert await act(act="join") == 409
        assert await act(act="explode") == 409
        assert await act(act="close", conversation="7") == 409
        async with one.me.session.post(f"{vendor.url}/simulator/target", data={"url": "http://x.example"}) as answer:
            assert (answer.status, "no webhooks" in await answer.text()) == (409, True)
