"""The demo: a shop with the widget, the console, and a sample CRM as a process of its own, in one start."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import dataclasses
import os
import secrets
import signal
import socket
import sys
from importlib import resources
from pathlib import Path

import msgspec
import structlog

from warmline.accounts.access import KEY_SCOPES, SYSTEM
from warmline.accounts.model import NewKey, Role
from warmline.app import Node
from warmline.conversations.widgets import LadderStep, Look, Widget
from warmline.journal.journal import tune_process
from warmline.kernel.errors import Unavailable
from warmline.platform.settings import Settings
from warmline.web.shop.pages import Places, Shop

log = structlog.get_logger(__name__)

FILE = "demo.json"
CRM_FILE = "sample-crm.json"
EMAIL = "founder@lumen.example"
_CRM_PORTS = range(8090, 8190)
_KEY_LABEL = "Demo"
_NAME = "Robin Founder"


class DemoFile(msgspec.Struct, kw_only=True):
    """What a script needs to drive the demo; ``demo.json`` in the data folder, readable by its owner only."""

    base_url: str
    widget_id: str
    bot_id: str
    connection_id: str
    desk_connection_id: str
    api_key: str
    v1_api_key: str
    crm_url: str
    console_email: str
    console_password: str
    signing_secret: str


def run_demo(settings: Settings) -> None:
    """Run the demo until Ctrl-C or SIGTERM.  Raises Unavailable when the port is taken."""
    import uvloop  # noqa: PLC0415 - only a running server needs it

    uvloop.run(_main(settings))


async def _main(settings: Settings) -> None:
    _check_port(settings.host, settings.port)
    known = _read(settings.data / FILE)
    port = _crm_port(known)
    target = f"127.0.0.1:{port}"
    settings = dataclasses.replace(
        settings,
        # Exactly the process that this demo starts, and nothing else on this machine.
        allow_private_targets=(*settings.allow_private_targets, target),
    )
    async with Node(settings) as node:
        demo = await _seed(node, known, f"http://{target}")
        _write(settings.data / FILE, demo)
        stopping = asyncio.Event()
        shop = Shop(Places(public_url=demo.base_url, widget_id=demo.widget_id, crm_url=demo.crm_url))
        server = await node.open_web(ready=lambda _address: _announce(demo), more=shop.routes(), warm=True)
        crm = asyncio.create_task(_keep_crm(demo, settings.data, port, stopping), name="sample-crm")
        tune_process()
        try:
            await server.serve()
        finally:
            stopping.set()
            await crm


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
    wanted = [int(known.crm_url.rsplit(":", 1)[1])] if known else []
    named = os.environ.get("CRM_PORT", "")
    if named.isascii() and named.isdigit() and 0 < int(named) < 65_536:
        wanted.insert(0, int(named))
    for port in [*wanted, *_CRM_PORTS]:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return int(port)
    raise Unavailable("There is no free port between 8090 and 8189 for the sample CRM.")


# -- what the demo consists of -----------------------------------------------------------------------------------


async def _seed(node: Node, known: DemoFile | None, crm_url: str) -> DemoFile:
    """Make what is missing, and bring addresses up to date: a second start finds everything as it was."""
    if known is not None and node.connections.find(known.connection_id) is not None:
        return await _refresh(node, known, crm_url)
    base = node.settings.public_url
    password = secrets.token_urlsafe(9)
    script = (resources.files("warmline.bots") / "scripts" / "default.toml").read_text(encoding="utf-8")
    bot = await node.bots.create(name="Lumi", script=script)
    crm = await node.connections.create(
        SYSTEM,
        kind="customcrm",
        name="Sample CRM",
        # Rich: the agent sees what was said before, and on which page.
        settings={"webhook_url": f"{crm_url}/webhook", "profile": "rich"},
        bot_ids=[bot.id],
    )
    desk = await node.connections.create(SYSTEM, kind="builtin", name="Our own desk", settings={}, bot_ids=[bot.id])
    widget = await node.widgets.create(
        Widget(
            id="",
            name="Lumen & Oak shop",
            bot_id=bot.id,
            allowed_origins=(base,),
            ladder=(
                LadderStep(connection_id=crm.connection.id, text="One moment, I am looking for a colleague."),
                LadderStep(connection_id=desk.connection.id, text="I am asking another team. Thank you for waiting."),
            ),
            look=Look(title="Lumen & Oak", subtitle="We are here for you", bot_name="Lumi"),
        )
    )
    wire = await _key(node, kind="wire", connection_id=crm.connection.id)
    api = await _key(node, kind="v1", connection_id=None)
    email = await _member(node, password)
    return DemoFile(
        base_url=base,
        widget_id=widget.id,
        bot_id=bot.id,
        connection_id=crm.connection.id,
        desk_connection_id=desk.connection.id,
        api_key=wire.token,
        v1_api_key=api.token,
        crm_url=crm_url,
        console_email=email,
        console_password=password,
        signing_secret=crm.secrets.get("signing_secret", ""),
    )


async def _member(node: Node, password: str) -> str:
    """An administrator with that password.  Members of an earlier start, whose file is gone, stay as they are."""
    if not await node.accounts.has_members():
        await node.accounts.sign_up_first_member(EMAIL, _NAME, password)
        return EMAIL
    email = EMAIL.replace("@", f"-{secrets.token_hex(3)}@")
    await node.accounts.create_member(SYSTEM, email, _NAME, Role.ADMIN, password)
    return email


async def _refresh(node: Node, known: DemoFile, crm_url: str) -> DemoFile:
    base = node.settings.public_url
    if known.crm_url != crm_url:
        await node.connections.update(SYSTEM, known.connection_id, settings={"webhook_url": f"{crm_url}/webhook"})
    if known.base_url != base:
        widget = await node.widgets.read(known.widget_id)
        origins = tuple(dict.fromkeys((*widget.allowed_origins, base)))
        await node.widgets.update(msgspec.structs.replace(widget, allowed_origins=origins))
    return msgspec.structs.replace(known, base_url=base, crm_url=crm_url)


async def _key(node: Node, *, kind: str, connection_id: str | None) -> NewKey:
    if kind == "wire":
        return await node.api_keys.create(SYSTEM, kind="wire", label=_KEY_LABEL, connection_id=connection_id)
    return await node.api_keys.create(SYSTEM, kind="v1", label=_KEY_LABEL, scopes=[scope.value for scope in KEY_SCOPES])


# -- the file ----------------------------------------------------------------------------------------------------


def _read(path: Path) -> DemoFile | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=DemoFile)
    except (OSError, msgspec.MsgspecError):
        return None


def _write(path: Path, demo: DemoFile) -> None:
    fresh = path.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(demo), indent=2) + b"\n")
    fresh.replace(path)


# -- the sample CRM ----------------------------------------------------------------------------------------------


def _crm_program() -> Path | None:
    """The example's file: it lies beside the package in a checkout, and is not part of an installed package."""
    path = Path(__file__).parents[2] / "examples" / "custom_crm" / "crm.py"
    return path if path.is_file() else None


async def _keep_crm(demo: DemoFile, data: Path, port: int, stopping: asyncio.Event) -> None:
    """Run the sample CRM as a process of its own, again when it ends, until the demo stops."""
    program = _crm_program()
    if program is None:
        log.warning("demo.no_crm", detail="The sample CRM is not here; handovers go to our own desk.")
        return
    while not stopping.is_set():
        # Keys travel in the environment: arguments can be read by every user of the machine.
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(program),
            env={
                **os.environ,
                "CRM_WARMLINE_URL": demo.base_url,
                "CRM_API_KEY": demo.api_key,
                "CRM_BOT_ID": demo.bot_id,
                "CRM_SIGNING_SECRET": demo.signing_secret,
                "CRM_PORT": str(port),
                "CRM_FILE": str(data / CRM_FILE),
            },
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )
        ended = asyncio.create_task(process.wait())
        told = asyncio.create_task(stopping.wait())
        await asyncio.wait({ended, told}, return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        if not ended.done():
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(ended), 5)
            if process.returncode is None:
                process.kill()
                await ended
            return
        log.warning("demo.crm_ended", code=process.returncode)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), 1)


def _die_with_parent() -> None:
    """A demo that is killed must not leave its CRM behind, holding the port.  Linux can see to that."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def _announce(demo: DemoFile) -> None:
    lines = (
        "",
        "  Warmline is running.",
        "",
        f"  Shop with the widget   {demo.base_url}/",
        f"  Sample CRM (agent)     {demo.crm_url}/",
        f"  Console                {demo.base_url}/console",
        f"    e-mail               {demo.console_email}",
        f"    password             {demo.console_password}",
        f"  API reference          {demo.base_url}/api/reference",
        "",
        "  Open the shop and the sample CRM side by side, start a chat and ask for a person.",
        "  Ctrl-C stops everything.",
        "",
    )
    print("\n".join(lines), flush=True)  # noqa: T201 - the demo speaks to whoever started it
