"""Journal, conversations and consumers in the loop of a test, driven step by step: nothing runs by itself."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from tests.support.pair import StorePair
from warmline.conversations import commands as c
from warmline.conversations import events as e
from warmline.conversations.kind import CONVERSATION, conversation_kind
from warmline.conversations.model import ConversationState
from warmline.conversations.service import Conversations
from warmline.journal.consumers import Consumer, ReactingConsumer
from warmline.journal.journal import Journal
from warmline.kernel.clock import ManualClock
from warmline.kernel.envelope import Recorded
from warmline.kernel.ids import uuid7

DESK = "0192aaaa-0000-7000-8000-00000000de5c"
CRM = "0192aaaa-0000-7000-8000-0000000000c4"
DESK_RUNG = e.Rung(connection_id=DESK, desk="builtin", text="One moment.")
CRM_RUNG = e.Rung(connection_id=CRM, desk="customcrm", text="Connecting.")
BOT = "aaaaaaaaaaaaaaaaaaaaaaaa"


@dataclass
class Core:
    """A journal on a store pair.  ``ladder`` is what the widget's configuration would give."""

    journal: Journal
    clock: ManualClock
    conversations: Conversations
    ladder: tuple[e.Rung, ...]
    consumers: list[Consumer] = field(default_factory=list)
    heard: list[Recorded] = field(default_factory=list)

    async def ladder_for(self, _widget_id: str | None, _bot_id: str) -> tuple[e.Rung, ...]:
        return self.ladder

    async def catch_up(self) -> None:
        """Give the consumers everything that was committed, and what follows from it, until nothing is left."""
        while self.heard:
            heard, self.heard[:] = tuple(self.heard), []
            batch = await self._as_stored(heard)
            for consumer in self.consumers:
                await self.give(consumer, batch)

    async def _as_stored(self, heard: Sequence[Recorded]) -> tuple[Recorded, ...]:
        """The events as consumers read them: PostgreSQL gives positions while it inserts, after the hand-off was made."""
        if all(event.position for event in heard):
            return tuple(heard)
        stored: dict[tuple[str, int], Recorded] = {}
        for stream in {event.stream_id for event in heard}:
            first = min(event.seq for event in heard if event.stream_id == stream)
            for event in await self.journal.events(CONVERSATION, stream, after=first - 1, limit=1_000):
                stored[stream, event.seq] = event
        return tuple(stored[event.stream_id, event.seq] for event in heard)

    async def give(self, consumer: Consumer, events: Sequence[Recorded]) -> None:
        if isinstance(consumer, ReactingConsumer):
            await consumer.handle(events)
        else:
            await self.journal.write(lambda conn: consumer.apply(conn, events))

    async def start(self, *, bot_id: str = BOT, visitor_id: str = "v1", **fields: Any) -> str:
        conversation = uuid7()
        command = c.Start(visitor_id=visitor_id, bot_id=bot_id, ladder=self.ladder, **fields)
        await self.journal.append(CONVERSATION, conversation, command, actor="visitor", create=True)
        return conversation

    async def do(self, conversation: str, *commands: c.Command) -> None:
        for command in commands:
            await self.journal.append(CONVERSATION, conversation, command, actor="test")

    async def says(self, conversation: str, text: str) -> None:
        await self.do(conversation, c.VisitorSays(message_id=uuid7(), text=text))

    async def ask(self, conversation: str) -> None:
        """A handover is requested and the first rung's desk takes it."""
        wish = c.RequestHandover(handover_id=uuid7(), reason="api", by="api", ladder=self.ladder)
        await self.do(conversation, wish)
        state = await self.state(conversation)
        await self.do(conversation, c.AcceptOffer(epoch=state.owner_epoch, thread_ref="t"))

    async def state(self, conversation: str) -> ConversationState:
        state, _seq = await self.conversations.snapshot(conversation)
        return state

    async def events(self, conversation: str) -> list[Recorded]:
        return await self.journal.events(CONVERSATION, conversation, limit=1_000)

    async def said(self, conversation: str, author: str = "bot") -> list[e.MessagePosted]:
        bodies = [event.body for event in await self.events(conversation)]
        return [body for body in bodies if isinstance(body, e.MessagePosted) and body.author == author]

    async def erase(self, conversation: str) -> None:
        await self.journal.erase(CONVERSATION, conversation, actor="test", event=e.VisitorErased(by="test"))

    async def rows(self, table: sa.Table) -> list[dict[str, Any]]:
        return await self.journal.read(lambda conn: [dict(row) for row in conn.execute(sa.select(table)).mappings()])


@contextlib.asynccontextmanager
async def open_core(
    pair: StorePair, clock: ManualClock, ladder: tuple[e.Rung, ...] = (DESK_RUNG,)
) -> AsyncIterator[Core]:
    """A started journal on ``pair``; everything that is committed is remembered for ``catch_up``."""
    database, bus = pair.open_database(), pair.make_bus()
    await bus.start()
    journal = Journal(database, clock, bus, [conversation_kind], node_id="test")
    await journal.start()
    ladders: list[Core] = []

    async def ladder_for(widget_id: str | None, bot_id: str) -> tuple[e.Rung, ...]:
        return await ladders[0].ladder_for(widget_id, bot_id)

    conversations = Conversations(journal, clock, bus, ladder_for, idle_after=7_200_000, bot_answers_within=30_000)
    core = Core(journal, clock, conversations, ladder)
    ladders.append(core)
    forget = journal.listen(core.heard.extend)
    try:
        yield core
    finally:
        forget()
        await journal.stop()
        await bus.stop()
        database.close()
