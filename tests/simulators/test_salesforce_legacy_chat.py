"""Live Agent's chats: the request, its bodies, who is there, what is told, files, quirks, and the agent's page."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from tests.simulators.salesforce_legacy_account import REST, chatting, meeting

from warmline.kernel.clock import ManualClock
from warmline.simulators.board import ActRefused
from warmline.simulators.salesforce_legacy import Assumptions
from warmline.simulators.script import Act, Script, Step

DETAIL = {"label": "E-mail", "value": "kim@example.com", "transcriptFields": ["Email__c"], "displayToAgent": True}


# ------------------------------------------------------------------------------------------ the request
async def test_a_request_succeeds_and_is_then_accepted() -> None:
    async with meeting() as (vendor, caller):
        told = await caller.begin(prechatDetails=[DETAIL])
        assert (told["queuePosition"], told["estimatedWaitTime"], told["customDetails"][0]["label"]) == (
            1,
            -1,
            "E-mail",
        )
        chat = await vendor.waiting()
        await vendor.agent_joins(chat.id, vendor.agents[1])
        told = await caller.until("ChatEstablished")
        assert (told["name"], told["userId"]) == ("Noah Vinter", vendor.agents[1].id)
        assert told["chasitorIdleTimeout"] == {"isEnabled": False}
        await vendor.agent_says(chat.id, "Grüße 😀")
        assert await caller.until("ChatMessage") == {
            "name": "Noah Vinter",
            "text": "Grüße 😀",
            "agentId": vendor.agents[1].id,
        }


@pytest.mark.parametrize(
    "wrong",
    [
        {"isPost": False},
        {"prechatDetails": None},
        {"prechatEntities": None},
        {"sessionId": "another"},
        {"organizationId": "00D000000000000"},
        {"organizationId": "short"},
        {"deploymentId": "572000000000000"},
        {"buttonId": "573000000000000"},
        {"buttonId": ""},
        {"buttonOverrides": ["573000000000000"]},
        {"prechatDetails": [{**DETAIL, "value": ""}]},
        {"prechatDetails": [{**DETAIL, "colour": "green"}]},
        {"prechatEntities": [{"entityName": "Case", "entityFieldsMaps": [{"fieldName": "Subject"}]}]},
        {"colour": "green"},
    ],
)
async def test_a_request_that_is_wrong_is_400(wrong: dict[str, Any]) -> None:
    async with meeting() as (vendor, caller):
        await caller.meet()
        assert (await caller.post("ChasitorInit", caller.request(**wrong)))[0] == 400
        assert vendor.conversations == []
        await caller.good("ChasitorInit", caller.request(organizationId=f"{vendor.org.id}AAA"))
        assert (await caller.post("ChasitorInit", caller.request()))[0] == 400, "one chat for a session"


async def test_both_spellings_of_the_maps_are_read() -> None:
    field = {"fieldName": "Email", "label": "E-mail", "doFind": True, "isExactMatch": True, "doCreate": False}
    entity = {"entityName": "Contact", "saveToTranscript": "Contact"}
    async with meeting() as (_vendor, caller):
        for spelling, plural in (("entityMaps", "entityFieldsMaps"), ("entityFieldMaps", "entityFieldsMap")):
            detail = {**DETAIL, spelling: [{"entityName": "Contact", "fieldName": "Email"}]}
            await caller.begin(prechatDetails=[detail], prechatEntities=[{**entity, plural: [field]}])


@pytest.mark.parametrize(
    ("overrides", "target"),
    [
        (["{night}", "{billing}"], "Billing"),
        (["{away}_{billing}"], "Billing"),
        (["{away}", "{here}"], "Noah Vinter"),
        (["{night}", "{away}"], ""),
    ],
)
async def test_the_first_available_override_is_taken(overrides: list[str], target: str) -> None:
    async with meeting() as (vendor, caller):
        away, here, _third = vendor.agents
        away.online = False
        names = {"night": vendor.buttons[2].id, "billing": vendor.buttons[1].id, "away": away.id, "here": here.id}
        await caller.meet()
        await caller.good("ChasitorInit", caller.request(buttonOverrides=[one.format(**names) for one in overrides]))
        if not target:
            assert (await caller.until("ChatRequestFail"))["reason"] == "Unavailable"
            assert (await caller.poll())[0] == 403
            return
        chat = await vendor.waiting()
        assert target in {chat.button.name, chat.direct_agent.name if chat.direct_agent else ""}


async def test_an_agent_who_declines_ends_only_what_was_for_him_alone() -> None:
    async with meeting() as (vendor, caller):
        await caller.begin(agentId=vendor.agents[1].id, buttonId=None)
        await vendor.decline((await vendor.waiting()).id, vendor.agents[1])
        assert (await caller.until("ChatRequestFail"))["reason"] == "Unavailable"
        await caller.begin()
        chat = await vendor.waiting()
        await vendor.decline(chat.id)
        assert chat.waiting


async def test_posts_before_an_agent_accepted_are_500() -> None:
    async with meeting() as (vendor, caller):
        await caller.meet()
        assert (await caller.post("ChatMessage", {"text": "Hello"}))[0] == 500
        await caller.good("ChasitorInit", caller.request())
        for noun, body in (("ChatMessage", {"text": "Hello"}), ("ChasitorTyping", {}), ("ChasitorNotTyping", {})):
            assert (await caller.post(noun, body))[0] == 500
        await caller.good("ChatEnd", {"reason": "client"})
        assert vendor.conversations[0].state == "ended"
    async with meeting(assumptions=Assumptions(end_while_waiting="refused")) as (_vendor, caller):
        await caller.begin()
        assert (await caller.post("ChatEnd", {"reason": "client"}))[0] == 500


# -------------------------------------------------------------------------------------------- the queue
async def test_places_and_waiting_times_are_told() -> None:
    clock = ManualClock()
    async with meeting(clock=clock) as (vendor, first), aiohttp.ClientSession() as http:
        second = type(first)(http, vendor)
        await first.begin()
        await second.begin()
        clock.advance(60_000)
        await vendor.agent_joins(first.id)
        told = await second.until("QueueUpdate")
        assert told == {"position": 1, "estimatedWaitTime": 0}
        await second.good("ChatEnd", {"reason": "client"})
        told = await second.begin()
        assert told["estimatedWaitTime"] == 60
        await vendor.queue_moves(second.id, 3, 90)
        assert await second.until("QueueUpdate") == {"position": 3, "estimatedWaitTime": 90}
        second.version = "46"
        await vendor.queue_moves(second.id, 2)
        assert await second.until("QueueUpdate") == {"position": 2}


@pytest.mark.parametrize(("always_zero", "starts_at", "told"), [(True, 1, 0), (False, 0, 0), (False, 1, 1)])
async def test_places_by_other_readings(always_zero: bool, starts_at: Any, told: int) -> None:
    assumptions = Assumptions(position_always_zero=always_zero, position_starts_at=starts_at)
    async with meeting(assumptions=assumptions) as (_vendor, caller):
        assert (await caller.begin())["queuePosition"] == told


async def test_whoever_does_not_want_updates_gets_none() -> None:
    async with meeting() as (vendor, caller):
        await caller.begin(receiveQueueUpdates=False)
        await vendor.queue_moves(caller.id, 3)
        await vendor.agent_joins(caller.id)
        assert await caller.types() == ["ChatEstablished"]


# --------------------------------------------------------------------------------------- before a session
async def test_availability_leaves_out_what_is_false() -> None:
    async with meeting() as (vendor, caller):
        org, night = vendor.org, vendor.buttons[2]
        ids = f"[{vendor.buttons[0].id},{night.id},{vendor.agents[0].id},573000000000000]"
        query = f"org_id={org.id}&deployment_id={org.deployment_id}&Availability.ids={ids}"
        path = f"{REST}Visitor/Availability?{query}"
        status, body = await caller.call("GET", f"{path}&Availability.needEstimatedWaitTime=1")
        (told,) = body["messages"]
        states = [one.get("isAvailable") for one in told["message"]["results"]]
        assert (status, told["type"], states) == (200, "Availability", [True, None, True, None])
        assert told["message"]["results"][0]["estimatedWaitTime"] == -1
        long = path.replace(org.deployment_id, f"{org.deployment_id}AAA")
        assert (await caller.call("GET", long))[0] == 400
        assert (await caller.call("GET", path.replace(org.id, "00D000000000000")))[0] == 400
        assert (await caller.call("GET", path.replace(org.deployment_id, "572000000000000")))[0] == 400


async def test_settings_visitor_and_page() -> None:
    async with meeting() as (vendor, caller):
        org = vendor.org
        query = f"org_id={org.id}&deployment_id={org.deployment_id}"
        _status, body = await caller.call(
            "GET", f"{REST}Visitor/Settings?{query}&Settings.buttonIds={org.buttons[1].id}"
        )
        (button,) = body["messages"][0]["message"]["buttons"]
        assert (button["id"], button["type"], button["isAvailable"]) == (org.buttons[1].id, "Standard", True)
        _status, body = await caller.call("GET", f"{REST}Visitor/VisitorId?{query}")
        assert body["messages"][0]["message"]["sessionId"]
        await caller.begin()
        assert (await caller.call("POST", f"{REST}Visitor/Breadcrumb", {"location": "https://lumen.example/"}))[
            0
        ] == 200
        assert vendor.sessions[-1].location == "https://lumen.example/"
        await vendor.move_org("https://elsewhere.example/chat")
        _status, body = await caller.call("GET", f"{REST}Visitor/VisitorId?{query}")
        assert body["messages"] == [{"type": "SwitchServer", "message": {"newUrl": "https://elsewhere.example/chat"}}]


async def test_visitors_answers_may_stand_bare() -> None:
    async with meeting(assumptions=Assumptions(visitor_answers_wrapped=False)) as (vendor, caller):
        query = f"org_id={vendor.org.id}&deployment_id={vendor.org.deployment_id}"
        assert set((await caller.call("GET", f"{REST}Visitor/VisitorId?{query}"))[1]) == {"sessionId"}


# -------------------------------------------------------------------------------------------- the chat
async def test_the_visitor_types_is_peeked_at_and_tells_the_agents_window() -> None:
    async with chatting() as (_vendor, caller, chat):
        await caller.good("ChasitorTyping", {})
        await caller.good("ChasitorSneakPeek", {"position": 1, "text": "Whe"})
        assert (chat.typing, chat.preview, chat.typed) == (True, "Whe", 2)
        await caller.good("ChasitorNotTyping", {})
        assert not chat.typing
        await caller.good("CustomEvent", {"type": "Cart", "data": "A-17"})
        await caller.good("ChasitorIdleTimeoutWarningEvent", {"idleTimeoutWarningEvent": "triggered"})
        await caller.good("SensitiveDataRuleTriggered", {"rules": [{"id": "0GO", "name": "No digits"}]})
        assert chat.custom_events == [("Cart", "A-17")]
        assert [what for _at, what in chat.activity[-2:]] == ["idle warning triggered", "sensitive data: No digits"]
        assert (await caller.post("ChasitorIdleTimeoutWarningEvent", {"idleTimeoutWarningEvent": "gone"}))[0] == 400
        assert (await caller.post("ChatEnd", {}))[0] == 400
        await caller.good("ChatEnd", {"reason": "client"})
        assert (await caller.until("ChatEnded"))["reason"] == "client"


async def test_several_nouns_in_one_call() -> None:
    noun = {"prefix": "Chasitor", "noun": "ChatMessage"}
    async with chatting() as (_vendor, caller, chat):
        wrong = {"nouns": [{**noun, "object": {"text": "one"}}, {**noun, "object": {}}]}
        assert (await caller.post("System/MultiNoun", wrong))[0] == 400
        strange = {"nouns": [{"prefix": "Chasitor", "noun": "Chat", "object": {}}]}
        assert (await caller.post("System/MultiNoun", strange))[0] == 404
        assert chat.lines == []
        both = [{**noun, "object": {"text": "one"}}, {**noun, "data": '{"text": "two"}'}]
        end = {"prefix": "Chasitor", "noun": "ChatEnd", "object": {}}
        await caller.good("System/MultiNoun", {"nouns": [*both, end]})
        assert ([line.text for line in chat.lines], chat.state) == (["one", "two"], "ended")


async def test_transfers_disconnected_agents_and_other_events() -> None:
    async with chatting(assumptions=Assumptions(idle_timeout_s=120)) as (vendor, caller, chat):
        first, second, third = vendor.agents
        await vendor.transfer_to_agent(chat.id, second)
        told = await caller.until("ChatTransferred")
        assert (told["name"], told["chasitorIdleTimeout"]["timeout"]) == (second.name, 120)
        await vendor.transfer_to_button(chat.id, vendor.buttons[1])
        assert await caller.news() == []
        await caller.good("ChatMessage", {"text": "Still here"})
        await vendor.agent_joins(chat.id, third)
        assert (await caller.until("ChatTransferred"))["name"] == third.name
        await vendor.disconnect_agent(chat.id)
        assert await caller.until("AgentDisconnect") == {}
        await caller.good("ChatMessage", {"text": "Hello?"})
        await vendor.agent_joins(chat.id, first)
        assert (await caller.until("ChatEstablished"))["name"] == first.name
        await vendor.send_custom_event(chat.id, "Offer", "10 %")
        assert await caller.until("CustomEvent") == {"type": "Offer", "data": "10 %"}
        await vendor.disappear(chat.id)
        assert await caller.news() == []
        await vendor.fail(chat.id)
        assert (await caller.until("ChatRequestFail"))["reason"] == "Unavailable"
        assert (await caller.post("ChatMessage", {"text": "Hello?"}))[0] == 403


async def test_the_next_agent_may_be_told_as_a_transfer() -> None:
    async with chatting(assumptions=Assumptions(after_disconnect="ChatTransferred")) as (vendor, caller, chat):
        await vendor.disconnect_agent(chat.id)
        await vendor.agent_joins(chat.id, vendor.agents[1])
        assert await caller.types() == ["AgentDisconnect", "ChatTransferred"]


# ------------------------------------------------------------------------------------------------ files
async def test_a_file_goes_where_the_agent_asked_for_it() -> None:
    async with chatting() as (vendor, caller, chat):
        token = await vendor.agent_asks_for_file(chat.id)
        asked = await caller.until("FileTransfer")
        assert (asked["type"], asked["fileToken"]) == ("Requested", token)

        async def upload(field: str = "file", **more: str) -> int:
            query = {"orgId": vendor.org.id, "chatKey": caller.key, "fileToken": token, "encoding": "UTF-8", **more}
            form = aiohttp.FormData()
            form.add_field(field, b"\x89PNG", filename="lamp.png", content_type="image/png")
            async with caller.http.post(asked["uploadServletUrl"], params=query, data=form) as answer:
                return answer.status

        assert await upload(orgId="00D000000000000") == 400
        assert await upload(encoding="latin1") == 400
        assert await upload(fileToken="another") == 403
        assert await upload(field="picture") == 400
        assert await upload(chatKey=caller.key.partition("!")[0]) == 200
        (file,) = chat.files
        assert (file.name, file.media_type, file.body) == ("lamp.png", "image/png", b"\x89PNG")
        assert await caller.until("FileTransfer") == {"type": "Success", "fileToken": token}
        assert await upload() == 403, "once"
        token = await vendor.agent_asks_for_file(chat.id)
        await vendor.agent_cancels_file(chat.id)
        assert [one["message"]["type"] for one in await caller.news()] == ["Requested", "Canceled"]
        assert await upload() == 403


# ----------------------------------------------------------------------------------------------- quirks
async def test_messages_that_follow_too_closely_vanish() -> None:
    clock = ManualClock()
    async with chatting(clock=clock, assumptions=Assumptions(vanish_within_ms=15)) as (_vendor, caller, chat):
        for text in ("one", "two"):
            await caller.good("ChatMessage", {"text": text})
        clock.advance(15)
        await caller.good("ChatMessage", {"text": "three"})
        assert [line.text for line in chat.lines] == ["one", "three"]


async def test_typing_may_stand_in_the_wrong_order() -> None:
    async with chatting(assumptions=Assumptions(typing_swapped=True)) as (vendor, caller, chat):
        await vendor.agent_types(chat.id)
        await vendor.agent_types(chat.id, on=False)
        await vendor.agent_says(chat.id, "Hi")
        assert await caller.types() == ["AgentNotTyping", "AgentTyping", "ChatMessage"]


# ------------------------------------------------------------------------------------------------ page
async def test_a_script_leads_a_chat() -> None:
    steps = (
        Step(act=Act.DECLINES),
        Step(act=Act.JOINS),
        Step(act=Act.TYPES),
        Step(act=Act.SAYS, text="sample:emoji", after_visitor=True),
        Step(act=Act.TO_AGENT, agent=1),
        Step(act=Act.UNASSIGNS),
        Step(act=Act.CLOSES),
    )
    async with meeting(script=Script(steps=steps)) as (_vendor, caller):
        await caller.begin()
        await caller.until("AgentTyping")
        await caller.good("ChatMessage", {"text": "Hello"})
        heard = await caller.until("ChatEnded")
        assert heard["reason"] == "agent"


async def test_the_page_leads_a_chat_and_says_that_nothing_is_called() -> None:
    async with meeting() as (vendor, caller):
        await caller.begin(prechatDetails=[DETAIL])
        board, chat = vendor.board(), await vendor.waiting()
        with pytest.raises(ActRefused, match="accept it first"):
            await board.do("say", chat.id, {"text": "Hi"})
        with pytest.raises(ActRefused, match="no such chat"):
            await board.do("say", "x", {})
        with pytest.raises(ActRefused, match="Nobody can"):
            await board.do("dance", chat.id, {})
        fields = {"text": "Hi", "agent": vendor.agents[1].id, "button": vendor.buttons[1].id}
        for act in ("advance", "decline", "join", "type", "stop", "file", "no-file", "say", "unknown", "to-button"):
            await board.do(act, chat.id, fields)
        (card,) = board.cards()
        assert (card.title, card.state, card.state_text) == ("Kim", "waiting", "At Billing")
        assert ("E-mail", "kim@example.com") in card.facts
        for act in ("join", "to-agent", "disappear"):
            await board.do(act, chat.id, {"agent": vendor.agents[0 if act == "join" else 2].id})
        assert board.cards()[0].state_text == "Mei Tanaka, gone"
        for act in ("disconnect", "affinity", "close", "forget"):
            await board.do(act, chat.id, {})
        (card,) = board.cards()
        assert (card.state, [line.side for line in card.lines]) == ("ended", ["agent", "note", "note"])
        with pytest.raises(ActRefused, match="over"):
            await board.do("join", chat.id, {})
        with pytest.raises(ActRefused, match="calls nobody"):
            board.subscribe("http://127.0.0.1:1/hook")
        async with caller.http.get(vendor.url) as page:
            assert "kim@example.com" in await page.text()
        assert board.targets() == ()
