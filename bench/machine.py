"""Cores, file limits, memory, and child processes on their own core."""

from __future__ import annotations

import asyncio
import contextlib
import os
import platform
import resource
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bench.wires import Call


def cores() -> tuple[set[int], set[int]]:
    """The core of the server and the cores of everything else; the same one where there is only one."""
    have = sorted(os.sched_getaffinity(0))
    return ({have[0]}, set(have[1:])) if len(have) > 1 else (set(have), set(have))


def raise_file_limit() -> int:
    """Lift the soft limit of open files to the hard one; the limit."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def resident_kib(pid: int) -> int:
    """Memory of a process that is its own (PSS where the kernel tells it, else RSS), in KiB."""
    for name, field in ((f"/proc/{pid}/smaps_rollup", "Pss:"), (f"/proc/{pid}/status", "VmRSS:")):
        with contextlib.suppress(OSError):
            for line in Path(name).read_text().splitlines():
                if line.startswith(field):
                    return int(line.split()[1])
    raise RuntimeError("this system does not tell how much memory a process has")


def cpu_seconds(pid: int) -> float:
    """What a process has used of its core, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def kernel_slab_kib() -> int:
    """Memory of the kernel's own objects (sockets, above all), in KiB."""
    return sum(
        int(line.split()[1])
        for line in Path("/proc/meminfo").read_text().splitlines()
        if line.startswith(("SUnreclaim:",))
    )


def describe() -> str:
    """The machine in one line."""
    model = "unknown processor"
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} × {model}, Python {platform.python_version()}, load before the start {load:.1f}"


class Child:
    """A server process pinned to the server's core."""

    def __init__(self, pid: int, port: int, process: asyncio.subprocess.Process, started: float) -> None:
        self.pid = pid
        self.port = port
        self.process = process
        self.started = started


@asynccontextmanager
async def child(*arguments: str, port: int, ready: str, environment: dict[str, str], log: Path) -> AsyncIterator[Child]:
    """``python -m …`` on the server's core, ready when ``ready`` answers 200; ended by SIGTERM."""
    own, _rest = cores()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("WARMLINE_")}
    begun = time.perf_counter()
    with log.open("ab") as said:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", *arguments, env=inherited | environment, stdin=-3, stdout=said, stderr=said
        )
    os.sched_setaffinity(process.pid, own)
    try:
        await _until_ready(port, ready, process, log)
        yield Child(process.pid, port, process, time.perf_counter() - begun)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), 20)
            except TimeoutError:
                process.kill()
                await process.wait()


async def _until_ready(port: int, path: str, process: asyncio.subprocess.Process, log: Path) -> None:
    request = f"GET {path} HTTP/1.1\r\nhost: bench\r\n\r\n".encode()
    async with asyncio.timeout(60):
        while True:
            if process.returncode is not None:
                raise RuntimeError(f"the server did not start:\n{log.read_text(errors='replace')[-2_000:]}")
            with contextlib.suppress(ConnectionError):
                call = await Call("127.0.0.1", port).connect()
                answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
                call.send(request, lambda status, _body, to=answer: to.done() or to.set_result(status))  # type: ignore[misc]
                status = await answer
                call.close()
                if status == 200:
                    return
            await asyncio.sleep(0.005)
