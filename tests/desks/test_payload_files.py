"""Every desk that is reported to has a file for each event, and every file says where it comes from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tools.connect_steps import ROOT, manifests

DESKS = ROOT / "src" / "warmline" / "desks"
MARKS = {"from docs", "from clients", "from an integrator", "inferred", "captured"}
UNMARKED = {"customcrm"}
"""Its files are the published examples, to the letter."""


def folder_of(desk: str) -> Path:
    (manifest,) = (path for path in DESKS.rglob("manifest.toml") if f'key = "{desk}"\n' in path.read_text())
    return Path(__file__).parent / manifest.parent.relative_to(DESKS) / "payloads"


@pytest.mark.parametrize("desk", sorted(manifests().keys() - {"builtin"}))
def test_every_file_says_where_it_comes_from(desk: str) -> None:
    bodies = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in folder_of(desk).rglob("*.json")}
    assert len(bodies) >= 5
    if desk not in UNMARKED:
        assert {body["_marks"] for body in bodies.values()} <= MARKS
