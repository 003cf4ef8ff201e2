"""The demo's course: what is started in which order, what is printed, and what stops with it."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import socket
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
import structlog

from warmline.app import Node
from warmline.demo import file
from warmline.demo.desks import SimulatedDesk, choose_ports, chosen, set_ladder, switch_off
from warmline.demo.file import DemoFile
from warmline.demo.furnishing import furnish
from warmline.demo.processes import free_port, keep
from warmline.journal.journal import tune_process
from warmline.kernel.errors import Unavailable
from warmline.platform.settings import Settings
from warmline.simulators.registry import SIMULATORS
from warmline.web.shop.pages import DeskLink, Places, Shop

log = structlog.get_logger(__name__)

CRM_FILE = "sample-crm.json"


def run_demo(settings: Settings, desks: Iterable[str] = ()) -> None:
    """Run the demo until Ctrl-C or SIGTERM.  ``desks`` name simulators, whose helpdesks come first on the ladder.

    Raises NotFound for an unknown simulator, Unavailable when a port is taken or a simulator does not start.
    """
    import uvloop  # noqa: PLC0415 - only a running server needs it

    uvloop.run(_main(settings, chosen(desks)))


async def _main(settings: Settings, kinds: Sequence[str]) -> None:
    _check_port(settings.host, settings.port)
    known = file.read(settings.data / file.FILE)
    crm_port = _crm_port(known)
    ports = choose_ports(kinds, known, [crm_port])
    targets = [f"127.0.0.1:{port}" for port in (crm_port, *ports.values())]
    settings = dataclasses.replace(
        settings,
        # Exactly the processes that this demo starts, and nothing else on this machine.
        allow_private_targets=(*settings.allow_private_targets, *targets),
    )
    stopping = asyncio.Event()
    kept: list[asyncio.Task[None]] = []
    async with Node(settings) as node:
        demo = await furnish(node, known, f"http://127.0.0.1:{crm_port}")
        file.write(settings.data / file.FILE, demo)
        try:
            demo = await _open_desks(node, demo, ports, stopping, kept)
            file.write(settings.data / file.FILE, demo)
            places = Places(
                public_url=demo.base_url, widget_id=demo.widget_id, crm_url=demo.crm_url, desks=_links(demo)
            )
            more = Shop(places).routes()
            server = await node.open_web(ready=lambda _address: _announce(demo), more=more, warm=True)
            kept.append(asyncio.create_task(_keep_crm(demo, settings.data, stopping), name="sample-crm"))
            tune_process()
            await server.serve()
        finally:
            stopping.set()
            await asyncio.gather(*kept, return_exceptions=True)


async def _open_desks(
    node: Node, demo: DemoFile, ports: dict[str, int], stopping: asyncio.Event, kept: list[asyncio.Task[None]]
) -> DemoFile:
    """Start the simulators, connect them, and set the ladder; the file as it is then."""
    before = demo.every_desk
    desks = [
        SimulatedDesk(node, kind, port, demo.bot_id, before[kind].connection_id if kind in before else "")
        for kind, port in ports.items()
    ]
    running = [desk.start(stopping) for desk in desks]
    kept += running
    for desk, task in zip(desks, running, strict=True):
        await desk.met(task)
    gone = tuple(one for kind, one in before.items() if kind not in ports)
    await set_ladder(node, demo, desks)
    await switch_off(node, gone)
    return msgspec.structs.replace(demo, desks=tuple(desk.as_kept for desk in desks), desks_before=gone)


def _links(demo: DemoFile) -> tuple[DeskLink, ...]:
    return tuple(DeskLink(title=SIMULATORS[one.kind].title, url=one.url) for one in demo.desks)


def _check_port(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as taken:
            msg = f"Port {port} is in use. Stop what uses it, or choose another: PORT={port + 1} make run."
            raise Unavailable(msg) from taken


def _crm_port(known: DemoFile | None) -> int:
    """The port named by ``CRM_PORT`` or that of last time if it is free, else the first free one."""
    wanted = [known.crm_port] if known else []
    named = os.environ.get("CRM_PORT", "")
    if named.isascii() and named.isdigit() and 0 < int(named) < 65_536:
        wanted.insert(0, int(named))
    return free_port(wanted, "the sample CRM")


def _crm_program() -> Path | None:
    """The example's file: it lies beside the package in a checkout, and is not part of an installed package."""
    path = Path(__file__).parents[3] / "examples" / "custom_crm" / "crm.py"
    return path if path.is_file() else None


async def _keep_crm(demo: DemoFile, data: Path, stopping: asyncio.Event) -> None:
    """Run the sample CRM as a process of its own."""
    program = _crm_program()
    if program is None:
        log.warning("demo.no_crm", detail="The sample CRM is not here; handovers go to our own desk.")
        return
    environment = {
        **os.environ,
        "CRM_WARMLINE_URL": demo.base_url,
        "CRM_API_KEY": demo.api_key,
        "CRM_BOT_ID": demo.bot_id,
        "CRM_SIGNING_SECRET": demo.signing_secret,
        "CRM_PORT": str(demo.crm_port),
        "CRM_FILE": str(data / CRM_FILE),
    }
    await keep("sample-crm", [str(program)], environment, stopping)


def _announce(demo: DemoFile) -> None:
    agents = [(f"{link.title} (agent)", f"{link.url}/") for link in _links(demo)]
    first = f"the simulated {_links(demo)[0].title}" if demo.desks else "the sample CRM"
    width = max(21, *(len(label) for label, _url in agents)) if agents else 21
    rows = [
        ("Shop with the widget", f"{demo.base_url}/"),
        *agents,
        ("Sample CRM (agent)", f"{demo.crm_url}/"),
        ("Console", f"{demo.base_url}/console"),
        ("  e-mail", demo.console_email),
        ("  password", demo.console_password),
        ("API reference", f"{demo.base_url}/api/reference"),
    ]
    lines = (
        "",
        "  Warmline is running.",
        "",
        *(f"  {label:<{width}}  {value}" for label, value in rows),
        "",
        f"  Open the shop and {first} side by side, start a chat and ask for a person.",
        "  Ctrl-C stops everything.",
        "",
    )
    print("\n".join(lines), flush=True)  # noqa: T201 - the demo speaks to whoever started it
