"""Write requirements.txt and requirements-dev.txt from pyproject.toml: every version pinned, every file hashed.

The locks hold for every platform and for Python 3.11 and later.  They name no package index, so that they work with
whatever index a machine is set up for.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
RUNTIME: list[str] = PROJECT["project"]["dependencies"]
DEV: list[str] = PROJECT["dependency-groups"]["dev"]
HEAD = "# Written by `make lock` from pyproject.toml.  Install with: pip install --require-hashes -r {name}\n"
FLAGS = (
    "--generate-hashes",
    "--universal",
    "--no-header",
    "--no-annotate",
)


def lock(name: str, requirements: list[str], *, constraint: Path | None = None) -> None:
    """Resolve ``requirements`` and write the file ``name``, keeping what it already pins where possible."""
    target = ROOT / name
    before = target.read_text() if target.exists() and "--upgrade" not in sys.argv else ""
    target.write_text(before)
    command = [sys.executable, "-m", "uv", "pip", "compile", "-", *FLAGS, "--python-version", "3.11", "-o", str(target)]
    if constraint is not None:
        command += ["--constraint", str(constraint)]
    subprocess.run(command, input="\n".join(requirements), text=True, check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
    body = "".join(line for line in target.read_text().splitlines(keepends=True) if not line.startswith(("#", "--")))
    target.write_text(HEAD.format(name=name) + body)


if __name__ == "__main__":
    lock("requirements.txt", RUNTIME)
    lock("requirements-dev.txt", [*RUNTIME, *DEV], constraint=ROOT / "requirements.txt")
