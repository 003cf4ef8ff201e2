"""The desk against the simulated vendor, without the rest of Warmline: files, sends that break in the middle, leave-taking."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, cast

import pytest
from tests.support.desks import a_file, asking, desk_alone

from warmline.conformance.rigs.sunco import SuncoRig
from warmline.desks.sunco import SuncoDesk, sunco_kind
from warmline.desks.sunco.inbound import parse_batch
from warmline.desks.sunco.settings import AGENT_WORKSPACE
from warmline.handover.port import (
    AgentReplied,
    EndReason,
    OutboundMessage,
    OutboundNote,
    OutboundTyping,
    Refused,
    Thread,
    Unreachable,
    VendorFile,
    VisitorCard,
    VisitorLine,
)
from warmline.simulators.samples import picture
from warmline.simulators.script import Kind
from warmline.simulators.sunco import Assumptions

REQUEST = asking(visitor=VisitorCard(id="v-1", name="Kim", email="not an address"))


@dataclass
class Here:
    """A desk and the vendor behind it."""

    desk: SuncoDesk
    rig: SuncoRig

    async def open(self) -> Thread:
        """A thread with a ticket."""
        return await self.desk.open(REQUEST)

    def texts(self, thread: Thread) -> list[str]:
        """What the user said, and the kinds of his files."""
        said = [one for one in self.rig.conversation(thread.ref).messages if one.side == "user"]
        return [str(one.content.get("text") or one.content["type"]) for one in said]

    async def history(self, thread: Thread, since: int = 0) -> list[VisitorLine]:
        """The visitor's lines."""
        return cast(list[VisitorLine], list(await self.desk.history(thread, since)))


@contextlib.asynccontextmanager
async def meeting(**options: Any) -> AsyncIterator[Here]:
    async with SuncoRig.running(**options) as rig, desk_alone(sunco_kind, rig.settings) as desk:
        yield Here(cast(SuncoDesk, desk), rig)


FILES = (a_file('my "lämp".png', "image/png", picture()), a_file("notes.txt", "text/plain", b"notes"))
MESSAGE = OutboundMessage(id="m-1", seq=3, text="Like these.", attachments=FILES)


async def test_a_visitor_is_one_user_whatever_he_is_called_and_a_wrong_address_is_left_out() -> None:
    async with meeting() as here:
        await here.open()
        card = VisitorCard(id="v-1", name="Kim Lee", email="kim@example.com")
        second = await here.desk.open(asking(id="h2.0", conversation_id="c-2", handover_id="h2", visitor=card))
        (user,) = here.rig.vendor.account.users.values()
        assert user.external_id == "warmline-v-1"
        assert user.profile == {"givenName": "Kim Lee", "email": "kim@example.com", "locale": "en"}
        assert len(here.rig.talks()) == 2
        assert second.ref == here.rig.talks()[1]


async def test_files_go_before_the_words_and_are_uploaded() -> None:
    async with meeting() as here:
        thread = await here.open()
        receipt = await here.desk.send(thread, MESSAGE)
        assert here.texts(thread) == ["image", "file", "Like these."]
        assert receipt.vendor_id == here.rig.conversation(thread.ref).messages[-1].id
        seen = here.rig.files(thread.ref)
        assert [one.body for one in seen] == [picture(), b"notes"]
        assert [one.name.rpartition(".")[2] for one in seen] == ["png", "txt"]
        assert [line.item_id for line in await here.history(thread)] == ["m-1/0", "m-1/1", "m-1"]
        await here.desk.send(thread, OutboundMessage(id="m-2", seq=4, text="", attachments=FILES[1:]))
        assert [line.item_id for line in await here.history(thread)][-1] == "m-2"


async def test_a_line_of_emoji_is_cut_as_the_vendor_may_count_and_known_by_its_end() -> None:
    async with meeting() as here:
        thread = await here.open()
        await here.desk.send(thread, OutboundMessage(id="m-1", seq=1, text="😀" * 4_096))
        lines = await here.history(thread)
        assert [line.item_id for line in lines] == ["m-1/0", "m-1"]
        assert "".join(line.text for line in lines) == "😀" * 4_096


@pytest.mark.parametrize("kind", [Kind.LOST, Kind.FAILING])
async def test_a_send_that_broke_in_the_middle_goes_on_where_it_broke(kind: Kind) -> None:
    async with meeting() as here:
        thread = await here.open()
        here.rig.vendor.trouble.next("messages.post", kind)
        with pytest.raises(Unreachable):
            await here.desk.send(thread, MESSAGE)
        assert "m-1" not in [line.item_id for line in await here.history(thread)]
        await here.desk.send(thread, MESSAGE)
        assert here.texts(thread) == ["image", "file", "Like these."]
        await here.desk.send(thread, MESSAGE)
        assert here.texts(thread) == ["image", "file", "Like these."], "a repeated item is there once"


@pytest.mark.parametrize("order", ["oldest first", "newest first"])
async def test_lines_are_found_over_several_pages_in_whatever_order(order: Any) -> None:
    async with meeting(assumptions=Assumptions(page_order=order)) as here:
        thread = await here.open()
        for number in range(130):
            await here.desk.send(thread, OutboundMessage(id=f"m-{number}", seq=number, text="again"))
        found = {line.item_id for line in await here.history(thread)}
        assert found == {f"m-{number}" for number in range(130)}
        newest = max(line.occurred_at or 0 for line in await here.history(thread))
        calls = len(here.rig.vendor.calls.of("messages.list"))
        assert await here.history(thread, newest + 60_000) == []
        assert len(here.rig.vendor.calls.of("messages.list")) == calls + 1, "older pages are not asked for"


async def test_private_files_are_fetched_with_the_key_and_nothing_else_is() -> None:
    async with meeting(private_attachments=True) as here:
        thread = await here.open()
        sent = await here.rig.vendor.agent_sends_file(thread.ref, "lamp.png", picture(), "image/png")
        url = str(sent.content["mediaUrl"])
        own = VendorFile(url=url, private=True)
        assert await here.desk.fetch_file(thread, own, max_bytes=10_000) == picture()
        with pytest.raises(Refused):
            await here.desk.fetch_file(thread, own, max_bytes=10)
        elsewhere = VendorFile(url=url.replace("127.0.0.1", "localhost"), private=True)
        with pytest.raises(Refused):
            await here.desk.fetch_file(thread, elsewhere, max_bytes=10_000)


async def test_what_an_agent_sends_is_read_as_private_below_the_api_only() -> None:
    async with meeting() as here:
        thread = await here.open()
        here.rig.vendor.subscribe("http://127.0.0.1:1/")
        await here.rig.sends_file(thread.ref)
        vendor = here.rig.vendor
        told = await vendor.changes.until(lambda: [one for one in vendor.webhooks.log if b"mediaUrl" in one.body])
        for api_url, private in ((f"{vendor.url}/sc", True), ("https://shop.zendesk.com/sc", False)):
            events = parse_batch(told[0].body, agents=AGENT_WORKSPACE, api_url=api_url)
            (reply,) = [event for event in events if isinstance(event, AgentReplied)]
            assert (reply.files[0].private, reply.files[0].name) == (private, "leaf.png")


async def test_notes_reach_the_agent_and_typing_does_not() -> None:
    async with meeting() as here:
        thread = await here.open()
        await here.desk.send(thread, OutboundNote(id="n-1", seq=1, text="He is angry."))
        await here.desk.send(thread, OutboundTyping(on=True))
        assert "He is angry." in here.rig.context(thread.ref)
        assert here.texts(thread) == []
        assert here.rig.vendor.calls.of("activity.post") == []


@pytest.mark.parametrize("scope", ["app", "integration"])
async def test_leave_is_taken_once_however_often_it_is_said(scope: str) -> None:
    async with meeting(scope=scope) as here:
        thread = await here.open()
        for _time in range(2):
            await here.desk.close(thread, EndReason.VISITOR_LEFT)
        assert here.rig.is_over(thread.ref)
        never = Thread(ref="c-9", connection_id="k", conversation_id="c-9", request_id="h9.0", bot_id="b")
        await here.desk.close(never, EndReason.VISITOR_LEFT)


async def test_whoever_goes_on_after_a_restart_of_ours_knows_the_user() -> None:
    async with meeting() as here:
        thread = await here.open()
        assert thread.state == "warmline-v-1"
        await here.desk.send(thread, OutboundMessage(id="m-1", seq=1, text="Hello"))
        (line,) = await here.history(thread)
        assert (line.text, line.item_id) == ("Hello", "m-1")
