"""What is measured, in order.  Every stage starts what it needs and returns its rows."""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support import postgres

from bench import widgets
from bench.load import Measured, closed_loop, connections
from bench.machine import Child, child, cpu_seconds, free_port, kernel_slab_kib, resident_kib
from bench.seed import Town, environment, furnish, message
from bench.table import Row
from bench.wires import Call, Sink, post
from warmline.kernel.ids import uuid7
from warmline.web.api.wire import AGENT_PATH

NAMES = ("floors", "events", "widgets", "postgres", "start")
CONNECTIONS = 64
GOALS_FLOOR = 21_300
"""Bare group commits per second on one core where the goals were set."""
STORED = 10_000
CONNECTED = 2_000
_TEXT = "We have found your parcel; it will be with you tomorrow before noon."


@dataclass
class Plan:
    """``widgets``: how many connect; ``seconds``: length of a round; ``floors``: filled by the first stage."""

    folder: Path
    widgets: int
    seconds: float
    only: frozenset[str]
    notes: list[str]
    floors: dict[str, Measured] = field(default_factory=dict)
    heard: Callable[[bytes], None] = lambda _body: None

    def hear(self, heard: Callable[[bytes], None]) -> None:
        """Who is told of the calls to the CRM."""
        self.heard = heard

    def told(self, body: bytes) -> None:
        """A call to the CRM."""
        self.heard(body)

    def floor(self, kind: str) -> float | None:
        """Requests per second of a floor, when it was measured."""
        return self.floors[kind].rate if kind in self.floors else None


async def run(plan: Plan) -> list[Row]:
    """Everything that was asked for."""
    rows: list[Row] = []
    loop = asyncio.get_running_loop()
    crm = await loop.create_server(lambda: Sink(plan.told), "127.0.0.1", 0)
    crm_port = crm.sockets[0].getsockname()[1]
    stages = {"floors": floors, "events": _embedded, "widgets": _embedded, "postgres": cluster, "start": starts}
    done: set[object] = set()
    for name, stage in stages.items():
        if name in plan.only and stage not in done:
            done.add(stage)
            rows += await stage(plan, crm_port)
    crm.close()
    return rows


# ------------------------------------------------------------------------------------------------------- floors
async def floors(plan: Plan, _crm_port: int) -> list[Row]:
    """The client alone, uvicorn alone, uvicorn with a bare group commit."""
    rows = []
    words = {
        "canned": "floor: this client against a fixed answer",
        "echo": "floor: raw ASGI echo",
        "commit": "floor: raw ASGI, one appended row per request, group commit (SQLite)",
    }
    for kind, what in words.items():
        port = free_port()
        arguments = ("bench.floors", kind, str(port), str(plan.folder))
        async with child(*arguments, port=port, ready="/", environment={}, log=plan.folder / "log") as server:
            body = message(uuid7(), _TEXT, uuid7())
            request = post(AGENT_PATH, body, {"authorization": "x" * 50, "botid": "a" * 24})
            plan.floors[kind] = await _closed(server, lambda request=request: request, plan.seconds / 2)  # type: ignore[misc]
        rows.append(_rate_row(what, plan.floors[kind]))
    here = plan.floors["commit"].rate
    plan.notes.append(
        f"The goals were set on a machine whose bare group commit did {GOALS_FLOOR:,}/s; this one does {here:,.0f}/s,"
        f" {here / GOALS_FLOOR:.2f} of it. Compare ratios."
    )
    return rows


async def _closed(server: Child, request: Callable[[], bytes], seconds: float) -> Measured:
    calls = await connections(server.port, CONNECTIONS)
    await closed_loop(calls, request, 0.5, warm_s=0.5)
    before = cpu_seconds(server.pid)
    measured = await closed_loop(calls, request, seconds, warm_s=0.0)
    measured.cpu_us = (cpu_seconds(server.pid) - before) * 1e6 / max(1, len(measured.latencies))
    for call in calls:
        call.close()
    return measured


def _rate_row(what: str, measured: Measured, **bounds: float | None) -> Row:
    details = f"p50 {measured.at(50):.1f} ms, p99 {measured.at(99):.1f} ms; {measured.cpu_us:.0f} µs of its core each"
    if measured.bad:
        details += f"; other answers: {measured.bad}"
    return Row(what=what, value=measured.rate, unit="/s", details=details, **bounds)  # type: ignore[arg-type]


# ---------------------------------------------------------------------------------------------- the embedded store
async def _embedded(plan: Plan, crm_port: int) -> list[Row]:
    data = plan.folder / "embedded"
    port = free_port()
    variables = environment(data, port, crm_port)
    town = await furnish(variables, crm_port, stored=STORED, connected=max(CONNECTED, plan.widgets))
    rows: list[Row] = []
    async with _server(plan, variables, port) as server:
        if "events" in plan.only:
            rows += await _events(plan, town, server, "SQLite", goal=10_000, never=5_000)
        if "widgets" in plan.only:
            rows += await _widgets(plan, town, server)
    return rows


@asynccontextmanager
async def _server(plan: Plan, variables: dict[str, str], port: int) -> AsyncIterator[Child]:
    log = plan.folder / "log"
    async with child("warmline", "serve", port=port, ready="/readyz", environment=variables, log=log) as server:
        yield server


async def _events(plan: Plan, town: Town, server: Child, store: str, *, goal: float, never: float) -> list[Row]:
    def request() -> bytes:
        conversation = town.connected[random.randrange(CONNECTED)]
        return post(AGENT_PATH, message(conversation, _TEXT, uuid7()), town.headers)

    measured = await _closed(server, request, plan.seconds)
    floor = plan.floor("commit") if store == "SQLite" else plan.floor("echo")
    what = f"agent events accepted, decided, committed ({store}, one core)"
    return [_rate_row(what, measured, floor=floor, goal=goal, never=never)]


async def _widgets(plan: Plan, town: Town, server: Child) -> list[Row]:
    count = plan.widgets
    await _until_quiet(server.pid)
    before, slab = resident_kib(server.pid), kernel_slab_kib()
    crowd = widgets.Crowd(town, server.port)
    handshakes = await crowd.connect(count)
    await _until_quiet(server.pid)
    each = (resident_kib(server.pid) - before) / count
    kernel = (kernel_slab_kib() - slab) / count
    rows = [
        Row(
            what="idle widgets per GiB",
            value=1_048_576 / each,
            unit="",
            goal=30_000,
            never=20_000,
            details=f"{each:.1f} KiB each in the process; kernel, both ends, about {kernel:.1f} KiB; {count:,} connected",
        )
    ]
    screens = await widgets.to_screens(crowd, 1_000, plan.seconds)
    rows += _latency_rows(f"agent → screen at 1,000/s, {count:,} widgets", screens, (1, 5, 20))
    crm = await widgets.to_crm(crowd, plan.hear, 1_000, plan.seconds)
    rows += _latency_rows("visitor → CRM at 1,000/s", crm, (2, 10, 50))
    crowd.vanish()
    await _speak_to_all(crowd, town, server)
    crowd.gaps = 0
    seconds = await crowd.connect(count)
    scale = 10_000 / count
    rows.append(
        Row(
            what="10,000 widgets reconnect, gap-free",
            value=seconds * scale,
            unit="s",
            goal=5,
            never=15,
            more_is_better=False,
            details=f"{count:,} in {seconds:.2f} s, scaled; {crowd.gaps} gaps; first time {handshakes:.2f} s",
        )
    )
    crowd.vanish()
    return rows


async def _speak_to_all(crowd: widgets.Crowd, town: Town, server: Child) -> None:
    """One message to every widget that is away, so that coming back has something to bring."""
    todo = list(town.connected[: len(crowd.since)])
    calls = await connections(server.port, CONNECTIONS)

    async def run(call: Call) -> None:
        while todo:
            answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            call.send(
                post(AGENT_PATH, message(todo.pop(), _TEXT), town.headers),
                lambda status, _body, to=answer: to.set_result(status),  # type: ignore[misc]
            )
            if await answer != 200:
                raise RuntimeError("an agent's message was refused")

    await asyncio.gather(*(run(call) for call in calls))


def _latency_rows(what: str, measured: Measured, bounds: tuple[float, float, float]) -> list[Row]:
    p50_goal, p99_goal, never = bounds
    lost = f"; other outcomes: {measured.bad}" if measured.bad else ""
    details = f"{len(measured.latencies):,} events{lost}"
    half = Row(what=f"{what}, p50", value=measured.at(50), unit="ms", goal=p50_goal, never=never, more_is_better=False)
    return [
        half,
        Row(
            what=f"{what}, p99",
            value=measured.at(99),
            unit="ms",
            goal=p99_goal,
            never=never,
            more_is_better=False,
            details=details,
        ),
    ]


async def _until_quiet(pid: int) -> None:
    """Wait until the process has nothing to do (at most ten seconds)."""
    before = cpu_seconds(pid)
    for _ in range(20):
        await asyncio.sleep(0.5)
        now = cpu_seconds(pid)
        if now - before <= 0.03:
            return
        before = now


# ------------------------------------------------------------------------------------------------- the cluster's store
async def cluster(plan: Plan, crm_port: int) -> list[Row]:
    """The same events on PostgreSQL, with fsync, on the other core."""
    folder = Path(tempfile.mkdtemp(prefix="warmline-bench-"))
    folder.chmod(0o755)
    try:
        pid, url = await asyncio.to_thread(postgres.start, folder, fsync="on", full_page_writes="on")
    except (RuntimeError, OSError) as error:
        plan.notes.append(f"PostgreSQL was not measured: {error}")
        return []
    try:
        port = free_port()
        variables = environment(plan.folder / "cluster", port, crm_port, database_url=postgres.create(url, "bench"))
        town = await furnish(variables, crm_port, stored=STORED, connected=CONNECTED)
        async with _server(plan, variables, port) as server:
            return await _events(plan, town, server, "PostgreSQL", goal=12_000, never=8_000)
    finally:
        await asyncio.to_thread(postgres.stop, pid)
        shutil.rmtree(folder, ignore_errors=True)


# ----------------------------------------------------------------------------------------------------------- starting
async def starts(plan: Plan, crm_port: int) -> list[Row]:
    """Cold start on a migrated store, and the memory of a server that has nothing to do."""
    data = plan.folder / "start"
    port = free_port()
    variables = environment(data, port, crm_port)
    seconds = []
    memory = 0
    for _ in range(4):
        async with _server(plan, variables, port) as server:
            seconds.append(server.started)
            await _until_quiet(server.pid)
            memory = resident_kib(server.pid)
    best = sorted(seconds[1:])[1]
    return [
        Row(
            what="cold start (process → ready)",
            value=best,
            unit="s",
            goal=1,
            never=2,
            more_is_better=False,
            details=f"median of three; the first, with a new store, {seconds[0]:.2f} s",
        ),
        Row(
            what="idle memory",
            value=memory / 1_024,
            unit="MB",
            goal=120,
            never=200,
            more_is_better=False,
        ),
    ]
