"""Live Agent's desk against the simulator, without a Warmline around it: what is refused, misread, lost or forgotten."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from warmline.desks.salesforce.legacy.desk import LiveAgentDesk, salesforce_legacy_kind
from warmline.handover.desk_kinds import Linked
from warmline.handover.port import (
    AgentJoined,
    Availability,
    EndReason,
    HandoverRequest,
    InboundDelivery,
    OpenFailed,
    OutboundMessage,
    OutboundNote,
    QueueMoved,
    QueueRef,
    Refused,
    Thread,
    ThreadEnded,
    Unreachable,
    Unsupported,
)
from warmline.kernel.clock import SystemClock
from warmline.platform.http import Outgoing
from warmline.simulators.salesforce_legacy import Assumptions, SalesforceLegacySimulator
from warmline.simulators.salesforce_legacy.state import Chat
from warmline.simulators.script import Kind, Script, Waits

REQUEST = HandoverRequest(
    id="h-1.0",
    conversation_id="c-1",
    handover_id="h-1",
    rung=0,
    owner_epoch=1,
    bot_id="b",
    reason=EndReason.REQUESTED_BY_VISITOR,
)
HELLO = OutboundMessage(id="m-1", seq=1, text="Hello", at=1)


@dataclass
class Tried:
    """A desk, and the Live Agent it talks to.  ``thread`` has the state that would be stored."""

    vendor: SalesforceLegacySimulator
    outgoing: Outgoing
    thread: Thread = dataclasses.field(init=False)

    def desk(self, **settings: Any) -> LiveAgentDesk:
        """A new one: what it knows is what is stored."""
        linked = Linked(
            connection_id="k", name="S", bot_ids=("b",), settings={**self.vendor.form(), **settings}, secrets={}
        )
        made = salesforce_legacy_kind(self.outgoing, SystemClock()).make(linked)
        assert isinstance(made, LiveAgentDesk)
        return made

    async def opened(self, desk: LiveAgentDesk, **more: Any) -> Chat:
        """A chat that waits, of which the first events were heard."""
        self.thread = await desk.open(dataclasses.replace(REQUEST, **more))
        assert [type(event) for event in await self.heard(desk)] == [QueueMoved]
        return self.vendor.conversations[-1]

    async def heard(self, desk: LiveAgentDesk) -> list[Any]:
        """The events of one poll."""
        polled = await desk.poll(self.thread, self.thread.state)
        self.thread = dataclasses.replace(self.thread, state=polled.state)
        return list(polled.events)


@contextlib.asynccontextmanager
async def trying(hold_ms: int = 50, **assumptions: Any) -> AsyncIterator[Tried]:
    outgoing = Outgoing(allow=("127.0.0.0/8",))
    script = Script(rate=None, waits=Waits(hold_ms=hold_ms))
    made = SalesforceLegacySimulator.running(script=script, assumptions=Assumptions(**assumptions))
    async with made as vendor:
        try:
            yield Tried(vendor, outgoing)
        finally:
            await outgoing.stop()


async def test_without_a_button_nothing_is_known_and_a_rung_has_to_name_one() -> None:
    async with trying() as tried:
        desk = tried.desk(button_id=None)
        assert (await desk.check()).ok
        assert await desk.availability(QueueRef(ref=None, bot_id="b")) is Availability.UNKNOWN
        with pytest.raises(Refused, match="names a chat button"):
            await desk.open(REQUEST)
        chat = await tried.opened(desk, escalate_to=tried.vendor.buttons[1].id)
        assert chat.button.name == "Billing"


async def test_availability_is_that_of_the_button() -> None:
    async with trying() as tried:
        support, _billing, night = tried.vendor.buttons
        desk = tried.desk(deployment_id=f"{tried.vendor.org.deployment_id}AAA")
        asked = [f"{support.id}AAA", night.id, "573000000000000"]
        told = [await desk.availability(QueueRef(ref=button, bot_id="b")) for button in asked]
        assert told == [Availability.AVAILABLE, Availability.AWAY, Availability.AWAY]
        await tried.vendor.move_org("https://elsewhere.example/chat")
        assert await desk.availability(QueueRef(ref=support.id, bot_id="b")) is Availability.UNKNOWN


async def test_an_empty_poll_changes_nothing_and_acknowledges_the_same() -> None:
    async with trying() as tried:
        desk = tried.desk()
        chat = await tried.opened(desk)
        before = tried.thread.state
        assert await tried.heard(desk) == []
        assert tried.thread.state == before
        await tried.vendor.agent_joins(chat.id)
        assert [type(event) for event in await tried.heard(desk)] == [AgentJoined]


async def test_a_poll_that_is_not_answered_in_time_was_empty() -> None:
    async with trying(hold_ms=20_000) as tried:
        desk = tried.desk()
        chat = await tried.opened(desk)
        tried.thread = dataclasses.replace(tried.thread, state={**tried.thread.state, "wait_s": 0.2})
        assert await tried.heard(desk) == []
        await tried.vendor.agent_joins(chat.id)
        assert [type(event) for event in await tried.heard(desk)] == [AgentJoined]
        assert chat.session.overlaps == 0


@pytest.mark.parametrize("notices", [True, False])
async def test_a_server_that_takes_the_poll_we_gave_up_for_another_one_ends_the_chat(notices: bool) -> None:
    async with trying(hold_ms=20_000, notices_hang_up=notices) as tried:
        desk = tried.desk()
        chat = await tried.opened(desk)
        tried.thread = dataclasses.replace(tried.thread, state={**tried.thread.state, "wait_s": 0.2})
        assert await tried.heard(desk) == []
        told = await tried.heard(desk)
        assert [type(event) for event in told] == ([] if notices else [OpenFailed])
        assert (chat.state == "ended") is not notices


async def test_a_session_that_is_forgotten_while_it_moves_is_over() -> None:
    for joined in (True, False):
        async with trying() as tried:
            desk = tried.desk()
            chat = await tried.opened(desk)
            if joined:
                await tried.vendor.agent_joins(chat.id)
                await tried.heard(desk)
            await tried.vendor.lose_affinity(chat.id)
            with pytest.raises(Unreachable):
                await desk.send(tried.thread, HELLO)
            await tried.vendor.forget(chat.id)
            assert [type(event) for event in await tried.heard(desk)] == [ThreadEnded if joined else OpenFailed]


async def test_an_opening_whose_session_moves_is_begun_anew() -> None:
    async with trying() as tried:
        desk = tried.desk()
        tried.vendor.trouble.next("chat.request", Kind.FAILING)
        with pytest.raises(Unreachable):
            await desk.open(REQUEST)
        (session,) = tried.vendor.sessions
        session.change_affinity()
        with pytest.raises(Unreachable):
            await desk.open(dataclasses.replace(REQUEST, repeated=True))
        thread = await desk.open(dataclasses.replace(REQUEST, repeated=True))
        assert [chat.id for chat in tried.vendor.conversations] == [thread.ref]
        assert len(tried.vendor.sessions) == 2


@pytest.mark.parametrize("joined", [True, False])
async def test_an_end_that_fails_is_tried_again_once_an_agent_is_there(joined: bool) -> None:
    async with trying() as tried:
        desk = tried.desk()
        chat = await tried.opened(desk)
        if joined:
            await tried.vendor.agent_joins(chat.id)
            await tried.heard(desk)
        tried.vendor.trouble.next("chat.end", Kind.FAILING)
        if joined:
            with pytest.raises(Unreachable):
                await desk.close(tried.thread, EndReason.VISITOR_LEFT)
            await desk.close(tried.thread, EndReason.VISITOR_LEFT)
        else:
            await desk.close(tried.thread, EndReason.VISITOR_LEFT)
            assert len(tried.vendor.calls.of("session.delete")) == 1
        assert chat.state == "ended"


async def test_what_this_protocol_has_not_is_refused() -> None:
    async with trying() as tried:
        desk = tried.desk()
        await tried.opened(desk)
        with pytest.raises(Unsupported):
            await desk.send(tried.thread, OutboundNote(id="n", seq=1, text="a note"))
        with pytest.raises(Unsupported):
            desk.parse(InboundDelivery(headers={}, body=b"", query={}, received_at=0))
        with pytest.raises(Refused, match="not known any more"):
            await desk.send(dataclasses.replace(tried.thread, state={"key": 1}), HELLO)
        await desk.close(dataclasses.replace(tried.thread, state=None), EndReason.VISITOR_LEFT)
        assert tried.vendor.calls.of("chat.end") == []
