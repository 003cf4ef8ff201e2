"""The widget's modules as one script: a third less on the line than one by one, and one request instead of thirty.

It reads only what our modules are written in: ``import { a, b } from "./path.js";`` at the beginning of a line, ``export``
before a function, a class or a const, nothing renamed, no cycles.  Anything else is refused.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping

_IMPORT = re.compile(r'^import \{ ?(\w+(?:, \w+)*) ?\} from "(\.{1,2}/[\w./-]+)";$', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const) ?\*? ?(\w+))", re.MULTILINE)
_LEFT = re.compile(r"^(?:import|export)\b.*$", re.MULTILINE)


def join_scripts(scripts: Mapping[str, str], entry: str) -> str:
    """``entry`` with everything that it imports, each module in a scope of its own.  Raises ValueError.

    ``scripts`` are the modules by their paths, already lightened.
    """
    order: list[str] = []
    _visit(scripts, entry, order, [])
    numbers = {path: number for number, path in enumerate(order)}
    parts = []
    for path in order:
        body = _IMPORT.sub(lambda found, here=path: _given(found, here, numbers), scripts[path])  # type: ignore[misc]
        names = _EXPORT.findall(body)
        body = _EXPORT.sub("", body)
        if left := _LEFT.search(body):
            raise ValueError(f"{path}: {left[0][:80]}")
        if path == entry:
            parts.append(body)
        else:
            # Not in strict mode by itself, as modules are, but the script as a whole is one.
            parts.append(f"const m{numbers[path]}=(()=>{{\n{body.strip()}\nreturn{{{','.join(names)}}};\n}})();\n")
    return "".join(parts)


def _visit(scripts: Mapping[str, str], path: str, order: list[str], above: list[str]) -> None:
    if path in order:
        return
    if path in above or path not in scripts:
        raise ValueError(f"{path}, imported by {above[-1]}, is missing or imports itself")
    for found in _IMPORT.finditer(scripts[path]):
        _visit(scripts, _resolved(path, found[2]), order, [*above, path])
    order.append(path)


def _given(found: re.Match[str], path: str, numbers: Mapping[str, int]) -> str:
    return f"const{{{found[1].replace(' ', '')}}}=m{numbers[_resolved(path, found[2])]};"


def _resolved(path: str, target: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
