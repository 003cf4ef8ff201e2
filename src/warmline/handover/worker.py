"""One thread's worker: offers the handover to its desk, brings the visitor's messages there in order, takes leave.

Everything it does follows from the conversation's stream and one row (cursor and phase), so it can be stopped at
any point and go on elsewhere.  What it sends carries a stable id; the desk may see it again after a crash.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections import deque

import structlog

from warmline.conversations import commands as c
from warmline.conversations import events as e
from warmline.handover import thread_store as store
from warmline.handover.following import Follower
from warmline.handover.held_thread import HeldThread
from warmline.handover.listener import Listener
from warmline.handover.outbound import message_of, parts_of
from warmline.handover.pacing import Pause
from warmline.handover.port import (
    Availability,
    DeskError,
    EndReason,
    HandoverRequest,
    Listens,
    OutboundMessage,
    QueueRef,
    RateLimited,
    Refused,
    Repeats,
    Thread,
)
from warmline.handover.reading_back import stands_there
from warmline.handover.surroundings import Surroundings
from warmline.kernel.envelope import Recorded
from warmline.kernel.errors import Conflict, NotFound
from warmline.platform.crypto import KeyMissing, Undecryptable
from warmline.platform.waking import woken

log = structlog.get_logger()

_CLOSE_TRIES = 12
"""With pauses doubling from half a second to 30 s this is about three minutes of trying to take leave."""
STANDS_WITHIN_S = 10.0
"""How long a stream may take to stand; then the offering is tried again, while the stream is tried on."""
_FLUSH_BEFORE_LEAVING = frozenset({"visitor_left", "closed", "idle"})


class ThreadWorker(Follower):
    """Works on one thread until it is finished or the lease is lost."""

    def __init__(self, around: Surroundings, row: store.ThreadRow) -> None:
        super().__init__(around.journal, row)
        self._around = around
        self._held = HeldThread(around, row)
        self._phase = row.phase
        # Whoever goes on where another stopped does not know which of the lines behind the cursor have arrived.
        self._takes_over = row.phase == "open"
        self._in_doubt = 0  # the seq up to which that is so
        self._unsure = False  # an answer was lost here
        self._doubles = True  # what the desk makes of a line that comes again
        self._told = row.told
        self._listener: Listener | None = None
        self._pending: deque[OutboundMessage] = deque()
        self._leaving: tuple[str, bool] | None = None
        self._followed = False
        self._brought = 0  # parts of the first pending line
        self._pause = Pause()

    # -- being told ----------------------------------------------------------------------------------------------

    def poke(self) -> None:
        """Look again: something outside the stream may have changed."""
        self._wake.set()

    def open_thread(self) -> Thread | None:
        """The thread, while an agent is there and nobody takes leave."""
        there = self._phase == "open" and self._held.connected and self._leaving is None
        return self._held.thread if there else None

    def _take(self, event: Recorded) -> None:
        self._seen = event.seq
        body = event.body
        if isinstance(body, e.MessagePosted):
            # What he says after the handover's end is for its next owner, and no business of this desk.
            if body.author == "visitor" and self._leaving is None:
                self._pending.append(message_of(event, body, self._around.files))
            return
        if isinstance(body, e.VisitorErased) and self._leaving is None:
            # What ended the handover may have been erased with all the rest before it was read here.
            self._leaving = ("closed", False)
        if getattr(body, "handover_id", None) != self.row.handover_id:
            return
        mine = getattr(body, "rung", self.row.rung) == self.row.rung
        by_desk = event.actor == f"desk:{self.row.connection_id}"
        if isinstance(body, e.HandoverConnected) and mine:
            self._held.connected = True
        elif isinstance(body, e.HandoverPutBack) and mine:
            self._held.epoch = event.owner_epoch
        elif (isinstance(body, e.HandoverRungFailed) and mine) or (
            isinstance(body, e.HandoverEnded) and self._leaving is None
        ):
            self._leaving = (body.reason, by_desk)
            self._followed = isinstance(body, e.HandoverRungFailed) and body.next_rung is not None
        elif isinstance(body, e.HandoverCancelled) and self._leaving is None:
            self._leaving = ("visitor_left" if body.by == "visitor" else "closed", by_desk)

    def _has_work(self) -> bool:
        return bool(self._leaving or self._pending)

    # -- the loop ------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until nothing is left to do or the lease is gone."""
        try:
            self._recall()
            await self._work()
        finally:
            if self._listener is not None:
                await self._listener.stop()

    def _recall(self) -> None:
        lost: DeskError | None = None
        try:
            self._held.recall()
        except (KeyMissing, Undecryptable) as error:
            # Without it nobody can be heard: what was prepared is made anew, what was opened is lost.
            lost = Refused(error.detail, operation="listen")
        if self._phase == "open":
            listener = self._listen()
            listener.go_on()
            if lost is not None:
                listener.give_up(lost)
        elif lost is not None:
            self._held.ref = None

    async def _work(self) -> None:
        await self._take_over()
        while self._phase != "done":
            if self._around.fence() is None:
                return
            if self._behind:
                await self._catch_up()
            elif self._leaving:
                await self._finish(*self._leaving)
            elif self._phase == "opening":
                await self._open()
            elif self._pending and self._held.connected:
                await self._deliver()
            else:
                self._wake.clear()
                await self._wait(None)

    async def _take_over(self) -> None:
        if self._takes_over:
            await self._catch_up()
            self._in_doubt = self._seen

    async def _wait(self, seconds: float | None) -> None:
        await woken(self._wake, seconds)

    async def _pause_for(self, error: DeskError | None = None) -> None:
        """Pause before the next try; events of the conversation (leaving, above all) end the pause early."""
        asked = error.retry_after if isinstance(error, RateLimited) else None
        until = asyncio.get_running_loop().time() + self._pause.next(asked)
        while (left := until - asyncio.get_running_loop().time()) > 0 and not (self._leaving or self._behind):
            self._wake.clear()
            await self._wait(left)

    # -- offering ------------------------------------------------------------------------------------------------

    async def _open(self) -> None:
        breaker = self._around.breaker(self.row.connection_id)
        try:
            desk = self._around.desk(self.row.connection_id)
        except (NotFound, Conflict):
            await self._fail_rung("refused", "the connection is gone or switched off")
            return
        if not breaker.allows():
            # A desk known to be down is not waited for; one that went down during our tries gets its deadline.
            if not self._pause.tries:
                await self._fail_rung("no_answer", "the connection's circuit breaker is open")
                return
            await self._pause_for()
            return
        try:
            request = dataclasses.replace(await self._around.request(self.row), repeated=self._told)
            known_as = request.external_id or request.conversation_id
            queue = QueueRef(ref=request.escalate_to, bot_id=request.bot_id, conversation_id=known_as)
            if await desk.availability(queue) is Availability.AWAY:
                self._around.answered(self.row.connection_id)
                await self._fail_rung("no_agent", "the desk says that nobody is there")
                return
            if self._leaving or self._behind:
                return
            await self._mark_told()
            if isinstance(desk, Listens):
                prepared = await self._prepare(desk, request)
                if prepared is None:
                    return
                request = prepared
            thread = await desk.open(request)
        except DeskError as error:
            await self._open_failed(error)
            return
        self._around.answered(self.row.connection_id)
        self._pause.reset()
        # The event before the row: a crash in between offers again under the same id, the other way round never.
        with contextlib.suppress(Conflict):
            await self._held.command(c.AcceptOffer(epoch=self._held.epoch, thread_ref=thread.ref))
            if request.external_id:
                # The CRM's yes is the joining: it shows its agents' words itself from here on.
                await self._held.command(
                    c.DeskSays(connection_id=self.row.connection_id, verb="joined", epoch=self._held.epoch)
                )
        self._phase = "open"
        # What is listened to already has got further than what open tells.
        state = thread.state if self._listener is None else self._held.state
        await self._held.learn(dataclasses.replace(thread, state=state), phase="open")
        self._listen().go_on()

    async def _prepare(self, desk: Listens, request: HandoverRequest) -> HandoverRequest | None:
        """The request for a desk that is listened to, once the stream stands; None when something else comes first."""
        if self._held.ref is None:
            await self._held.learn(await desk.prepare(request))
        listener = self._listen()
        clock = asyncio.get_running_loop()
        until = clock.time() + STANDS_WITHIN_S
        while not listener.stands:
            if listener.lost is not None:
                raise listener.lost
            if self._leaving or self._behind:
                return None
            if (left := until - clock.time()) <= 0:
                await self._pause_for()
                return None
            self._wake.clear()
            await self._wait(left)
        return dataclasses.replace(request, prepared=self._held.thread)

    def _listen(self) -> Listener:
        if self._listener is None:
            self._listener = Listener(self._around, self._held, changed=self.poke)
            self._listener.start()
        return self._listener

    async def _open_failed(self, error: DeskError) -> None:
        log.info(
            "handover.open_failed", conversation=self.row.conversation_id, code=error.code, tries=self._pause.tries
        )
        if error.retryable:
            self._around.unanswered(self.row.connection_id, error)
            await self._held.save(error=error.detail)
            await self._pause_for(error)
            return
        self._around.answered(self.row.connection_id, error)
        # A desk that has refused knows of nothing, unless there is a session that was prepared.
        self._told = self._listener is not None
        await self._fail_rung("refused", error.detail)

    async def _fail_rung(self, reason: e.Reason, why: str) -> None:
        await self._held.save(error=why)
        with contextlib.suppress(Conflict):
            await self._held.command(c.FailRung(epoch=self._held.epoch, reason=reason))
        # The event of the failed rung (or of whatever overtook it) is what ends this worker.
        self._behind = True
        if not self._leaving:
            await self._catch_up()
        if not self._leaving:
            self._leaving = (reason, True)

    async def _mark_told(self) -> None:
        if not self._told:
            self._told = True
            await self._held.save(told=True)

    # -- delivering ----------------------------------------------------------------------------------------------

    async def _deliver(self) -> None:
        item = self._pending[0]
        if not self._around.breaker(self.row.connection_id).allows():
            await self._held.stall("sending")
            await self._pause_for()
            return
        try:
            whole = await self._bring(item)
        except (NotFound, Conflict) as error:
            await self._held.park(item, error.detail)
        except DeskError as error:
            if error.retryable:
                self._unsure = True
                self._around.unanswered(self.row.connection_id, error)
                await self._held.stall("sending")
                await self._pause_for(error)
                return
            self._around.answered(self.row.connection_id, error)
            await self._held.park(item, error.detail)
        else:
            self._around.answered(self.row.connection_id)
            await self._held.recover("sending")
            if not whole:
                return
        self._pause.reset()
        await self._done_with(item)

    async def _bring(self, item: OutboundMessage) -> bool:
        """Bring the next part of a line, unless it is there; whether that was the last.  Raises NotFound, Conflict, DeskError."""
        desk = self._around.desk(self.row.connection_id)
        self._doubles = desk.manifest.repeats is Repeats.DOUBLED
        parts = parts_of(desk.manifest, item)
        doubtful = self._unsure or item.seq <= self._in_doubt
        if not (doubtful and await stands_there(self._around, self.row, desk, self._held.thread, parts, self._brought)):
            await desk.send(self._held.thread, parts[self._brought])
        self._brought += 1
        return self._brought == len(parts)

    async def _done_with(self, item: OutboundMessage, *, at_once: bool = False) -> None:
        """The first pending line needs no more work, which is written soon, or at once."""
        self._brought = 0
        self._unsure = False
        self._pending.popleft()
        if at_once or self._doubles:
            # So that of many lines only the one that was under way when we were killed may stand there twice.
            await self._held.bookmark(item.seq)
        else:
            self._around.note_cursor(self.row.id, item.seq)

    # -- taking leave --------------------------------------------------------------------------------------------

    async def _finish(self, reason: str, by_desk: bool) -> None:
        if self._held.connected and not by_desk and reason in _FLUSH_BEFORE_LEAVING:
            await self._flush()
        if self._held.connected and not self._followed:
            await self._park_rest()
        if self._told and not by_desk:
            await self._say_goodbye(reason)
        if self._listener is not None:
            await self._listener.stop()
        self._phase = "done"
        await self._held.save(phase="done", state=None)

    async def _flush(self) -> None:
        """Bring what the visitor said before leaving; a desk that does not take it now will not get it."""
        for _try in range(_CLOSE_TRIES):
            asked = await self._flush_until_trouble()
            if not self._pending or self._around.fence() is None:
                return
            await asyncio.sleep(self._pause.next(asked))

    async def _flush_until_trouble(self) -> float | None:
        """The pause in seconds that the desk asks for, if it does."""
        while self._pending and self._around.fence() is not None:
            item = self._pending[0]
            try:
                if not await self._bring(item):
                    continue
            except (DeskError, NotFound, Conflict) as error:
                if isinstance(error, DeskError) and error.retryable:
                    self._unsure = True
                    return error.retry_after if isinstance(error, RateLimited) else None
                await self._held.park(item, error.detail)
            await self._done_with(item, at_once=True)
        return None

    async def _park_rest(self) -> None:
        """No desk follows that would get them: the visitor is told, and people may send them again."""
        while self._pending and self._around.fence() is not None:
            item = self._pending[0]
            await self._held.park(item, "The handover ended before this could be delivered.")
            self._pending.popleft()
            await self._held.save(cursor=item.seq)

    async def _say_goodbye(self, reason: str) -> None:
        for _try in range(_CLOSE_TRIES):
            if self._around.fence() is None:
                return
            try:
                desk = self._around.desk(self.row.connection_id)
                await desk.close(self._held.thread, EndReason(reason))
            except (NotFound, Conflict):
                return
            except DeskError as error:
                if not error.retryable:
                    await self._held.save(error=error.detail)
                    return
                await asyncio.sleep(self._pause.next(error.retry_after if isinstance(error, RateLimited) else None))
            else:
                return
