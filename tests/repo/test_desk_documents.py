"""What the guides of desks say is what their manifests say: the console shows the one, people read the other."""

from __future__ import annotations

import pytest
from tools.connect_steps import ROOT, SECTION, manifests, sections, steps

from warmline.handover.port import Grade

MANIFESTS = manifests()
PAYLOAD, KNOW = "What a rung may tell it", "What to know"


def guide(desk: str) -> str:
    return (ROOT / MANIFESTS[desk].docs).read_text(encoding="utf-8")


@pytest.mark.parametrize("desk", MANIFESTS)
def test_the_console_shows_the_steps_of_the_guide(desk: str) -> None:
    told = steps(guide(desk))
    assert told, f"{MANIFESTS[desk].docs} has no numbered list under “{SECTION}”"
    assert MANIFESTS[desk].setup == told, f"python tools/connect_steps.py {desk}"


@pytest.mark.parametrize("desk", MANIFESTS)
def test_guides_have_one_order(desk: str) -> None:
    names = list(sections(guide(desk)))
    assert (*names[:2], names[-1]) == (SECTION, PAYLOAD, KNOW)


@pytest.mark.parametrize("desk", MANIFESTS)
def test_a_guide_names_the_grade_of_its_manifest(desk: str) -> None:
    rows = [line for line in guide(desk).splitlines() if line.startswith("| grade |")]
    assert [row.split()[3].rstrip(";") for row in rows] == [str(MANIFESTS[desk].grade)]


@pytest.mark.parametrize("desk", MANIFESTS)
def test_silver_asks_for_availability_and_files_which_no_case_of_the_kit_can_refuse(desk: str) -> None:
    manifest = MANIFESTS[desk]
    assert manifest.grade is not Grade.GOLD, "nobody has seen it on a real account"
    if manifest.grade is Grade.SILVER:
        assert manifest.capabilities.availability
        assert manifest.capabilities.attachments


def test_steps_are_read_without_their_marks() -> None:
    text = "# Desk\n\nBefore.\n\n## Connect it\n\n1. Open *Settings → Keys*,\n   copy `a_key`.\n2. **Press** [Test](x.md).\n\nNot 1. this.\n"
    assert steps(f"{text}\n## What to know\n\n1. Nor this.\n") == ("Open Settings → Keys, copy a_key.", "Press Test.")
