"""Two servers on one store: whoever dies, the other one goes on."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.faults.agents import GOODBYE
from tests.faults.serving import serving
from tests.faults.town import ASK, Town, town
from tests.faults.visitor import Visitor
from tests.support.node import free_port
from tests.support.pair import StorePair


async def talk_to_the_end(visitor: Visitor) -> None:
    """The rest of a conversation with an agent."""
    await visitor.say("after")
    await visitor.until_said("re: after")
    await visitor.say(GOODBYE)
    await visitor.until_type("handover.ended")


async def connected(place: Town, base: str) -> Visitor:
    """A visitor on the server at ``base`` who talks with an agent."""
    visitor = place.arrive()
    visitor.bases = [base]
    await place.enter(visitor)
    await visitor.say(ASK)
    await visitor.until_type("handover.connected")
    return visitor


async def test_a_visitor_here_and_a_crm_there(postgres_pair: StorePair, tmp_path: Path) -> None:
    ports = [free_port(), free_port()]
    async with (
        town(postgres_pair, ports, seed=7) as place,
        serving(place.environment, ports[0], tmp_path / "a") as one,
        serving(place.environment, ports[1], tmp_path / "b") as other,
    ):
        place.crm.unwell = 0.0
        place.crm.bases = [other.base]  # what the CRM reports there is seen here
        async with asyncio.timeout(30):
            visitors = [await connected(place, one.base) for _ in range(3)]
            await asyncio.gather(*(talk_to_the_end(visitor) for visitor in visitors))
        assert all(visitor.syncs == 1 for visitor in visitors), "everything came live"
        await place.leave()
        assert (await one.stop(), await other.stop()) == (0, 0)
        await place.compare()


@pytest.mark.long
@pytest.mark.timeout(200)
@pytest.mark.parametrize("first_dies", [True, False])
async def test_the_other_one_takes_over_when_one_is_killed(
    postgres_pair: StorePair, tmp_path: Path, *, first_dies: bool
) -> None:
    # The first to start holds the leases.  They run out after half a minute: that is waited for here.
    ports = [free_port(), free_port()]
    async with (
        town(postgres_pair, ports, seed=8) as place,
        serving(place.environment, ports[0], tmp_path / "a") as one,
        serving(place.environment, ports[1], tmp_path / "b") as other,
    ):
        dies, stays = (one, other) if first_dies else (other, one)
        place.crm.unwell = 0.0
        visitors = [await connected(place, base) for base in (one.base, other.base)]
        await dies.kill()
        place.crm.bases = [stays.base]
        for visitor in visitors:
            visitor.bases = [stays.base]
        try:
            async with asyncio.timeout(90):
                await asyncio.gather(place.wait_in_vain(), *(talk_to_the_end(visitor) for visitor in visitors))
                await place.crm.until_ended(set(place.crm.log))
        except TimeoutError:
            pytest.fail(f"somebody waits for ever\n{place.where()}\n{stays.said()}")
        await place.leave()
        assert await stays.stop() == 0, stays.said()
        await place.compare()
