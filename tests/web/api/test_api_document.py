"""The OpenAPI document is true: requests made from it, good and bad, get the answers it describes."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.node import staged
from tests.support.pair import StorePair


@pytest.mark.timeout(120)
async def test_answers_are_as_described(sqlite_pair: StorePair) -> None:
    from tests.web.api.probing import EXAMPLES, WIRE, Prober, furnish_more

    async with staged(sqlite_pair, rate_limit_scale=100) as stage:
        known = await furnish_more(stage)
        async with stage.http.get(stage.base + "/api/openapi.json") as reply:
            document = await reply.json()
        prober = Prober(stage, document, known)
        # What takes things away comes last.
        late = ("erase", "revoke", "disable", "close")
        for name, operation in sorted(prober.operations(), key=lambda one: one[0].startswith(late)):
            for mode in EXAMPLES:
                await asyncio.to_thread(prober.probe, name, operation, mode)
        reached = {name for name, statuses in prober.statuses.items() if any(status < 300 for status in statuses)}
        # The wire's bodies are described as any object; tests of their own send the right ones.
        assert set(prober.statuses) - reached <= set(WIRE), prober.statuses
        assert len(prober.statuses) >= 43
