"""Processes that belong to the demo: started with it, again when they end, and stopped with it."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

import structlog

from warmline.kernel.errors import Unavailable

log = structlog.get_logger(__name__)

PORTS = range(8090, 8190)
_STOPS_WITHIN_S = 5.0
_PAUSE_S = 1.0


def free_port(wanted: Iterable[int], what: str, taken: Iterable[int] = ()) -> int:
    """The first of ``wanted`` that is free, else the first free one between 8090 and 8189.  Raises Unavailable."""
    refused = set(taken)
    for port in [*wanted, *PORTS]:
        if port in refused:
            continue
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return int(port)
    raise Unavailable(f"There is no free port between {PORTS[0]} and {PORTS[-1]} for {what}.")


async def keep(
    name: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    stopping: asyncio.Event,
    started: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Run Python with ``arguments``, again when it ends, until ``stopping``; ``started`` is called beside each run."""
    while not stopping.is_set():
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            # Keys travel in the environment: arguments can be read by every user of the machine.
            env=dict(environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )
        ended = asyncio.create_task(process.wait())
        told = asyncio.create_task(stopping.wait())
        beside = asyncio.create_task(_beside(name, started))
        await asyncio.wait({ended, told}, return_when=asyncio.FIRST_COMPLETED)
        for task in (told, beside):
            task.cancel()
        await asyncio.wait({beside})
        if not ended.done():
            await _stop(process, ended)
            return
        log.warning("demo.process_ended", name=name, code=process.returncode)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), _PAUSE_S)


async def _beside(name: str, started: Callable[[], Awaitable[None]] | None) -> None:
    if started is None:
        return
    try:
        await started()
    except Exception:
        log.warning("demo.process_not_met", name=name, exc_info=True)


async def _stop(process: asyncio.subprocess.Process, ended: asyncio.Task[int]) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asyncio.shield(ended), _STOPS_WITHIN_S)
    if process.returncode is None:
        process.kill()
        await ended


def _die_with_parent() -> None:
    """A demo that is killed must not leave others behind, holding their ports.  Linux can see to that."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
