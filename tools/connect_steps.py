"""The steps of a desk's guide as its manifest has them: ``python tools/connect_steps.py`` shows them, a test compares the two."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from warmline.handover.port import Manifest

ROOT = Path(__file__).parents[1]
SECTION = "Connect it"
_ITEM = re.compile(r"\d+\. ")
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")


def manifests() -> dict[str, Manifest]:
    """Every desk's manifest by its key, in the order of their titles."""
    found = [Manifest.load(path) for path in (ROOT / "src" / "warmline" / "desks").rglob("manifest.toml")]
    return {one.key: one for one in sorted(found, key=lambda one: one.title.casefold())}


def sections(guide: str) -> dict[str, list[str]]:
    """The lines of each ``##`` section below its heading, in order."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in guide.splitlines():
        if line.startswith("## "):
            lines = found.setdefault(line.removeprefix("## "), [])
        else:
            lines.append(line)
    return found


def steps(guide: str) -> tuple[str, ...]:
    """The numbered list of the guide's section, one plain sentence or more per step."""
    items: list[list[str]] = []
    is_open = False
    for line in sections(guide).get(SECTION, ()):
        if _ITEM.match(line):
            items.append([_ITEM.sub("", line, count=1)])
            is_open = True
        elif is_open and line.strip():
            items[-1].append(line)
        else:
            is_open = False
    return tuple(plain(" ".join(lines)) for lines in items)


def plain(text: str) -> str:
    """Markdown without its marks."""
    return " ".join(_LINK.sub(r"\1", text).replace("*", "").replace("`", "").split())


def main(keys: Sequence[str]) -> int:
    """Print the member ``setup`` of the manifests of these desks, of all without keys."""
    for key, manifest in manifests().items():
        if keys and key not in keys:
            continue
        told = steps((ROOT / manifest.docs).read_text(encoding="utf-8"))
        print(f"# {key}", "setup = [", *(f"    {_quoted(step)}," for step in told), "]", sep="\n")
    return 0


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
