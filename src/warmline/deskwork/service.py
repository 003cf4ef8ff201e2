"""What our own agents do: see the queue, take, answer, put back, end."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import sqlalchemy as sa

from warmline.conversations import commands as c
from warmline.conversations.events import Agent, Attachment
from warmline.conversations.kind import CONVERSATION
from warmline.conversations.listing import Listed
from warmline.conversations.model import TALKING, ConversationState, Handover
from warmline.conversations.service import Conversations, told_of_message
from warmline.conversations.tables import conversation_index
from warmline.deskwork.queue import BUILTIN
from warmline.deskwork.tables import desk_queue
from warmline.journal.journal import Journal
from warmline.journal.kinds import IdempotencyKey
from warmline.kernel.clock import Clock
from warmline.kernel.errors import Conflict
from warmline.kernel.ids import uuid7


class DeskMember(msgspec.Struct, frozen=True, kw_only=True):
    """The agent who acts, as the visitor sees them."""

    id: str
    name: str
    avatar: str | None = None

    @property
    def agent(self) -> Agent:
        """As stored in events."""
        return Agent(id=self.id, name=self.name, avatar=self.avatar)


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """One visitor in the queue.  ``since`` and ``asked_at`` in milliseconds, ``waited`` is milliseconds until now."""

    conversation_id: str
    connection_id: str
    handover_id: str
    owner_epoch: int
    asked_at: int
    since: int
    waited: int
    position: int | None
    visitor_name: str
    language: str
    snippet: str
    page_title: str
    page_url: str


class QueueCount(msgspec.Struct, frozen=True, kw_only=True):
    """How many wait at one connection, and since when the longest of them does (ms)."""

    connection_id: str
    waiting: int
    oldest_since: int


class DeskWork:
    """The use cases of our own desk.

    Methods that act raise NotFound, and Conflict with ``owned_by_desk`` (another company's desk has the conversation:
    read only), ``no_handover``, ``not_connected``, ``not_yours`` (another agent's), or a code of ``decide``.
    """

    def __init__(self, journal: Journal, clock: Clock, conversations: Conversations) -> None:
        self._journal = journal
        self._clock = clock
        self._conversations = conversations

    async def queue(self, connection_id: str | None = None, *, limit: int = 100) -> list[Waiting]:
        """Who waits, in the order in which they asked for a person; of one connection, or of all."""
        name, language = conversation_index.c.visitor_name, conversation_index.c.language
        here = desk_queue.c.conversation_id == conversation_index.c.conversation_id
        query = (
            sa.select(desk_queue, name, language)
            .select_from(desk_queue.outerjoin(conversation_index, here))
            .order_by(desk_queue.c.asked_at, desk_queue.c.conversation_id)
            .limit(limit)
        )
        if connection_id is not None:
            query = query.where(desk_queue.c.connection_id == connection_id)
        rows = await self._journal.read(lambda conn: conn.execute(query).mappings().all())
        now = self._clock.now()
        return [_waiting(dict(row), now) for row in rows]

    async def queued_epoch(self, conversation_id: str) -> int | None:
        """The owner epoch under which the queue has the conversation; None when it is not there (yet, or any more)."""
        query = sa.select(desk_queue.c.owner_epoch).where(desk_queue.c.conversation_id == conversation_id)
        found: int | None = await self._journal.read(lambda conn: conn.execute(query).scalar())
        return found

    async def counts(self) -> list[QueueCount]:
        """One count per connection at which somebody waits."""
        query = (
            sa.select(desk_queue.c.connection_id, sa.func.count(), sa.func.min(desk_queue.c.since))
            .group_by(desk_queue.c.connection_id)
            .order_by(desk_queue.c.connection_id)
        )
        rows = await self._journal.read(lambda conn: conn.execute(query).all())
        return [QueueCount(connection_id=row[0], waiting=row[1], oldest_since=row[2]) for row in rows]

    async def mine(self, member_id: str, *, limit: int = 100) -> list[Listed]:
        """The conversations this agent is connected to, the longest silent first."""
        table = conversation_index
        query = (
            sa.select(*(table.c[field] for field in Listed.__struct_fields__))
            .where(table.c.agent_id == member_id, table.c.status == "open", table.c.stage.in_(sorted(TALKING)))
            .order_by(table.c.active_at, table.c.conversation_id)
            .limit(limit)
        )
        rows = await self._journal.read(lambda conn: conn.execute(query).mappings().all())
        return [Listed(**dict(row)) for row in rows]

    async def take(self, conversation_id: str, member: DeskMember) -> int:
        """Join a waiting visitor; answers the seq.  Of two agents at once the second gets ``already_connected``.

        Taking again what is one's own changes nothing.
        """
        state, held = await self._ours(conversation_id)
        command = c.DeskSays(
            connection_id=held.step.connection_id,
            verb="joined",
            epoch=state.owner_epoch,
            only_waiting=True,
            agent=member.agent,
        )
        return await self._append(conversation_id, command, member)

    async def check_mine(self, conversation_id: str, member: DeskMember) -> None:
        """Nothing, if this agent may speak now."""
        await self._connected(conversation_id, member)

    async def say(
        self,
        conversation_id: str,
        member: DeskMember,
        *,
        text: str,
        client_id: str,
        attachments: tuple[Attachment, ...] = (),
    ) -> int:
        """Answer the visitor; answers the seq.  The same ``client_id`` is stored once."""
        key = IdempotencyKey(
            scope=f"desk:{conversation_id}:{member.id}",
            key=client_id,
            body_hash=hashlib.sha256(told_of_message(text, attachments).encode()).hexdigest(),
        )
        state, held = await self._connected(conversation_id, member)
        command = c.DeskSays(
            connection_id=held.step.connection_id,
            verb="replied",
            epoch=state.owner_epoch,
            agent=member.agent,
            message_id=uuid7(),
            text=text,
            attachments=attachments,
        )
        return await self._append(conversation_id, command, member, key)

    async def put_back(self, conversation_id: str, member: DeskMember) -> int:
        """Return the visitor to the queue, to the place that the time of asking gives."""
        state, _held = await self._connected(conversation_id, member)
        return await self._append(conversation_id, c.PutBack(epoch=state.owner_epoch, by=member.id), member)

    async def end(self, conversation_id: str, member: DeskMember) -> int:
        """End the time with the visitor; the bot has the conversation again."""
        state, _held = await self._connected(conversation_id, member)
        command = c.EndHandover(reason="agent_left", epoch=state.owner_epoch)
        return await self._append(conversation_id, command, member)

    async def typing(self, conversation_id: str, member: DeskMember, *, on: bool) -> None:
        """Show the visitor that the agent types.  May be lost."""
        await self._connected(conversation_id, member)
        await self._conversations.typing(conversation_id, "agent", on=on)

    # -- inside --------------------------------------------------------------------------------------------------

    async def _ours(self, conversation_id: str) -> tuple[ConversationState, Handover]:
        state, _seq = await self._conversations.snapshot(conversation_id)
        if state.status == "closed":
            raise Conflict("The conversation is closed.", code="closed")
        held = state.handover
        if held is None:
            raise Conflict("Nobody has asked for a person in this conversation.", code="no_handover")
        if held.step.desk != BUILTIN:
            raise Conflict("Another desk has this conversation; here it can be read only.", code="owned_by_desk")
        return state, held

    async def _connected(self, conversation_id: str, member: DeskMember) -> tuple[ConversationState, Handover]:
        state, held = await self._ours(conversation_id)
        if held.stage not in TALKING:
            raise Conflict("Take the conversation first.", code="not_connected")
        if held.agent is None or held.agent.id != member.id:
            raise Conflict("Another agent has taken this conversation.", code="not_yours")
        return state, held

    async def _append(
        self, conversation_id: str, command: c.Command, member: DeskMember, key: IdempotencyKey | None = None
    ) -> int:
        done = await self._journal.append(CONVERSATION, conversation_id, command, actor=f"member:{member.id}", key=key)
        return done.seq


def _waiting(row: dict[str, Any], now: int) -> Waiting:
    return Waiting(
        conversation_id=row["conversation_id"],
        connection_id=row["connection_id"],
        handover_id=row["handover_id"],
        owner_epoch=row["owner_epoch"],
        asked_at=row["asked_at"],
        since=row["since"],
        waited=max(0, now - row["since"]),
        position=row["shown_position"],
        visitor_name=row["visitor_name"] or "",
        language=row["language"] or "",
        snippet=row["snippet"],
        page_title=row["page_title"],
        page_url=row["page_url"],
    )
