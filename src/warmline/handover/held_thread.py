"""A thread while a node works on it: what is known of it, and how that is written under the lease's fence."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import msgspec
import structlog

from warmline.conversations import commands as c
from warmline.conversations.kind import CONVERSATION
from warmline.handover import thread_store as store
from warmline.handover.pacing import Pause
from warmline.handover.port import OutboundMessage, Thread
from warmline.handover.surroundings import Surroundings
from warmline.handover.thread_states import thread_of
from warmline.kernel.errors import Conflict, WarmlineError

log = structlog.get_logger(__name__)

_BEFORE = "before"


class HeldThread:
    """One attempt at a desk, shared by the worker that speaks and the listener that hears.

    ``ref`` is the vendor's id once it is known, ``state`` what the desk wants remembered, ``epoch`` the owner's epoch
    under which the desk speaks, ``connected`` whether a person has joined.
    """

    def __init__(self, around: Surroundings, row: store.ThreadRow) -> None:
        self._around = around
        self._journal = around.journal
        self.row = row
        self.ref = row.ref
        self.state: Any = None
        self._kept = b""
        self.epoch = row.owner_epoch
        self.connected = row.connected
        # Whoever goes on where another stopped does not know whether that one had trouble; asking costs nothing.
        self._trouble = {_BEFORE} if row.phase == "open" else set()

    @property
    def thread(self) -> Thread:
        """What the desk is given."""
        return thread_of(self.row, self.state, ref=self.ref)

    def recall(self) -> None:
        """Read the state from the row.  Raises KeyMissing, Undecryptable."""
        self.state = self._around.states.unseal(self.row.id, self.row.state)
        self._kept = msgspec.json.encode(self.state)

    async def command(self, command: c.Command) -> None:
        """Append a command of the relay to the conversation.  Raises Conflict."""
        await self._journal.append(CONVERSATION, self.row.conversation_id, command, actor="relay")

    async def save(self, **values: object) -> None:
        """Write columns of the row; nothing when the lease is not ours any more."""
        fence = self._around.fence()
        if fence is None:
            return
        at = self._around.clock.now()
        values.setdefault("connected", self.connected)
        await self._journal.write(lambda conn: store.save_thread(conn, self.row.id, fence, at, **values))

    async def bookmark(self, seq: int) -> None:
        """Write that the desk has everything up to ``seq``; returns when it is written, or is not for us to write any more."""
        pause = Pause()
        while self._around.fence() is not None:
            try:
                await self.save(cursor=seq)
                return
            except WarmlineError as error:
                log.warning("relay.bookmark_late", thread=self.row.id, code=error.code)
                await asyncio.sleep(pause.next())

    async def learn(self, thread: Thread, **values: object) -> None:
        """Take ref and state from the desk and write them, with other columns."""
        self.ref, self.state = thread.ref, thread.state
        self._kept = msgspec.json.encode(self.state)
        await self.save(ref=self.ref, state=self._around.states.seal(self.row.id, self.state), **values)

    async def keep(self, state: Any) -> bool:
        """Remember how far the desk was listened to; False when that is not for us to write any more."""
        # Most polls bring nothing.  A desk may have changed the very object it was given, so the text is compared.
        text = msgspec.json.encode(state)
        if text == self._kept:
            return True
        fence = self._around.fence()
        if fence is None:
            return False
        at, sealed = self._around.clock.now(), self._around.states.seal(self.row.id, state)
        kept = await self._journal.write(lambda conn: store.save_state(conn, self.row.id, fence, at, sealed))
        if kept:
            self.state, self._kept = state, text
        return kept

    async def stall(self, doing: str) -> None:
        """The desk cannot be reached by ``doing`` (sending, listening): the rung's time without it begins to run."""
        known = self._trouble - {_BEFORE}
        self._trouble.add(doing)
        if not known:
            with contextlib.suppress(Conflict):
                await self.command(c.Stall(epoch=self.epoch, connection_id=self.row.connection_id))

    async def recover(self, doing: str) -> None:
        """It can be reached by ``doing``; the time stops when there is no other trouble."""
        if self._trouble:
            left = self._trouble - {doing, _BEFORE}
            if not left:
                await self.command(c.Recover(epoch=self.epoch, connection_id=self.row.connection_id))
            self._trouble = left

    async def park(self, item: OutboundMessage, why: str) -> None:
        """Put a message aside that its desk would not take; people may send it again."""
        row, at = self.row, self._around.clock.now()
        await self._journal.write(
            lambda conn: store.park_message(
                conn,
                conversation_id=row.conversation_id,
                message_id=item.id,
                thread_id=row.id,
                connection_id=row.connection_id,
                seq=item.seq,
                reason=why,
                at=at,
            )
        )
        await self.command(c.Park(message_id=item.id, connection_id=row.connection_id, reason=why))
