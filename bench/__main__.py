"""The bench: one run, one table."""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

import uvloop

from bench import stages
from bench.machine import cores, describe, raise_file_limit
from bench.table import plain, save

BUILD = Path(__file__).resolve().parent.parent / "build"
QUICK_WIDGETS, FULL_WIDGETS = 2_000, 10_000


def main() -> None:
    """Measure, print and save; exit code 1 when something lies below what it must never be."""
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Measure Warmline beside the floor of this machine."
    )
    parser.add_argument("--full", action="store_true", help="more widgets and longer rounds")
    parser.add_argument("--only", default="", help="comma-separated stages: " + ", ".join(stages.NAMES))
    parser.add_argument("--widgets", type=int, default=0, help="connected widgets")
    parser.add_argument("--seconds", type=float, default=0.0, help="length of one round")
    parser.add_argument("--strict", action="store_true", help="exit 1 when a row is too slow")
    chosen = parser.parse_args()
    limit = raise_file_limit()
    notes: list[str] = []
    widgets = chosen.widgets or (FULL_WIDGETS if chosen.full else QUICK_WIDGETS)
    if widgets > (limit - 500):
        notes.append(f"{limit - 500:,} widgets instead of {widgets:,}: no more open files are allowed here.")
        widgets = limit - 500
    own, rest = cores()
    if own == rest:
        notes.append("Server and load share the only core: read the ratios, not the figures.")
    machine = describe()
    BUILD.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=BUILD))
    folder.chmod(0o755)
    os.sched_setaffinity(0, rest)
    plan = stages.Plan(
        folder=folder,
        widgets=widgets,
        seconds=chosen.seconds or (10.0 if chosen.full else 4.0),
        only=frozenset(filter(None, chosen.only.split(","))) or frozenset(stages.NAMES),
        notes=notes,
    )
    try:
        rows = uvloop.run(stages.run(plan))
    finally:
        with contextlib.suppress(OSError):
            shutil.rmtree(folder)
    print(machine)
    print(plain(rows))
    for note in notes:
        print(f"- {note}")
    save(BUILD / "bench", rows, machine, notes)
    print(f"Saved in {BUILD / 'bench'}.")
    if chosen.strict and any(row.verdict == "TOO SLOW" for row in rows):
        sys.exit(1)


if __name__ == "__main__":
    main()
