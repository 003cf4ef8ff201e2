"""A real ``warmline serve`` in a process of its own, to be stopped politely or killed."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

START_S = 90.0


class Serving:
    """One address at which a server runs, dies, and runs again.  What it says goes to ``log``."""

    def __init__(self, environment: dict[str, str], port: int, log: Path, *, largest_file: int = 0) -> None:
        self.base = f"http://127.0.0.1:{port}"
        self.log = log
        self.starts = 0
        self._environment = environment | {"WARMLINE_PORT": str(port)}
        self._largest_file = largest_file
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """The running process."""
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        """Start it and return when it is ready for requests."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("WARMLINE_")}
        with self.log.open("ab") as said:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "warmline",
                "serve",
                env=inherited | self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                cwd=self.log.parent,
            )
        if self._largest_file:
            resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (self._largest_file, resource.RLIM_INFINITY))
        self.starts += 1
        await self._until_ready()

    async def _until_ready(self) -> None:
        assert self._process is not None
        async with aiohttp.ClientSession() as http, asyncio.timeout(START_S):
            while True:
                if self._process.returncode is not None:
                    raise RuntimeError(f"the server did not start: {self.said()}")
                try:
                    async with http.get(f"{self.base}/readyz") as reply:
                        if reply.status == 200:
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.02)  # a port that nobody listens on cannot be waited for

    async def kill(self) -> None:
        """SIGKILL: nothing is finished, nothing is said."""
        assert self._process is not None
        self._process.kill()
        await self._process.wait()

    async def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(30):
            return await self._process.wait()

    def set_largest_file(self, size: int) -> None:
        """How large a file may grow, from now on (bytes); 0 for no limit: a disk that fills up and is emptied."""
        limit = size or resource.RLIM_INFINITY
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

    def said(self) -> str:
        """The end of what it has logged."""
        return self.log.read_text(errors="replace")[-4_000:]


@asynccontextmanager
async def serving(environment: dict[str, str], port: int, log: Path) -> AsyncIterator[Serving]:
    """A running server; killed at the end if it still runs."""
    server = Serving(environment, port, log)
    await server.start()
    try:
        yield server
    finally:
        if server._process is not None and server._process.returncode is None:
            await server.kill()
