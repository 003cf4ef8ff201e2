"""A real NATS server for tests, from the binary of a package."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sysconfig
import time
from pathlib import Path

import psutil


def start(folder: Path, port: int = -1) -> tuple[int, str]:
    """Start a server on ``port`` of the loopback (-1: a free one), its files in ``folder``; returns pid and address."""
    program = shutil.which("nats-server", path=sysconfig.get_path("scripts")) or shutil.which("nats-server")
    if program is None:
        raise RuntimeError("nats-server is not installed; `make test` installs it, or set WARMLINE_TEST_NATS_URL")
    # Started through a shell, the server is nobody's child: it outlives the worker that needed it first.
    arguments = ["-a", "127.0.0.1", "-p", str(port), "--ports_file_dir", str(folder), "-l", str(folder / "log")]
    shell = ["/bin/sh", "-c", '"$@" >/dev/null 2>&1 & echo $!', "sh", program, *arguments]
    said = subprocess.run(shell, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True, timeout=20)
    pid = int(said.stdout)
    ports = folder / f"{Path(program).name}_{pid}.ports"
    until = time.monotonic() + 20
    while not (ports.exists() and ports.read_text().strip()):
        if time.monotonic() > until or not _alive(pid):
            raise RuntimeError(f"nats-server did not start: {(folder / 'log').read_text()}")
        time.sleep(0.005)  # the server says that it is ready by writing this file, and in no other way
    url = json.loads(ports.read_text())["nats"][0]
    assert isinstance(url, str)
    return pid, url


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


class OwnServer:
    """A NATS server of one test, which may be stopped and started again under the same address."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: psutil.Process | None = None
        self._starts = 0
        self.url = ""

    def start(self) -> str:
        """Start it, the second time on the same port; returns its address."""
        self._starts += 1
        folder = self._folder / f"nats-{self._starts}"
        folder.mkdir()
        pid, self.url = start(folder, int(self.url.rpartition(":")[2]) if self.url else -1)
        self._process = psutil.Process(pid)
        return self.url

    def stop(self) -> None:
        """Kill it, if it runs."""
        if self._process is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                self._process.kill()
                self._process.wait(10)
            self._process = None
