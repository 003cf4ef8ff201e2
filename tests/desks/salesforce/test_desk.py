"""Enhanced Chat's desk against the simulator, without a Warmline around it: files, limits, tokens, reading back, leaving."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from tests.support.desks import LOOPBACK, asking, linked_to

from warmline.desks.salesforce.client import expiry
from warmline.desks.salesforce.desk import SalesforceDesk, salesforce_kind
from warmline.desks.salesforce.inbound import Here
from warmline.handover.port import (
    AgentJoined,
    AgentReplied,
    Availability,
    EndReason,
    File,
    InboundDelivery,
    OutboundMessage,
    OutboundNote,
    OutboundTyping,
    Polled,
    QueueRef,
    RateLimited,
    Refused,
    Thread,
    Unreachable,
    Unsupported,
    VisitorLine,
)
from warmline.kernel.clock import ManualClock, SystemClock
from warmline.kernel.ids import uuid7
from warmline.platform.http import Outgoing
from warmline.simulators.salesforce import Assumptions, SalesforceSimulator
from warmline.simulators.script import Kind, Script

REQUEST = asking()


@dataclass
class Tried:
    """A desk, and the Salesforce it talks to."""

    vendor: SalesforceSimulator
    outgoing: Outgoing
    clock: ManualClock | SystemClock

    def desk(self, **settings: Any) -> SalesforceDesk:
        """A new one: what it knows is what is stored."""
        told = {"scrt_url": self.vendor.url, "org_id": f"{self.vendor.org.id}AAA", "developer_name": "Lumen_Web"}
        kind = salesforce_kind(self.outgoing, self.clock)
        made = kind.make(linked_to(kind, {**told, **settings}))
        assert isinstance(made, SalesforceDesk)
        return made

    async def opened(self, desk: SalesforceDesk) -> Thread:
        """A conversation that an agent has taken."""
        prepared = await desk.prepare(REQUEST)
        thread = await desk.open(dataclasses.replace(REQUEST, prepared=prepared))
        await self.vendor.agent_joins((await self.vendor.waiting()).id)
        return thread

    @property
    def theirs(self) -> Any:
        return self.vendor.conversations[-1]


@contextlib.asynccontextmanager
async def trying(clock: ManualClock | None = None, **assumptions: Any) -> AsyncIterator[Tried]:
    outgoing = Outgoing(allow=LOOPBACK)
    script = Script(rate=None)
    async with SalesforceSimulator.running(script=script, assumptions=Assumptions(**assumptions)) as vendor:
        try:
            yield Tried(vendor, outgoing, clock or SystemClock())
        finally:
            await outgoing.stop()


def line(text: str, *files: File, number: str = "") -> OutboundMessage:
    return OutboundMessage(id=number or uuid7(), seq=1, text=text, attachments=files)


def file(name: str, media_type: str, size: int = 5) -> File:
    async def read() -> bytes:
        return b"x" * min(size, 10)

    return File(name=name, media_type=media_type, size=size, url=f"https://us.example/{name}", read=read)


async def first(desk: SalesforceDesk, thread: Thread, state: Any = None) -> Polled:
    """The first stretch of a new stream."""
    async with contextlib.aclosing(desk.listen(thread, state or thread.state)) as stream:  # type: ignore[type-var]
        async for polled in stream:
            return polled
    raise AssertionError("the stream ended without a word")


# ------------------------------------------------------------------------------------------------------- files
async def test_files_are_uploaded_after_the_text_and_the_last_one_has_the_items_id() -> None:
    async with trying() as here:
        desk = here.desk()
        thread = await here.opened(desk)
        item = line("Two of them", file("a.png", "image/png"), file("b.pdf", "application/pdf"))
        receipt = await desk.send(thread, item)
        said = here.theirs.said_by("EndUser")[1:]
        assert [one.text for one in said] == ["Two of them", "", ""]
        assert [one.name for entry in said for one in entry.files] == ["a.png", "b.pdf"]
        assert said[-1].message_id == receipt.vendor_id
        lines = [one for one in await here.desk().history(thread, 0) if isinstance(one, VisitorLine)]
        assert [one.item_id == item.id for one in lines][1:] == [False, False, True]


@pytest.mark.parametrize(
    ("given", "calls"),
    [(file("note.txt", "text/plain"), 1), (file("film.png", "image/png", 6 * 1024 * 1024), 0)],
    ids=["another type", "too large"],
)
async def test_a_file_that_salesforce_does_not_take_goes_as_its_link(given: File, calls: int) -> None:
    async with trying() as here:
        desk = here.desk()
        thread = await here.opened(desk)
        await desk.send(thread, line("", given))
        assert here.theirs.said_by("EndUser")[-1].text == f"{given.name}: {given.url}"
        assert len(here.vendor.calls.of("file.send")) == calls


async def test_an_upload_that_fails_is_tried_again_by_the_relay() -> None:
    async with trying() as here:
        desk = here.desk()
        thread = await here.opened(desk)
        here.vendor.trouble.next("file.send", Kind.FAILING)
        with pytest.raises(Unreachable):
            await desk.send(thread, line("", file("a.png", "image/png")))


# ------------------------------------------------------------------------------------------------ other items
async def test_typing_is_shown_and_notes_are_not_to_be_had() -> None:
    async with trying() as here:
        desk = here.desk()
        thread = await here.opened(desk)
        await desk.send(thread, OutboundTyping(True))
        await desk.send(thread, OutboundTyping(False))
        assert here.theirs.typing == 1
        with pytest.raises(Unsupported):
            await desk.send(thread, OutboundNote(id="n", seq=1, text="x"))
        assert await desk.availability(QueueRef(ref=None, bot_id="b")) is Availability.UNKNOWN
        with pytest.raises(Unsupported):
            desk.parse(InboundDelivery(headers={}, body=b"", query={}, received_at=0))


async def test_no_more_than_22_messages_a_minute() -> None:
    clock = ManualClock()
    async with trying(clock) as here:
        desk = here.desk()
        thread = await here.opened(desk)
        paused = [await paused_by(desk, thread) for _line in range(30)]
        sent = 1 + paused.count(None)  # what was said before is a message as well
        assert 10 <= sent <= 22
        assert all(pause is None or 0 < pause <= 60 for pause in paused)
        for _time in range(10):
            clock.advance(5_900)
            sent += await paused_by(desk, thread) is None
        assert sent <= 22


async def paused_by(desk: SalesforceDesk, thread: Thread) -> float | None:
    """Send a line; the seconds to wait where it was not sent."""
    try:
        await desk.send(thread, line("one more"))
    except RateLimited as pause:
        return pause.retry_after
    return None


# ------------------------------------------------------------------------------------------------ reading back
@pytest.mark.parametrize("identifier", ["message", "own"])
async def test_what_was_said_is_read_back_under_our_ids(identifier: str) -> None:
    async with trying(entry_identifier=identifier) as here:
        desk = here.desk()
        thread = await here.opened(desk)
        whole, part = uuid7(), f"{uuid7()}.2"
        for number in (whole, part):
            await desk.send(thread, line("hello", number=number))
        await here.vendor.agent_says(here.theirs.id, "Hi")
        events = await desk.history(thread, 0)
        lines = [one for one in events if isinstance(one, VisitorLine)]
        assert [one.item_id for one in lines][1:] == [whole, part]
        assert [type(one) for one in events if isinstance(one, AgentJoined | AgentReplied)][-1] is AgentReplied
        again = [one for one in await here.desk().history(thread, 0) if isinstance(one, VisitorLine)]
        assert again[1].item_id == whole
        assert await desk.history(thread, SystemClock().now() + 600_000) == []


# ---------------------------------------------------------------------------------------------------- listening
async def test_more_than_a_page_of_entries_is_caught_up_with() -> None:
    async with trying(replays=False) as here:
        desk = here.desk()
        thread = await here.opened(desk)
        for number in range(70):
            await here.vendor.agent_says(here.theirs.id, f"line {number}")
        state = msgspec.to_builtins(msgspec.structs.replace(msgspec.convert(thread.state, Here), listened=True))
        polled = await first(desk, thread, state)
        said = [event.text for event in polled.events if isinstance(event, AgentReplied)]
        assert said == [f"line {number}" for number in range(70)]
        assert len(here.vendor.calls.of("entries.list")) >= 2
        again = await first(desk, thread, polled.state)
        assert again.events == ()


async def test_an_end_that_was_missed_ends_the_listening() -> None:
    async with trying(replays=False) as here:
        desk = here.desk()
        thread = await here.opened(desk)
        await here.vendor.close(here.theirs.id)
        state = msgspec.to_builtins(msgspec.structs.replace(msgspec.convert(thread.state, Here), listened=True))
        stretches = [polled async for polled in desk.listen(thread, state)]
        assert [polled.done for polled in stretches] == [True]


async def test_listening_before_there_is_a_conversation_brings_nothing() -> None:
    async with trying() as here:
        desk = here.desk()
        thread = await desk.prepare(REQUEST)
        assert (await desk.prepare(REQUEST)).ref == thread.ref
        polled = await first(desk, thread)
        assert polled.events == ()
        assert (await first(desk, thread, polled.state)).events == ()


async def test_a_stream_that_does_not_begin_is_tried_again_or_given_up() -> None:
    async with trying() as here:
        desk = here.desk()
        thread = await desk.prepare(REQUEST)
        here.vendor.trouble.next("stream", Kind.FAILING)
        with pytest.raises(Unreachable):
            await first(desk, thread)
        broken = {**thread.state, "token": "no.such.token"}
        with pytest.raises(Refused, match="cannot be renewed"):
            await first(here.desk(), thread, broken)
        with pytest.raises(Refused, match="not known any more"):
            await first(desk, thread, {"x": 1})


async def test_a_token_whose_time_has_come_is_renewed_before_the_stream_begins() -> None:
    async with trying() as here:
        desk = here.desk()
        thread = await desk.prepare(REQUEST)
        polled = await first(desk, thread, {**thread.state, "renew_at": 1})
        assert polled.state["token"] != thread.state["token"]
        assert polled.state["renew_at"] > SystemClock().now()
        # What is stored still has the old one; this process knows better.
        await desk.open(dataclasses.replace(REQUEST, prepared=thread))
        assert len(here.vendor.calls.of("token.continue")) == 1


async def test_what_another_node_has_renewed_since_is_believed() -> None:
    async with trying() as here:
        here_node, other_node = here.desk(), here.desk()
        thread = await here.opened(here_node)
        first_here = await first(here_node, thread, {**thread.state, "renew_at": 1})
        there = await first(other_node, thread, {**first_here.state, "renew_at": 1})
        assert there.state["token"] != first_here.state["token"]
        back = await first(here_node, thread, {**there.state, "renew_at": there.state["renew_at"] + 1})
        assert back.state["token"] == there.state["token"]


async def test_a_renewal_that_fails_for_now_is_tried_again_later() -> None:
    async with trying(token_life_s=2) as here:
        desk = here.desk()
        thread = await here.opened(desk)
        here.vendor.trouble.next("token.continue", Kind.FAILING)
        async with contextlib.aclosing(desk.listen(thread, thread.state)) as stream:  # type: ignore[type-var]
            renewals = [polled.state["renew_at"] async for polled in stream]
        assert max(renewals) >= thread.state["renew_at"] + 20_000


# -------------------------------------------------------------------------------------------------------- leaving
async def test_leaving_what_is_over_or_never_began_is_no_trouble() -> None:
    async with trying(repeated_end="refused") as here:
        desk = here.desk(close_conversation=True)
        await desk.close(await desk.prepare(REQUEST), EndReason.CLOSED)
        thread = await here.opened(desk)
        for _time in range(2):
            await desk.close(thread, EndReason.VISITOR_LEFT)
        assert here.theirs.closed
        bare = Thread(ref=thread.ref, connection_id="k", conversation_id="c-1", request_id="h-1.0", bot_id="b")
        await desk.close(bare, EndReason.CLOSED)
        here.vendor.trouble.next("session.end", Kind.FAILING)
        with pytest.raises(Unreachable):
            await desk.close(thread, EndReason.CLOSED)


async def test_a_session_that_is_not_valid_any_more_refuses_the_line_and_not_the_connection() -> None:
    async with trying() as here:
        desk = here.desk()
        thread = await here.opened(desk)
        await here.vendor.expire_tokens(here.theirs.id)
        with pytest.raises(Refused, match="cannot be renewed"):
            await desk.send(thread, line("hello?"))


async def test_another_visitors_token_opens_nothing() -> None:
    async with trying() as here:
        desk = here.desk()
        thread = await here.opened(desk)
        other = await desk.prepare(dataclasses.replace(REQUEST, id="h-2.0"))
        with pytest.raises(Refused):
            await desk.send(dataclasses.replace(thread, state=other.state), line("hello?"))


async def test_check_says_what_is_wrong() -> None:
    async with trying() as here:
        assert (await here.desk().check()).ok
        wrong = await here.desk(developer_name="Another").check()
        assert not wrong.ok
        assert wrong.sentence.startswith("Salesforce: ")


@pytest.mark.parametrize("token", ["", "a.b", "a.!!.c", "a.e30.c", "a.eyJleHAiOiJ4In0.c", "a.W10.c"])
def test_a_token_that_tells_no_time_is_taken_as_it_is(token: str) -> None:
    assert expiry(token) is None
