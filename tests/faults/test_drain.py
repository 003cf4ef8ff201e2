"""SIGTERM: the server says goodbye, finishes what it has begun, and another one goes on."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.faults.agents import GOODBYE
from tests.faults.serving import serving
from tests.faults.town import ASK, town
from tests.support.node import free_port
from tests.support.pair import StorePair


async def test_a_server_that_is_told_to_stop_drains_and_the_next_one_goes_on(pair: StorePair, tmp_path: Path) -> None:
    port = free_port()
    async with town(pair, [port], seed=3) as place, serving(place.environment, port, tmp_path / "log") as server:
        place.crm.unwell = 0.0
        visitor = place.arrive()
        await place.enter(visitor)
        await visitor.say(ASK)
        await visitor.until_type("handover.connected")
        await visitor.say("before")
        await visitor.until_said("re: before")

        assert await server.stop() == 0, server.said()
        assert (visitor.drains, visitor.closed_with[0]) == (1, 4002)
        # No lease is waited for: the one that stopped has handed them over.
        await server.start()

        async with asyncio.timeout(20):
            await visitor.say("after")
            await visitor.until_said("re: after")
            await visitor.say(GOODBYE)
            await visitor.until_type("handover.ended")
        await place.leave()
        assert await server.stop() == 0, server.said()
        await place.compare()
