"""A CRM that brings its own front end: its conversations, by the ids it chose for them.

An id is unique per connection.  ``startSession`` on an open one changes nothing; an id that is used again after its
end opens a new conversation.
"""

from __future__ import annotations

import contextlib

import sqlalchemy as sa

from warmline.conversations import commands as c
from warmline.conversations.kind import CONVERSATION
from warmline.conversations.model import ConversationState
from warmline.handover.ladder import Ladders
from warmline.handover.thread_tables import fronts
from warmline.journal.journal import Journal
from warmline.journal.kinds import IdempotencyKey
from warmline.kernel.clock import Clock
from warmline.kernel.errors import Conflict, NotFound
from warmline.kernel.ids import uuid7


class Converse:
    """Use cases of ``POST /converse/chat``.  Every method answers after the commit."""

    def __init__(
        self, journal: Journal, clock: Clock, ladders: Ladders, *, idle_after: int, bot_answers_within: int
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._ladders = ladders
        self._idle_after = idle_after
        self._bot_answers_within = bot_answers_within

    async def find(self, connection_id: str, external_id: str) -> tuple[str, ConversationState] | None:
        """The current conversation under an id, open or closed, with its state."""
        query = sa.select(fronts.c.conversation_id).where(
            fronts.c.connection_id == connection_id, fronts.c.external_id == external_id
        )
        found = await self._journal.read(lambda conn: conn.execute(query).scalar())
        if found is None:
            return None
        try:
            state, _seq = await self._journal.snapshot(CONVERSATION, found)
        except NotFound:
            # The id was taken, but the process died before the start was committed.
            return found, ConversationState(id=found)
        return found, state

    async def start(self, connection_id: str, bot_id: str, external_id: str, *, greet: bool = True) -> str:
        """The open conversation under an id, begun now if need be; the bot welcomes the visitor when ``greet``."""
        known = await self.find(connection_id, external_id)
        if known and known[1].status == "open":
            return known[0]
        ended = known[0] if known and known[1].status == "closed" else None
        conversation_id = await self.claim(connection_id, external_id, ended)
        command = c.Start(
            visitor_id="",
            bot_id=bot_id,
            channel="converse",
            connection_id=connection_id,
            external_id=external_id,
            previous_id=ended,
            ladder=await self._ladders.for_connection(connection_id),
            idle_after=self._idle_after,
            bot_answers_within=self._bot_answers_within,
            greet=greet,
        )
        actor = f"desk:{connection_id}"
        try:
            await self._journal.append(CONVERSATION, conversation_id, command, actor=actor, create=True)
        except Conflict as refused:
            # Two requests began it at once; both mean the same conversation.
            if refused.code != "already_started":
                raise
        return conversation_id

    async def say(
        self,
        connection_id: str,
        bot_id: str,
        external_id: str,
        text: str,
        *,
        key: IdempotencyKey | None,
        card_index: int | None = None,
    ) -> None:
        """A message of the visitor.  Raises Conflict ``owned_by_desk`` while the CRM's people own the conversation."""
        command = c.VisitorSays(message_id=uuid7(), text=text, card_index=card_index)
        actor = f"desk:{connection_id}"
        known = await self.find(connection_id, external_id)
        if key is not None and known and known[1].status == "closed":
            # A repeat of something said before the end must not begin a conversation of its own.
            with contextlib.suppress(Conflict):
                await self._journal.append(CONVERSATION, known[0], command, actor=actor, key=key)
                return
        conversation_id = await self.start(connection_id, bot_id, external_id, greet=False)
        await self._journal.append(CONVERSATION, conversation_id, command, actor=actor, key=key)

    async def end(self, connection_id: str, external_id: str) -> None:
        """The session is over.  Raises NotFound for an id never used; ending twice changes nothing."""
        known = await self.find(connection_id, external_id)
        if known is None:
            raise NotFound("There is no conversation under this id.")
        if known[1].status == "open":
            command = c.Close(reason="desk", by=connection_id)
            await self._journal.append(CONVERSATION, known[0], command, actor=f"desk:{connection_id}")

    async def describe(
        self, connection_id: str, bot_id: str, external_id: str, values: dict[str, str], sensitive: tuple[str, ...]
    ) -> None:
        """Metadata about the visitor; ``sensitive`` names the keys whose values are personal."""
        conversation_id = await self.start(connection_id, bot_id, external_id, greet=False)
        command = c.SetDetails(values=values, sensitive=sensitive)
        await self._journal.append(CONVERSATION, conversation_id, command, actor=f"desk:{connection_id}")

    async def claim(self, connection_id: str, external_id: str, ended: str | None) -> str:
        """The conversation id under which this external id goes on; the first of several claims wins."""
        fresh = uuid7()
        now = self._clock.now()
        here = (fronts.c.connection_id == connection_id) & (fronts.c.external_id == external_id)

        def write(conn: sa.Connection) -> str:
            present = conn.execute(sa.select(fronts.c.conversation_id).where(here)).scalar()
            if present is None:
                conn.execute(
                    sa.insert(fronts).values(
                        connection_id=connection_id, external_id=external_id, conversation_id=fresh, at=now
                    )
                )
                return fresh
            if present == ended:
                conn.execute(sa.update(fronts).where(here).values(conversation_id=fresh, at=now))
                return fresh
            return str(present)

        return await self._journal.write(write)
