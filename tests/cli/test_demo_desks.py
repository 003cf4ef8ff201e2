"""``warmline demo --desk …``: a simulated helpdesk with the demo, connected, first on the ladder, and there again when it dies."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.faults.ledger import Ledger
from tests.faults.visitor import Visitor
from tests.support.command import fork
from tests.support.demo import Demo

WITHIN_S = 30.0
_CONVERSATION = re.compile(r'href="/\?conversation=([\w-]+)"')
_LINUX = Path("/proc/self/task").is_dir()


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    one = Demo(tmp_path)
    try:
        yield one
    finally:
        one.stop()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


class AgentPage:
    """The simulator's page, by its forms."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self.http = http
        self.url = url

    async def text(self) -> str:
        """The page as it is; "" while nobody serves it."""
        with contextlib.suppress(aiohttp.ClientConnectionError):
            async with self.http.get(self.url) as answer:
                return await answer.text()
        return ""

    async def until(self, words: str) -> str:
        """Wait until the page has ``words``; the page."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                page = await self.text()
                if words in page:
                    return page
                await asyncio.sleep(0.05)

    async def act(self, act: str, **fields: str) -> None:
        """The newest conversation's agent does something."""
        newest = _CONVERSATION.findall(await self.text())[0]
        form = {"act": act, "conversation": newest, **fields}
        async with self.http.post(f"{self.url}/simulator/act", data=form, allow_redirects=False) as answer:
            assert answer.status == 303, await answer.text()


@contextlib.asynccontextmanager
async def visitor(demo: Demo, http: aiohttp.ClientSession) -> AsyncIterator[Visitor]:
    """Somebody in the shop who asks for a person."""
    one = Visitor(http, [demo.base], demo.file["widget_id"], Ledger(), "10.0.0.1")
    await one.open()
    stays = asyncio.create_task(one.stay())
    try:
        await one.say("Could a person help me, please?")
        yield one
    finally:
        stays.cancel()
        await asyncio.gather(stays, return_exceptions=True)


async def play(demo: Demo, http: aiohttp.ClientSession, agent: AgentPage, joining: str, word: str) -> None:
    """A whole handover: asked for, taken, talked, ended."""
    async with asyncio.timeout(WITHIN_S), visitor(demo, http) as guest:
        await agent.until("Could a person help me, please?")
        await agent.act(joining)
        await agent.act("say", text=f"Which lamp, {word}?")
        await guest.until_said(f"Which lamp, {word}?")
        await guest.say(f"Alder, {word}")
        await agent.until(f"Alder, {word}")
        await agent.act("close")
        await guest.until_type("handover.ended")


async def ladder(demo: Demo, http: aiohttp.ClientSession) -> list[str]:
    """The connections of the widget's rungs, in order."""
    headers = {"Authorization": f"Bearer {demo.file['v1_api_key']}"}
    async with http.get(f"{demo.base}/api/v1/widgets/{demo.file['widget_id']}", headers=headers) as answer:
        return [rung["connection_id"] for rung in (await answer.json())["ladder"]]


async def connection(demo: Demo, http: aiohttp.ClientSession, connection_id: str) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {demo.file['v1_api_key']}"}
    async with http.get(f"{demo.base}/api/v1/connections/{connection_id}", headers=headers) as answer:
        found: dict[str, Any] = await answer.json()
        return found


async def test_a_desk_with_webhooks_is_there_again_after_a_kill(demo: Demo, http: aiohttp.ClientSession) -> None:
    await asyncio.to_thread(demo.start, "--desk", "dixa")
    (desk,) = demo.file["desks"]
    assert (desk["kind"], desk["url"]) == ("dixa", f"http://127.0.0.1:{demo.desk_port}")
    own = [demo.file["connection_id"], demo.file["desk_connection_id"]]
    assert await ladder(demo, http) == [desk["connection_id"], *own]
    async with http.get(f"{demo.base}/") as shop:
        assert f'href="{desk["url"]}/"' in await shop.text()
    agent = AgentPage(http, desk["url"])
    assert f"/in/{desk['connection_id']}" in await agent.text()
    await play(demo, http, agent, "join", "one")

    if _LINUX:
        (process,) = demo.children("simulate")
        os.kill(process, signal.SIGKILL)
        # It knows nobody then, and is told again where its reports go.
        await agent.until("Nobody has been handed over yet.")
        await agent.until(f"/in/{desk['connection_id']}")
        await play(demo, http, agent, "join", "two")

    await asyncio.to_thread(demo.stop)
    assert await agent.text() == "", "it ends with the demo"


async def test_a_desk_that_is_polled_and_a_start_without(demo: Demo, http: aiohttp.ClientSession) -> None:
    await asyncio.to_thread(demo.start, "--desk", "oracle")
    (desk,) = demo.file["desks"]
    own = [demo.file["connection_id"], demo.file["desk_connection_id"]]
    agent = AgentPage(http, desk["url"])
    await play(demo, http, agent, "join", "one")
    assert (await connection(demo, http, desk["connection_id"]))["enabled"] is True
    await asyncio.to_thread(demo.stop)

    await asyncio.to_thread(demo.start)
    assert (demo.file["desks"], demo.file["desks_before"]) == ([], [desk])
    assert await ladder(demo, http) == own
    assert (await connection(demo, http, desk["connection_id"]))["enabled"] is False
    assert await agent.text() == ""


def test_an_unknown_desk_is_refused_with_the_names(tmp_path: Path) -> None:
    done = fork("demo", "--desk", "dixa,nobody", folder=tmp_path)
    assert done.returncode == 1
    assert "There is no simulated helpdesk “nobody”. There are: dixa, kustomer" in done.stderr
    assert list(tmp_path.iterdir()) == []
