"""The files of the repository, as the tests of this folder see them."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_TEXT = {
    ".css",
    ".html",
    ".jinja",
    ".js",
    ".json",
    ".md",
    ".py",
    ".sh",
    ".sql",
    ".svg",
    ".toml",
    ".txt",
    ".yaml",
    ".yml",
    "",
}
_LEFT_OUT = {".git", ".venv", "__pycache__", "data", "vendor", "node_modules", "build", "dist"}


@cache
def files() -> tuple[Path, ...]:
    """Every file that is, or is about to be, in the repository; vendored ones are not ours to judge."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if listed.returncode == 0:
        found = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    else:  # an unpacked archive
        found = [path for path in ROOT.rglob("*") if path.is_file()]
    return tuple(sorted(path for path in found if path.is_file() and not _LEFT_OUT & set(path.relative_to(ROOT).parts)))


def texts() -> list[Path]:
    """Those that are read by people."""
    return [path for path in files() if path.suffix in _TEXT]


def within(*folders: str, suffix: str) -> list[Path]:
    """Those below one of ``folders`` with this ending."""
    return [path for path in files() if path.suffix == suffix and any(path.is_relative_to(ROOT / f) for f in folders)]


def name(path: Path) -> str:
    """The path as it is written in the repository."""
    return path.relative_to(ROOT).as_posix()
