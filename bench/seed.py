"""Fills a store: a bot, a custom CRM, a widget, stored conversations, and visitors who talk with an agent."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

import msgspec
import sqlalchemy as sa

from warmline.accounts.access import SYSTEM
from warmline.app import Node
from warmline.conversations import commands as c
from warmline.conversations.events import Agent, Rung
from warmline.conversations.kind import CONVERSATION
from warmline.conversations.widgets import LadderStep, Widget
from warmline.handover.thread_tables import threads
from warmline.journal.cursors import measure_lag
from warmline.kernel.ids import uuid7
from warmline.platform.settings import Settings, load_settings

AT_ONCE = 400


@dataclass
class Town:
    """What the load needs to know.  ``connected`` are conversations with an agent, ``tokens`` their visitors' keys."""

    environment: dict[str, str]
    bot_id: str = ""
    wire_key: str = ""
    connected: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    incarnation: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the CRM's requests."""
        return {"authorization": self.wire_key, "botid": self.bot_id}


def environment(data: Path, port: int, crm_port: int, *, database_url: str = "") -> dict[str, str]:
    """The settings of the measured server: the defaults, except that one machine may do what thousands do."""
    variables = {
        "WARMLINE_DATA": str(data),
        "WARMLINE_PORT": str(port),
        "WARMLINE_ALLOW_PRIVATE_TARGETS": f"127.0.0.1:{crm_port}",
        "WARMLINE_RATE_LIMIT_SCALE": "1000000",
        "WARMLINE_LOG_FORMAT": "json",
    }
    return variables | ({"WARMLINE_DATABASE_URL": database_url} if database_url else {})


async def furnish(variables: dict[str, str], crm_port: int, *, stored: int, connected: int) -> Town:
    """Write everything through the program itself, in this process; returns when its consumers have caught up.

    The CRM behind ``crm_port`` must answer: every connected conversation is really offered to it.
    """
    settings: Settings = load_settings(variables, None)
    town = Town(variables)
    async with Node(settings) as node:
        town.incarnation = node.journal.incarnation
        rung = await _set_up(node, town, crm_port)
        await _many(node, [_stored(node, town, rung) for _ in range(stored)])
        await _many(node, [_asking(node, town, rung) for _ in range(connected)])
        await _until_offered(node, connected)
        await _many(node, [_join(node, rung, conversation) for conversation in town.connected])
        await _until_consumed(node)
    return town


async def _set_up(node: Node, town: Town, crm_port: int) -> Rung:
    script = (resources.files("warmline.bots") / "scripts" / "default.toml").read_text(encoding="utf-8")
    bot = await node.bots.create(name="Bench bot", script=script)
    webhook = {"webhook_url": f"http://127.0.0.1:{crm_port}/webhook"}
    crm = await node.connections.create(SYSTEM, kind="customcrm", name="Bench CRM", settings=webhook, bot_ids=[bot.id])
    step = LadderStep(connection_id=crm.connection.id, text="One moment.")
    await node.widgets.create(
        Widget(id="", name="Bench", bot_id=bot.id, allowed_origins=("https://shop.example",), ladder=(step,))
    )
    key = await node.api_keys.create(SYSTEM, kind="wire", label="bench", connection_id=crm.connection.id)
    town.bot_id, town.wire_key = bot.id, key.token
    return Rung(connection_id=crm.connection.id, desk="customcrm", text="One moment.")


async def _many(node: Node, tasks: Sequence[object]) -> None:
    """Await many, some hundreds at a time: the writer takes them as one commit."""
    del node
    for first in range(0, len(tasks), AT_ONCE):
        await asyncio.gather(*tasks[first : first + AT_ONCE])  # type: ignore[call-overload]


async def _start(node: Node, town: Town, rung: Rung) -> tuple[str, str]:
    token, visitor = node.visitors.session(None)
    conversation = uuid7()
    # Without a greeting: the bot has nothing to do, and nothing is due while it is measured.
    begin = c.Start(visitor_id=visitor, bot_id=town.bot_id, ladder=(rung,), greet=False, idle_after=86_400_000)
    await node.journal.append(CONVERSATION, conversation, begin, actor="bench", create=True)
    return conversation, token


async def _stored(node: Node, town: Town, rung: Rung) -> None:
    await _start(node, town, rung)


async def _asking(node: Node, town: Town, rung: Rung) -> None:
    conversation, token = await _start(node, town, rung)
    wish = c.RequestHandover(handover_id=uuid7(), reason="api", by="api", ladder=(rung,))
    await node.journal.append(CONVERSATION, conversation, wish, actor="bench")
    town.connected.append(conversation)
    town.tokens.append(token)


async def _until_offered(node: Node, count: int) -> None:
    query = sa.select(sa.func.count()).select_from(threads).where(threads.c.phase == "open")
    async with asyncio.timeout(120):
        while await node.journal.read(lambda conn: conn.execute(query).scalar_one()) < count:
            await asyncio.sleep(0.05)


async def _until_consumed(node: Node) -> None:
    """Wait until no consumer is behind: what is measured later must not pay for the seeding."""
    dialect = node.database.dialect
    async with asyncio.timeout(120):
        while sum(lag.rows for lag in await node.journal.read(lambda conn: measure_lag(conn, dialect, 0))):
            await asyncio.sleep(0.1)


async def _join(node: Node, rung: Rung, conversation: str) -> None:
    joined = c.DeskSays(connection_id=rung.connection_id, verb="joined", agent=Agent(name="Noor"))
    await node.journal.append(CONVERSATION, conversation, joined, actor=f"desk:{rung.connection_id}")


def message(conversation: str, text: str, message_id: str | None = None) -> bytes:
    """The body of an agent's message on the wire."""
    body = {"eventType": "message", "platformConversationId": conversation, "text": text}
    return msgspec.json.encode(body if message_id is None else body | {"messageId": message_id})
