"""The sample helpdesk as a stranger runs it: its own process, connected to a real Warmline by the protocol alone."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.support.example import running_example
from tests.support.journey import set_ladder, until_said
from tests.support.node import Stage, free_port, guest

from warmline.accounts.access import SYSTEM
from warmline.platform.signing import new_secret

FOLDER = Path(__file__).parents[2] / "examples" / "open_desk"


@dataclass
class Running:
    """The process, from the agent's browser, and the Warmline that it is connected to."""

    stage: Stage
    base: str

    async def attempts(self) -> list[dict[str, Any]]:
        """What the page shows, the newest first."""
        async with self.stage.http.get(f"{self.base}/attempts") as reply:
            found: list[dict[str, Any]] = await reply.json()
            return found

    async def until(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait until something holds for the newest attempt; it."""
        async with asyncio.timeout(15):
            while True:
                found = await self.attempts()
                if found and holds(found[0]):
                    return found[0]
                await asyncio.sleep(0.02)

    async def act(self, attempt: str, kind: str, **fields: Any) -> int:
        """What the agent's page sends."""
        async with self.stage.http.post(
            f"{self.base}/act", json={"type": kind, "attempt_id": attempt, **fields}
        ) as reply:
            return reply.status


@contextlib.asynccontextmanager
async def running(house: Stage) -> AsyncIterator[Running]:
    """The process, connected as the widget's first rung; it must end well."""
    assert house.crms is not None
    port, own = free_port(), new_secret()
    async with guest(house) as stage:
        made = await stage.node.connections.create(
            SYSTEM,
            kind="open",
            name="Sample",
            settings={"url": f"http://127.0.0.1:{port}/events", "sender_secret": own, "ask_availability": True},
            bot_ids=[stage.bot_id],
        )
        await set_ladder(stage, made.connection.id, '{"queue": "returns"}')
        environment = {
            "DESK_OWN_SECRET": own,
            "DESK_THEIR_SECRET": made.secrets["signing_secret"],
            "DESK_REPORT_TO": f"{stage.base}/in/{made.connection.id}",
        }
        async with running_example(FOLDER / "desk.py", port, environment) as base:
            assert (await stage.node.connections.check(SYSTEM, made.connection.id)).ok
            desk = Running(stage, base)
            await desk.attempts()  # somebody looks, so somebody is there
            yield desk


async def asked(at: Running) -> tuple[str, str]:
    """A visitor who waits for a person: our conversation and the attempt."""
    conversation = await at.stage.visit()
    await at.stage.say(conversation, "Where is my lamp?")
    await at.stage.say(conversation, "talk to a person")
    attempt = await at.until(lambda one: one["state"] == "offered")
    return conversation, attempt["id"]


async def test_a_whole_handover(shared_house: Stage) -> None:
    async with running(shared_house) as at:
        conversation, attempt = await asked(at)
        offered = await at.until(lambda one: bool(one["lines"]))
        assert offered["details"] == {"queue": "returns"}
        assert "Where is my lamp?" in [line["text"] for line in offered["lines"] if line["author"] == "visitor"]
        assert await at.act(attempt, "queue", position=2, wait_minutes=5) == 200
        state = await at.stage.until_stage(conversation, "queued")
        assert (state.handover.position, state.handover.wait_minutes) == (2, 5)
        assert await at.act(attempt, "accept", agent={"name": "Noor Haddad"}) == 200
        state = await at.stage.until_stage(conversation, "connected")
        assert state.handover.agent.name == "Noor Haddad"
        await at.stage.say(conversation, "It never arrived.")
        await at.until(lambda one: one["lines"][-1]["text"] == "It never arrived.")
        assert await at.act(attempt, "message", text="Let me look") == 200
        await until_said(at.stage, conversation, "agent", lambda said: said == ["Let me look"])
        assert await at.act(attempt, "pass", to="people") == 200
        await at.stage.until_stage(conversation, "transferring")
        assert await at.act(attempt, "accept", agent={"name": "Ida Lund"}) == 200
        await at.stage.until_stage(conversation, "connected")
        assert await at.act(attempt, "release") == 200
        await at.stage.until_stage(conversation, None)
        shown = await at.until(lambda one: one["state"] == "ended")
        assert [line["text"] for line in shown["lines"]][-2:] == ["It never arrived.", "Let me look"]


async def test_a_visitor_who_gives_up_is_gone_there_too(shared_house: Stage) -> None:
    async with running(shared_house) as at:
        conversation, attempt = await asked(at)
        await at.stage.frame(conversation, frame="cancel")
        shown = await at.until(lambda one: one["state"] == "ended")
        assert (shown["id"], shown["reason"]) == (attempt, "visitor_left")


async def test_whoever_is_declined_goes_on_down_the_ladder(shared_house: Stage) -> None:
    async with running(shared_house) as at:
        conversation, attempt = await asked(at)
        await at.stage.until_stage(conversation, "offered")
        assert await at.act(attempt, "decline") == 200
        await at.stage.until(conversation, lambda s: s.handover and s.handover.rung == 1)


async def test_a_stranger_can_neither_tell_nor_act(shared_house: Stage) -> None:
    async with running(shared_house) as at:
        async with at.stage.http.post(f"{at.base}/events", json={"type": "ping"}) as reply:
            assert reply.status == 401
        headers = {"Sec-Fetch-Site": "cross-site"}
        async with at.stage.http.post(f"{at.base}/act", json={}, headers=headers) as reply:
            assert reply.status == 403
        assert await at.act("unknown", "accept") == 404


def test_it_is_short_and_knows_nothing_but_the_protocol() -> None:
    source = (FOLDER / "desk.py").read_text()
    assert len(source.splitlines()) < 150
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").split(".")[0])
    assert names - set(sys.stdlib_module_names) == {"aiohttp"}


@pytest.mark.browser
async def test_the_agents_page(shared_house: Stage, browser: Any) -> None:
    async with running(shared_house) as at:
        page = await browser.new_page(viewport={"width": 360, "height": 720})
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        await page.goto(at.base)
        conversation, _attempt = await asked(at)
        await page.get_by_role("button", name="Accept").click()
        await at.stage.until_stage(conversation, "connected")
        await page.get_by_role("textbox", name="Message").fill("Hello <b>there</b>")
        await page.get_by_role("textbox", name="Message").press("Enter")
        await until_said(at.stage, conversation, "agent", lambda said: said == ["Hello <b>there</b>"])
        await at.stage.say(conversation, "<img src=x onerror=alert(1)>")
        await page.get_by_role("log").get_by_text("<img src=x onerror=alert(1)>").wait_for()
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await page.get_by_role("button", name="Release").click()
        await at.stage.until_stage(conversation, None)
        await page.close()
        assert problems == []
