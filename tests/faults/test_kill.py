"""The server is killed in the middle of running conversations, and started again."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
from tests.faults.serving import Serving, serving
from tests.faults.town import Town, town
from tests.support.node import free_port
from tests.support.pair import StorePair


async def kill_at(place: Town, server: Serving, moments: list[int]) -> None:
    """Kill and restart the server each time so many acceptances have been told."""
    for moment in moments:
        await place.ledger.until(moment)
        await server.kill()
        place.forget_leases()
        await server.start()


async def live_through(place: Town, server: Serving, moments: list[int], **scale: int) -> None:
    """Run the stories and kill meanwhile; what went wrong is said with where everybody stood."""
    killer = asyncio.create_task(kill_at(place, server, moments))
    try:
        await place.live(within=50.0 * len(moments), **scale)
        await killer
    except TimeoutError:
        pytest.fail(f"somebody waits for ever\n{place.where()}\n{server.said()}")
    finally:
        killer.cancel()
    await place.leave()


@pytest.mark.timeout(170)
async def test_nothing_is_lost_or_doubled_when_the_server_is_killed(pair: StorePair, tmp_path: Path) -> None:
    chance = random.Random(11)
    moments = sorted(chance.sample(range(20, 190), 3))
    port = free_port()
    async with town(pair, [port], seed=11) as place, serving(place.environment, port, tmp_path / "log") as server:
        await live_through(place, server, moments, talks=18, waits=2, lines=4)
        assert server.starts == 4
        assert await server.stop() == 0
        await place.compare()


@pytest.mark.long
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("seed", range(6))
async def test_nothing_is_lost_or_doubled_in_a_long_row_of_kills(pair: StorePair, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    moments = sorted(chance.sample(range(20, 1_200), 12))
    port = free_port()
    async with town(pair, [port], seed=seed) as place, serving(place.environment, port, tmp_path / "log") as server:
        await live_through(place, server, moments, talks=100, waits=10, lines=6)
        assert await server.stop() == 0
        await place.compare()
