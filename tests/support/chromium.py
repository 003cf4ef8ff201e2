"""Find a Chromium on this machine, or install one where that is a matter of one command."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.support.run_folder import RunFolder

_NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "microsoft-edge",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
INSTALL = "install Chromium or set WARMLINE_CHROMIUM to the path of one"


def find() -> str | None:
    """The path of a Chromium: the one named by WARMLINE_CHROMIUM, else the first known name."""
    named = os.environ.get("WARMLINE_CHROMIUM")
    if named:
        return shutil.which(named)
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


def find_or_install(run: RunFolder) -> str | None:
    """As find(); for root on Debian or Ubuntu, installs the package once per run when there is none."""
    path = find()
    if path or os.environ.get("WARMLINE_CHROMIUM") or not _can_install():
        return path
    with run.lock("chromium"):
        tried = run.path / "chromium.tried"
        if not tried.exists():
            tried.touch()
            quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            for command in (["update", "-qq"], ["install", "-qq", "-y", "--no-install-recommends", "chromium"]):
                subprocess.run(
                    ["apt-get", *command],
                    env=quiet,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    check=False,
                    timeout=600,
                )
    return find()


def _can_install() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None and Path("/etc/debian_version").exists()
