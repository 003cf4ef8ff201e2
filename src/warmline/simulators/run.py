"""``warmline simulate``: one simulator in the foreground, with human patience."""

from __future__ import annotations

import asyncio
import contextlib
import signal

from warmline.kernel.errors import Invalid, NotFound, Unavailable
from warmline.simulators.base import Simulator
from warmline.simulators.registry import SIMULATORS, Listed
from warmline.simulators.script import PATIENT, Script

_HIGHEST_PORT = 65_535


def listing() -> list[str]:
    """A line per simulator, with the port it takes unless told otherwise."""
    width = max(len(name) for name in SIMULATORS)
    return [f"  {name:<{width}}  {one.port}  {one.title}: {one.what}" for name, one in SIMULATORS.items()]


def run(name: str, *, host: str, port: int | None, webhook_url: str) -> None:
    """Run until Ctrl-C or SIGTERM.  Raises NotFound, Invalid or Unavailable with a sentence for the operator."""
    listed = SIMULATORS.get(name)
    if listed is None:
        raise NotFound(f"There is no simulator called {name!r}. There are: {', '.join(SIMULATORS)}.")
    if port is not None and not 0 <= port <= _HIGHEST_PORT:
        raise Invalid(f"A port is a number up to {_HIGHEST_PORT}.", path="--port")
    if webhook_url and not webhook_url.startswith(("http://", "https://")):
        raise Invalid("The webhook's address begins with http:// or https://.", path="--webhook-url")
    asyncio.run(_serve(listed, host, listed.port if port is None else port, webhook_url))


async def _serve(listed: Listed, host: str, port: int, webhook_url: str) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    simulator = listed.load()
    script = Script(waits=PATIENT)
    async with contextlib.AsyncExitStack() as stack:
        try:
            vendor = await stack.enter_async_context(
                simulator.running(host=host, port=port, script=script, webhook_url=webhook_url)
            )
        except OSError as error:
            raise Unavailable(
                f"{host}:{port} cannot be used: {error.strerror or error}. Another port: --port."
            ) from error
        for line in announcement(vendor, webhook_url):
            print(line, flush=True)  # noqa: T201 - what the operator waits for
        await stopping.wait()


def announcement(vendor: Simulator, webhook_url: str) -> list[str]:
    """Where it is, and what to enter elsewhere."""
    board = vendor.board()
    rows = board.credentials()
    width = max(len(one.label) for one in rows)
    target = vendor.url.partition("://")[2]
    payload = board.payload()
    lines = [
        f"Simulated {vendor.title}. Be its agent at {vendor.url}/",
        "",
        f"Enter in Warmline, Connections, {vendor.title}:",
        *(f"  {one.label:<{width}}  {one.value}" for one in rows if one.setting),
        *(["and as the payload of a rung, if you like:", f"  {payload}"] if payload else []),
        *(["Good to know:"] if any(not one.setting for one in rows) else []),
        *(f"  {one.label:<{width}}  {one.value}" for one in rows if not one.setting),
        "",
        f"Start Warmline with WARMLINE_ALLOW_PRIVATE_TARGETS={target}, or it will not call this address.",
    ]
    if not vendor.sends_webhooks:
        lines.append("It sends no webhooks: there is no address to enter here.")
    elif webhook_url:
        lines.append(f"Webhooks go to {webhook_url}")
    else:
        lines.append("No webhooks yet: set on the page (or with --webhook-url) the address that the connection shows.")
    if vendor.about_webhooks:
        lines.append(vendor.about_webhooks)
    return [*lines, "Nothing here is kept. Ctrl-C ends it."]
