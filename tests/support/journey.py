"""What stories about any desk share: what the visitor sees, and waiting for what somebody else does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import msgspec

from tests.support.node import Stage
from warmline.accounts.access import SYSTEM
from warmline.conversations.widgets import LadderStep


async def lines(stage: Stage, conversation: str, author: str) -> list[str]:
    """The texts of one kind of author, in order."""
    return await stage.lines(conversation, author)


async def until_said(stage: Stage, conversation: str, author: str, said: Callable[[list[str]], bool]) -> list[str]:
    """Wait until ``said(lines)`` holds for the lines of ``author``; those lines."""
    return await stage.until_said(conversation, author, said)


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds on the vendor's side."""
    async with asyncio.timeout(15):
        while True:
            if holds():
                return
            await asyncio.sleep(0.02)


async def until_equal(found: Callable[[], Sequence[object]], wanted: Sequence[object]) -> None:
    """Wait until a list on the vendor's side is the wanted one; says what it was when it never is."""
    try:
        await until(lambda: list(found()) == list(wanted))
    except TimeoutError:
        assert list(found()) == list(wanted)


async def set_ladder(stage: Stage, connection_id: str, payload: str = "") -> None:
    """Make a connection the widget's first rung; our own desk is the second one."""
    widget = await stage.node.widgets.read(stage.widget_id)
    first = LadderStep(connection_id=connection_id, text="One moment.", payload=payload)
    last = LadderStep(connection_id=stage.desk_id, text="Still looking.")
    await stage.node.widgets.update(msgspec.structs.replace(widget, ladder=(first, last)), actor="test")


async def connect(stage: Stage, kind: str, settings: dict[str, object], payload: str = "") -> str:
    """A connection of this kind as the widget's first rung; its id."""
    made = await stage.node.connections.create(
        SYSTEM, kind=kind, name=kind.title(), settings=settings, bot_ids=[stage.bot_id]
    )
    await set_ladder(stage, made.connection.id, payload)
    return made.connection.id
