"""Write docs/protocol/*.schema.json from the types of the open handover protocol: ``make docs``.  A test compares them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from warmline.desks.openprotocol import activities as out_activities
from warmline.desks.openprotocol import events, inbound
from warmline.web.api import activities as in_activities

FOLDER = Path(__file__).parents[1] / "docs" / "protocol"

_EVENTS = (
    events.HandoverOffered,
    events.MessagePosted,
    events.NotePosted,
    events.Typing,
    events.HandoverReleased,
    events.AvailabilityAsked,
    events.Ping,
)
_TO_BOT = (("handoff.status", out_activities.HandoffStatusEvent), ("message", out_activities.AgentMessage))
_FROM_BOT = (
    ("handoff.initiate", in_activities.Initiate),
    ("message", in_activities.VisitorMessage),
    ("typing", in_activities.VisitorTypes),
    ("endOfConversation", in_activities.EndOfConversation),
)

TYPES: Mapping[str, type] = {
    **{f"event.{one.__struct_config__.tag}": one for one in _EVENTS},
    **{f"report.{one.__struct_config__.tag}": one for one in inbound.REPORTS},
    **{f"from-bot.{name}": one for name, one in _FROM_BOT},
    **{f"to-bot.{name}": one for name, one in _TO_BOT},
}
"""Name of a schema → the type it is made from: what we send, what a helpdesk reports, what bots send and hear."""

# What msgspec's types cannot say.
_MORE: Mapping[str, Any] = {
    "report.message": {
        "anyOf": [
            {"required": ["text"], "properties": {"text": {"minLength": 1}}},
            {"required": ["files"], "properties": {"files": {"minItems": 1}}},
        ]
    },
}
_SENT = ("event.", "to-bot.")


def schema(name: str) -> dict[str, Any]:
    """One schema, complete in itself."""
    (top,), parts = msgspec.json.schema_components([TYPES[name]], ref_template="#/$defs/{name}")
    own = top["$ref"].rpartition("/")[2]
    body = {**parts.pop(own), **_MORE.get(name, {})}
    if name.startswith(_SENT):
        # We always send every field of ours, those with defaults as well.
        body["required"] = list(body["properties"])
    found = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"{name}.schema.json",
        **body,
        "title": name,
        **({"$defs": dict(sorted(parts.items()))} if parts else {}),
    }
    shown: dict[str, Any] = _told(found)
    return shown


def render() -> dict[str, str]:
    """File name → text."""
    return {
        f"{name}.schema.json": msgspec.json.format(msgspec.json.encode(schema(name)), indent=2).decode() + "\n"
        for name in TYPES
    }


def _told(value: Any) -> Any:
    """Descriptions come from docstrings, which are written for another reader's eyes."""
    if isinstance(value, dict):
        return {
            name: " ".join(one.replace("``", "`").split())
            if name == "description" and isinstance(one, str)
            else _told(one)
            for name, one in value.items()
        }
    return [_told(one) for one in value] if isinstance(value, list) else value


def write() -> None:
    """Write them all, and remove what is none of them any more."""
    FOLDER.mkdir(exist_ok=True)
    wanted = render()
    for path in FOLDER.glob("*.schema.json"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
    sys.exit(0)
