"""A whole Warmline in the loop of the test, on a real loopback port, with a bot, a CRM connection and a widget."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from importlib import resources
from typing import Any

import aiohttp

from tests.support.crm import StageCrm
from tests.support.pair import StorePair
from tests.support.thrift import thrift
from warmline.accounts.access import KEY_SCOPES, SYSTEM
from warmline.app import Node
from warmline.conformance.stand import PAGE, Visitors, free_port
from warmline.conversations.commands import Close
from warmline.conversations.widgets import LadderStep, Look, Widget

__all__ = ["PAGE", "Stage", "free_port", "furnish", "guest", "housed", "leave", "staged"]


@dataclass(kw_only=True)
class Stage(Visitors):
    """A running node and what was set up in it.  ``http`` is a client; ``crm`` plays the custom CRM."""

    crm: StageCrm
    bot_id: str = ""
    connection_id: str = ""
    desk_id: str = ""
    wire_key: str = ""
    v1_key: str = ""
    wire_key_id: str = ""
    v1_key_id: str = ""
    signing_secret: str = ""
    crms: contextlib.AsyncExitStack | None = None

    # -- the CRM -------------------------------------------------------------------------------------------------

    async def report(
        self, conversation: str, event: str, *, headers: dict[str, str] | None = None, **fields: Any
    ) -> tuple[int, dict[str, Any]]:
        """The CRM reports an event; status and JSON answer."""
        body = {"eventType": event, "platformConversationId": conversation, **fields}
        sent = {"Authorization": self.wire_key, "botid": self.bot_id} | (headers or {})
        url = f"{self.base}/agent/converse/send-message-to-widget"
        async with self.http.post(url, json=body, headers=sent) as reply:
            return reply.status, await reply.json(content_type=None)


@contextlib.asynccontextmanager
async def staged(pair: StorePair, *, deadlines: dict[str, Any] | None = None, **settings: Any) -> AsyncIterator[Stage]:
    """Run a node on ``pair``; ``deadlines`` go to the CRM's rung (see LadderStep), ``settings`` to the settings."""
    port = free_port()
    async with StageCrm.running() as crm, aiohttp.ClientSession() as http:
        settings.setdefault("allow_private_targets", f"127.0.0.1:{crm.port}")
        chosen = pair.settings(port=port, **settings)
        async with contextlib.AsyncExitStack() as running:
            listening = asyncio.Event()
            with thrift():
                node = await running.enter_async_context(Node(chosen))
                server = await node.open_web(ready=lambda _address: listening.set())
            serving = asyncio.create_task(server.serve())
            await listening.wait()
            stage = Stage(node=node, base=f"http://127.0.0.1:{port}", http=http, crm=crm)
            try:
                await furnish(stage, deadlines or {})
                yield stage
            finally:
                server.should_exit = True
                await serving


@contextlib.asynccontextmanager
async def housed(pair: StorePair) -> AsyncIterator[Stage]:
    """A node for many tests, one after another: each is a ``guest`` there."""
    # The CRMs outlive the node, as everywhere: what it still has to tell them after a test is taken.
    async with (
        contextlib.AsyncExitStack() as crms,
        staged(pair, allow_private_targets="127.0.0.0/8", rate_limit_scale=100) as house,
    ):
        house.crms = crms
        yield house


@contextlib.asynccontextmanager
async def guest(house: Stage, *, deadlines: dict[str, Any] | None = None) -> AsyncIterator[Stage]:
    """A stage on the node of ``house`` with a bot, connections, a widget, keys and a CRM that nobody else has.

    At the end its conversations are closed and nobody waits in its queue.  What belongs to the whole installation
    (the lists of everything, the members) holds what earlier guests have left.
    """
    assert house.crms is not None, "a guest needs a house"
    crm = await house.crms.enter_async_context(StageCrm.running())
    stage = Stage(node=house.node, base=house.base, http=house.http, crm=crm)
    await furnish(stage, deadlines or {})
    try:
        yield stage
    finally:
        await leave(stage)


async def leave(stage: Stage) -> None:
    """Close what is open and wait until nobody is in the queue."""
    stage.crm.answers.clear()
    conversations, queue = stage.node.conversations, stage.node.deskwork.queue
    for conversation in stage.tokens:
        state, _seq = await conversations.snapshot(conversation)
        if state.status == "open":
            await conversations.command(conversation, Close(reason="agent"), actor="system")
    changed = asyncio.Event()
    async with asyncio.timeout(15):
        while await queue(stage.desk_id):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), 0.01)  # the queue's own rows follow; nobody is told


async def furnish(stage: Stage, deadlines: dict[str, Any]) -> None:
    """A bot, a custom-CRM connection with a key, our own desk, and a widget with both on its ladder."""
    node = stage.node
    script = (resources.files("warmline.bots") / "scripts" / "default.toml").read_text(encoding="utf-8")
    bot = await node.bots.create(name="Stage bot", script=script)
    crm = await node.connections.create(
        SYSTEM, kind="customcrm", name="Stage CRM", settings={"webhook_url": stage.crm.url}, bot_ids=[bot.id]
    )
    desk = await node.connections.create(SYSTEM, kind="builtin", name="Our desk", settings={}, bot_ids=[bot.id])
    widget = await node.widgets.create(
        Widget(
            id="",
            name="Stage",
            bot_id=bot.id,
            allowed_origins=("https://shop.example",),
            ladder=(
                LadderStep(connection_id=crm.connection.id, text="One moment.", **deadlines),
                LadderStep(connection_id=desk.connection.id, text="Still looking."),
            ),
            look=Look(title="Stage", attachments=True),
        )
    )
    wire = await node.api_keys.create(SYSTEM, kind="wire", label="wire", connection_id=crm.connection.id)
    api = await node.api_keys.create(SYSTEM, kind="v1", label="api", scopes=[scope.value for scope in KEY_SCOPES])
    stage.bot_id, stage.connection_id, stage.desk_id = bot.id, crm.connection.id, desk.connection.id
    stage.widget_id, stage.wire_key, stage.v1_key = widget.id, wire.token, api.token
    stage.wire_key_id, stage.v1_key_id = wire.record.id, api.record.id
    stage.signing_secret = next(iter(crm.secrets.values()), "")
