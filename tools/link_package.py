"""Make this checkout importable in the virtual environment that runs this script, and give it a `warmline` command.

A path file and a two-line script need no build and no index, so a fresh machine has nothing more to fetch.
"""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = "#!{python}\nimport sys\n\nfrom warmline.cli import main\n\nsys.exit(main())\n"


def link() -> None:
    """Write the path file and the command."""
    (Path(sysconfig.get_path("purelib")) / "warmline.pth").write_text(f"{ROOT / 'src'}\n")
    command = Path(sysconfig.get_path("scripts")) / "warmline"
    command.write_text(SCRIPT.format(python=sys.executable))
    command.chmod(0o755)


if __name__ == "__main__":
    if sys.prefix == sys.base_prefix:
        sys.exit("This script changes the environment it runs in; run it with .venv/bin/python.")
    link()
