"""The visitor's typing on its way to a desk: shown once, not with every key, and taken back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from warmline.handover import typing_out
from warmline.handover.port import Capabilities, Desk, OutboundTyping, Receipt, Thread, Unreachable
from warmline.handover.typing_out import TypingOut
from warmline.platform.bus import MemoryBus

THREAD = Thread(ref="r", connection_id="c", conversation_id="one", request_id="h.0", bot_id="b")


@dataclass
class Shown:
    """A desk that notes what it is shown, and the worker of its one thread."""

    can: bool = True
    there: bool = True
    fails: bool = False
    seen: asyncio.Queue[bool] = field(default_factory=asyncio.Queue)

    @property
    def manifest(self) -> Any:
        return SimpleNamespace(capabilities=Capabilities(visitor_typing=self.can))

    async def send(self, _thread: Thread, item: OutboundTyping) -> Receipt:
        self.seen.put_nowait(item.on)
        if self.fails:
            raise Unreachable("away")
        return Receipt()

    def open_thread(self) -> Thread | None:
        return THREAD if self.there else None


@contextlib.asynccontextmanager
async def following(desk: Shown) -> AsyncIterator[MemoryBus]:
    bus = MemoryBus()
    await bus.start()
    out = TypingOut(bus, talkers=lambda one: [desk] if one == "one" else [], desk=lambda _id: cast("Desk", desk))
    await out.start()
    try:
        yield bus
    finally:
        await out.stop()
        await bus.stop()


async def seen(desk: Shown) -> bool:
    return await asyncio.wait_for(desk.seen.get(), 10)


async def test_it_is_shown_and_taken_back() -> None:
    desk = Shown()
    async with following(desk) as bus:
        for data in (b"visitor 1", b"visitor 1", b"visitor 1"):
            await bus.publish("typing.one", data)
        assert await seen(desk)
        await bus.publish("typing.one", b"visitor 0")
        assert not await seen(desk)
        assert desk.seen.empty(), "every key was told"
        await bus.publish("typing.one", b"visitor 1")
        assert await seen(desk)


async def test_it_is_shown_again_while_it_goes_on_and_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typing_out, "AGAIN_S", 0.05)
    monkeypatch.setattr(typing_out, "STOPS_S", 0.1)
    desk = Shown()
    async with following(desk) as bus:
        await bus.publish("typing.one", b"visitor 1")
        assert await seen(desk)
        await bus.publish("typing.one", b"visitor 1")
        assert await seen(desk)
        assert not await seen(desk)


@pytest.mark.parametrize("desk", [Shown(can=False), Shown(there=False)], ids=["cannot", "nobody there"])
async def test_nothing_is_shown_where_nobody_would_see_it(desk: Shown) -> None:
    async with following(desk) as bus:
        await bus.publish("typing.one", b"visitor 1")
        await bus.publish("typing.two", b"visitor 1")
        await bus.publish("typing.one", b"agent 1")
        desk.can = desk.there = True
        await bus.publish("typing.one", b"visitor 1")
        assert await seen(desk)
        assert desk.seen.empty()


async def test_a_desk_that_fails_is_tried_the_next_time() -> None:
    desk = Shown(fails=True)
    async with following(desk) as bus:
        await bus.publish("typing.one", b"visitor 1")
        assert await seen(desk)
        desk.fails = False
        async with asyncio.timeout(10):
            while desk.seen.empty():
                await bus.publish("typing.one", b"visitor 1")
                await asyncio.sleep(0)
        assert await seen(desk)
