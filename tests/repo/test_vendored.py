"""Files made by others are what they were when they came, and say where from and under which licence."""

from __future__ import annotations

import hashlib
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from tests.repo import tree

FOLDERS = ("src/warmline/web/static/vendor", "tests/browser/vendor")
LIST = "VENDORED.toml"
FREE = {"0BSD", "MIT", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "ISC", "MPL-2.0", "OFL-1.1"}
# What reaches visitors and agents asks for no more than its notice.
SHIPPED_FREE = FREE - {"MPL-2.0"}


def entries(folder: str) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = tomllib.loads((tree.ROOT / folder / LIST).read_text(encoding="utf-8"))["file"]
    return listed


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_file_is_listed_and_every_listed_file_is_there(folder: str) -> None:
    there = {
        path.relative_to(tree.ROOT / folder).as_posix() for path in (tree.ROOT / folder).rglob("*") if path.is_file()
    }
    listed = [name for entry in entries(folder) for name in (entry["name"], entry["licence_file"])]
    assert there == {LIST, *listed}
    names = [entry["name"] for entry in entries(folder)]
    assert len(names) == len(set(names)) > 0


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_file_is_unchanged(folder: str) -> None:
    for entry in entries(folder):
        body = (tree.ROOT / folder / entry["name"]).read_bytes()
        assert hashlib.sha256(body).hexdigest() == entry["sha256"], entry["name"]


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_file_says_whose_it_is(folder: str) -> None:
    allowed = SHIPPED_FREE if folder.startswith("src/") else FREE
    for entry in entries(folder):
        assert {"name", "package", "version", "source", "licence", "licence_file", "sha256"} == set(entry)
        assert entry["licence"] in allowed, entry["name"]
        assert all(part.isdigit() for part in entry["version"].split(".")), entry["name"]
        assert (tree.ROOT / folder / entry["licence_file"]).stat().st_size > 200, entry["name"]


def test_no_other_folder_holds_vendored_files() -> None:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=tree.ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a git work tree")
    files = [Path(name) for name in listed.stdout.decode().split("\0") if name]
    assert {path.parent.as_posix() for path in files if "vendor" in path.parts} == set(FOLDERS)
    assert [path.as_posix() for path in files if path.name.endswith(".min.js") and "vendor" not in path.parts] == []
