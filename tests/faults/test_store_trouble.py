"""The store fails under a running server: a full disk, a database that goes away and comes back."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.faults.agents import GOODBYE
from tests.faults.serving import serving
from tests.faults.town import ASK, Town, town
from tests.faults.visitor import Visitor
from tests.support import postgres
from tests.support.node import free_port
from tests.support.pair import StorePair, migrate


async def test_a_full_disk_refuses_with_503_and_recovers(sqlite_pair: StorePair, tmp_path: Path) -> None:
    port = free_port()
    log = tmp_path / "log"
    async with town(sqlite_pair, [port], seed=5) as place, serving(place.environment, port, log) as server:
        visitor = await connected(place)
        store = sqlite_pair.data / "warmline.db-wal"
        server.set_largest_file(store.stat().st_size)  # no file may grow any more

        async with asyncio.timeout(20):
            status, answer = await report(place, visitor, "nobody keeps this", until=503)
        assert (status, answer["code"], answer["status"]) == (503, "unavailable", 503)
        refused = await frame(place, visitor, "nobody keeps this either")
        assert refused["frame"] == "refused"
        assert (refused["code"], refused["retryable"]) == ("unavailable", True)

        server.set_largest_file(0)
        async with asyncio.timeout(20):
            await visitor.say("kept")
            await visitor.until_said("re: kept")
            await visitor.say(GOODBYE)
            await visitor.until_type("handover.ended")
        await place.leave()
        assert await server.stop() == 0, server.said()
        await place.compare()


async def connected(place: Town) -> Visitor:
    """A visitor who talks with an agent."""
    visitor = place.arrive()
    await place.enter(visitor)
    await visitor.say(ASK)
    await visitor.until_type("handover.connected")
    return visitor


async def report(place: Town, visitor: Visitor, text: str, *, until: int) -> tuple[int, dict[str, Any]]:
    """Agents' messages until one is answered with that status; those that are stored go into the ledger."""
    url = f"{place.bases[0]}/agent/converse/send-message-to-widget"
    headers = {"Authorization": place.crm.key, "botid": place.crm.bot_id}
    body = {"eventType": "message", "platformConversationId": visitor.conversation, "text": text}
    while True:
        async with place.http.post(url, json=body, headers=headers) as reply:
            answer = await reply.json()
            if reply.status == 200:
                place.ledger.said[visitor.conversation].append(text)
            if reply.status == until:
                return reply.status, answer


async def frame(place: Town, visitor: Visitor, text: str) -> dict[str, Any]:
    """One message over POST, once."""
    url = f"{place.bases[0]}/widget/send?conversation={visitor.conversation}"
    headers = {"Authorization": f"Bearer {visitor.token}", "X-Forwarded-For": visitor.address}
    body = {"frame": "message", "client_id": "once", "text": text}
    async with place.http.post(url, json=body, headers=headers) as reply:
        answer: dict[str, Any] = await reply.json()
        return answer


class OwnPostgres:
    """A PostgreSQL of one test, which may be stopped at once and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pid, self.url = postgres.start(folder)

    def crash(self) -> None:
        """Immediate shutdown: connections are cut, the next start recovers from the log."""
        postgres.stop(self.pid, crash=True)

    def start(self) -> None:
        """Start again with the same data, at the same place."""
        self.pid = postgres.start_again(self.folder)


@pytest.fixture
def own_postgres() -> Iterator[OwnPostgres]:
    """A server of this test alone."""
    from tests.support.run_folder import RunFolder

    folder = RunFolder.current().path / f"own-{os.urandom(4).hex()}"
    folder.mkdir(mode=0o755)
    server = OwnPostgres(folder)
    yield server
    server.crash()
    shutil.rmtree(folder, ignore_errors=True)


async def test_a_postgresql_that_restarts_loses_nothing(
    postgres_pair: StorePair, own_postgres: OwnPostgres, tmp_path: Path
) -> None:
    url = postgres.create(own_postgres.url, "warmline")
    migrate(url)
    pair = replace(postgres_pair, database_url=url)
    port = free_port()
    async with town(pair, [port], seed=6) as place, serving(place.environment, port, tmp_path / "log") as server:
        place.orderly = True

        async def restart() -> None:
            await place.ledger.until(30)
            await asyncio.to_thread(own_postgres.crash)
            await asyncio.to_thread(own_postgres.start)

        restarting = asyncio.create_task(restart())
        try:
            await place.live(talks=8, waits=1, lines=4, within=45)
            await restarting
        except TimeoutError:
            pytest.fail(f"somebody waits for ever\n{place.where()}\n{server.said()}")
        await place.leave()
        assert await server.stop() == 0, server.said()
        await place.compare()
