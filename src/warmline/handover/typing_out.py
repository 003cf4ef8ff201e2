"""The visitor's typing, brought to desks that can show it.  Seen now or never: it is not stored, and may be lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

import structlog

from warmline.handover.port import Desk, OutboundTyping, Thread
from warmline.kernel.errors import WarmlineError
from warmline.platform.bus import Bus, Subscription

log = structlog.get_logger(__name__)

AGAIN_S = 5.0
"""Vendors forget typing after some seconds; a visitor who goes on typing is shown again so often, not with every key."""
STOPS_S = 10.0
"""Somebody who closed his browser while typing types no more."""


class Talker(Protocol):
    """A worker whose agent may be shown the typing."""

    def open_thread(self) -> Thread | None:
        """The thread, while an agent is there to see it."""


class TypingOut:
    """Follows ``typing.*`` on the bus.  Per thread one call at a time; what comes meanwhile replaces what waits."""

    def __init__(self, bus: Bus, *, talkers: Callable[[str], list[Talker]], desk: Callable[[str], Desk]) -> None:
        self._bus = bus
        self._talkers = talkers
        self._desk = desk
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._wanted: dict[str, asyncio.Queue[bool]] = {}
        self._subscription: Subscription | None = None

    async def start(self) -> None:
        """Begin to follow."""
        self._subscription = await self._bus.subscribe("typing.*", self._told)

    async def stop(self) -> None:
        """Follow no more."""
        if self._subscription is not None:
            await self._subscription.unsubscribe()
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _told(self, subject: str, data: bytes) -> None:
        who, _, on = data.decode("ascii", "replace").partition(" ")
        if who != "visitor":
            return
        conversation = subject.partition(".")[2]
        waiting = self._wanted.get(conversation)
        if waiting is not None:
            while not waiting.empty():
                waiting.get_nowait()
            waiting.put_nowait(on == "1")
        elif on == "1" and any(talker.open_thread() for talker in self._talkers(conversation)):
            self._wanted[conversation] = asyncio.Queue(1)
            self._tasks[conversation] = asyncio.create_task(self._show(conversation), name=f"typing:{conversation}")

    async def _show(self, conversation: str) -> None:
        try:
            while await self._send(conversation, on=True):
                if not await self._goes_on(conversation):
                    await self._send(conversation, on=False)
                    return
        finally:
            self._wanted.pop(conversation, None)
            self._tasks.pop(conversation, None)

    async def _goes_on(self, conversation: str) -> bool:
        """Whether he still types when the desk has to be told again."""
        loop = asyncio.get_running_loop()
        told, heard = loop.time(), False
        while True:
            left = told + (AGAIN_S if heard else STOPS_S) - loop.time()
            if left <= 0:
                return heard
            try:
                # Not wait_for, which takes no notice of being cancelled when something comes in that moment.
                async with asyncio.timeout(left):
                    heard = await self._wanted[conversation].get()
            except TimeoutError:
                return heard
            if not heard:
                return False

    async def _send(self, conversation: str, *, on: bool) -> bool:
        """Tell every desk that may show it; False when none is there any more."""
        sent = False
        for talker in self._talkers(conversation):
            thread = talker.open_thread()
            if thread is None:
                continue
            try:
                desk = self._desk(thread.connection_id)
                if desk.manifest.capabilities.visitor_typing:
                    await desk.send(thread, OutboundTyping(on))
                    sent = True
            except WarmlineError as error:
                # Not worth a second try, nor a word about the desk's health.
                log.debug("handover.typing_not_shown", conversation=conversation, code=error.code)
        return sent
