"""Kustomer's desk against the simulator, without a Warmline around it: its test, queues, who asks, notes, what is overtaken."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from tests.support.desks import asking, desk_alone

from warmline.conformance.rigs.kustomer import KustomerRig
from warmline.desks.kustomer import kustomer_kind
from warmline.desks.kustomer.desk import KustomerDesk
from warmline.desks.kustomer.inbound import parse_event
from warmline.desks.kustomer.settings import KustomerPayload
from warmline.handover.port import (
    AgentReplied,
    Availability,
    EndReason,
    OutboundMessage,
    OutboundNote,
    OutboundTyping,
    QueueMoved,
    QueueRef,
    Receipt,
    Refused,
    Unknown,
    VisitorCard,
    VisitorLine,
)
from warmline.simulators.kustomer import KustomerSimulator
from warmline.simulators.script import Kind

FILES = Path(__file__).with_name("payloads")
NOWHERE = "6717c2a4e5b1f00012abffff"


@dataclass
class Here:
    """A desk, and the Kustomer it calls."""

    desk: KustomerDesk
    vendor: KustomerSimulator

    @property
    def theirs(self) -> Any:
        """The newest conversation at Kustomer."""
        return self.vendor.conversations[-1]


@contextlib.asynccontextmanager
async def meeting(**settings: Any) -> AsyncIterator[Here]:
    """``settings`` change the form."""
    async with KustomerRig.running() as rig, desk_alone(kustomer_kind, {**rig.settings, **settings}) as desk:
        yield Here(cast(KustomerDesk, desk), rig.vendor)


async def test_its_test_says_what_is_wrong() -> None:
    async with meeting() as here:
        assert (await here.desk.check()).ok
        here.vendor.trouble.next("queues.list", Kind.FAILING)
        assert "trouble" in (await here.desk.check()).sentence
    async with meeting(bot_user_id=NOWHERE) as here:
        assert "no user" in (await here.desk.check()).sentence
    async with meeting(queue_id=NOWHERE) as here:
        health = await here.desk.check()
        assert (health.ok, "is not among its queues" in health.sentence) == (False, True)


async def test_queues_are_named_and_nobody_can_say_who_is_there() -> None:
    async with meeting() as here:
        found = await here.desk.queues()
        assert [(one.ref, one.name) for one in found] == [(queue.id, queue.name) for queue in here.vendor.queues]
        assert await here.desk.availability(QueueRef(ref=found[0].ref, bot_id="b")) is Availability.UNKNOWN


async def test_a_visitor_is_found_again_by_our_id_or_by_his_address() -> None:
    async with meeting() as here:
        await here.desk.open(asking(visitor=VisitorCard(id="v", name="Kim", email="kim@example.com")))
        await here.desk.open(asking(id="h2.0", visitor=VisitorCard(id="v")))
        payload = KustomerPayload(crm_platform="kustomer", connection_id="k", email="kim@example.com", tags=("vip",))
        await here.desk.open(asking(id="h3.0", payload=payload))
        assert len({one.customer_id for one in here.vendor.conversations}) == 1
        (customer,) = here.vendor.account.customers.values()
        assert customer.name == "Kim"
        await here.desk.open(asking(id="h4.0"))
        assert len(here.vendor.account.customers) == 2, "who is not known is somebody new"


async def test_a_queue_that_does_not_exist_leaves_nothing_open_behind() -> None:
    async with meeting() as here:
        with pytest.raises(Refused):
            await here.desk.open(asking(escalate_to=NOWHERE))
        assert not here.theirs.open


async def test_a_handover_stands_without_the_note_that_kustomer_did_not_take() -> None:
    async with meeting() as here:
        here.vendor.trouble.next("notes.create", Kind.FAILING)
        thread = await here.desk.open(asking())
        assert (thread.ref, here.theirs.notes) == (here.theirs.id, [])


async def test_a_note_is_for_agents_and_typing_goes_nowhere() -> None:
    async with meeting() as here:
        thread = await here.desk.open(asking())
        await here.desk.send(thread, OutboundNote(id="n", seq=4, text="He is in a hurry."))
        assert here.theirs.notes[-1].body == "He is in a hurry."
        calls = len(here.vendor.calls)
        assert await here.desk.send(thread, OutboundTyping(on=True)) == Receipt()
        assert len(here.vendor.calls) == calls


async def test_another_process_finds_out_whose_conversation_it_is() -> None:
    async with KustomerRig.running() as rig:
        async with desk_alone(kustomer_kind, rig.settings) as desk:
            thread = await desk.open(asking())
        async with desk_alone(kustomer_kind, rig.settings) as other:
            await other.send(thread, OutboundMessage(id="m", seq=1, text="Are you there?"))
            await other.send(thread, OutboundMessage(id="m2", seq=2, text="Hello?"))
            assert rig.heard(thread.ref) == ["Are you there?", "Hello?"]
            found = cast(list[VisitorLine], list(await cast(KustomerDesk, other).history(thread, 0)))
            assert [(one.text, one.item_id) for one in found[-2:]] == [("Are you there?", "m"), ("Hello?", "m2")]
            await other.close(dataclasses.replace(thread, ref=NOWHERE), EndReason.VISITOR_LEFT)
            await other.close(thread, EndReason.VISITOR_LEFT)
            assert not rig.vendor.conversations[-1].open


async def test_only_events_about_people_are_looked_at_again() -> None:
    async with meeting() as here:
        unknown = Unknown(kind="x", thread_ref="t")
        assert await here.desk.enrich(unknown) is unknown
        waits = QueueMoved(thread_ref="t", occurred_at=1_000, vendor_event_id="e1")
        assert await here.desk.enrich(waits) is waits
        overtaken = await here.desk.enrich(dataclasses.replace(waits, occurred_at=500, vendor_event_id="e2"))
        assert isinstance(overtaken, Unknown)
        undated = QueueMoved(thread_ref="t")
        assert await here.desk.enrich(undated) is undated


async def test_an_agent_s_line_keeps_what_came_when_kustomer_cannot_be_asked() -> None:
    async with meeting() as here:
        await here.desk.open(asking())
        event = parse_event((FILES / "message_by_agent.json").read_bytes(), here.vendor.bot.id)
        assert isinstance(event, AgentReplied)
        here.vendor.trouble.next("users.get", Kind.FAILING, 3)
        again = await here.desk.enrich(event)
        assert isinstance(again, AgentReplied)
        assert (again.text, again.name) == (event.text, event.name)
