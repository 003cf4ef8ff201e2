"""One row per budget: what was measured, beside its floor, its goal and what it must never fall below."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import asdict, dataclass
from pathlib import Path

COLUMNS = ("what", "measured", "floor", "ratio", "goal", "never below", "verdict", "details")


@dataclass(frozen=True, kw_only=True)
class Row:
    """``value`` and the bounds are numbers in ``unit``; ``more_is_better`` says in which direction they bind."""

    what: str
    value: float
    unit: str
    floor: float | None = None
    goal: float | None = None
    never: float | None = None
    more_is_better: bool = True
    details: str = ""

    @property
    def ratio(self) -> float | None:
        """Measured to floor."""
        return self.value / self.floor if self.floor else None

    @property
    def verdict(self) -> str:
        """Where the value lies between the bounds; empty for a floor itself."""
        if self.goal is None or self.never is None:
            return ""
        sign = 1 if self.more_is_better else -1
        if sign * self.value >= sign * self.goal:
            return "goal reached"
        return "within bounds" if sign * self.value >= sign * self.never else "TOO SLOW"

    def cells(self) -> list[str]:
        """The row as text."""
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        bounds = [self._text(bound) for bound in (self.goal, self.never)]
        return [self.what, self._text(self.value), self._text(self.floor), ratio, *bounds, self.verdict, self.details]

    def _text(self, value: float | None) -> str:
        if value is None:
            return ""
        digits = 0 if abs(value) >= 100 else 2 if abs(value) < 10 else 1
        return f"{value:,.{digits}f} {self.unit}"


def plain(rows: list[Row]) -> str:
    """The table for a terminal."""
    cells = [list(COLUMNS), *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(COLUMNS))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def save(folder: Path, rows: list[Row], machine: str, notes: list[str]) -> None:
    """Write ``latest.json`` and ``latest.md``."""
    folder.mkdir(parents=True, exist_ok=True)
    at = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    full = [asdict(row) | {"ratio": row.ratio, "verdict": row.verdict} for row in rows]
    (folder / "latest.json").write_text(
        json.dumps({"at": at, "machine": machine, "notes": notes, "rows": full}, indent=1) + "\n"
    )
    lines = [f"Measured {at} on {machine}.", "", *(f"- {note}" for note in notes), ""]
    lines += [f"| {' | '.join(COLUMNS)} |", f"|{'---|' * len(COLUMNS)}"]
    lines += [f"| {' | '.join(row.cells())} |" for row in rows]
    (folder / "latest.md").write_text("\n".join(lines) + "\n")
