"""``{{name}}`` and ``{{order.number}}`` in texts and payloads: look-ups in plain data, and nothing else.

No attributes, no calls, no filters, no conditions: a template that a customer wrote cannot reach the program.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

from warmline.kernel.errors import Invalid

_PLACEHOLDER = re.compile(r"\{\{([^{}]*)\}\}")
_NAME = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
_MISSING = object()
# Deeper JSON than this is no payload template.
_MAX_DEPTH = 64


class Unknown(StrEnum):
    """What a placeholder without a value does."""

    REFUSE = "refuse"
    EMPTY = "empty"


class TemplateInvalid(Invalid):
    """A placeholder is malformed or has no value; ``names`` lists all of them."""

    default_code = "template_invalid"
    title = "The template cannot be filled"

    def __init__(self, detail: str, names: list[str], *, path: str = "$") -> None:
        super().__init__(detail, path=path, names=names)
        self.names = names


def placeholders(template: str) -> list[str]:
    """The names in a text, in order, each once.  Raises TemplateInvalid for malformed ones."""
    found = list(dict.fromkeys(match.group(1).strip() for match in _PLACEHOLDER.finditer(template)))
    bad = [name for name in found if not _NAME.fullmatch(name)]
    if bad:
        raise TemplateInvalid(f"Not a placeholder name: {', '.join(map(repr, bad))}.", bad)
    return found


def fill(template: str, values: Mapping[str, Any], *, unknown: Unknown = Unknown.REFUSE) -> str:
    """The text with every placeholder replaced; numbers, true/false and lists appear as JSON, null as nothing.

    Values are inserted as they are and not looked at again, so a visitor cannot smuggle a placeholder in.
    Raises TemplateInvalid for malformed names and, with ``Unknown.REFUSE``, for names without a value.
    """
    _check(placeholders(template), values, unknown, "$")
    return _PLACEHOLDER.sub(lambda match: _text(_look_up(match.group(1).strip(), values)), template)


def fill_json(value: Any, values: Mapping[str, Any], *, unknown: Unknown = Unknown.REFUSE) -> Any:
    """A parsed JSON value with the placeholders in all its strings filled; member names are left alone.

    A string that is one placeholder and nothing else becomes the value itself, with its type: ``"{{count}}"`` → ``3``;
    when unknown and ``Unknown.EMPTY``, null.  Raises TemplateInvalid as ``fill``, with the path of the string.
    """
    return _fill_json(value, values, unknown, "$")


def _fill_json(value: Any, values: Mapping[str, Any], unknown: Unknown, path: str, depth: int = 0) -> Any:
    if depth > _MAX_DEPTH:
        raise TemplateInvalid("The template is nested too deeply.", [], path=path)
    if isinstance(value, str):
        return _fill_string(value, values, unknown, path)
    if isinstance(value, Mapping):
        return {name: _fill_json(item, values, unknown, f"{path}.{name}", depth + 1) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_fill_json(item, values, unknown, f"{path}[{i}]", depth + 1) for i, item in enumerate(value)]
    return value


def _fill_string(template: str, values: Mapping[str, Any], unknown: Unknown, path: str) -> Any:
    try:
        names = placeholders(template)
    except TemplateInvalid as error:
        raise TemplateInvalid(error.detail, error.names, path=path) from error
    _check(names, values, unknown, path)
    whole = _PLACEHOLDER.fullmatch(template)
    if whole:
        found = _look_up(whole.group(1).strip(), values)
        return None if found is _MISSING else found
    return _PLACEHOLDER.sub(lambda match: _text(_look_up(match.group(1).strip(), values)), template)


def _check(names: list[str], values: Mapping[str, Any], unknown: Unknown, path: str) -> None:
    if unknown is Unknown.EMPTY:
        return
    missing = [name for name in names if _look_up(name, values) is _MISSING]
    if missing:
        raise TemplateInvalid(f"There is no value for {', '.join(missing)}.", missing, path=path)


def _look_up(name: str, values: Mapping[str, Any]) -> Any:
    found: Any = values
    for part in name.split("."):
        # Only plain dicts below the top: anything cleverer could run code on look-up.
        if not isinstance(found, dict) and found is not values:
            return _MISSING
        if part not in found:
            return _MISSING
        found = found[part]
    return found


def _text(value: Any) -> str:
    if value is _MISSING or value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
