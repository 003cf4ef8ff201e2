"""What must not stand in the repository: traces of one machine, package indexes, unfinished business."""

from __future__ import annotations

import re

from tests.repo import tree

# Written in two halves, so that this file does not find itself.
_HOSTS = "|".join(
    ("pypi" + r"\.org", "python" + r"hosted\.org", "npm" + r"js\.(org|com)", "index" + "-url", "file:" + "///opt")
)
_PLACES = "|".join(("/ho" + r"me/\w", "/ro" + "ot/", "/Us" + r"ers/\w", "/wo" + "rk/", r"[A-Z]:\\Us" + "ers"))
_LATER = "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"))


def found(pattern: str, *, only: str = "") -> list[str]:
    """Where the pattern stands, as path:line."""
    search = re.compile(pattern)
    return [
        f"{tree.name(path)}:{number}"
        for path in tree.texts()
        if tree.name(path).startswith(only)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if search.search(line)
    ]


def test_no_package_index_is_named() -> None:
    assert found(_HOSTS) == []


def test_no_place_of_one_machine_is_named() -> None:
    assert found(rf"(?<![\w.-])({_PLACES})") == []


def test_nothing_is_left_for_later() -> None:
    assert found(rf"\b({_LATER})\b", only="src/") == []


def test_the_search_finds_what_it_should() -> None:
    assert re.search(_PLACES, "/wo" + "rk/main/x")
    assert re.search(_HOSTS, "https://pypi" + ".org/simple")


def test_texts_end_well() -> None:
    bad = []
    for path in tree.texts():
        content = path.read_bytes()
        if b"\r\n" in content or (path.suffix == ".py" and b"\t" in content):
            bad.append(f"{tree.name(path)}: carriage returns or tabs")
        if content and (not content.endswith(b"\n") or content.endswith(b"\n\n")):
            bad.append(f"{tree.name(path)}: must end with one newline")
    assert not bad


def test_licence_is_complete() -> None:
    text = (tree.ROOT / "LICENSE").read_text()
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert 'license = "Apache-2.0"' in (tree.ROOT / "pyproject.toml").read_text()
