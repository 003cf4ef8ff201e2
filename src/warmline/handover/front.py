"""A CRM that brings its own front end: the bot's messages go to its webhook, in order, until the conversation ends."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

import structlog

from warmline.conversations import events as e
from warmline.handover import thread_store as store
from warmline.handover.following import Follower
from warmline.handover.pacing import Pause
from warmline.handover.port import BotLine, Desk, DeskError, FrontEnd, LineButton, RateLimited
from warmline.journal.journal import Journal
from warmline.kernel.clock import Clock
from warmline.kernel.envelope import Recorded
from warmline.kernel.errors import Conflict, NotFound

log = structlog.get_logger()

FRONT = "front"
_TRIES = 40
"""With pauses up to 30 s this is about a quarter of an hour; a bot's words are worthless much later."""


class _Around(Protocol):
    journal: Journal
    clock: Clock

    def desk(self, connection_id: str) -> Desk: ...

    def answered(self, connection_id: str, refusal: DeskError | None = None) -> None: ...

    def unanswered(self, connection_id: str, error: DeskError) -> None: ...

    def fence(self) -> int | None: ...

    def note_cursor(self, thread_id: str, seq: int) -> None: ...


class FrontWorker(Follower):
    """Brings the bot's messages of one conversation to the CRM's webhook."""

    def __init__(self, around: _Around, row: store.ThreadRow) -> None:
        super().__init__(around.journal, row)
        self._around = around
        self._pending: deque[tuple[int, BotLine]] = deque()
        self._closed = False
        self._pause = Pause()

    def _take(self, event: Recorded) -> None:
        self._seen = event.seq
        body = event.body
        if isinstance(body, e.MessagePosted) and body.author == "bot":
            line = BotLine(
                id=body.message_id,
                bot_id=self.row.bot_id,
                external_id=self.row.ref or self.row.conversation_id,
                text=body.text,
                buttons=tuple(LineButton(text=b.text, url=b.url) for b in body.buttons),
            )
            self._pending.append((event.seq, line))
        elif isinstance(body, e.ConversationClosed):
            self._closed = True

    def _has_work(self) -> bool:
        return bool(self._pending) or self._closed

    async def run(self) -> None:
        """Work until the conversation is closed and everything is shown, or the lease is gone."""
        while self._around.fence() is not None:
            if self._behind:
                await self._catch_up()
            elif self._pending:
                await self._show()
            elif self._closed:
                await self._save(phase="done")
                return
            else:
                self._wake.clear()
                await self._wake.wait()

    async def _show(self) -> None:
        seq, line = self._pending[0]
        try:
            desk = self._around.desk(self.row.connection_id)
            if isinstance(desk, FrontEnd):
                await desk.say(line)
            self._around.answered(self.row.connection_id)
        except DeskError as error:
            if error.retryable and self._pause.tries < _TRIES:
                self._around.unanswered(self.row.connection_id, error)
                await asyncio.sleep(self._pause.next(error.retry_after if isinstance(error, RateLimited) else None))
                return
            log.warning("front.message_dropped", conversation=self.row.conversation_id, code=error.code)
            await self._save(error=error.detail)
        except (NotFound, Conflict):
            log.warning("front.connection_gone", conversation=self.row.conversation_id)
        self._pause.reset()
        self._pending.popleft()
        self._around.note_cursor(self.row.id, seq)

    async def _save(self, **values: object) -> None:
        fence = self._around.fence()
        if fence is None:
            return
        at = self._around.clock.now()
        thread_id = self.row.id
        await self._journal.write(lambda conn: store.save_thread(conn, thread_id, fence, at, **values))
