"""The widget's words, one flat table per language, from the package's ``texts`` folder."""

from __future__ import annotations

import functools
from importlib import resources
from typing import Any

import msgspec

FALLBACK = "en"
_RIGHT_TO_LEFT = frozenset({"ar", "fa", "he", "ur"})


@functools.cache
def languages() -> dict[str, str]:
    """Lower-case language tag → the name of its file."""
    folder = resources.files("warmline.web.widget") / "texts"
    return {entry.name[:-5].lower(): entry.name for entry in folder.iterdir() if entry.name.endswith(".json")}


@functools.cache
def own_table(language: str) -> dict[str, Any]:
    """What stands in the file of a language that ``choose`` gave."""
    folder = resources.files("warmline.web.widget") / "texts"
    own: dict[str, Any] = msgspec.json.decode((folder / languages()[language]).read_bytes())
    return own


@functools.cache
def table(language: str) -> dict[str, Any]:
    """The texts of a language that ``choose`` gave, with English where one is missing."""
    return own_table(FALLBACK) | own_table(language)


def choose(wanted: str, accept: str = "") -> str:
    """The best language we have: the widget's own wish first, then the browser's ``Accept-Language``, then English."""
    for tag in (wanted, *_accepted(accept)):
        lower = tag.lower()
        while lower:
            if lower in languages():
                return lower
            lower = lower.rpartition("-")[0]
    return FALLBACK


def direction(language: str) -> str:
    """``rtl`` or ``ltr``."""
    return "rtl" if language.partition("-")[0] in _RIGHT_TO_LEFT else "ltr"


def _accepted(accept: str) -> list[str]:
    weighted: list[tuple[float, int, str]] = []
    for index, part in enumerate(accept[:500].split(",")):
        tag, _, parameter = part.partition(";")
        try:
            weight = float(parameter.partition("=")[2]) if parameter else 1.0
        except ValueError:
            weight = 0.0
        weighted.append((-weight, index, tag.strip()))
    return [tag for weight, _index, tag in sorted(weighted) if tag and tag != "*" and weight < 0]
