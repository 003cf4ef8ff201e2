"""Use cases of a conversation, in the order a visitor meets them."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable

import sqlalchemy as sa

from warmline.conversations import commands as c
from warmline.conversations.events import Attachment, Page, Reason, Rung
from warmline.conversations.kind import CONVERSATION
from warmline.conversations.model import ConversationState
from warmline.conversations.tables import conversation_index, reads
from warmline.conversations.widgets import Widget
from warmline.journal.journal import Journal
from warmline.journal.kinds import Appended, IdempotencyKey
from warmline.kernel.clock import Clock
from warmline.kernel.errors import NotFound
from warmline.kernel.ids import ConversationId, uuid7
from warmline.platform.bus import Bus

LadderFor = Callable[[str | None, str], Awaitable[tuple[Rung, ...]]]
"""(widget id or None, bot id) → the ladder as it stands now; bound by the composition root."""


# Made once: everybody who comes back asks for it.
_READS = sa.select(reads.c.participant, reads.c.seq).where(reads.c.conversation_id == sa.bindparam("conversation"))


class Conversations:
    """Everything that can be done with a conversation.  Every method answers after the commit.

    All methods raise NotFound for an unknown conversation (or another visitor's) and Conflict with the code of
    the rule that refuses; see ``decisions.decide``.
    """

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        bus: Bus,
        ladder_for: LadderFor,
        *,
        idle_after: int,
        bot_answers_within: int,
    ) -> None:
        self.journal = journal
        self._clock = clock
        self._bus = bus
        self._ladder_for = ladder_for
        self._idle_after = idle_after
        self._bot_answers_within = bot_answers_within

    # -- the visitor ---------------------------------------------------------------------------------------------

    async def start(
        self, *, widget: Widget, visitor_id: str, page: Page, client_id: str, language: str = ""
    ) -> ConversationId:
        """Open a conversation on a widget.  The same ``client_id`` again gives the same conversation."""
        wanted = uuid7()
        key = _key(f"start:{visitor_id}", client_id, widget.id)
        command = c.Start(
            visitor_id=visitor_id,
            bot_id=widget.bot_id,
            widget_id=widget.id,
            language=language or page.language[:35] or "en",
            page=page,
            ladder=await self._ladder_for(widget.id, widget.bot_id),
            previous_id=await self._newest(visitor_id, widget.id),
            idle_after=self._idle_after,
            bot_answers_within=self._bot_answers_within,
        )
        done = await self.journal.append(
            CONVERSATION, wanted, command, actor=f"visitor:{visitor_id}", key=key, create=True
        )
        return ConversationId(done.stream_id)

    async def find_open(self, visitor_id: str, widget_id: str) -> ConversationId | None:
        """The visitor's open conversation on that widget, if there is one."""
        found = await self._newest(visitor_id, widget_id)
        if found is None:
            return None
        try:
            state, _seq = await self.snapshot(found)
        except NotFound:
            return None
        return ConversationId(found) if state.status == "open" else None

    async def say(
        self,
        conversation_id: str,
        visitor_id: str,
        *,
        client_id: str,
        text: str,
        reply_to: str | None = None,
        attachments: tuple[Attachment, ...] = (),
    ) -> int:
        """Store the visitor's message; answers its seq.  The same ``client_id`` is stored once."""
        command = c.VisitorSays(
            message_id=uuid7(), text=text, client_id=client_id, reply_to=reply_to, attachments=attachments
        )
        return await self._as_visitor(
            conversation_id, visitor_id, command, client_id, told_of_message(text, attachments)
        )

    async def cancel_waiting(self, conversation_id: str, visitor_id: str, *, client_id: str) -> int:
        """The visitor stops waiting for a person."""
        return await self._as_visitor(conversation_id, visitor_id, c.CancelHandover(by="visitor"), client_id, "cancel")

    async def end(self, conversation_id: str, visitor_id: str, *, client_id: str, epoch: int | None = None) -> int:
        """The visitor ends what is going on: the time with a person if one is there or awaited, else the conversation."""
        state = await self._own(conversation_id, visitor_id)
        command: c.Command
        if state.handover:
            command = c.EndHandover(reason="visitor_left", epoch=epoch)
        else:
            command = c.Close(reason="visitor", by="visitor", epoch=epoch)
        return await self._as_visitor(conversation_id, visitor_id, command, client_id, "end")

    async def leave_contact(
        self,
        conversation_id: str,
        visitor_id: str,
        *,
        client_id: str,
        name: str = "",
        email: str = "",
        phone: str = "",
        text: str = "",
    ) -> int:
        """The visitor leaves an address.  It lands in the team's list of contacts."""
        command = c.LeaveContact(contact_id=uuid7(), name=name, email=email, phone=phone, text=text)
        body = f"{name}\0{email}\0{phone}\0{text}"
        return await self._as_visitor(conversation_id, visitor_id, command, client_id, body)

    # -- people and programs -------------------------------------------------------------------------------------

    async def command(
        self, conversation_id: str, command: c.Command, *, actor: str, key: IdempotencyKey | None = None
    ) -> Appended[ConversationState]:
        """Hand any command to the writer."""
        return await self.journal.append(CONVERSATION, conversation_id, command, actor=actor, key=key)

    async def request_handover(
        self, conversation_id: str, *, reason: Reason, by: str, actor: str, key: IdempotencyKey | None = None
    ) -> Appended[ConversationState]:
        """Ask for a person, down the ladder as it is configured now."""
        state, _seq = await self.snapshot(conversation_id)
        ladder = await self._ladder_for(state.widget_id, state.bot_id)
        command = c.RequestHandover(handover_id=uuid7(), reason=reason, by=by, ladder=ladder)
        return await self.command(conversation_id, command, actor=actor, key=key)

    async def snapshot(self, conversation_id: str) -> tuple[ConversationState, int]:
        """State and seq as committed.  Raises NotFound."""
        state, seq = await self.journal.snapshot(CONVERSATION, conversation_id)
        return state, seq

    # -- reading and typing --------------------------------------------------------------------------------------

    async def mark_read(self, conversation_id: str, participant: str, seq: int) -> None:
        """Remember how far ``participant`` (visitor | agent) has read; going back is ignored."""
        now = self._clock.now()

        def write(conn: sa.Connection) -> bool:
            here = (reads.c.conversation_id == conversation_id) & (reads.c.participant == participant)
            known = conn.execute(sa.select(reads.c.seq).where(here)).scalar()
            if known is None:
                conn.execute(
                    sa.insert(reads).values(conversation_id=conversation_id, participant=participant, seq=seq, at=now)
                )
                return True
            if known >= seq:
                return False
            conn.execute(sa.update(reads).where(here, reads.c.seq < seq).values(seq=seq, at=now))
            return True

        if await self.journal.write(write):
            await self._bus.publish(f"read.{conversation_id}", f"{participant} {seq}".encode())

    async def reads(self, conversation_id: str) -> dict[str, int]:
        """Participant → seq read so far."""
        rows = await self.journal.read(lambda conn: conn.execute(_READS, {"conversation": conversation_id}).all())
        return {row[0]: row[1] for row in rows}

    async def typing(self, conversation_id: str, who: str, *, on: bool) -> None:
        """Tell everybody who watches that ``who`` (visitor | agent | bot) types.  May be lost."""
        await self._bus.publish(f"typing.{conversation_id}", f"{who} {int(on)}".encode())

    # -- inside --------------------------------------------------------------------------------------------------

    async def _own(self, conversation_id: str, visitor_id: str) -> ConversationState:
        state, _seq = await self.snapshot(conversation_id)
        if not state.visitor_id or state.visitor_id != visitor_id:
            raise NotFound("There is no such conversation.")
        return state

    async def _as_visitor(
        self, conversation_id: str, visitor_id: str, command: c.Command, client_id: str, body: str
    ) -> int:
        await self._own(conversation_id, visitor_id)
        done = await self.journal.append(
            CONVERSATION,
            conversation_id,
            command,
            actor=f"visitor:{visitor_id}",
            key=_key(f"client:{conversation_id}", client_id, body),
        )
        return done.seq

    async def _newest(self, visitor_id: str, widget_id: str) -> str | None:
        query = (
            sa.select(conversation_index.c.conversation_id)
            .where(conversation_index.c.visitor_id == visitor_id, conversation_index.c.widget_id == widget_id)
            .order_by(conversation_index.c.started_at.desc())
            .limit(1)
        )
        found = await self.journal.read(lambda conn: conn.execute(query).scalar())
        return None if found is None else str(found)


def told_of_message(text: str, attachments: tuple[Attachment, ...]) -> str:
    """What makes a repeated message the same one."""
    return "\0".join((text, *(one.id for one in attachments)))


def _key(scope: str, key: str, body: str) -> IdempotencyKey:
    return IdempotencyKey(scope=scope, key=key, body_hash=hashlib.sha256(body.encode()).hexdigest())
