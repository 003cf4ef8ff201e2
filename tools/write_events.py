"""Write docs/events.md from the event types: ``make docs``.  A test compares the two."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
from msgspec import NODEFAULT

from warmline.conversations.events import EVENTS, Body
from warmline.conversations.views import visible_types

DOCUMENT = Path(__file__).parents[1] / "docs" / "events.md"

_HEAD = """# Events

Everything that happens in a conversation is an event in its stream. This list is written from the code (`make docs`).
Events are a promise: types and fields are added, never renamed or removed; readers ignore what they do not know.

Every event has `seq` (1, 2, 3 … without a gap within its conversation), `type`, `version`, `at` (RFC 3339), `actor`
(`visitor:<id>`, `member:<id>`, `desk:<connection>`, `bot`, `relay`, `system` …) and `owner_epoch` (raised by every change of
owner). Read them with `GET /api/v1/conversations/{id}/events`. Personal content stands in the fields below and nowhere else;
after an erasure they are `{"erased": true}`, while the rest stays.

**V** marks what the visitor's widget is told of; it sees the other events as numbers without content.
"""


def render() -> str:
    """The document."""
    parts = [_HEAD]
    shown = visible_types()
    for name, body in EVENTS.items():
        mark = " · **V**" if name in shown else ""
        parts.append(f"\n## `{name}`{mark}\n\n{_said(body)}\n")
        fields = msgspec.structs.fields(body)
        if fields:
            parts.append("\n| field | type | |\n|---|---|---|\n")
            parts += [
                f"| `{field.encode_name}` | {_type(field.type)} | {'' if _required(field) else 'optional'} |\n"
                for field in fields
            ]
    return "".join(parts)


def _said(body: type[Body]) -> str:
    lines = (body.__doc__ or "").strip().splitlines()
    return "\n".join(line.strip() for line in lines).replace("``", "`")


def _required(field: msgspec.structs.FieldInfo) -> bool:
    return field.default is NODEFAULT and field.default_factory is NODEFAULT


def _type(annotation: object) -> str:
    text = getattr(annotation, "__name__", None) if isinstance(annotation, type) else None
    shown = text if text and not getattr(annotation, "__args__", None) else str(annotation)
    shown = shown.replace("typing.", "").replace("warmline.conversations.events.", "").replace("NoneType", "null")
    return "`" + shown.replace("|", "\\|").replace("<class '", "").replace("'>", "") + "`"


if __name__ == "__main__":
    DOCUMENT.write_text(render(), encoding="utf-8")
    sys.exit(0)
