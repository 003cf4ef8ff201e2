"""The lock files hold what pyproject.toml asks for, and every file has a hash."""

from __future__ import annotations

import re
import tomllib

import pytest
from tests.repo import tree

PROJECT = tomllib.loads((tree.ROOT / "pyproject.toml").read_text())
RUNTIME = PROJECT["project"]["dependencies"]
DEV = PROJECT["dependency-groups"]["dev"]
PIN = re.compile(r"^([a-z0-9-]+)==([^ ;\\]+)(.*?)\\?$")


def pins(name: str) -> dict[str, str]:
    """Package -> version; markers may give one package several lines."""
    text = (tree.ROOT / name).read_text()
    return {match[1]: match[2] for line in text.splitlines() if (match := PIN.match(line))}


def package(requirement: str) -> str:
    """``psycopg[binary]>=3`` -> ``psycopg``."""
    match = re.match(r"[A-Za-z0-9_.-]+", requirement)
    assert match
    return re.sub(r"[-_.]+", "-", match[0]).lower()


@pytest.mark.parametrize(
    ("name", "wanted"), [("requirements.txt", RUNTIME), ("requirements-dev.txt", RUNTIME + DEV)], ids=["runtime", "dev"]
)
def test_everything_asked_for_is_pinned_and_hashed(name: str, wanted: list[str]) -> None:
    pinned = pins(name)
    assert [package(each) for each in wanted if package(each) not in pinned] == [], "run: make lock"
    lines = (tree.ROOT / name).read_text().splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if PIN.match(line):
            assert following.startswith("    --hash=sha256:"), line
    assert [line for line in lines if not line.startswith(("#", "    --hash=sha256:")) and not PIN.match(line)] == []


def test_both_locks_agree() -> None:
    dev = pins("requirements-dev.txt")
    assert {name: version for name, version in pins("requirements.txt").items() if dev.get(name) != version} == {}
