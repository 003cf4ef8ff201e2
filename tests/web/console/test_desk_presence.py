"""Who is at the desk: told between nodes, forgotten when a node falls silent, unknown rather than guessed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from warmline.kernel.clock import ManualClock
from warmline.platform.bus import MemoryBus
from warmline.web.console.desk_presence import BEAT, GONE_AFTER, DeskPresence


@pytest.fixture
async def bus() -> AsyncIterator[MemoryBus]:
    bus = MemoryBus()
    await bus.start()
    yield bus
    await bus.stop()


async def until(bus: MemoryBus, reached: Callable[[], bool]) -> None:
    """Wait for the heartbeat after which it is so."""
    heard = asyncio.Event()
    subscription = await bus.subscribe("presence.desk", lambda _subject, _data: heard.set())
    async with asyncio.timeout(5):
        while not reached():
            heard.clear()
            await heard.wait()
            await asyncio.sleep(0)
    await subscription.unsubscribe()


async def test_nodes_tell_each_other_and_a_silent_one_is_forgotten(bus: MemoryBus, clock: ManualClock) -> None:
    here = DeskPresence(bus, clock, node_id="a", alone=False)
    there = DeskPresence(bus, clock, node_id="b", alone=False)
    await here.start()
    await there.start()
    there.enter("mina")
    there.enter("mina")
    here.enter("jon")
    await until(bus, lambda: here.members() == {"mina", "jon"})
    there.leave("mina")
    assert here.agents_online("any") == 2
    await there.stop()
    clock.advance(GONE_AFTER)
    assert here.members() == {"jon"}
    await here.stop()


async def test_closing_one_of_two_pages_is_not_leaving(bus: MemoryBus, clock: ManualClock) -> None:
    presence = DeskPresence(bus, clock, node_id="a", alone=True)
    await presence.start()
    presence.enter("mina")
    presence.enter("mina")
    presence.leave("mina")
    assert presence.agents_online("any") == 1
    presence.leave("mina")
    assert presence.agents_online("any") == 0
    await presence.stop()


async def test_before_others_could_tell_nobody_is_said_to_be_away(bus: MemoryBus, clock: ManualClock) -> None:
    presence = DeskPresence(bus, clock, node_id="a", alone=False)
    assert presence.agents_online("any") is None
    await presence.start()
    assert presence.agents_online("any") is None
    clock.advance(2 * BEAT)
    assert presence.agents_online("any") == 0
    await presence.stop()
    assert presence.agents_online("any") is None


async def test_noise_on_the_subject_is_ignored(bus: MemoryBus, clock: ManualClock) -> None:
    presence = DeskPresence(bus, clock, node_id="a", alone=True)
    await presence.start()
    for noise in (b"", b"{", b'{"node": 1}', b"\xff"):
        await bus.publish("presence.desk", noise)
    assert presence.members() == frozenset()
    await presence.stop()
