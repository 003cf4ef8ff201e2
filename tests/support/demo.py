"""The demo as somebody starts it: ``warmline demo`` in a process of its own, which may be killed and started again."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tests.support.node import free_port

START_S = 90.0


class Demo:
    """One data folder and one port; ``file`` is its demo.json."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        # Of its own: while a killed demo is down, another one must not take the place of its CRM or its helpdesk.
        self.crm_port = free_port()
        self.desk_port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.file: dict[str, Any] = {}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *arguments: str) -> None:
        """Start it; returns when shop and CRM answer."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("WARMLINE_")}
        environment = inherited | {
            "WARMLINE_PORT": str(self.port),
            "WARMLINE_DATA": str(self.folder / "data"),
            "CRM_PORT": str(self.crm_port),
            "DESK_PORT": str(self.desk_port),
        }
        with (self.folder / "demo.log").open("ab") as said:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "warmline", "demo", *arguments],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                cwd=self.folder,
            )
            self._until_it_answers(f"{self.base}/readyz")
            self.file = json.loads((self.folder / "data" / "demo.json").read_text())
            self._until_it_answers(self.file["crm_url"])

    def _until_it_answers(self, address: str) -> None:
        deadline = time.monotonic() + START_S
        while True:
            if self._process is None or self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the demo did not start: {(self.folder / 'demo.log').read_text()[-4_000:]}")
            with contextlib.suppress(urllib.error.URLError), urllib.request.urlopen(address, timeout=5):
                return
            time.sleep(0.02)  # a port that nobody listens on cannot be waited for

    def children(self, word: str) -> list[int]:
        """The processes it started whose command line has ``word``; only where there is a Linux to ask."""
        assert self._process is not None
        pid = self._process.pid
        every = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [int(one) for one in every if word in Path(f"/proc/{one}/cmdline").read_text().split("\0")]

    def kill(self) -> None:
        """SIGKILL: nothing is finished, nothing is said."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM, if it still runs."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)
            self._process.wait(START_S)
