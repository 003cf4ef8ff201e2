"""Modules are named for what they hold, and public things say what they are."""

from __future__ import annotations

import ast
import re

from tests.repo import tree

FOUNDATION = ("src/warmline/kernel", "src/warmline/platform", "src/warmline/journal", "src/warmline/handover/port.py")
FORBIDDEN = re.compile(r"^_?(utils?|helpers?|common|misc|managers?|stuff)$")


def test_no_module_is_named_for_nothing() -> None:
    bad = [
        tree.name(path)
        for path in tree.files()
        if path.suffix in {".py", ".js", ".css"}
        for part in (*path.relative_to(tree.ROOT).parts[:-1], path.stem)
        if FORBIDDEN.match(part) or part.endswith(("_utils", "_helpers", "_manager"))
    ]
    assert not bad, "name it for what it holds"


def test_every_module_says_what_it_is() -> None:
    modules = [(path, ast.parse(path.read_text(encoding="utf-8"))) for path in tree.within("src", suffix=".py")]
    assert [tree.name(path) for path, module in modules if module.body and not ast.get_docstring(module)] == []


def test_what_everybody_builds_on_is_documented() -> None:
    missing = []
    for path in tree.within(*FOUNDATION, suffix=".py"):
        if "versions" in path.parts:
            continue  # a migration says in its first line what it does, and has nothing else that is public
        module = ast.parse(path.read_text(encoding="utf-8"))
        missing += [
            f"{tree.name(path)}:{node.name}"
            for node in module.body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            and not node.name.startswith("_")
            and ast.get_docstring(node) is None
        ]
    assert not missing, "say in one sentence what it is"
