"""How webhooks leave a simulator: in order, unless a switch says otherwise, and again when they fail."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import aiohttp
import msgspec

from warmline.kernel.clock import Clock
from warmline.simulators.changes import Changes
from warmline.simulators.script import Switches, Waits

Sign = Callable[[bytes, int], Mapping[str, str]]
"""The headers for a body, signed at a moment in milliseconds."""


class Endpoint(msgspec.Struct, frozen=True):
    """Where events go, and what proves where they come from."""

    url: str
    sign: Sign


class Attempt(msgspec.Struct, frozen=True):
    """One try.  ``status`` is 0 when there was no answer; ``answer`` is what came back, or what went wrong."""

    at: int
    status: int
    answer: str

    @property
    def good(self) -> bool:
        """Whether the receiver took it."""
        return 200 <= self.status < 300


class Delivery(msgspec.Struct, kw_only=True):
    """One event on its way to one endpoint.  ``state``: waiting, delivered, failed (given up), lost (by a switch)."""

    event_id: str
    name: str
    url: str
    body: bytes
    at: int
    state: str = "waiting"
    attempts: list[Attempt] = msgspec.field(default_factory=list)

    @property
    def json(self) -> Any:
        """The event as sent."""
        return msgspec.json.decode(self.body)


class Deliveries:
    """The sender.  Each address has a lane in which first attempts go one after the other; repeats overtake nobody."""

    def __init__(self, changes: Changes, clock: Clock, switches: Switches, waits: Waits) -> None:
        self.switches = switches
        self.log: list[Delivery] = []
        self._changes = changes
        self._clock = clock
        self._waits = waits
        self._lanes: dict[str, deque[tuple[Endpoint, Delivery]]] = defaultdict(deque)
        self._busy: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Be able to send."""
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=self._waits.webhook_timeout_ms / 1000), auto_decompress=False
        )

    async def stop(self) -> None:
        """Give up what is still on its way, and what comes after."""
        self.switches.lose = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
            self._session = None

    def set(self, **switches: Any) -> None:
        """Change switches by their names in ``Switches``.  Raises AttributeError for an unknown one."""
        for name, value in switches.items():
            if name not in Switches.__struct_fields__:
                msg = f"there is no switch named {name}"
                raise AttributeError(msg)
            setattr(self.switches, name, value)
        self._changes.tell()

    def send(self, endpoint: Endpoint, *, event_id: str, name: str, body: bytes) -> None:
        """Hand one event over; returns at once."""
        delivery = Delivery(event_id=event_id, name=name, url=endpoint.url, body=body, at=self._clock.now())
        self.log.append(delivery)
        if self.switches.lose:
            delivery.state = "lost"
        else:
            self._lanes[endpoint.url].extend([(endpoint, delivery)] * (1 + self.switches.duplicates))
            if endpoint.url not in self._busy:
                self._busy.add(endpoint.url)
                self._spawn(self._drive(endpoint.url))
        self._changes.tell()

    async def settled(self, *, timeout_s: float = 5.0) -> None:
        """Wait until everything is delivered or given up.  Raises TimeoutError after ``timeout_s`` seconds."""
        await self._changes.until(lambda: not self._tasks, timeout_s=timeout_s)

    async def wait(self, name: str, count: int = 1, *, timeout_s: float = 5.0) -> list[Delivery]:
        """Wait until ``count`` events called ``name`` were delivered; returns them."""

        def delivered() -> list[Delivery]:
            found = [one for one in self.log if one.name == name and one.state == "delivered"]
            return found if len(found) >= count else []

        return await self._changes.until(delivered, timeout_s=timeout_s)

    async def again(self, delivery: Delivery, endpoint: Endpoint) -> Attempt:
        """Deliver an old event once more, right now."""
        return await self._attempt(endpoint, delivery)

    # ------------------------------------------------------------------------------------------ inside
    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._changes.tell()

    async def _drive(self, url: str) -> None:
        lane = self._lanes[url]
        try:
            while lane:
                await self._unpaused()
                if self.switches.reorder:
                    await asyncio.sleep(self._waits.reorder_ms / 1000)
                    batch = list(reversed(lane))
                    lane.clear()
                else:
                    batch = [lane.popleft()]
                for endpoint, delivery in batch:
                    attempt = await self._attempt(endpoint, delivery)
                    if not attempt.good:
                        self._spawn(self._retry(endpoint, delivery))
        finally:
            self._busy.discard(url)

    async def _unpaused(self) -> None:
        while self.switches.paused:
            await self._changes.after(self._changes.version)

    async def _retry(self, endpoint: Endpoint, delivery: Delivery) -> None:
        for wait in self._waits.retry_ms:
            await asyncio.sleep(wait / 1000)
            if (await self._attempt(endpoint, delivery)).good:
                return
        if delivery.state == "waiting":
            delivery.state = "failed"

    async def _attempt(self, endpoint: Endpoint, delivery: Delivery) -> Attempt:
        if self._session is None:
            return Attempt(self._clock.now(), 0, "the simulator is not running")
        now = self._clock.now()
        signed_at = now - self.switches.stale_by_s * 1000
        headers = {"Content-Type": "application/json", **endpoint.sign(delivery.body, signed_at)}
        try:
            async with self._session.post(
                endpoint.url, data=delivery.body, headers=headers, allow_redirects=False
            ) as answer:
                attempt = Attempt(now, answer.status, (await answer.content.read(2_000)).decode(errors="replace"))
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            attempt = Attempt(now, 0, str(error) or type(error).__name__)
        delivery.attempts.append(attempt)
        if attempt.good:
            delivery.state = "delivered"
        self._changes.tell()
        return attempt
