"""Listening to one thread at a desk that reports nothing by itself: polls it, or reads its stream, while it is open.

What a stretch brought is appended first and the thread's state saved after it.  A crash in between reads the stretch
again, and its events, known by their ids, are not stored twice.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import structlog

from warmline.conversations import commands as c
from warmline.handover.held_thread import HeldThread
from warmline.handover.pacing import Pause
from warmline.handover.port import (
    AgentLeft,
    DeskError,
    DeskEvent,
    EndReason,
    Enriches,
    Listens,
    OpenFailed,
    Polled,
    Polls,
    RateLimited,
    ThreadEnded,
)
from warmline.handover.surroundings import Surroundings
from warmline.kernel.errors import Conflict, NotFound, WarmlineError
from warmline.platform.breaker import BreakerPhase

log = structlog.get_logger(__name__)

_FENCE_S = 0.5
"""How soon to look again whether the lease is ours: when it stays away, the relay ends this task."""
_SOON_S = 0.1
"""A poll that brought nothing in less than this was not held: the next ones wait, so that they do not run hot."""
_STEADY_S = 10.0
"""A stream that stood this long was fine: the next one is begun at once, without a grown pause."""
_SILENT_TRIES = 3
"""So many tries in vain, a few seconds, and the handover counts as stalled."""
_ENDS = (AgentLeft, ThreadEnded, OpenFailed)


class Listener:
    """One thread's listener: a task beside the worker's, so that what is held by the vendor holds up no message.

    ``stands`` says that the desk was heard once; ``lost`` is why nothing more will be heard.  ``changed`` is called
    when either changes.
    """

    def __init__(
        self,
        around: Surroundings,
        held: HeldThread,
        *,
        changed: Callable[[], None],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._around = around
        self._held = held
        self._changed = changed
        self._sleep = sleep
        self._connection_id = held.row.connection_id
        self._conversation_id = held.row.conversation_id
        self._open = asyncio.Event()
        self._listens = False
        self._heard = False
        self._pause = Pause()
        self._unheld = Pause(first=0.2, cap=1.0)
        self._task: asyncio.Task[None] | None = None
        self.stands = False
        self.lost: DeskError | None = None

    def start(self) -> None:
        """Begin to listen; events wait for ``go_on``."""
        self._task = asyncio.create_task(self._run(), name=f"listener:{self._held.row.id}")

    def go_on(self) -> None:
        """The desk's offer is accepted: its events count from here on."""
        self._open.set()

    def give_up(self, error: DeskError) -> None:
        """Nothing more will be heard of this thread."""
        self.lost = error
        self._changed()

    async def stop(self) -> None:
        """End the listening, whatever it waits for."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    # -- the loop ------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            try:
                if self.lost is not None:
                    await self._end_rung(self.lost)
                    return
                pause = await self._listen()
                if pause is None:
                    return
            except DeskError as error:
                pause = self._trouble(error)
            except (NotFound, Conflict):
                # The connection is switched off: until it is back, or the rung's deadline comes.
                pause = self._pause.next()
            except Exception as error:
                # An adapter's mistake, or the store's: the same stretch is tried again.
                log.exception("handover.listening_failed", **self._where(), kind=type(error).__name__)
                self._heard = False
                pause = self._pause.next()
            await self._note_silence()
            await self._sleep(pause)

    async def _listen(self) -> float | None:
        """One poll, or one stream to its end.  Seconds to wait before the next, None when nothing follows."""
        self._heard = False
        if self._around.fence() is None:
            return _FENCE_S
        desk = self._around.desk(self._connection_id)
        if not isinstance(desk, Listens | Polls):
            return None
        self._listens = True
        breaker = self._around.breaker(self._connection_id)
        # Asking it would make this, which may be held for a minute, the probe that everybody waits for.
        if breaker.phase is BreakerPhase.OPEN and self._around.clock.now() < (breaker.retry_at or 0):
            return self._pause.next()
        if isinstance(desk, Listens):
            return await self._read_stream(desk)
        return await self._poll(desk)

    async def _poll(self, desk: Polls) -> float | None:
        clock = asyncio.get_running_loop()
        asked = clock.time()
        polled = await desk.poll(self._held.thread, self._held.state)
        at_once = clock.time() - asked < _SOON_S
        await self._hears()
        if not await self._take_in(desk, polled):
            return self._pause.next()
        if polled.done:
            return None
        self._pause.reset()
        if not polled.events and not polled.again_in_s and at_once:
            return self._unheld.next()
        self._unheld.reset()
        return polled.again_in_s

    async def _read_stream(self, desk: Listens) -> float | None:
        clock = asyncio.get_running_loop()
        began = clock.time()
        again_in_s = 0.0
        stream = desk.listen(self._held.thread, self._held.state)
        async with _closing(stream):
            async for polled in stream:
                await self._hears()
                if not await self._take_in(desk, polled):
                    return self._pause.next()
                if polled.done:
                    return None
                again_in_s = polled.again_in_s
                if polled.events:
                    self._pause.reset()
        if clock.time() - began >= _STEADY_S:
            self._pause.reset()
        return max(again_in_s, self._pause.next())

    async def _note_silence(self) -> None:
        """A desk that cannot be heard is as far away as one that takes nothing."""
        if self._listens and not self._heard and self._pause.tries >= _SILENT_TRIES:
            # Whatever stands against it now may not next time; this task must outlive it.
            with contextlib.suppress(WarmlineError):
                await self._held.stall("listening")

    async def _hears(self) -> None:
        self._around.answered(self._connection_id)
        self._heard = True
        await self._held.recover("listening")
        if not self.stands:
            self.stands = True
            self._changed()

    # -- what was heard ------------------------------------------------------------------------------------------

    async def _take_in(self, desk: Listens | Polls, polled: Polled) -> bool:
        """Append a stretch's events and save the state behind them; False when that is not for us to do any more."""
        ended = False
        if polled.events or polled.done:
            await self._open.wait()
        if self._around.fence() is None:
            return False
        for event in polled.events:
            taken = await self._bring_in(desk, event)
            ended = ended or (taken and isinstance(event, _ENDS))
        if polled.done and not ended:
            # The vendor will say no more; were the handover still there, nobody would ever answer in it.
            await self._bring_in(desk, ThreadEnded(thread_ref=self._held.thread.ref, reason=EndReason.DESK_LOST))
        return await self._held.keep(polled.state)

    async def _bring_in(self, desk: Any, event: DeskEvent) -> bool:
        """Append one event; False when the conversation has no place for it any more (that is counted)."""
        if isinstance(desk, Enriches):
            with contextlib.suppress(DeskError):
                event = await desk.enrich(event)
        # A vendor may count anew in each of its threads, and a conversation may have several there.
        named = event.vendor_event_id
        key = None if named is None else f"{named}/{self._held.row.id}"
        while True:
            try:
                await self._around.inbound.receive(
                    self._connection_id,
                    event,
                    conversation_id=self._conversation_id,
                    epoch=self._held.epoch,
                    key=key,
                    join=desk.manifest.join,
                )
            except WarmlineError as refused:
                if refused.retryable:
                    await self._sleep(self._pause.next())
                    continue
                log.info("handover.event_dropped", **self._where(), told=type(event).__name__, code=refused.code)
                return False
            return True

    # -- trouble -------------------------------------------------------------------------------------------------

    def _trouble(self, error: DeskError) -> float:
        if not error.retryable:
            self._around.answered(self._connection_id, error)
            self.give_up(error)
            return 0.0
        # A stream that stood and was cut says nothing about whether the desk can be reached.
        if not self._heard:
            self._around.unanswered(self._connection_id, error)
        log.info("handover.not_heard", **self._where(), code=error.code, tries=self._pause.tries)
        return self._pause.next(error.retry_after if isinstance(error, RateLimited) else None)

    async def _end_rung(self, error: DeskError) -> None:
        """The thread is lost.  While it is being opened its worker sees that and says why; later it is said here."""
        log.warning("handover.thread_lost", **self._where(), code=error.code, detail=error.detail)
        await self._open.wait()
        with contextlib.suppress(Conflict, NotFound):
            await self._held.save(error=error.detail)
            await self._held.command(c.FailRung(epoch=self._held.epoch, reason="desk_lost"))

    def _where(self) -> dict[str, str]:
        return {"conversation": self._conversation_id, "connection": self._connection_id}


@contextlib.asynccontextmanager
async def _closing(stream: AsyncIterator[Polled]) -> AsyncIterator[None]:
    try:
        yield
    finally:
        close = getattr(stream, "aclose", None)
        if close is not None:
            await close()
