"""One temporary folder per test run, shared by the xdist workers, and the servers that live in it.

The process that started pytest makes the folder and, at its end, stops every server noted there.  A worker that needs
a server starts it under a file lock, unless another worker already has.  When a run is killed, the next one finds its
folder and stops what was left running.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

VARIABLE = "WARMLINE_TEST_RUN_FOLDER"
_PREFIX = "warmline-tests-"
_MEMORY = Path("/dev/shm")
_ROOM = 4 << 30
"""Bytes that must be free there; a run needs less than one GiB."""


class RunFolder:
    """The folder at ``path``; ``servers/`` holds one note ``{"pid", "url"}`` per running server."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notes = path / "servers"

    @classmethod
    def make(cls) -> RunFolder:
        """A new folder, named by this process; workers find it through the environment."""
        _clear_leftovers()
        path = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=find_place()))
        path.chmod(0o755)  # PostgreSQL, started by root, runs as another user
        (path / "servers").mkdir()
        os.environ[VARIABLE] = str(path)
        return cls(path)

    @classmethod
    def current(cls) -> RunFolder:
        """The folder of the run this process belongs to."""
        return cls(Path(os.environ[VARIABLE]))

    @contextlib.contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Only one process of the run at a time."""
        with (self.path / f"{name}.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def server(self, name: str, start: Callable[[Path], tuple[int, str]]) -> str:
        """The address of the server ``name``; ``start(folder) -> (pid, url)`` is called once per run."""
        note = self.notes / f"{name}.json"
        with self.lock(name):
            if not note.exists():
                folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.path))
                folder.chmod(0o755)
                pid, url = start(folder)
                note.write_text(json.dumps({"pid": pid, "url": url}))
            url = json.loads(note.read_text())["url"]
        assert isinstance(url, str)
        return url

    def remove(self) -> None:
        """Stop every server of the run and delete the folder."""
        running = [json.loads(note.read_text())["pid"] for note in self.notes.glob("*.json")]
        for pid in running:
            _stop(pid, self.path)
        shutil.rmtree(self.path, ignore_errors=True)
        os.environ.pop(VARIABLE, None)


def find_place() -> Path:
    """Where the files of a run lie: in memory, where there is room for them and programs may be started from there."""
    if _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK | os.X_OK):
        found = os.statvfs(_MEMORY)
        if found.f_bavail * found.f_frsize >= _ROOM and not found.f_flag & os.ST_NOEXEC:
            return _MEMORY
    return Path(tempfile.gettempdir())


def _stop(pid: int, folder: Path) -> None:
    """Stop the server ``pid`` if it still is the one that was started in ``folder``; return when it is gone."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        if str(folder) not in " ".join(process.cmdline()):
            return
        process.send_signal(signal.SIGINT)  # PostgreSQL: fast shutdown; NATS: stop
        try:
            process.wait(10)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(10)


def _clear_leftovers() -> None:
    """Stop and delete what runs that were killed left behind."""
    for path in find_place().glob(f"{_PREFIX}*-*"):
        owner = path.name.removeprefix(_PREFIX).partition("-")[0]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            with contextlib.suppress(OSError, ValueError):
                RunFolder(path).remove()
