"""Whoever has trouble with a desk is told whom to write to, and that is true."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from warmline.handover.port import Manifest

ROOT = Path(__file__).parents[2]
MANIFESTS = sorted((ROOT / "src" / "warmline" / "desks").rglob("manifest.toml"))


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.parent.name)
def test_a_manifest_names_a_contact(path: Path) -> None:
    assert tomllib.loads(path.read_text(encoding="utf-8")).get("contact"), "who looks after this desk?"
    contact = Manifest.load(path).contact
    assert not contact.endswith("."), "it is the end of a sentence"


def test_where_the_contacts_point_to_says_how_to_reach_us() -> None:
    pointing = [path for path in MANIFESTS if "CONTRIBUTING.md" in Manifest.load(path).contact]
    assert pointing
    _before, _title, section = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## How to reach us\n")
    assert "issue tracker" in section.partition("\n## ")[0]
    assert "How to reach us" in (ROOT / "SECURITY.md").read_text(encoding="utf-8")
