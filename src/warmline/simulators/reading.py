"""Bodies read strictly: what does not fit a schema is found, with the path of the first field that is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import msgspec

T = TypeVar("T")


class Unfit(Exception):
    """A body that is not of the schema; the sentence says where."""


def read(body: bytes, kind: type[T], *, strict: bool = True) -> T:
    """The JSON ``body`` (nothing counts as ``{}``) as ``kind``.

    Raises Unfit; with ``strict`` for fields that the schema does not have, too.
    """
    try:
        raw = msgspec.json.decode(body or b"{}")
        value = msgspec.convert(raw, kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unfit(str(error)) from error
    if strict and (path := _stray(raw, msgspec.to_builtins(value), "$")):
        raise Unfit(f"{path} is not in the schema")
    return value


def _stray(raw: object, known: object, path: str) -> str:
    """The path of the first field of ``raw`` that ``known`` has no place for; "" when there is none."""
    if isinstance(raw, Mapping) and isinstance(known, Mapping):
        below = [(f"{path}.{name}", value, known.get(name)) for name, value in raw.items()]
        strays = [f"{path}.{name}" for name in raw if name not in known]
    elif isinstance(raw, list) and isinstance(known, list):
        below = [(f"{path}[{place}]", one, other) for place, (one, other) in enumerate(zip(raw, known, strict=False))]
        strays = []
    else:
        return ""
    found = strays + [stray for inside, value, other in below if (stray := _stray(value, other, inside))]
    return found[0] if found else ""
