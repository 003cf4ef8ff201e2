"""How much of each desk its own tests and the conformance kit reach: ``python tools/cover_desks.py [DESK …]``.

Branch cover of the desk's package by its tests, its journeys and ``warmline check DESK``, together.  A silver desk has 95 %
or more (docs/desks/README.md).  Takes a minute or two per desk; leaves with 1 when a silver or gold desk has less.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from warmline.handover.port import Grade, Manifest

ROOT = Path(__file__).resolve().parents[1]
DESKS = ROOT / "src" / "warmline" / "desks"
SILVER_PERCENT = 95.0
# Stories that were told before each desk had a file of its own name.
_MORE_JOURNEYS = {
    "builtin": ("test_handover.py",),
    "customcrm": ("test_handover.py", "test_wire_table.py", "test_ingress.py"),
}


def folders() -> dict[str, Path]:
    """Where each desk is, by its key."""
    found = sorted(DESKS.rglob("manifest.toml"))
    return {Manifest.load(path).key: path.parent for path in found}


def tests_of(desk: str, folder: Path) -> list[str]:
    """The files and folders of tests that are about this desk; those of a desk within another's folder are not that one's."""
    own = ROOT / "tests" / "desks" / folder.relative_to(DESKS)
    inner = [path for path in own.glob("*") if path.is_dir() and (folder / path.name / "manifest.toml").exists()]
    journeys = sorted((ROOT / "tests" / "journeys").glob("test_*.py"))
    mine = [path for path in journeys if _owner(path) == desk or path.name in _MORE_JOURNEYS.get(desk, ())]
    return [*(str(path) for path in (own, *mine) if path.exists()), *(f"--ignore={path}" for path in inner)]


def _owner(journey: Path) -> str:
    """The desk of ``test_<desk>.py`` or ``test_<desk>_<more>.py``, "" for other stories."""
    named = journey.stem.removeprefix("test_")
    fit = [desk for desk in folders() if named == desk or named.startswith(f"{desk}_")]
    return max(fit, key=len, default="")


def measure(desk: str, folder: Path) -> tuple[float, list[str]]:
    """Percent of lines and branches together, and what is not reached, a line per file."""
    with tempfile.TemporaryDirectory(prefix="warmline-cover-") as scratch:
        config = Path(scratch) / "coveragerc"
        inner = [f"{path.parent}/*" for path in folder.rglob("manifest.toml") if path.parent != folder]
        config.write_text(
            f"[run]\nbranch = true\nparallel = true\nsource = {folder}\ndata_file = {scratch}/data\n"
            + "".join(f"omit = {path}\n" for path in inner)
            + "[report]\nexclude_also =\n    if TYPE_CHECKING:\n    \\.\\.\\.$\n",
            encoding="utf-8",
        )
        coverage = [sys.executable, "-m", "coverage"]
        within = [*coverage, "run", f"--rcfile={config}", "-m"]
        tests = tests_of(desk, folder)
        if any(not name.startswith("--") for name in tests):
            _run([*within, "pytest", "-q", "-n0", "-p", "no:cacheprovider", *tests])
        _run([*within, "warmline", "check", desk])
        _run([*coverage, "combine", "-q", f"--rcfile={config}"])
        told = Path(scratch) / "report.json"
        _run([*coverage, "json", "-q", f"--rcfile={config}", "-o", str(told)])
        report = json.loads(told.read_text(encoding="utf-8"))
    missing = [
        f"{Path(name).name}: lines {file['missing_lines']}, branches {file['missing_branches']}"
        for name, file in report["files"].items()
        if file["missing_lines"] or file["missing_branches"]
    ]
    return float(report["totals"]["percent_covered"]), missing


def _run(command: Sequence[str]) -> None:
    """Run it; what it said is shown when it fails.  Raises CalledProcessError."""
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "NO_COLOR": "1"}
    )
    if done.returncode:
        print(done.stdout[-4_000:], done.stderr[-2_000:], sep="\n", file=sys.stderr)
        raise subprocess.CalledProcessError(done.returncode, command)


def main() -> int:
    """Measure the desks that were named, or all."""
    known = folders()
    parser = argparse.ArgumentParser(description="Branch cover of desks by their tests and the kit.")
    parser.add_argument("desk", nargs="*", help=f"one of {', '.join(known)}; all without")
    parser.add_argument("--missing", action="store_true", help="say what is not reached")
    given = parser.parse_args()
    if unknown := [name for name in given.desk if name not in known]:
        parser.error(f"There is no desk called {unknown[0]}.")
    is_enough = True
    for desk in given.desk or known:
        manifest = Manifest.load(known[desk] / "manifest.toml")
        percent, missing = measure(desk, known[desk])
        print(f"{desk:<18} {percent:6.2f} %  {manifest.grade}", flush=True)
        if given.missing:
            print(*(f"    {line}" for line in missing), sep="\n", flush=True)
        is_enough &= manifest.grade is Grade.BRONZE or percent >= SILVER_PERCENT
    return 0 if is_enough else 1


if __name__ == "__main__":
    sys.exit(main())
