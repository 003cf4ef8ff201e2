"""Files to Kustomer and from there, against its simulator: what a lost answer leaves behind, and who is shown the key."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from warmline.conformance.rigs.kustomer import KustomerRig
from warmline.desks.kustomer import KustomerDesk
from warmline.desks.kustomer.inbound import parse_event
from warmline.handover.desk_kinds import Linked, Secret
from warmline.handover.port import (
    AgentReplied,
    EndReason,
    File,
    HandoverRequest,
    OutboundMessage,
    Refused,
    Thread,
    Unreachable,
    VendorFile,
    VisitorLine,
)
from warmline.kernel.clock import SystemClock
from warmline.platform.http import Outgoing, Reply
from warmline.simulators.samples import PICTURE_NAME, picture
from warmline.simulators.script import Kind

PAYLOAD = json.loads(Path(__file__).with_name("payloads").joinpath("message_by_agent_with_files.json").read_text())
ELSEWHERE = "https://files.example.com/lamp.png"


class Watched(Outgoing):
    """The outgoing client; it notes which addresses were shown the key, and spoils the form of a file named ``spoils``."""

    def __init__(self) -> None:
        super().__init__(allow=["127.0.0.0/8"])
        self.shown: list[tuple[str, bool]] = []
        self.spoils = ""

    async def request(
        self,
        method: str,
        url: Any,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        **more: Any,
    ) -> Reply:
        self.shown.append((str(url), "Authorization" in (headers or {})))
        if body and self.spoils and f'filename="{self.spoils}"'.encode() in body:
            body = body.replace(b'name="Policy"', b'name="Policies"')
        return await super().request(method, url, headers=headers, body=body, **more)


@dataclasses.dataclass
class Opposite:
    """A desk with an open thread, and the Kustomer that it calls."""

    rig: KustomerRig
    outgoing: Watched
    desk: KustomerDesk
    thread: Thread

    def restart(self) -> None:
        """What the desk knew is forgotten."""
        self.desk = desk_of(self.rig, self.outgoing)

    async def relay(self, item: OutboundMessage) -> None:
        """As the relay does: what may have arrived is looked for before it is sent again."""
        try:
            await self.desk.send(self.thread, item)
        except Unreachable:
            await self.again(item)

    async def again(self, item: OutboundMessage) -> None:
        lines = [one for one in await self.desk.history(self.thread, item.at - 2_000) if isinstance(one, VisitorLine)]
        if not any(one.text == item.text if one.item_id is None else one.item_id == item.id for one in lines):
            await self.desk.send(self.thread, item)

    def seen(self) -> list[str | bytes]:
        """What the agent has of the visitor since the handoff: words, and the bytes of files."""
        account = self.rig.vendor.account
        _handed_off, *lines = [m for m in account.conversations[self.thread.ref].messages if m.direction == "in"]
        found: list[str | bytes] = []
        for one in lines:
            found += [account.attachments[each].content or b"" for each in one.attachments]
            found += [one.body] if one.body else []
        return found

    async def picture_from_agent(self) -> AgentReplied:
        """An agent's picture as its event names it."""
        message = await self.rig.vendor.agent_sends_sample(self.thread.ref, "picture")
        return self._event(message.id, message.attachments)

    async def file_from_elsewhere(self) -> AgentReplied:
        message = await self.rig.vendor.agent_says(self.thread.ref, "", files=[(ELSEWHERE, "lamp.png")])
        return self._event(message.id, message.attachments)

    def _event(self, message_id: str, attachments: Sequence[str]) -> AgentReplied:
        body = json.loads(json.dumps(PAYLOAD))
        body["data"]["id"] = message_id
        named = [{"type": "attachment", "id": one} for one in attachments]
        body["data"]["relationships"]["attachments"]["data"] = named
        event = parse_event(json.dumps(body).encode(), self.rig.vendor.bot.id)
        assert isinstance(event, AgentReplied)
        return event


def desk_of(rig: KustomerRig, outgoing: Outgoing) -> KustomerDesk:
    given = dict(rig.settings)
    secrets = {name: [Secret(given.pop(name))] for name in ("api_key", "webhook_token")}
    linked = Linked(connection_id="k", name="Kustomer", bot_ids=("b",), settings=given, secrets=secrets)
    return KustomerDesk(linked, outgoing, SystemClock())


@contextlib.asynccontextmanager
async def opposite(**readings: Any) -> AsyncIterator[Opposite]:
    outgoing = Watched()
    request = HandoverRequest(
        id="h.0", conversation_id="c", handover_id="h", rung=0, owner_epoch=1, bot_id="b", reason=EndReason.API
    )
    try:
        async with KustomerRig.running(**readings) as rig:
            desk = desk_of(rig, outgoing)
            yield Opposite(rig, outgoing, desk, await desk.open(request))
    finally:
        await outgoing.stop()


def file(content: bytes = b"a picture", name: str = "lamp.png") -> File:
    async def read() -> bytes:
        return content

    return File(name=name, media_type="image/png", size=len(content), url=f"https://chat.example/{name}", read=read)


def line(text: str, *files: File, item: str = "m-1") -> OutboundMessage:
    return OutboundMessage(id=item, seq=10, text=text, at=SystemClock().now(), attachments=files)


async def test_files_go_first_and_then_the_words() -> None:
    async with opposite() as here:
        await here.relay(line("Like this one.", file(), file(b"another", "lamp 2.png")))
        assert here.seen() == [b"a picture", b"another", "Like this one."]
        account = here.rig.vendor.account
        assert [one.name for one in account.attachments.values()] == ["lamp.png", "lamp 2.png"]
        with_both = [m for m in account.conversations[here.thread.ref].messages if m.body and m.attachments]
        assert with_both == [], "a chat message has either"


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize(
    ("text", "lost"), [("", 0), ("Like this one.", 0), ("Like this one.", 1)], ids=["file", "file of two", "words"]
)
async def test_whichever_answer_is_lost_nothing_comes_twice(text: str, lost: int, restart: bool) -> None:
    async with opposite(mirrored_ids="other") as here:
        item = line(text, file())
        if lost:
            here.rig.vendor.trouble.next("chat.message", Kind.LATE, lost)
        here.rig.vendor.trouble.next("chat.message", Kind.LOST)
        with pytest.raises(Unreachable):
            await here.desk.send(here.thread, item)
        if restart:
            here.restart()
        await here.again(item)
        assert here.seen() == [b"a picture", *([text] if text else [])]


async def test_words_whose_answer_was_lost_are_not_said_again() -> None:
    async with opposite() as here:
        item = line("Like this one.", file())
        here.rig.vendor.trouble.next("chat.message", Kind.FAILING)
        with pytest.raises(Unreachable):
            await here.desk.send(here.thread, item)
        assert here.seen() == []
        await here.again(item)
        here.restart()
        # The relay may repeat without a look, when the visitor leaves.
        await here.desk.send(here.thread, item)
        assert here.seen() == [b"a picture", "Like this one."]


@pytest.mark.parametrize("operation", ["attachments.create", "sessions.messages"])
async def test_an_answer_lost_before_anything_was_said_costs_nothing(operation: str) -> None:
    async with opposite() as here:
        here.rig.vendor.trouble.next(operation, Kind.LOST)
        await here.relay(line("Like this one.", file()))
        assert here.seen() == [b"a picture", "Like this one."]


async def test_the_same_file_sent_twice_arrives_twice() -> None:
    async with opposite() as here:
        await here.relay(line("", file(), item="m-1"))
        here.rig.vendor.trouble.next("chat.message", Kind.LOST)
        await here.relay(line("", file(), item="m-2"))
        await here.relay(line("", file(), item="m-3"))
        assert here.seen() == [b"a picture"] * 3


async def test_a_file_that_is_refused_goes_as_a_link_and_once() -> None:
    async with opposite() as here:
        here.outgoing.spoils = "big.png"
        item = line("Both of these.", file(), file(b"too big", "big.png"))
        await here.relay(item)
        here.restart()
        await here.again(item)
        assert here.seen() == [b"a picture", "Both of these.\nbig.png: https://chat.example/big.png"]


async def test_the_store_is_not_shown_the_key() -> None:
    async with opposite() as here:
        await here.relay(line("", file()))
        stored = [key for url, key in here.outgoing.shown if "/simulator/upload" in url]
        assert stored == [False]


@pytest.mark.parametrize("links", ["signed", "api"])
async def test_an_agents_file_is_described_and_fetched_with_the_key(links: str) -> None:
    async with opposite(attachment_links=links) as here:
        event = await here.desk.enrich(await here.picture_from_agent())
        assert isinstance(event, AgentReplied)
        (one,) = event.files
        assert (one.name, one.media_type, one.size, one.private) == (PICTURE_NAME, "image/png", len(picture()), True)
        assert await here.desk.fetch_file(here.thread, one, max_bytes=10_000) == picture()
        with pytest.raises(Refused):
            await here.desk.fetch_file(here.thread, one, max_bytes=10)


async def test_a_file_that_could_not_be_described_is_looked_up_when_it_is_fetched() -> None:
    async with opposite() as here:
        event = await here.picture_from_agent()
        here.rig.vendor.trouble.next("attachments.get", Kind.FAILING)
        undescribed = await here.desk.enrich(event)
        assert isinstance(undescribed, AgentReplied)
        assert undescribed.files == event.files
        assert await here.desk.fetch_file(here.thread, undescribed.files[0], max_bytes=10_000) == picture()


async def test_a_file_that_lies_elsewhere_is_nobodys_secret() -> None:
    async with opposite() as here:
        event = await here.file_from_elsewhere()
        described = await here.desk.enrich(event)
        assert isinstance(described, AgentReplied)
        assert [(one.url, one.private) for one in described.files] == [(ELSEWHERE, False)]
        # Nor is the key shown there when the address is only learned while fetching.
        with pytest.raises((Refused, Unreachable)):
            await here.desk.fetch_file(here.thread, event.files[0], max_bytes=10_000)
        assert [key for url, key in here.outgoing.shown if url == ELSEWHERE] == [False]
        with pytest.raises((Refused, Unreachable)):
            await here.desk.fetch_file(here.thread, VendorFile(url=ELSEWHERE, private=True), max_bytes=10_000)
        assert not any(key for url, key in here.outgoing.shown if url == ELSEWHERE)


async def test_a_key_that_may_not_look_at_files_still_sends_them() -> None:
    async with opposite() as here:
        here.rig.vendor.held_roles -= {"org.permission.attachment.read"}
        await here.relay(line("Like this one.", file()))
        here.restart()
        await here.relay(line("And this.", file(b"another"), item="m-2"))
        assert here.seen() == [b"a picture", "Like this one.", b"another", "And this."]
