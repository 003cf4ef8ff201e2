"""The ``warmline`` command in processes: started as a stranger starts it, or forked from one that has loaded it.

A fork runs the same ``main`` with its own environment, folder, output and exit code; only Python's start and the
loading of the program, which take most of a second, are done once for all of them.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
from pathlib import Path

WITHIN_S = 50
_LOADED = [
    "uvloop",
    "warmline.accounts.audit_diagnosis",
    "warmline.app",
    "warmline.cli",
    "warmline.demo",
    "warmline.platform.diagnosis",
    "warmline.platform.log",
    "warmline.platform.migrations.steps",
]


def start(*arguments: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Start ``python -m warmline`` in ``folder`` with nothing set but ``variables``."""
    return subprocess.run(
        [sys.executable, "-m", "warmline", *arguments],
        cwd=folder,
        env=_environment(variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=WITHIN_S,
    )


def fork(*arguments: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """As start(), in a fork of a process that has the program loaded and has run nothing of it."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_LOADED)
    with tempfile.TemporaryDirectory() as place:
        out, err = Path(place, "out"), Path(place, "err")
        wanted = (arguments, str(folder), _environment(variables), str(out), str(err))
        process = context.Process(target=_run, args=wanted)
        process.start()
        process.join(WITHIN_S)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(["warmline", *arguments], WITHIN_S)
        code = process.exitcode
        process.close()
        return subprocess.CompletedProcess(arguments, code, out.read_text("utf-8"), err.read_text("utf-8"))


def _environment(variables: dict[str, str]) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("WARMLINE_")}
    return {**inherited, "COLUMNS": "200", **variables}


def _run(arguments: tuple[str, ...], folder: str, environment: dict[str, str], out: str, err: str) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for descriptor, path in ((0, os.devnull), (1, out), (2, err)):
        opened = os.open(path, os.O_RDONLY if descriptor == 0 else os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(opened, descriptor)
        os.close(opened)
    from warmline.cli import main

    sys.argv = ["warmline", *arguments]
    sys.exit(main(arguments))
