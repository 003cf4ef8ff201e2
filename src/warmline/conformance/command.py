"""``warmline check``: what it prints, and what it leaves with."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from warmline.conformance.account import check_account
from warmline.conformance.kit import Outcome, Report, Result, choose, load_cases, run_kit
from warmline.conformance.registry import RIGS, load_rig
from warmline.platform.settings import Settings

_MARKS = {
    Outcome.PASSED: "[green]✓[/green]",
    Outcome.FAILED: "[red]✗[/red]",
    Outcome.NOT_APPLICABLE: "[dim]·[/dim]",
}


def print_desks() -> None:
    """The desks that can be tried, and the cases of the kit."""
    lines = ["Desks, each tried by `warmline check DESK` against a simulator that it starts:"]
    lines += [f"  {desk}" for desk in RIGS]
    lines += ["", "Cases (`--case NAME` tries one alone; may be given several times):"]
    lines += [f"  {one.name:<24} {one.grade:<7} {one.title}" for one in load_cases()]
    Console().print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)


def check_desk(desk: str, names: Sequence[str], *, report_to: Path | None, store: str, bus: str) -> bool:
    """Try a desk against its simulator and print what came of it; whether nothing failed.

    ``report_to`` is a file that gets the same as JSON.  Raises NotFound for a desk or a case that does not exist.
    """
    rig_class, cases = load_rig(desk), choose(names)
    console = Console()
    console.print(f"[bold]{desk}[/bold]: {len(cases) + 1} cases against its simulator\n", highlight=False)
    with tempfile.TemporaryDirectory(prefix="warmline-check-") as folder:
        report = asyncio.run(
            run_kit(rig_class, cases, Path(folder), store=store, bus=bus, told=lambda one: _say(console, one))
        )
    _conclude(console, report)
    _write(report, report_to)
    return not report.failed


def check_connection(
    settings: Settings, desk: str, connection_id: str, *, traces: bool, report_to: Path | None
) -> bool:
    """Try the account behind a stored connection and print what came of it; whether nothing failed.

    Raises NotFound, Conflict, Unavailable.
    """
    console = Console()
    load_rig(desk)  # a desk that does not exist is named before anything is opened
    console.print(f"[bold]{desk}[/bold]: the account behind connection {connection_id}\n", highlight=False)
    report = asyncio.run(
        check_account(settings, desk, connection_id, traces=traces, told=lambda one: _say(console, one))
    )
    if not traces:
        console.print("\nNothing was changed there. With --trace a conversation is opened, written into, and closed.")
    _conclude(console, report)
    _write(report, report_to)
    return not report.failed


def _write(report: Report, path: Path | None) -> None:
    if path is not None:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")


def _say(console: Console, one: Result) -> None:
    console.print(f" {_MARKS[one.outcome]} {one.name:<24} {one.title}", highlight=False, soft_wrap=True)
    if one.why:
        style = "red" if one.outcome is Outcome.FAILED else "dim"
        console.print(f"   {'':<24} {one.why}", style=style, highlight=False, markup=False, soft_wrap=True)


def _conclude(console: Console, report: Report) -> None:
    table = Table(title=f"\n{report.title}", title_justify="left", show_edge=False)
    table.add_column("Topic")
    for title in ("passed", "failed", "not applicable"):
        table.add_column(title, justify="right")
    for topic in dict.fromkeys(one.topic for one in report.results):
        counted = Counter(one.outcome for one in report.results if one.topic == topic)
        table.add_row(topic, *(str(counted[outcome] or "–") for outcome in Outcome))
    console.print(table)
    if report.account:
        console.print(
            "\nWhat agents do was not tried: answer a visitor yourself, and watch the widget.", highlight=False
        )
        return
    earned = report.earned or "none"
    console.print(
        f"\nGrade by these cases: {earned}. The manifest says {report.declared}."
        " (Gold is given to what was seen on a real account.)",
        highlight=False,
    )
