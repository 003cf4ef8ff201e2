"""What every simulated vendor shares: a real HTTP server, and the way of a call through it.

A call is noted, then its credential is checked, then the rate, then the switchboard is asked; only what is left reaches
the vendor's own handler.  The answers to all of that are the vendor's: a simulator says how it refuses.
"""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, ClassVar, Self

import msgspec
from aiohttp import web

from warmline.kernel.clock import Clock, SystemClock
from warmline.platform.limits import RateLimiter
from warmline.simulators.board import Board
from warmline.simulators.calls import Call, Calls
from warmline.simulators.changes import Changes
from warmline.simulators.deliveries import Deliveries
from warmline.simulators.page import AgentPage
from warmline.simulators.samples import PICTURE_NAME, picture
from warmline.simulators.script import Kind, Rate, Script, Switches
from warmline.simulators.trouble import Switchboard

FILES = "/simulator/files"
"""Where the files are that agents send."""
_MAX_BODY = 8 * 1024 * 1024
_SHUT_DOWN_S = 0.2
_HIDDEN_HEADERS = frozenset({"authorization", "cookie"})


class VendorRefusal(Exception):
    """A handler's answer that is not good: a status, and the sentence the vendor says.

    ``note`` tells more to whoever looks at the simulator; the caller does not get it.
    """

    def __init__(self, status: int, message: str, *, note: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.note = note


class Ask:
    """One call, as a handler sees it."""

    def __init__(self, request: web.Request, call: Call) -> None:
        self.path: Mapping[str, str] = request.match_info
        self.query: Mapping[str, str] = request.query
        self.headers: Mapping[str, str] = request.headers
        self.body = call.body
        self.call = call


Handler = Callable[[Ask], Awaitable[web.StreamResponse]]


class Route(msgspec.Struct, frozen=True):
    """One operation of a vendor's API."""

    method: str
    path: str
    operation: str
    handler: Handler


class Simulator(ABC):
    """A vendor that runs here.  Use it as ``async with SomeSimulator.running(port=0) as vendor:``."""

    name: ClassVar[str]
    """What the command line calls it."""
    title: ClassVar[str]
    vendor_rate: ClassVar[Rate | None]
    """The documented limit per credential."""
    sends_webhooks: ClassVar[bool] = True
    """False for a vendor that is polled or listened to: nothing is ever sent to an address."""
    about_webhooks: ClassVar[str] = ""
    """What else has to be done before Warmline understands them, a sentence."""
    inert_switches: ClassVar[frozenset[str]] = frozenset({"stale_by_s"})
    """Habits of webhooks that change nothing at this vendor; the page does not show them."""

    def __init__(self, *, script: Script | None = None, clock: Clock | None = None) -> None:
        self.script = script or Script()
        self.clock = clock or SystemClock()
        self.waits = self.script.waits
        self.changes = Changes()
        self.calls = Calls(self.changes)
        self.trouble = Switchboard(self.changes, self.script.trouble)
        # A copy: two simulators may share a script, and switches are turned while one runs.
        switches = msgspec.convert(msgspec.to_builtins(self.script.webhooks), Switches)
        self.webhooks = Deliveries(self.changes, self.clock, switches, self.waits)
        self.url = ""
        self._limiter = self._limit_to(self.vendor_rate if self.script.rate == "vendor" else self.script.rate)
        self._tasks: set[asyncio.Task[None]] = set()

    # ------------------------------------------------------------------------------- what a vendor says
    @abstractmethod
    def routes(self) -> Sequence[Route]:
        """The vendor's API."""

    @abstractmethod
    def credential(self, ask: Ask) -> str:
        """Who is calling, for the rate limit.  Raises VendorRefusal when the credential is not accepted."""

    @abstractmethod
    def refusal(self, status: int, message: str) -> web.Response:
        """An error in the vendor's form."""

    @abstractmethod
    def too_many(self, wait_s: float) -> web.Response:
        """The answer to one call too many; the next one is welcome in ``wait_s`` seconds."""

    @abstractmethod
    def failing(self) -> web.Response:
        """The answer when the vendor itself fails."""

    @abstractmethod
    def board(self) -> Board:
        """What the agent page shows."""

    def form(self) -> dict[str, str]:
        """The values of the form by which Warmline is connected to this vendor, by the names of its fields."""
        return {one.setting: one.value for one in self.board().credentials() if one.setting}

    # ------------------------------------------------------------------------------------------ running
    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls, *, host: str = "127.0.0.1", port: int = 0, **options: Any) -> AsyncIterator[Self]:
        """A simulator that serves at its ``url``; ``port`` 0 takes a free one.  ``options`` go to the vendor's class.

        Raises OSError when the port is taken.
        """
        vendor = cls(**options)
        await vendor.webhooks.start()
        runner = web.AppRunner(vendor._application(), access_log=None, shutdown_timeout=_SHUT_DOWN_S)
        try:
            await runner.setup()
            site = web.TCPSite(runner, host, port)
            await site.start()
            bound = runner.addresses[0][1]
            vendor.url = f"http://{host}:{bound}"
            yield vendor
        finally:
            for task in vendor._tasks:
                task.cancel()
            await asyncio.gather(*vendor._tasks, return_exceptions=True)
            await vendor.webhooks.stop()
            await runner.cleanup()

    def soon(self, work: Coroutine[Any, Any, None]) -> None:
        """Do it in the background, at the latest until the simulator stops."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _application(self) -> web.Application:
        application = web.Application(client_max_size=_MAX_BODY)
        application.router.add_get(f"{FILES}/{PICTURE_NAME}", _picture)
        application.add_routes(AgentPage(self, self.board()).routes())
        for route in self.routes():
            application.router.add_route(route.method, route.path, self._through(route))
        application.router.add_route("*", "/{unknown:.*}", self._through(Route("*", "", "unknown", self._unknown)))
        return application

    async def _unknown(self, ask: Ask) -> web.StreamResponse:
        raise VendorRefusal(404, self.not_found, note=f"no such operation: {ask.call.method} {ask.call.path}")

    not_found: ClassVar[str] = "Not found"

    def keep_limits(self, on: bool) -> None:
        """Hold callers to the documented limits from now on, as if nobody had called before; or to none."""
        self._limiter = self._limit_to(self.vendor_rate if on else None)

    def _limit_to(self, rate: Rate | None) -> RateLimiter | None:
        return RateLimiter(self.clock, per_second=rate.per_second, burst=rate.burst) if rate else None

    # --------------------------------------------------------------------------------- a call's own way
    def _through(self, route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def serve(request: web.Request) -> web.StreamResponse:
            call = Call(
                operation=route.operation,
                at=self.clock.now(),
                method=request.method,
                path=request.path,
                query=dict(request.query),
                headers={name: value for name, value in request.headers.items() if name.lower() not in _HIDDEN_HEADERS},
                body=await request.read(),
            )
            self.calls.add(call)
            answer = await self._answer(route, request, call)
            call.status = 0 if answer is None else answer.status
            self.changes.tell()
            return answer if answer is not None else _cut(request)

        return serve

    async def _answer(self, route: Route, request: web.Request, call: Call) -> web.StreamResponse | None:
        """The answer, or None when the connection is to be cut."""
        if self.waits.latency_ms:
            await asyncio.sleep(self.waits.latency_ms / 1000)
        ask = Ask(request, call)
        try:
            caller = self.credential(ask)
        except VendorRefusal as refusal:
            return self._refused(call, refusal)
        wait = 0.0 if self._limiter is None else self._limiter.take(caller)
        if wait:
            call.note = f"over the rate limit; welcome again in {wait:.3f} s"
            return self.too_many(wait)
        call.trouble = self.trouble.take(route.operation)
        if call.trouble is Kind.TOO_MANY:
            return self.too_many(1.0)
        if call.trouble is Kind.FAILING:
            return self.failing()
        if call.trouble is Kind.SILENT:
            await asyncio.sleep(self.waits.hold_ms / 1000)
            return None
        answer = await self._handled(route, ask)
        if call.trouble is Kind.LATE:
            await asyncio.sleep(self.waits.late_ms / 1000)
        return None if call.trouble is Kind.LOST else answer

    async def _handled(self, route: Route, ask: Ask) -> web.StreamResponse:
        try:
            return await route.handler(ask)
        except VendorRefusal as refusal:
            return self._refused(ask.call, refusal)

    def _refused(self, call: Call, refusal: VendorRefusal) -> web.Response:
        call.note = refusal.note
        return self.refusal(refusal.status, refusal.message)


async def _picture(_request: web.Request) -> web.Response:
    return web.Response(body=picture(), content_type="image/png")


def _cut(request: web.Request) -> web.Response:
    """End the connection without a word."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)
