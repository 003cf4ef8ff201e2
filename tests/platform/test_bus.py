from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
import structlog.testing
from tests.support.nats import OwnServer

from warmline.platform.bus import Bus, MemoryBus, NatsBus, check_pattern, check_subject, matches


class Heard:
    """A handler that remembers, and lets a test wait for a number of messages."""

    def __init__(self) -> None:
        self.items: list[tuple[str, bytes]] = []
        self._changed = asyncio.Event()

    def __call__(self, subject: str, data: bytes) -> None:
        self.items.append((subject, data))
        self._changed.set()

    async def wait(self, count: int) -> list[tuple[str, bytes]]:
        async with asyncio.timeout(40):
            while len(self.items) < count:
                self._changed.clear()
                await self._changed.wait()
        return self.items


@pytest.fixture(params=["memory", "nats"])
async def bus(request: pytest.FixtureRequest) -> AsyncIterator[Bus]:
    one: Bus
    if request.param == "memory":
        one = MemoryBus()
    else:
        one = NatsBus(request.getfixturevalue("nats_server"), prefix=f"t{id(request)}")
    await one.start()
    yield one
    await one.stop()


async def fence(bus: Bus) -> None:
    """When this returns, everything published before was handled."""
    heard = Heard()
    subscription = await bus.subscribe("test.fence", heard)
    await bus.publish("test.fence", b"")
    await heard.wait(1)
    await subscription.unsubscribe()


async def test_a_message_reaches_every_subscriber_of_its_subject(bus: Bus) -> None:
    one, two, other = Heard(), Heard(), Heard()
    await bus.subscribe("conversation.1.events", one)
    await bus.subscribe("conversation.1.events", two)
    await bus.subscribe("conversation.2.events", other)
    await bus.publish("conversation.1.events", b"\x00\xff")
    assert await one.wait(1) == [("conversation.1.events", b"\x00\xff")]
    assert await two.wait(1) == [("conversation.1.events", b"\x00\xff")]
    await fence(bus)
    assert other.items == []


async def test_wildcards_hear_what_they_should(bus: Bus) -> None:
    star, rest, whole = Heard(), Heard(), Heard()
    await bus.subscribe("a.*.c", star)
    await bus.subscribe("a.>", rest)
    await bus.subscribe(">", whole)
    for subject in ("a.b.c", "a.b", "a", "a.b.c.d", "x.b.c"):
        await bus.publish(subject, b"")
    await whole.wait(5)
    await fence(bus)
    assert [subject for subject, _ in star.items] == ["a.b.c"]
    assert [subject for subject, _ in rest.items] == ["a.b.c", "a.b", "a.b.c.d"]


async def test_the_order_of_a_publisher_is_kept(bus: Bus) -> None:
    heard = Heard()
    await bus.subscribe("a", heard)
    for number in range(2_000):
        await bus.publish("a", str(number).encode())
    assert [int(data) for _, data in await heard.wait(2_000)] == list(range(2_000))


async def test_nothing_is_heard_after_unsubscribing(bus: Bus) -> None:
    heard = Heard()
    subscription = await bus.subscribe("a", heard)
    await bus.publish("a", b"1")
    await heard.wait(1)
    await subscription.unsubscribe()
    await subscription.unsubscribe()
    await bus.publish("a", b"2")
    await fence(bus)
    assert heard.items == [("a", b"1")]


async def test_unsubscribing_beats_a_message_on_its_way(bus: Bus) -> None:
    heard = Heard()
    subscription = await bus.subscribe("a.*", heard)
    await bus.publish("a.b", b"")
    await subscription.unsubscribe()
    await fence(bus)
    assert heard.items == []


async def test_a_handler_is_not_called_inside_publish(bus: Bus) -> None:
    heard = Heard()
    await bus.subscribe("a", heard)
    await bus.publish("a", b"")
    assert heard.items == []
    await heard.wait(1)


async def test_a_handler_that_fails_is_logged_and_hurts_nobody(bus: Bus) -> None:
    def broken(_subject: str, _data: bytes) -> None:
        raise RuntimeError("boom")

    heard = Heard()
    with structlog.testing.capture_logs() as logs:
        await bus.subscribe("a", broken)
        await bus.subscribe("a", heard)
        await bus.publish("a", b"1")
        await bus.publish("a", b"2")
        await heard.wait(2)
        await fence(bus)
    assert [entry["event"] for entry in logs] == ["bus handler failed"] * 2
    assert logs[0]["subject"] == "a"


async def test_a_handler_may_publish_and_subscribe_further(bus: Bus) -> None:
    heard = Heard()
    tasks: list[asyncio.Task[None]] = []

    def relay(_subject: str, data: bytes) -> None:
        tasks.append(asyncio.ensure_future(bus.publish("b", data)))

    await bus.subscribe("a", relay)
    await bus.subscribe("b", heard)
    await bus.publish("a", b"x")
    assert await heard.wait(1) == [("b", b"x")]


@pytest.mark.parametrize("subject", ["", "a..b", ".a", "a.", "a b", "a.*", "a.>", "a\n", "a.b*"])
async def test_a_bad_subject_is_refused_before_anything_is_sent(bus: Bus, subject: str) -> None:
    with pytest.raises(ValueError, match="subject"):
        await bus.publish(subject, b"")


@pytest.mark.parametrize("pattern", ["", "a..b", "a.>.b", "a*", "a.b>", "a b"])
async def test_a_bad_pattern_is_refused(bus: Bus, pattern: str) -> None:
    with pytest.raises(ValueError, match=r"subject|wildcard"):
        await bus.subscribe(pattern, lambda _s, _d: None)


async def test_it_tells_whether_it_is_connected_and_stops_quietly(bus: Bus) -> None:
    heard = Heard()
    await bus.subscribe("a", heard)
    await connected(bus, wanted=True)
    await bus.stop()
    await connected(bus, wanted=False)
    await bus.publish("a", b"late")
    assert heard.items == []


def test_patterns() -> None:
    assert matches("a.b", "a.b")
    assert not matches("a.b", "a.b.c")
    assert not matches("a.b.c", "a.b")
    assert not matches("*", "a.b")
    assert matches(">", "a")
    assert matches("*.b.>", "a.b.c.d")
    assert not matches("a.>", "a")
    check_subject("a-b_c.1")
    check_pattern("*.a.>")


# ------------------------------------------------------------------------------------------- NATS alone
async def connected(bus: Bus, wanted: bool) -> None:
    async with asyncio.timeout(40):
        while bus.connected is not wanted:  # noqa: ASYNC110 - the bus has no event for it
            await asyncio.sleep(0)


async def heard_through(publisher: Bus, listener: Bus) -> None:
    """Publish until a listener on another client hears it: proof that messages flow again."""
    heard = Heard()
    subscription = await listener.subscribe("test.probe", heard)
    async with asyncio.timeout(40):
        while not heard.items:
            await publisher.publish("test.probe", b"")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(heard.wait(1), 0.1)
    await subscription.unsubscribe()


async def test_two_processes_hear_each_other_and_prefixes_keep_apart(nats_server: str) -> None:
    one, two, stranger = NatsBus(nats_server, prefix="p1"), NatsBus(nats_server, prefix="p1"), NatsBus(nats_server)
    heard, foreign = Heard(), Heard()
    for bus in (one, two, stranger):
        await bus.start()
    await two.subscribe(">", heard)
    await stranger.subscribe(">", foreign)
    await one.publish("a.b", b"x")
    assert await heard.wait(1) == [("a.b", b"x")]
    await fence(stranger)
    assert [subject for subject, _ in foreign.items] == ["test.fence"]
    for bus in (one, two, stranger):
        await bus.stop()


async def test_it_comes_back_after_the_server_was_killed(own_nats: OwnServer) -> None:
    url = own_nats.start()
    one, two = NatsBus(url, reconnect_wait_s=0.05), NatsBus(url, reconnect_wait_s=0.05)
    heard, back = Heard(), asyncio.Event()
    two.on_reconnect(back.set)
    await one.start()
    await two.start()
    await two.subscribe("a.*", heard)
    await one.publish("a.1", b"before")
    await heard.wait(1)
    own_nats.stop()
    await connected(one, wanted=False)
    await connected(two, wanted=False)
    late = Heard()
    await two.subscribe("late", late)  # made while the server is away
    await one.publish("nobody", b"lost or kept, but never an error")
    own_nats.start()
    async with asyncio.timeout(40):
        await back.wait()
    await connected(one, wanted=True)
    await heard_through(one, two)
    await one.publish("a.2", b"after")
    await one.publish("late", b"too")
    assert ("a.2", b"after") in await heard.wait(2)
    assert await late.wait(1) == [("late", b"too")]
    await one.stop()
    await two.stop()


async def test_a_server_that_is_down_does_not_stop_the_start(own_nats: OwnServer) -> None:
    url = own_nats.start()
    own_nats.stop()
    bus = NatsBus(url, reconnect_wait_s=0.05)
    back = asyncio.Event()
    bus.on_reconnect(back.set)
    heard = Heard()
    with structlog.testing.capture_logs() as logs:
        await bus.start()
        assert not bus.connected
        await bus.subscribe("a", heard)
        await bus.publish("a", b"dropped")
        assert bus.dropped == 1
        own_nats.start()
        async with asyncio.timeout(40):
            await back.wait()
    assert [entry["event"] for entry in logs if entry["log_level"] == "warning"] == [
        "bus connection failed; trying again for ever"
    ]
    await bus.publish("a", b"now")
    assert await heard.wait(1) == [("a", b"now")]
    await bus.stop()


async def test_a_failing_reconnect_callback_does_not_stop_the_others(own_nats: OwnServer) -> None:
    def broken() -> None:
        raise RuntimeError("boom")

    bus = NatsBus(own_nats.start(), reconnect_wait_s=0.05)
    back = asyncio.Event()
    bus.on_reconnect(broken)
    bus.on_reconnect(back.set)
    await bus.start()
    own_nats.stop()
    await connected(bus, wanted=False)
    with structlog.testing.capture_logs() as logs:
        own_nats.start()
        async with asyncio.timeout(40):
            await back.wait()
    assert "bus reconnect callback failed" in [entry["event"] for entry in logs]
    await bus.stop()


async def test_messages_that_a_blocked_loop_missed_are_counted(
    nats_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warmline.platform.bus.nats._PENDING_MESSAGES", 5)
    bus = NatsBus(nats_server, prefix="slow")
    heard = Heard()
    await bus.start()
    with structlog.testing.capture_logs() as logs:
        await bus.subscribe("a", heard)
        for _ in range(500):
            await bus.publish("a", b"")
        await fence(bus)
    assert bus.missed > 0
    assert len(heard.items) + bus.missed == 500
    assert [entry["event"] for entry in logs] == ["bus handler too slow, messages dropped"]
    await bus.stop()


async def test_what_waits_for_an_absent_server_is_bounded(own_nats: OwnServer) -> None:
    bus = NatsBus(own_nats.start(), reconnect_wait_s=0.05)
    await bus.start()
    own_nats.stop()
    await connected(bus, wanted=False)
    for _ in range(40):
        await bus.publish("a", b"x" * 100_000)
    assert bus.dropped >= 29
    await bus.stop()


async def test_a_client_that_closed_for_good_is_replaced(nats_server: str) -> None:
    bus: Any = NatsBus(nats_server, prefix="closing", reconnect_wait_s=0.05)
    heard, back = Heard(), asyncio.Event()
    bus.on_reconnect(back.set)
    await bus.start()
    await bus.subscribe("a", heard)
    await bus._client.close()
    async with asyncio.timeout(40):
        await back.wait()
    await bus.publish("a", b"x")
    assert await heard.wait(1) == [("a", b"x")]
    await bus.stop()
    await bus.stop()
