"""Who is at our own desk: members with the desk open in some browser, on any node."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from typing import Any

import msgspec
import structlog

from warmline.kernel.clock import SECOND, Clock
from warmline.kernel.errors import WarmlineError
from warmline.platform.bus import Bus

log = structlog.get_logger(__name__)

SUBJECT = "presence.desk"
BEAT = 10 * SECOND
GONE_AFTER = 25 * SECOND
"""Two heartbeats may get lost; then a node and its members count as gone."""


class _Beat(msgspec.Struct, frozen=True):
    node: str
    members: list[str]


_decode = msgspec.json.Decoder(_Beat).decode


class DeskPresence:
    """A register in memory: every node tells the others, again and again, who has the desk open there.

    Nothing of this is an event: it may be lost, and after a restart it fills again by itself.
    """

    def __init__(self, bus: Bus, clock: Clock, *, node_id: str, alone: bool) -> None:
        """``alone``: there are no other nodes, so what this one knows is all there is to know."""
        self._bus = bus
        self._clock = clock
        self._node = node_id
        self._alone = alone
        self._here: Counter[str] = Counter()
        self._there: dict[str, tuple[int, frozenset[str]]] = {}
        self._since: int | None = None
        self._told = asyncio.Event()
        self._beating: asyncio.Task[None] | None = None
        self._subscription: Any = None

    async def start(self) -> None:
        """Listen to the other nodes and begin to tell them."""
        self._subscription = await self._bus.subscribe(SUBJECT, self._on_beat)
        self._since = self._clock.now()
        self._beating = asyncio.get_running_loop().create_task(self._beat(), name="desk-presence")

    async def stop(self) -> None:
        """Fall silent; the others notice by themselves."""
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.gather(self._beating, return_exceptions=True)
        if self._subscription is not None:
            await self._subscription.unsubscribe()
        self._since = None

    def enter(self, member_id: str) -> None:
        """A member opened the desk (once per page)."""
        self._here[member_id] += 1
        self._told.set()

    def leave(self, member_id: str) -> None:
        """One page of the member is closed."""
        self._here[member_id] -= 1
        if self._here[member_id] <= 0:
            del self._here[member_id]
        self._told.set()

    def members(self) -> frozenset[str]:
        """Ids of the members who are there, as far as is known."""
        now = self._clock.now()
        self._there = {node: beat for node, beat in self._there.items() if now - beat[0] < GONE_AFTER}
        return frozenset(self._here).union(*(members for _at, members in self._there.values()))

    def agents_online(self, _connection_id: str) -> int | None:
        """How many are there; every member at the desk serves all of its queues.

        None while it is not known: before the others have had the time to tell, or without a bus.
        """
        now = self._clock.now()
        if self._since is None:
            return None
        if not self._alone and (not self._bus.connected or now - self._since < BEAT + 2 * SECOND):
            return len(self.members()) or None
        return len(self.members())

    def _on_beat(self, _subject: str, data: bytes) -> None:
        try:
            beat = _decode(data)
        except msgspec.DecodeError:
            return
        if beat.node != self._node:
            self._there[beat.node] = (self._clock.now(), frozenset(beat.members))

    async def _beat(self) -> None:
        while True:
            self._told.clear()
            beat = _Beat(self._node, sorted(self._here))
            try:
                await self._bus.publish(SUBJECT, msgspec.json.encode(beat))
            except (WarmlineError, OSError) as error:
                log.info("presence not told", reason=type(error).__name__)
            # Not wait_for: in Python 3.11 it swallows a cancellation that comes together with the event.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(BEAT / SECOND):
                    await self._told.wait()
