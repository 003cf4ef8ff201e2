"""The simulated helpdesks of the demo: their processes, their connections, and their rungs on the widget's ladder."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Mapping, Sequence

import aiohttp
import msgspec

from warmline.accounts.access import SYSTEM
from warmline.app import Node
from warmline.conversations.widgets import LadderStep
from warmline.demo.file import DemoDesk, DemoFile
from warmline.demo.processes import free_port, keep
from warmline.desks.gorgias.inbound import TEMPLATE, TRIGGERS
from warmline.desks.gorgias.settings import SECRET_HEADER
from warmline.kernel.errors import NotFound, Unavailable
from warmline.simulators.registry import SIMULATORS

_TICKETS = "gorgias"
"""A ticket may wait for hours: its connection has a sentence of its own for that."""
_WAITING = "One moment, I am looking for a colleague."
_HIGHEST_PORT = 65_000
_STARTS_WITHIN_S = 60.0
_LOOK_EVERY_S = 0.1
_ANSWERS_WITHIN = aiohttp.ClientTimeout(total=10)


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a simulator says of itself (``GET /simulator/connection``)."""

    settings: dict[str, str]
    payload: str
    sends_webhooks: bool


def chosen(names: Iterable[str]) -> list[str]:
    """The simulators that were named, comma-separated or one by one, in that order.  Raises NotFound."""
    words = [word.strip().lower().replace("-", "_") for name in names for word in name.split(",")]
    kinds = list(dict.fromkeys(word for word in words if word))
    for kind in kinds:
        if kind not in SIMULATORS:
            raise NotFound(f"There is no simulated helpdesk “{kind}”. There are: {', '.join(SIMULATORS)}.")
    return kinds


def choose_ports(kinds: Sequence[str], known: DemoFile | None, taken: Iterable[int]) -> dict[str, int]:
    """A port for each: from ``DESK_PORT`` on if that is set, else that of last time where it is free, else its own or any.

    Raises Unavailable.
    """
    before, ports, taken = known.every_desk if known else {}, dict[str, int](), list(taken)
    named = os.environ.get("DESK_PORT", "")
    first = int(named) if named.isascii() and named.isdigit() and 0 < int(named) < _HIGHEST_PORT else 0
    for place, kind in enumerate(kinds):
        wanted = [first + place] if first else []
        wanted += [before[kind].port] if kind in before else []
        ports[kind] = free_port([*wanted, SIMULATORS[kind].port], f"the simulated {SIMULATORS[kind].title}", taken)
        taken.append(ports[kind])
    return ports


class SimulatedDesk:
    """One simulator as a process, and the connection that leads to it."""

    def __init__(self, node: Node, kind: str, port: int, bot_id: str, connection_id: str) -> None:
        self.kind = kind
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.title = SIMULATORS[kind].title
        self.connection_id = connection_id
        self.payload = ""
        self._node = node
        self._bot_id = bot_id
        self._entered: Mapping[str, str] = {}
        self._met = asyncio.Event()

    @property
    def as_kept(self) -> DemoDesk:
        """For ``demo.json``."""
        return DemoDesk(kind=self.kind, url=self.url, connection_id=self.connection_id)

    def start(self, stopping: asyncio.Event) -> asyncio.Task[None]:
        """Run the simulator, again when it ends, until ``stopping``."""
        arguments = ["-m", "warmline", "simulate", self.kind, "--port", str(self.port)]
        return asyncio.create_task(keep(self.kind, arguments, os.environ, stopping, self._meet), name=self.kind)

    async def met(self, kept: asyncio.Task[None]) -> None:
        """Wait until it runs and is connected.  Raises Unavailable, or what went wrong in ``kept``."""
        met = asyncio.create_task(self._met.wait())
        await asyncio.wait({met, kept}, timeout=_STARTS_WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
        met.cancel()
        if kept.done():
            kept.result()
        if not self._met.is_set():
            raise Unavailable(f"The simulated {self.title} did not start on port {self.port}.")

    async def _meet(self) -> None:
        """A simulator that has just started knows nobody: tell it where its reports go, and enter what it asks for."""
        async with aiohttp.ClientSession(self.url, timeout=_ANSWERS_WITHIN) as session:
            told = await self._listen_to(session)
            await self._enter(told)
            if told.sends_webhooks:
                await self._subscribe(session, told)
        await self._node.connections.check(SYSTEM, self.connection_id)
        self._met.set()

    async def _listen_to(self, session: aiohttp.ClientSession) -> Told:
        while True:
            try:
                async with session.get("/simulator/connection", raise_for_status=True) as answer:
                    return msgspec.json.decode(await answer.read(), type=Told)
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(_LOOK_EVERY_S)  # a port that nobody listens on yet cannot be waited for

    async def _enter(self, told: Told) -> None:
        connections, self.payload = self._node.connections, told.payload
        if connections.find(self.connection_id) is None:
            new = await connections.create(
                SYSTEM,
                kind=self.kind,
                name=f"Simulated {self.title}",
                settings=told.settings,
                bot_ids=[self._bot_id],
            )
            self.connection_id = new.connection.id
        elif told.settings != self._entered:
            await connections.update(SYSTEM, self.connection_id, settings=told.settings)
            await connections.enable(SYSTEM, self.connection_id)
        self._entered = told.settings

    async def _subscribe(self, session: aiohttp.ClientSession, told: Told) -> None:
        address = f"{self._node.settings.public_url}/in/{self.connection_id}"
        if self.kind == _TICKETS:
            await _integrate(session, told, address)
            return
        async with session.post("/simulator/target", data={"url": address}, allow_redirects=False) as answer:
            answer.raise_for_status()


async def _integrate(session: aiohttp.ClientSession, told: Told, address: str) -> None:
    """The HTTP integration of the guide: at Gorgias, what is reported is designed by whoever is told."""
    entered = told.settings
    integration = {
        "name": "Warmline",
        "type": "http",
        "http": {
            "url": address,
            "method": "POST",
            "headers": {SECRET_HEADER: entered["webhook_secret"]},
            "request_content_type": "application/json",
            "response_content_type": "application/json",
            "triggers": dict.fromkeys(TRIGGERS, True),
            "form": dict(TEMPLATE),
        },
    }
    login = aiohttp.BasicAuth(entered["account_email"], entered["api_key"])
    async with session.post("/api/integrations", json=integration, auth=login) as answer:
        answer.raise_for_status()


async def set_ladder(node: Node, demo: DemoFile, desks: Sequence[SimulatedDesk]) -> None:
    """``desks`` stand before everything else on the widget's ladder, and those of earlier starts are taken off."""
    widget = await node.widgets.read(demo.widget_id)
    before = {step.connection_id: step for step in widget.ladder}
    simulated = {one.connection_id for one in (*demo.every_desk.values(), *(desk.as_kept for desk in desks))}
    first = [before.get(desk.connection_id) or _step(desk) for desk in desks]
    rest = [step for step in widget.ladder if step.connection_id not in simulated]
    ladder = (*first, *rest)
    if ladder != widget.ladder:
        await node.widgets.update(msgspec.structs.replace(widget, ladder=ladder))


async def switch_off(node: Node, gone: Iterable[DemoDesk]) -> None:
    """Their simulators do not run this time: nobody has to be told that they do not answer."""
    for one in gone:
        found = node.connections.find(one.connection_id)
        if found is not None and found.enabled:
            await node.connections.disable(SYSTEM, one.connection_id)


def _step(desk: SimulatedDesk) -> LadderStep:
    text = "" if desk.kind == _TICKETS else _WAITING
    return LadderStep(connection_id=desk.connection_id, text=text, payload=desk.payload)
