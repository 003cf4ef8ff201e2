"""Write docs/desks/README.md from the manifests of the desks: ``make docs``.  A test compares the two."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any, cast

import msgspec

from warmline.desks.registry import desk_kinds
from warmline.handover.desk_kinds import DeskKind
from warmline.handover.port import Capabilities, Manifest

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "desks" / "README.md"

_COLUMNS = {
    "agent_typing": "agent types",
    "visitor_typing": "visitor types",
    "queue_position": "place in queue",
    "waiting_time": "waiting time",
    "attachments": "visitor's files",
    "notes": "notes",
    "transfer": "transfer",
    "availability": "availability",
    "context": "context",
}

_HEAD = """# Desks

A desk is a place where people answer: a helpdesk, a CRM of your own, or Warmline's console. What each of them can carry stands in its
manifest; this table is written from those (`make docs`). What a wire cannot carry is declared as missing and not shown to visitors: a vendor
that tells no place in the queue shows that one waits, and no number.

"""

_LEGEND = """
- **joins**: *explicit*, when the vendor says that an agent has taken the conversation; *inferred*, when the agent's first line or an assignment
  has to be taken for it.
- **reports**: how Warmline hears of the desk: it is called (*webhook*), it asks and the vendor holds the question (*long poll*), or it listens
  (*stream*). Polls and streams need nothing to be entered at the vendor, and no address that is open to the internet.
- **agent types**, **visitor types**: typing is shown to the other side.
- **visitor's files** reach the agent as files; where not, as links in the text. Files of agents are shown everywhere the vendor tells of them.
- **notes** reach the agent out of the visitor's sight.
- **availability**: the desk can be asked whether somebody is there; where not, it is offered and the ladder's deadlines decide.
- **context**: what was said before, and who the visitor is, goes along.
- **longest text** in characters, as far as the vendor says; longer lines are split.

## Grades

A grade says how much was shown, not how good a helpdesk is.

- **Bronze**: the test of the connection, opening, text both ways and the end work; signatures are verified; there is a payload file for every
  event, and a guide.
- **Silver**: besides, opening again after a lost answer opens one conversation; busy, failing and silent vendors are asked again and
  nothing is lost or doubled; restarts are survived; the desk can be asked for its availability; files pass; tests reach 95 % of its branches.
- **Gold**: besides, typing, place and transfer where the vendor has them, and all of it **seen on a real account**. No desk is gold yet:
  nobody may claim it from documents.

Why a desk has its grade, and not a higher one, stands in `grade_reasons` of its manifest and on a connection's *Help* page.

`warmline check DESK` holds a desk to the conformance kit ([src/warmline/conformance](../../src/warmline/conformance)): it starts a server that
behaves as the vendor documents, and tries whole handovers through the real program, with timeouts, 429s, errors, lost answers, duplicates,
reordering and restarts. `warmline check` lists the cases and the grade that asks for each. [tests/conformance](../../tests/conformance) runs the
kit for every desk, and fails when a manifest says more than the kit showed; `python tools/cover_desks.py` measures what the tests reach.
`warmline check DESK --connection ID` tries the account behind a connection instead.
"""


def reports(kind: DeskKind) -> str:
    """How its desk is heard."""
    maker = cast(Any, kind.make)
    package = maker.__module__.removesuffix(".desk")
    module = importlib.import_module(f"{package}.desk")
    (desk,) = (one for one in vars(module).values() if isinstance(one, type) and _is_desk(one, kind.manifest))
    if hasattr(desk, "listen"):
        return "stream"
    if hasattr(desk, "poll"):
        return "long poll"
    return "none needed" if kind.key == "builtin" else "webhook"


def _is_desk(one: type, manifest: Manifest) -> bool:
    return getattr(one, "manifest", None) is manifest


def row(kind: DeskKind) -> str:
    """One line of the table."""
    about = kind.manifest
    can = [("yes" if getattr(about.capabilities, name) else "–") for name in _COLUMNS]
    limit = f"{about.text_limit:,}" if about.text_limit else "–"
    guide = about.docs.removeprefix("docs/desks/")
    cells = [f"[{about.title}]({guide})", str(about.grade), str(about.join), reports(kind), *can, limit]
    return f"| {' | '.join(cells)} |"


def render() -> str:
    """The document."""
    named = [field.name for field in msgspec.structs.fields(Capabilities)]
    if named != list(_COLUMNS):
        raise SystemExit(f"a column for each capability, in their order: {named}")
    kinds = desk_kinds(outgoing=cast(Any, None), clock=cast(Any, None), agents_online=cast(Any, None))
    columns = ["desk", "grade", "joins", "reports", *_COLUMNS.values(), "longest text"]
    table = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}", *(row(kind) for kind in kinds.values())]
    return _HEAD + "\n".join(table) + "\n" + _LEGEND


if __name__ == "__main__":
    DOCUMENT.write_text(render(), encoding="utf-8")
    sys.exit(0)
