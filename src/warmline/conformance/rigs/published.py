"""What the rigs of our own published contracts share: a small server at one address, and the people behind it."""

from __future__ import annotations

import asyncio
import contextlib
from abc import abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from aiohttp import web

from warmline.conformance.rig import SCRIPT, Rig, SeenFile, Step
from warmline.kernel.clock import SystemClock
from warmline.simulators.changes import Changes
from warmline.simulators.deliveries import Deliveries
from warmline.simulators.script import Kind, Switches
from warmline.simulators.trouble import Switchboard

WORD = "a-word-in-the-address"
AGENTS = ("Astrid Holm", "Noah Vinter")


@dataclass
class Talk:
    """A conversation there.  ``context`` is all that an agent can read besides the visitor's lines."""

    id: str
    context: str
    taken: bool = False
    over: bool = False
    typed: bool = False
    heard: list[str] = field(default_factory=list)
    files: list[SeenFile] = field(default_factory=list)


class Helpdesk:
    """The address.  It takes each ``webhook-id`` once, as the guides advise, and knows one word in its path."""

    def __init__(self) -> None:
        self.changes = Changes()
        self.trouble = Switchboard(self.changes)
        self.talks: dict[str, Talk] = {}
        self.url = ""
        self._handled: set[str] = set()

    @asynccontextmanager
    async def served(self) -> AsyncIterator[None]:
        """Be there while the block runs."""
        application = web.Application()
        application.router.add_post("/webhook/{word}", self._webhook)
        self.add_routes(application.router)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/webhook/"
            yield
        finally:
            await runner.cleanup()

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """More addresses of this server."""

    @abstractmethod
    def name_of(self, body: Any) -> str:
        """The contract's name of an event."""

    @abstractmethod
    def handle(self, body: Any) -> None:
        """An event that was not seen before.  Raises ValueError for one that breaks the contract."""

    def answer(self, body: Any) -> Any:
        """What an event is answered with."""
        del body
        return {}

    def accepts(self, headers: Mapping[str, str], raw: bytes) -> bool:
        """Whether an event comes from who it says."""
        del headers, raw
        return True

    async def _webhook(self, request: web.Request) -> web.Response:
        raw = await request.read()
        if request.match_info["word"] != WORD or not self.accepts(request.headers, raw):
            return web.Response(status=401)
        body = await request.json()
        kind = self.trouble.take(self.name_of(body))
        if kind is Kind.TOO_MANY:
            return web.Response(status=429, headers={"Retry-After": "1"})
        if kind is Kind.FAILING:
            return web.Response(status=500)
        if kind is Kind.SILENT:
            await asyncio.sleep(SCRIPT.waits.hold_ms / 1000)
        elif request.headers["webhook-id"] not in self._handled:
            self._handled.add(request.headers["webhook-id"])
            try:
                self.handle(body)
            except ValueError as fault:
                return web.json_response({"detail": str(fault)}, status=422)
            self.changes.tell()
        if kind is Kind.LATE:
            await asyncio.sleep(SCRIPT.waits.late_ms / 1000)
        if kind in (Kind.SILENT, Kind.LOST) and request.transport is not None:
            request.transport.abort()
        return web.json_response(self.answer(body))


class PublishedRig(Rig):
    """A talk is what the contract calls a conversation.  ``crm`` is the server, a ``helpdesk``."""

    inert: ClassVar[frozenset[Step]] = frozenset({Step.LISTEN})
    helpdesk: ClassVar[type[Helpdesk]]
    events: ClassVar[Mapping[Step, str]]

    def __init__(self, crm: Any, reports: Deliveries) -> None:
        self.crm = crm
        self._reports = reports

    @classmethod
    @asynccontextmanager
    async def running(cls) -> AsyncIterator[Self]:
        """The server, and the one who sends its reports."""
        crm = cls.helpdesk()
        reports = Deliveries(crm.changes, SystemClock(), Switches(), SCRIPT.waits)
        async with crm.served(), contextlib.AsyncExitStack() as at_the_end:
            await reports.start()
            at_the_end.push_async_callback(reports.stop)
            yield cls(crm, reports)

    @property
    def webhooks(self) -> Deliveries:
        """How it reports."""
        return self._reports

    def trouble(self, step: Step, kind: Kind, times: int = 1) -> None:
        """By the events of the contract."""
        self.crm.trouble.next(self.events[step], kind, times)

    async def until_waiting(self, timeout_s: float = 15.0) -> str:
        """Offered, and taken by nobody."""

        def newest() -> Talk | None:
            return next((one for one in reversed(self.crm.talks.values()) if not (one.taken or one.over)), None)

        found = await self.crm.changes.until(newest, timeout_s=timeout_s)
        assert found is not None
        return str(found.id)

    # -- what the people there see -------------------------------------------------------------------------------

    def talks(self) -> Sequence[str]:
        """Everything that was ever offered."""
        return list(self.crm.talks)

    def heard(self, talk: str) -> Sequence[str]:
        """The visitor's lines."""
        return list(self.crm.talks[talk].heard)

    def context(self, talk: str) -> str:
        """What came with the offer."""
        return str(self.crm.talks[talk].context)

    def files(self, talk: str) -> Sequence[SeenFile]:
        """By address."""
        return list(self.crm.talks[talk].files)

    def is_over(self, talk: str) -> bool:
        """Ended by either side."""
        return bool(self.crm.talks[talk].over)


def context_of(transcript: Sequence[Mapping[str, Any]], facts: Mapping[str, Any]) -> str:
    """What an agent reads of an offer."""
    said = [f"{line['author']}: {line['text']}" for line in transcript]
    return "\n".join([*said, *(f"{name}: {value}" for name, value in facts.items())])
