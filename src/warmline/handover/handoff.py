"""A bot elsewhere hands its conversations over: it goes down a ladder of ours, and the bot hears how that goes.

The bot's id of a conversation is unique per connection, as for front ends (``converse``).  When the handover is over,
so is the conversation; the same id begins a new one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence

from warmline.conversations import commands as c
from warmline.conversations.kind import CONVERSATION
from warmline.conversations.widgets import Widget, Widgets
from warmline.handover.connection_forms import LADDER_OF_WIDGET
from warmline.handover.connections import Connections
from warmline.handover.converse import Converse
from warmline.handover.ladder import Ladders
from warmline.journal.journal import Journal
from warmline.journal.kinds import IdempotencyKey
from warmline.kernel.errors import Conflict, NotFound
from warmline.kernel.ids import uuid7


class Handoffs:
    """Use cases of a bot elsewhere.  Every method answers after the commit, with the conversation's id."""

    def __init__(
        self, journal: Journal, converse: Converse, connections: Connections, widgets: Widgets, ladders: Ladders
    ) -> None:
        self._journal = journal
        self._converse = converse
        self._connections = connections
        self._widgets = widgets
        self._ladders = ladders

    async def initiate(
        self,
        connection_id: str,
        external_id: str,
        *,
        actor: str,
        lines: Sequence[c.HandedLine],
        details: Mapping[str, str],
        language: str,
        key: IdempotencyKey | None,
    ) -> str:
        """Ask for a person, with what was said so far; the open conversation if this has been done already.

        Raises NotFound for the connection, Conflict ``connection_disabled``, ``no_ladder``.
        """
        widget = await self._widget(connection_id)
        known = await self._converse.find(connection_id, external_id)
        if known and known[1].status == "open":
            return known[0]
        ended = known[0] if known and known[1].status == "closed" else None
        start = c.Start(
            visitor_id="",
            bot_id=widget.bot_id,
            channel="api",
            connection_id=connection_id,
            external_id=external_id,
            previous_id=ended,
            language=language,
            ladder=await self._ladders.for_conversation(widget.id, widget.bot_id),
            greet=False,
        )
        command = c.HandIn(start=start, handover_id=uuid7(), lines=tuple(lines), details=dict(details))
        if ended is not None and key is not None:
            # A repeat of the request that began what is over must not begin it again.
            with contextlib.suppress(Conflict):
                await self._journal.append(CONVERSATION, ended, command, actor=actor, key=key)
                return ended
        conversation_id = await self._converse.claim(connection_id, external_id, ended)
        try:
            await self._journal.append(CONVERSATION, conversation_id, command, actor=actor, key=key, create=True)
        except Conflict as refused:
            # Two requests at once mean the same conversation.
            if refused.code != "already_started":
                raise
        return conversation_id

    async def say(
        self, connection_id: str, external_id: str, text: str, *, actor: str, key: IdempotencyKey | None
    ) -> str:
        """A message of the visitor.  Raises NotFound, Conflict ``closed`` once the bot has the conversation again."""
        conversation_id = await self.find(connection_id, external_id)
        command = c.VisitorSays(message_id=uuid7(), text=text)
        await self._journal.append(CONVERSATION, conversation_id, command, actor=actor, key=key)
        return conversation_id

    async def end(self, connection_id: str, external_id: str, *, actor: str) -> str:
        """The visitor has left.  Raises NotFound; ending twice changes nothing."""
        conversation_id = await self.find(connection_id, external_id)
        with contextlib.suppress(Conflict):
            await self._journal.append(CONVERSATION, conversation_id, c.Close(reason="visitor", by="api"), actor=actor)
        return conversation_id

    async def find(self, connection_id: str, external_id: str) -> str:
        """The conversation that the bot knows under this id, the newest one.  Raises NotFound."""
        known = await self._converse.find(connection_id, external_id)
        if known is None or known[1].channel != "api":
            raise NotFound("No conversation was handed over under this id.", path="$.conversation.id")
        return known[0]

    async def _widget(self, connection_id: str) -> Widget:
        connection = self._connections.get(connection_id)
        if not connection.enabled:
            raise Conflict("This connection is disabled.", code="connection_disabled")
        named = connection.settings.get(LADDER_OF_WIDGET)
        if not named:
            raise Conflict("This connection names no widget whose ladder could be used.", code="no_ladder")
        try:
            return await self._widgets.read(str(named))
        except NotFound:
            raise Conflict("The widget whose ladder this connection names does not exist.", code="no_ladder") from None
