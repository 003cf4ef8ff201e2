"""Front ends that are not ours: a CRM is shown the bot's messages, a bot elsewhere the agents' and how its handoff goes.

In order, and at least once, until the conversation ends.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Any, ClassVar

import structlog

from warmline.conversations import events as e
from warmline.handover import thread_store as store
from warmline.handover.following import Follower
from warmline.handover.outbound import message_of
from warmline.handover.pacing import Pause
from warmline.handover.port import (
    BotLine,
    Desk,
    DeskError,
    FrontEnd,
    HandoffLine,
    HandoffStatus,
    HearsHandoffs,
    LineButton,
    RateLimited,
)
from warmline.handover.surroundings import Surroundings
from warmline.kernel.envelope import Recorded
from warmline.kernel.errors import Conflict, NotFound

log = structlog.get_logger()

FRONT = "front"
HANDOFF = "handoff"


class FrontWorker(Follower):
    """Brings the bot's messages of one conversation to the CRM's webhook."""

    tries: ClassVar[int] = 40
    """With pauses up to 30 s this is about a quarter of an hour; a bot's words are worthless much later."""

    def __init__(self, around: Surroundings, row: store.ThreadRow) -> None:
        super().__init__(around.journal, row)
        self._around = around
        self._pending: deque[tuple[int, Any]] = deque()
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
        seq, item = self._pending[0]
        try:
            desk = self._around.desk(self.row.connection_id)
            await self._bring(desk, item)
            self._around.answered(self.row.connection_id)
        except DeskError as error:
            if error.retryable and self._pause.tries < self.tries:
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

    async def _bring(self, desk: Desk, item: Any) -> None:
        if isinstance(desk, FrontEnd):
            await desk.say(item)

    async def _save(self, **values: object) -> None:
        fence = self._around.fence()
        if fence is None:
            return
        at = self._around.clock.now()
        thread_id = self.row.id
        await self._journal.write(lambda conn: store.save_thread(conn, thread_id, fence, at, **values))


class HandoffFront(FrontWorker):
    """Tells a bot elsewhere what agents say in the conversation it handed over, and how the handoff goes."""

    tries: ClassVar[int] = 2_880
    """About a day: it waits for the end before it speaks again itself."""

    def _take(self, event: Recorded) -> None:
        self._seen = event.seq
        body = event.body
        match body:
            case e.MessagePosted(author="agent"):
                self._pending.append((event.seq, self._line(event, body)))
            case e.HandoverConnected():
                self._tell(event, "accepted")
            case e.HandoverEnded():
                self._tell(event, "completed")
            case e.HandoverFailed():
                self._tell(event, "failed", body.reason)
            case e.HandoverCancelled():
                self._tell(event, "failed", f"cancelled by {body.by}")
            case e.ConversationClosed():
                self._closed = True

    def _line(self, event: Recorded, body: e.MessagePosted) -> HandoffLine:
        item = message_of(event, body, self._around.files)
        return HandoffLine(
            id=item.id,
            external_id=self._external_id,
            at=event.at,
            name=body.name or "",
            text=item.text,
            attachments=item.attachments,
        )

    def _tell(self, event: Recorded, state: str, message: str = "") -> None:
        status = HandoffStatus(
            id=f"{self.row.conversation_id}-{event.seq}",
            external_id=self._external_id,
            at=event.at,
            state=state,
            message=message,
        )
        self._pending.append((event.seq, status))

    @property
    def _external_id(self) -> str:
        return self.row.ref or self.row.conversation_id

    async def _bring(self, desk: Desk, item: Any) -> None:
        if isinstance(desk, HearsHandoffs):
            await desk.tell(item)


FRONTS: Mapping[str, type[FrontWorker]] = {FRONT: FrontWorker, HANDOFF: HandoffFront}
"""Kind of a thread → who works on it, for conversations with a front end elsewhere."""
FRONT_KINDS: Mapping[str, str] = {"converse": FRONT, "api": HANDOFF}
"""Channel of a conversation → the kind of its front's thread."""
