"""Kustomer's outbound webhooks as a stranger's receiver meets them: a whole handover, signing, repeats, order."""

from __future__ import annotations

from typing import Literal

import pytest
from tests.simulators.kustomer_account import (
    FREE,
    change_of,
    events_of,
    handed_over,
    meeting,
    names,
    signed,
    somebody,
    visitor_line,
)

from warmline.simulators.kustomer import Assumptions
from warmline.simulators.samples import SAMPLES
from warmline.simulators.script import PATIENT, Act, Script, Step, Switches

SEND = "/v2.1/chat/messages"


# ------------------------------------------------------------------------------------------ a handover
async def test_a_whole_handover() -> None:
    async with meeting(script=FREE) as (vendor, me, hook):
        customer_id, session = await handed_over(vendor, me)
        imported = await events_of(hook, "message.create", 2)
        assert [one["data"]["attributes"]["preview"] for one in imported] == [
            "Where is my lamp?",
            "I will ask somebody.",
        ]
        waiting = await vendor.waiting()
        assert waiting.id == session

        await vendor.agent_joins(session)
        joined = await change_of(hook, "assignedUsers", [vendor.agents[0].id])
        assert joined["changes"]["attributes"]["assignedUsers"]["before"] == []
        assert joined["client"] != "api-gw"
        assert joined["data"]["relationships"]["modifiedBy"]["data"]["id"] == vendor.agents[0].id

        said = await vendor.agent_says(session, "Hello, it is in the post.")
        spoken = (await events_of(hook, "message.create", 3))[-1]
        assert spoken["data"]["attributes"]["direction"] == "out"
        assert spoken["data"]["attributes"]["channel"] == "chat"
        assert spoken["data"]["relationships"]["createdBy"]["data"] == {"type": "user", "id": vendor.agents[0].id}
        assert spoken["data"]["relationships"]["conversation"]["data"]["id"] == session
        assert spoken["dataId"] == said.id

        await me.good("POST", SEND, visitor_line(customer_id, session, "Thank you"))
        echo = (await events_of(hook, "message.create", 4))[-1]
        assert (echo["data"]["attributes"]["direction"], echo["client"]) == ("in", "api-gw")

        await vendor.close(session, "solved")
        ended = await change_of(hook, "ended", True)
        assert ended["changes"]["attributes"]["status"] == {"op": "replace", "before": "open", "after": "done"}
        assert ended["data"]["attributes"]["endedByType"] == "user"


async def test_every_delivery_is_signed_and_named() -> None:
    async with meeting(script=FREE) as (vendor, me, hook):
        _customer, session = await handed_over(vendor, me)
        await vendor.agent_says(session, "שלום 👩🏽‍💻")
        await events_of(hook, "message.create", 3)
        assert all(signed(one, vendor.secret) for one in hook.received)
        assert {one.headers["X-Kustomer-Webhook-Event"] for one in hook.received} == {
            f"kustomer.{name}" for name in names(hook)
        }
        assert len({one.json["id"] for one in hook.received}) == len(hook.received)


@pytest.mark.parametrize("name", sorted(SAMPLES))
async def test_what_agents_really_write_arrives_whole(name: str) -> None:
    async with meeting(script=FREE) as (vendor, me, hook):
        _customer, session = await handed_over(vendor, me)
        await vendor.waiting()
        await vendor.agent_joins(session)
        await vendor.agent_sends_sample(session, name)
        spoken = (await events_of(hook, "message.create", 3))[-1]["data"]
        assert spoken["attributes"]["preview"] == SAMPLES[name]
        if name == "picture":
            file = spoken["relationships"]["attachments"]["data"][0]["id"]
            known = await me.good("GET", f"/v1/messages/{spoken['id']}/attachments/{file}")
            async with me.session.get(known["data"]["links"]["related"]) as answer:
                assert (answer.status, answer.content_type) == (200, "image/png")


async def test_a_cut_preview_is_whole_in_the_session() -> None:
    assumptions = Assumptions(preview_characters=100)
    async with meeting(script=FREE, assumptions=assumptions) as (vendor, me, hook):
        _customer, session = await handed_over(vendor, me)
        await vendor.waiting()
        await vendor.agent_sends_sample(session, "long")
        spoken = (await events_of(hook, "message.create", 3))[-1]["data"]
        assert spoken["attributes"]["preview"] == SAMPLES["long"][:100]
        listed = await me.good("GET", f"/v2.1/chat/sessions/{session}/messages")
        assert listed["data"][-1]["attributes"]["body"] == SAMPLES["long"]


async def test_transfer_letting_go_and_reopening_are_updates() -> None:
    async with meeting(script=FREE) as (vendor, me, hook):
        _customer, session = await handed_over(vendor, me)
        await vendor.waiting()
        await vendor.agent_joins(session)
        await vendor.transfer_to_agent(session, vendor.agents[1])
        handed = await change_of(hook, "assignedUsers", [vendor.agents[1].id])
        assert handed["changes"]["attributes"]["assignedUsers"]["before"] == [vendor.agents[0].id]

        await vendor.transfer_to_queue(session, vendor.queues[1])
        moved = await change_of(hook, "queue", {"type": "queue", "id": vendor.queues[1].id})
        assert moved["changes"]["attributes"]["assignedUsers"]["after"] == []

        await vendor.agent_joins(session)
        await vendor.unassign(session)
        await vendor.mark(session, "done")
        await change_of(hook, "status", "done")
        await vendor.reopen(session)
        await change_of(hook, "status", "open")
        assert (await vendor.waiting()).id == session


async def test_a_transfer_may_come_in_two_updates() -> None:
    async with meeting(script=FREE, assumptions=Assumptions(split_transfers=True)) as (vendor, me, hook):
        _customer, session = await handed_over(vendor, me)
        await vendor.waiting()
        await vendor.agent_joins(session)
        await vendor.transfer_to_queue(session, vendor.queues[1])
        moved = await change_of(hook, "queue", {"type": "queue", "id": vendor.queues[1].id})
        assert "assignedUsers" not in moved["changes"]["attributes"]


async def test_an_assignment_may_be_told_after_the_first_reply() -> None:
    async with meeting(script=FREE, assumptions=Assumptions(assignment_after_reply=True)) as (vendor, me, hook):
        _customer, session = await handed_over(vendor, me)
        await vendor.waiting()
        await vendor.agent_joins(session)
        await vendor.agent_says(session, "Hello")
        joined = await change_of(hook, "assignedUsers", [vendor.agents[0].id])
        order = [one.json["id"] for one in hook.received]
        spoken = (await events_of(hook, "message.create", 3))[-1]
        assert order.index(spoken["id"]) < order.index(joined["id"])


@pytest.mark.parametrize(("closing", "seen", "unseen"), [("status", "status", "ended"), ("ended", "ended", "status")])
async def test_an_end_may_change_one_thing_only(closing: Literal["status", "ended"], seen: str, unseen: str) -> None:
    async with meeting(script=FREE, assumptions=Assumptions(closing=closing)) as (vendor, me, hook):
        _customer, session = await handed_over(vendor, me)
        await vendor.close(session)
        last = await change_of(hook, seen, {"status": "done", "ended": True}[seen])
        assert unseen not in last["changes"]["attributes"]


async def test_a_delivery_failure_is_an_update_of_the_message() -> None:
    async with meeting(script=FREE) as (vendor, me, hook):
        _customer, session = await handed_over(vendor, me)
        message = await vendor.agent_says(session, "Hello")
        await vendor.message_fails(session, message)
        failed = (await events_of(hook, "message.update"))[0]
        assert failed["data"]["attributes"]["status"] == "error"
        assert failed["changes"]["attributes"]["error"]["op"] == "add"


async def test_typing_declining_and_disappearing_are_not_told() -> None:
    async with meeting(script=FREE) as (vendor, me, hook):
        _customer, session = await handed_over(vendor, me)
        await events_of(hook, "message.create", 2)
        await vendor.waiting()
        await vendor.webhooks.settled()
        before = len(hook.received)
        await vendor.agent_types(session)
        await vendor.offer(session)
        await vendor.decline(session)
        await vendor.disappear(session)
        await vendor.webhooks.settled()
        assert len(hook.received) == before


# ------------------------------------------------------------------------------------- bad habits
async def test_repeats_other_order_unknown_kinds_and_no_echo() -> None:
    habits = Switches(duplicates=1, reorder=True, unknown_events=True, echo=False)
    async with meeting(script=Script(rate=None, webhooks=habits)) as (vendor, me, hook):
        customer_id, session = await handed_over(vendor, me)
        await me.good("POST", SEND, visitor_line(customer_id, session, "Anybody?"))
        await vendor.agent_says(session, "Yes")
        spoken = await events_of(hook, "message.create", 2)
        await vendor.webhooks.settled()
        assert {one["data"]["attributes"]["preview"] for one in spoken} == {"Yes"}
        ids = [one.json["id"] for one in hook.received]
        assert {ids.count(one) for one in ids} == {2}
        assert "conversation.summarise" in names(hook)
        sent = list(dict.fromkeys(one.event_id for one in vendor.webhooks.log))
        assert list(dict.fromkeys(ids)) != sent


async def test_a_wrong_signature_does_not_fit() -> None:
    habits = Script(rate=None, webhooks=Switches(wrong_signature=True))
    async with meeting(script=habits) as (vendor, me, hook):
        await somebody(me)
        await events_of(hook, "customer.create")
        assert not signed(hook.received[0], vendor.secret)


async def test_a_failed_delivery_climbs_the_ladder() -> None:
    async with meeting(script=FREE) as (vendor, me, hook):
        hook.statuses = [500, 503, 404, 302]
        await somebody(me)
        await hook.until(lambda self: len(self.received) == 5)
        await vendor.webhooks.settled()
        assert {one.json["id"] for one in hook.received} == {vendor.webhooks.log[0].event_id}
        assert vendor.webhooks.log[0].state == "delivered"
        assert len(vendor.waits.retry_ms) == 7


async def test_people_see_the_ladder_with_a_second_for_a_minute() -> None:
    async with meeting(script=Script(waits=PATIENT)) as (vendor, _me, _hook):
        assert vendor.waits.retry_ms == (1_000, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000)


async def test_a_webhook_that_keeps_failing_is_disabled_until_it_is_enabled() -> None:
    hasty = Script(rate=None, waits=FREE.waits.__class__(retry_ms=()))
    async with meeting(script=hasty, assumptions=Assumptions(disable_after_failures=2)) as (vendor, me, hook):
        hook.statuses = [500] * 2
        one = vendor.subscriptions[0]
        for number in range(3):
            await somebody(me, f"kim{number}@example.com")
            await vendor.webhooks.settled()
        assert len(hook.received) == 2
        known = await me.good("GET", f"/v1/outbound-webhooks/{one.id}")
        assert known["data"]["attributes"]["enabled"] is False
        await me.good("PUT", f"/v1/outbound-webhooks/{one.id}", {"enabled": True})
        await somebody(me, "kim9@example.com")
        await hook.until(lambda self: len(self.received) == 3)


async def test_an_old_delivery_can_be_repeated() -> None:
    async with meeting(script=FREE) as (vendor, me, hook):
        await somebody(me)
        await events_of(hook, "customer.create")
        await vendor.webhooks.settled()
        await vendor.deliver_again(vendor.webhooks.log[0])
        assert len(hook.received) == 2
        assert hook.received[0].body == hook.received[1].body


# ---------------------------------------------------------------------------------- the scripted agent
async def test_the_scripted_agent_plays_for_each_conversation() -> None:
    steps = (
        Step(act=Act.JOINS, agent=1),
        Step(act=Act.SAYS, text="What is the order number?"),
        Step(act=Act.SAYS, text="sample:emoji", after_visitor=True),
        Step(act=Act.TO_QUEUE, queue=1),
        Step(act=Act.JOINS, agent=2),
        Step(act=Act.CLOSES),
    )
    async with meeting(script=Script(rate=None, steps=steps)) as (vendor, me, hook):
        customer_id, session = await handed_over(vendor, me)
        await events_of(hook, "message.create", 3)
        await me.good("POST", SEND, visitor_line(customer_id, session, "123"))
        ended = await change_of(hook, "ended", True)
        assert ended["data"]["attributes"]["assignedUsers"] == [vendor.agents[2].id]
