"""Dixa's webhooks as a receiver meets them: signatures, repeats, order, and what they say of an agent's acts."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from tests.simulators.account import FREE, handed_over, imported, inbound, meeting, somebody
from tests.simulators.receiver import Received, receiving, stranger

from warmline.simulators.dixa import Assumptions, DixaSimulator
from warmline.simulators.samples import SAMPLES
from warmline.simulators.script import Act, Script, Step, Switches

ADDED = "CONVERSATION_MESSAGE_ADDED"


def _is_signed(received: Received, secret: str) -> bool:
    parts = dict(part.split("=", 1) for part in received.headers["X-DIXA-SIGNATURE"].split(","))
    wanted = hmac.new(bytes.fromhex(secret), f"{parts['t']}.".encode() + received.body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(wanted, parts["v1"])


# ------------------------------------------------------------------------------------------ subscriptions
async def test_a_subscription_names_its_events_and_gets_a_secret() -> None:
    async with (
        DixaSimulator.running(script=FREE) as vendor,
        receiving() as hook,
        stranger(vendor.url, vendor.token) as me,
    ):
        body = {
            "name": "Mine",
            "url": hook.url,
            "events": ["ConversationEnqueued"],
            "authorization": {"_type": "BasicAuth", "username": "u", "password": "p"},
            "customHeaders": {"X-Mine": "1"},
        }
        status, made = await me.ask("POST", "/v1/webhooks", body)
        assert (status, made["data"]["subscribedEvents"], made["data"]["enabled"]) == (
            201,
            ["ConversationEnqueued"],
            True,
        )
        await handed_over(vendor, me)
        await hook.of("CONVERSATION_ENQUEUED")
        await vendor.webhooks.settled()
        assert hook.names == ["CONVERSATION_ENQUEUED"]
        got = hook.received[0]
        assert got.headers["Authorization"] == "Basic " + base64.b64encode(b"u:p").decode()
        assert got.headers["X-Mine"] == "1"
        assert _is_signed(got, made["data"]["secretKey"])
        status = (await me.good("GET", f"/v1/webhooks/{made['data']['id']}/delivery-status"))["data"]
        assert [one["event"] for one in status] == ["ConversationEnqueued"]


@pytest.mark.parametrize(
    "change",
    [
        {"events": ["ConversationExploded"]},
        {"authorization": {"_type": "Magic"}},
        {"customHeaders": None},
        {"url": "x"},
    ],
)
async def test_a_wrong_subscription_is_refused(change: dict) -> None:
    async with DixaSimulator.running(script=FREE) as vendor, stranger(vendor.url, vendor.token) as me:
        body = {"name": "Mine", "url": "http://127.0.0.1:1/", "authorization": {"_type": "NoAuth"}, "customHeaders": {}}
        assert (await me.ask("POST", "/v1/webhooks", body | change))[0] == 400
        assert (await me.good("GET", "/v1/webhooks"))["data"] == []


async def test_a_subscription_is_changed_and_ended() -> None:
    async with (
        DixaSimulator.running(script=FREE) as vendor,
        receiving() as hook,
        stranger(vendor.url, vendor.token) as me,
    ):
        path = f"/v1/webhooks/{vendor.subscribe(hook.url).id}"
        off = {"enabled": False, "name": "Off", "url": hook.url, "customHeaders": {"X-Mine": "1"}, "filters": {}}
        status, changed_to = await me.ask("PATCH", path, off)
        assert (status, changed_to["data"]["enabled"], changed_to["data"]["headers"]) == (200, False, {"X-Mine": "1"})
        await handed_over(vendor, me, email="off@example.com")
        assert hook.received == []
        changed = {
            "events": ["ConversationClosed"],
            "authorization": {"_type": "TokenAuth", "value": "t"},
            "customHeaders": {},
            "enabled": True,
        }
        assert (await me.good("PATCH", path, changed))["data"]["headers"] == {"Authorization": "Bearer t"}
        number = await handed_over(vendor, me)
        await vendor.agent_joins(number)
        await vendor.close(number)
        await hook.of("CONVERSATION_CLOSED")
        assert hook.names == ["CONVERSATION_CLOSED"]
        assert (await me.ask("DELETE", path))[0] == 204
        assert (await me.ask("GET", path))[0] == 404


# ------------------------------------------------------------------------------------------ what they say
async def test_a_whole_handover_is_told() -> None:
    async with meeting(script=FREE) as (vendor, me, hook):
        number = await handed_over(vendor, me)
        await vendor.agent_joins(number)
        await vendor.agent_types(number)
        await vendor.agent_says(number, "Hello Kim")
        await me.good("POST", f"/v1/conversations/{number}/messages", inbound("Hi"))
        await vendor.transfer_to_agent(number, vendor.agents[1])
        await vendor.unassign(number)
        await vendor.transfer_to_queue(number, vendor.queues[1])
        await vendor.agent_joins(number, vendor.agents[2])
        await vendor.close(number)
        await hook.of("CONVERSATION_CLOSED")
        await vendor.webhooks.settled()
    assert hook.names == [
        "CONVERSATION_CREATED",
        ADDED,
        ADDED,
        "CONVERSATION_TRANSFERRED",
        "CONVERSATION_ENQUEUED",
        "CONVERSATION_ASSIGNED",
        "TYPING_STARTED",
        ADDED,
        ADDED,
        "CONVERSATION_TRANSFERRED",
        "CONVERSATION_ASSIGNED",
        "CONVERSATION_UNASSIGNED",
        "CONVERSATION_ENQUEUED",
        "CONVERSATION_TRANSFERRED",
        "CONVERSATION_ENQUEUED",
        "CONVERSATION_ASSIGNED",
        "CONVERSATION_CLOSED",
    ]
    assert {one.json["data"]["conversation"]["csid"] for one in hook.received} == {number}
    assert all(_is_signed(one, vendor.secret) for one in hook.received)
    assert set(hook.received[0].json) == {
        "event_id",
        "event_fqn",
        "event_version",
        "event_timestamp",
        "organization",
        "data",
    }


async def test_messages_carry_their_author_and_files() -> None:
    async with meeting(script=FREE) as (vendor, me, hook):
        number = await handed_over(vendor, me)
        await me.good("POST", f"/v1/conversations/{number}/messages", inbound("mine", externalId="m-1"))
        await vendor.agent_joins(number)
        await vendor.agent_sends_sample(number, "picture")
        mine, theirs = (await hook.of(ADDED, 4))[2:]
        assert (mine["data"]["direction"], mine["data"]["external_id"]) == ("inbound", "m-1")
        assert (mine["data"]["author"]["user_type"], mine["data"]["author"]["email"]) == (
            "Contact",
            "kim@example.com",
        )
        assert (theirs["data"]["direction"], theirs["data"]["author"]["user_type"]) == ("outbound", "Member")
        assert theirs["data"]["conversation"]["assignee"]["id"] == vendor.agents[0].id
        async with me.session.get(theirs["data"]["attachments"][0]["url"]) as answer:
            assert (await answer.read()).startswith(b"\x89PNG")


async def test_closing_what_nobody_had_abandons_it() -> None:
    for also_closed in (True, False):
        assumptions = Assumptions(abandoned_closes=also_closed)
        async with meeting(script=FREE, assumptions=assumptions) as (vendor, me, hook):
            await vendor.close(await handed_over(vendor, me))
            (told,) = await hook.of("CONVERSATION_ABANDONED")
            await vendor.webhooks.settled()
            assert told["data"]["queue"]["name"] == "Support"
            assert ("CONVERSATION_CLOSED" in hook.names) is also_closed


async def test_a_message_to_what_is_closed_reopens_or_is_refused() -> None:
    async with meeting(script=FREE) as (vendor, me, hook):
        number = await handed_over(vendor, me)
        await vendor.close(number)
        await me.good("POST", f"/v1/conversations/{number}/messages", inbound("One more thing"))
        await hook.of("CONVERSATION_OPEN")
        assert vendor.conversations[0].waiting
    async with meeting(script=FREE, assumptions=Assumptions(message_to_closed="refused")) as (vendor, me, _hook):
        number = await handed_over(vendor, me)
        await vendor.close(number)
        assert (await me.ask("POST", f"/v1/conversations/{number}/messages", inbound("No")))[0] == 400


async def test_other_readings_change_names_and_leave_things_out() -> None:
    assumptions = Assumptions(
        split_transfers=True, agent_in_data=False, events_for_imports=False, transfer_enqueues=False
    )
    async with meeting(script=FREE, assumptions=assumptions) as (vendor, me, hook):
        number = await handed_over(vendor, me)
        await vendor.agent_joins(number)
        await vendor.transfer_to_agent(number, vendor.agents[1])
        told = (await hook.of("CONVERSATION_ASSIGNED", 2))[1]
        assert hook.names == [
            "CONVERSATION_TRANSFERRED_TO_QUEUE",
            "CONVERSATION_ASSIGNED",
            "CONVERSATION_TRANSFERRED_TO_AGENT",
            "CONVERSATION_ASSIGNED",
        ]
        assert list(told["data"]) == ["conversation"]
        assert told["data"]["conversation"]["assignee"]["id"] == vendor.agents[1].id


# --------------------------------------------------------------------------------------------- their habits
async def test_a_refused_delivery_comes_again_under_its_id_and_is_given_up_in_the_end() -> None:
    async with (
        receiving() as hook,
        DixaSimulator.running(script=FREE) as vendor,
        stranger(vendor.url, vendor.token) as me,
    ):
        vendor.subscribe(hook.url, ["ConversationClosed"])
        hook.statuses = [503, 500]
        number = await handed_over(vendor, me)
        await vendor.agent_joins(number)
        await vendor.close(number)
        await hook.of("CONVERSATION_CLOSED", 3)
        await vendor.webhooks.settled()
        assert len({one.json["event_id"] for one in hook.received}) == 1
        assert (vendor.webhooks.log[-1].state, len(vendor.webhooks.log[-1].attempts)) == ("delivered", 3)

        hook.statuses = [500] * 9
        await vendor.reopen(number)
        await vendor.agent_joins(number)
        await vendor.close(number)
        await vendor.webhooks.settled()
        assert (vendor.webhooks.log[-1].state, len(vendor.webhooks.log[-1].attempts)) == ("failed", 4)


async def test_a_repeated_delivery_is_overtaken_by_what_came_after_it() -> None:
    async with (
        receiving() as hook,
        DixaSimulator.running(script=FREE) as vendor,
        stranger(vendor.url, vendor.token) as me,
    ):
        number = await handed_over(vendor, me)
        vendor.subscribe(hook.url, ["ConversationMessageAdded"])
        hook.statuses = [500]
        await vendor.agent_says(number, "first")
        await vendor.agent_says(number, "second")
        told = await hook.of(ADDED, 3)
        assert [one["data"]["text"] for one in told] == ["first", "second", "first"]


async def test_duplicates_and_another_order_on_demand() -> None:
    async with (
        receiving() as hook,
        DixaSimulator.running(script=FREE) as vendor,
        stranger(vendor.url, vendor.token) as me,
    ):
        number = await handed_over(vendor, me)
        vendor.subscribe(hook.url, ["ConversationMessageAdded"])
        vendor.webhooks.set(reorder=True, duplicates=1)
        for text in ("one", "two", "three"):
            await vendor.agent_says(number, text)
        told = await hook.of(ADDED, 6)
        assert [one["data"]["text"] for one in told] == ["three", "three", "two", "two", "one", "one"]
        assert len({one["event_id"] for one in told}) == 3
        moments = [one["event_timestamp"] for one in told]
        assert moments == sorted(moments, reverse=True)


async def test_echo_off_unknown_events_and_wrong_signatures() -> None:
    script = Script(rate=None, webhooks=Switches(echo=False))
    async with meeting(script=script) as (vendor, me, hook):
        number = await handed_over(vendor, me)
        await me.good("POST", f"/v1/conversations/{number}/messages", inbound("not told"))
        vendor.webhooks.set(wrong_signature=True, unknown_events=True)
        await vendor.agent_says(number, "told")
        await hook.of(ADDED)
        assert hook.names[-2:] == ["CONVERSATION_SUMMARISED", ADDED]
        assert hook.names.count(ADDED) == 1
        assert not _is_signed(hook.received[-1], vendor.secret)
        with pytest.raises(AttributeError):
            vendor.webhooks.set(nonsense=True)


async def test_lost_paused_and_stale_deliveries() -> None:
    async with (
        receiving() as hook,
        DixaSimulator.running(script=FREE) as vendor,
        stranger(vendor.url, vendor.token) as me,
    ):
        number = await handed_over(vendor, me)
        vendor.subscribe(hook.url, ["ConversationMessageAdded"])
        vendor.webhooks.set(lose=True)
        await vendor.agent_says(number, "lost")
        vendor.webhooks.set(lose=False, paused=True, stale_by_s=3_600)
        await vendor.agent_says(number, "kept")
        assert hook.received == []
        vendor.webhooks.set(paused=False)
        (told,) = await hook.of(ADDED)
        assert told["data"]["text"] == "kept"
        moment = int(hook.received[0].headers["X-DIXA-SIGNATURE"].split(",")[0].removeprefix("t="))
        assert vendor.clock.now() - moment >= 3_600_000
        await vendor.webhooks.settled()
        vendor.webhooks.set(stale_by_s=0)
        await vendor.deliver_again(vendor.webhooks.log[-1])
        assert [one.json["event_id"] for one in hook.received] == [told["event_id"]] * 2


# ---------------------------------------------------------------------------------------- the scripted agent
async def test_a_script_plays_the_agent_for_each_conversation() -> None:
    steps = (
        Step(act=Act.DECLINES, agent=1),
        Step(act=Act.JOINS, after_ms=20),
        Step(act=Act.TYPES),
        *(Step(act=Act.SAYS, text=f"sample:{name}") for name in ("emoji", "rtl", "html", "long")),
        Step(act=Act.SAYS, text="Goodbye", after_visitor=True),
        Step(act=Act.CLOSES),
    )
    script = Script(rate=None, steps=steps)
    async with meeting(script=script) as (vendor, me, hook):
        numbers = [await handed_over(vendor, me), await handed_over(vendor, me, email="lee@example.com")]
        await vendor.changes.until(lambda: all(len(one.messages) == 6 for one in vendor.conversations))
        for number in numbers:
            await me.good("POST", f"/v1/conversations/{number}/messages", inbound("Thanks"))
        await hook.of("CONVERSATION_CLOSED", 2)
        said = [line.text for line in vendor.conversations[0].messages if line.author_id == vendor.agents[0].id]
        assert said == [*(SAMPLES[name] for name in ("emoji", "rtl", "html", "long")), "Goodbye"]
        assert len(SAMPLES["long"]) == 10_000
        assert [line.content_type for line in vendor.conversations[0].messages][4] == "Html"


async def test_a_scripted_agent_moves_on_and_disappears() -> None:
    steps = (
        Step(act=Act.JOINS),
        Step(act=Act.TO_AGENT, agent=1),
        Step(act=Act.UNASSIGNS),
        Step(act=Act.TO_QUEUE, queue=1),
        Step(act=Act.JOINS, agent=2),
        Step(act=Act.DISAPPEARS),
        Step(act=Act.SAYS, text="never said"),
    )
    script = Script(rate=None, steps=steps)
    async with DixaSimulator.running(script=script) as vendor, stranger(vendor.url, vendor.token) as me:
        await handed_over(vendor, me)
        await vendor.changes.until(lambda: not vendor.agents[2].online)
        (one,) = vendor.conversations
        assert (one.assignee_id, one.queue_id, one.state) == (vendor.agents[2].id, vendor.queues[1].id, "Open")
        assert len(one.messages) == 2


async def test_an_imported_conversation_may_come_assigned_and_closed() -> None:
    async with meeting(script=FREE) as (vendor, me, hook):
        body = imported(vendor, await somebody(me))
        moment = body["createdAt"]
        body["assignment"] = {"agentId": vendor.agents[0].id, "assignedAt": moment}
        body["closing"] = {"closedAt": moment, "closedBy": vendor.agents[0].id}
        await me.good("POST", "/v1/conversations/import", body)
        await hook.of("CONVERSATION_CLOSED")
        assert "CONVERSATION_ABANDONED" not in hook.names
