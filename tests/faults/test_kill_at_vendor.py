"""The server is killed in a burst of lines to a vendor that lives on, and does not know our lines by an id of ours."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from importlib import resources
from pathlib import Path

import aiohttp
import pytest
from tests.faults.ledger import Ledger
from tests.faults.serving import Serving, serving
from tests.faults.visitor import Visitor
from tests.support.node import free_port
from tests.support.pair import StorePair

from warmline.accounts.access import SYSTEM
from warmline.app import Node
from warmline.conformance.case import until
from warmline.conformance.rig import Rig, Step
from warmline.conformance.rigs.dixa import DixaRig
from warmline.conformance.rigs.oracle import OracleRig
from warmline.conversations.widgets import LadderStep, Widget
from warmline.simulators.script import Kind

LINES = [f"line {number}" for number in range(12)]


async def furnish(pair: StorePair, rig: Rig, base: str) -> str:
    """A bot with the vendor behind it; the widget's id."""
    async with Node(pair.settings(role="web", allow_private_targets="127.0.0.0/8")) as node:
        script = (resources.files("warmline.bots") / "scripts" / "default.toml").read_text(encoding="utf-8")
        bot = await node.bots.create(name="Bot", script=script)
        made = await node.connections.create(
            SYSTEM, kind=rig.key, name="Vendor", settings=dict(rig.settings), bot_ids=[bot.id]
        )
        await rig.subscribe(f"{base}/in/{made.connection.id}")
        step = LadderStep(connection_id=made.connection.id, text="One moment.", payload=rig.payload)
        origins = ("https://shop.example",)
        widget = Widget(id="", name="Shop", bot_id=bot.id, allowed_origins=origins, ladder=(step,))
        return (await node.widgets.create(widget)).id


@contextlib.asynccontextmanager
async def connected(pair: StorePair, rig: Rig, log: Path) -> AsyncIterator[tuple[Serving, Visitor, str]]:
    """A server in a process of its own, a visitor who talks with an agent there, and the vendor's id of the talk."""
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    widget = await furnish(pair, rig, base)
    allowed = {"WARMLINE_ALLOW_PRIVATE_TARGETS": "127.0.0.0/8", "WARMLINE_TRUSTED_PROXIES": "127.0.0.1"}
    async with (
        serving(pair.environment(**allowed), port, log) as server,
        aiohttp.ClientSession() as http,
    ):
        visitor = Visitor(http, [base], widget, Ledger(), "10.0.0.1")
        await visitor.open()
        staying = asyncio.create_task(visitor.stay())
        try:
            await visitor.say("talk to a person")
            talk = await rig.until_waiting()
            await rig.joins(talk)
            await visitor.until_type("handover.connected")
            yield server, visitor, talk
        finally:
            staying.cancel()
            await asyncio.gather(staying, return_exceptions=True)


async def killed_in_a_burst(pair: StorePair, rig: DixaRig | OracleRig, log: Path) -> list[str]:
    """What the agent has of a burst in which the server was killed, when all that followed has arrived."""
    async with connected(pair, rig, log) as (server, visitor, talk):
        # While the first line is under way, all the others get into the journal.
        rig.trouble(Step.SEND, Kind.LATE)
        for line in LINES:
            await visitor.say(line, wait=False)
        # At this very moment: how far it has got is written a few milliseconds late.
        await rig.vendor.changes.until(lambda: len(rig.heard(talk)) >= 3)
        await server.kill()
        await server.start()
        await visitor.until_acknowledged()
        await visitor.say("after")
        await until(lambda: rig.heard(talk)[-1] == "after", "what was said after the crash is there")
        assert await server.stop() == 0, server.said()
        return list(rig.heard(talk))


@pytest.mark.timeout(60)
async def test_a_vendor_that_can_be_read_back_has_every_line_once(sqlite_pair: StorePair, tmp_path: Path) -> None:
    async with DixaRig.running() as rig:
        assert await killed_in_a_burst(sqlite_pair, rig, tmp_path / "log") == [*LINES, "after"]


@pytest.mark.timeout(60)
async def test_a_vendor_that_can_only_double_has_one_line_twice_at_most(sqlite_pair: StorePair, tmp_path: Path) -> None:
    async with OracleRig.running() as rig:
        heard = await killed_in_a_burst(sqlite_pair, rig, tmp_path / "log")
    assert list(dict.fromkeys(heard)) == [*LINES, "after"], "every line is there, in order"
    assert heard == sorted(heard, key=[*LINES, "after"].index), "none came again later"
    assert len(heard) <= len(LINES) + 2, heard
