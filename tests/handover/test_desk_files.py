"""Agents' files: fetched from a real HTTP server and kept, shown to the visitor, never the reason for a lost message."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest_asyncio
from aiohttp import web
from tests.support.files import PDF, png
from tests.support.node import Stage, guest
from tests.support.server import serving
from tests.web.console.desk_agent import only_our_desk, waiting

from warmline.conversations.attachment_tables import attachments
from warmline.conversations.events import Attachment, MessagePosted
from warmline.handover.files import DeskFiles
from warmline.handover.inbound import Inbound
from warmline.handover.port import AgentJoined, AgentReplied, Thread, VendorFile
from warmline.handover.port_errors import Unreachable
from warmline.handover.thread_states import ThreadStates
from warmline.kernel.ids import uuid7
from warmline.platform.http import Outgoing


@dataclass
class Vendor:
    """A server that has files; ``broken`` ones answer 500 so many times."""

    base: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    broken: dict[str, int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        self.asked.append(name)
        if self.broken.get(name, 0) > 0:
            self.broken[name] -= 1
            return web.Response(status=500)
        if name == "moved":
            return web.Response(status=302, headers={"Location": "/lamp.png"})
        if name == "inwards":
            return web.Response(status=302, headers={"Location": "http://10.0.0.1/secret"})
        return web.Response(body=self.files[name]) if name in self.files else web.Response(status=404)


@contextlib.asynccontextmanager
async def vendor() -> AsyncIterator[Vendor]:
    here = Vendor(files={"lamp.png": png(), "bill.pdf": PDF})
    application = web.Application()
    application.router.add_get("/{name}", here.answer)
    async with serving(application) as here.base:
        yield here


class Keeper:
    """A desk that gives its files only to who has its key."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.threads: list[Thread] = []

    async def fetch_file(self, thread: Thread, file: VendorFile, *, max_bytes: int) -> bytes:
        self.threads.append(thread)
        if self.failures:
            raise self.failures.pop(0)
        assert max_bytes == 20_000_000
        return b"from " + file.url.encode()


@dataclass
class Desk:
    """A conversation that our desk has, and what is brought in as if it were a vendor's."""

    stage: Stage
    conversation: str
    inbound: Inbound
    desk: Any

    async def replies(self, text: str, *files: VendorFile, key: str | None = None) -> MessagePosted:
        event = AgentReplied(thread_ref="t", text=text, name="Mina", files=files)
        state = await self.stage.state(self.conversation)
        done = await self.inbound.receive(
            self.stage.desk_id, event, conversation_id=self.conversation, epoch=state.owner_epoch, key=key
        )
        assert done is not None
        body = (await self.stage.events(self.conversation))[done.seq - 1].body
        assert isinstance(body, MessagePosted)
        return body

    async def content(self, one: Attachment) -> bytes:
        return await self.stage.node.attachments.read(one.id)

    async def rows(self) -> int:
        table = attachments.select().where(attachments.c.conversation_id == self.conversation)
        return len(await self.stage.node.journal.read(lambda conn: conn.execute(table).all()))


@pytest_asyncio.fixture(loop_scope="module")
async def desk(shared_sqlite_house: Stage) -> AsyncIterator[Desk]:
    async with guest(shared_sqlite_house) as stage, contextlib.AsyncExitStack() as stack:
        await only_our_desk(stage)
        conversation = await waiting(stage, "Hello")
        node = stage.node
        outgoing = Outgoing(allow=["127.0.0.0/8"])
        await outgoing.start()
        stack.push_async_callback(outgoing.stop)
        opened = Desk(stage, conversation, node.inbound, Keeper())
        files = DeskFiles(node.journal, node.attachments, outgoing, lambda _id: opened.desk, ThreadStates(node.keyring))
        opened.inbound = Inbound(node.journal, node.bus, files=files)
        state = await stage.state(conversation)

        await opened.inbound.receive(
            stage.desk_id, AgentJoined(thread_ref="t"), conversation_id=conversation, epoch=state.owner_epoch
        )
        yield opened


async def test_a_public_file_is_kept_and_belongs_to_the_message(desk: Desk) -> None:
    async with vendor() as here:
        body = await desk.replies(
            "Here",
            VendorFile(url=f"{here.base}/lamp.png", name="Lampe größe.png", media_type="text/html"),
            VendorFile(url=f"{here.base}/bill.pdf"),
        )
    assert body.text == "Here"
    assert [(one.name, one.media_type) for one in body.attachments] == [
        ("Lampe größe.png", "image/png"),
        ("bill.pdf", "application/pdf"),
    ]
    assert await desk.content(body.attachments[0]) == png()


async def test_the_same_event_again_fetches_nothing_again(desk: Desk) -> None:
    async with vendor() as here:
        file = VendorFile(url=f"{here.base}/lamp.png")
        first = await desk.replies("", file, key="e1")
        again = await desk.replies("", file, key="e1")
        assert here.asked == ["lamp.png"]
    assert (first, first.text) == (again, "")
    assert len(first.attachments) == 1


async def test_a_link_that_moves_is_followed_and_one_that_fails_once_is_tried_again(desk: Desk) -> None:
    async with vendor() as here:
        here.broken["bill.pdf"] = 1
        body = await desk.replies(
            "", VendorFile(url=f"{here.base}/moved", name="a.png"), VendorFile(url=f"{here.base}/bill.pdf")
        )
        assert [one.name for one in body.attachments] == ["a.png", "bill.pdf"]
        assert here.asked.count("bill.pdf") == 2


async def test_what_cannot_be_had_becomes_a_line_and_the_message_stays(desk: Desk) -> None:
    async with vendor() as here:
        here.broken["always"] = 9
        gone, broken = VendorFile(url=f"{here.base}/gone", name="old.pdf"), VendorFile(url=f"{here.base}/always")
        body = await desk.replies("See these", gone, broken)
        assert body.attachments == ()
        assert body.text == f"See these\nold.pdf: {here.base}/gone\nalways: {here.base}/always"


async def test_nobody_is_led_into_the_own_network(desk: Desk) -> None:
    async with vendor() as here:
        body = await desk.replies("", VendorFile(url=f"{here.base}/inwards", name="a"))
        assert (body.attachments, body.text) == ((), f"a: {here.base}/inwards")


async def test_a_private_file_comes_through_the_desk_and_its_address_is_never_shown(desk: Desk) -> None:
    desk.desk = Keeper(Unreachable("away", desk="x", operation="fetch_file"))
    body = await desk.replies("", VendorFile(url="https://vendor.example/f/1", name="note.txt", private=True))
    assert await desk.content(body.attachments[0]) == b"from https://vendor.example/f/1"
    assert desk.desk.threads[0].connection_id == desk.stage.desk_id

    desk.desk = Keeper(*(Unreachable("away", desk="x", operation="fetch_file") for _ in range(9)))
    body = await desk.replies("", VendorFile(url="https://vendor.example/f/2", name="note.txt", private=True))
    assert (body.attachments, body.text) == ((), "note.txt (not available)")


async def test_a_refused_kind_is_not_kept(desk: Desk) -> None:
    before = await desk.rows()
    async with vendor() as here:
        here.files["tool.exe"] = b"MZ\x90\x00" + bytes(100)
        body = await desk.replies("", VendorFile(url=f"{here.base}/tool.exe"))
        assert body.text == "tool.exe (not available)"
    assert await desk.rows() == before


async def test_a_retried_reply_keeps_its_key_even_when_its_file_fails_later(desk: Desk) -> None:
    async with vendor() as here:
        file = VendorFile(url=f"{here.base}/lamp.png")
        first = await desk.replies("Look", file, key=uuid7())
        key = uuid7()
        second = await desk.replies("Look", VendorFile(url=f"{here.base}/late.png"), key=key)
        here.files["late.png"] = png()
        assert await desk.replies("Look", VendorFile(url=f"{here.base}/late.png"), key=key) == second
    assert first.attachments
    assert not second.attachments
