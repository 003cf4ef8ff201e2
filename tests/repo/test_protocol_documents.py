"""docs/protocol.md and its schemas say what the code says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from tools.write_protocol import FOLDER, TYPES, render

from warmline.conformance.kit import load_cases
from warmline.conversations.events import EVENTS, Reason
from warmline.desks.openprotocol.inbound import REPORTS

PAGE = FOLDER.with_suffix(".md").read_text(encoding="utf-8")
EXAMPLES = Path(__file__).parents[1] / "desks" / "openprotocol" / "payloads"


def test_the_schemas_are_up_to_date() -> None:
    written = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}
    assert written == render(), "run `make docs`"


@pytest.mark.parametrize("name", TYPES)
def test_each_has_an_example_that_fits_and_no_more_than_that_fits(name: str) -> None:
    example = json.loads((EXAMPLES / f"{name}.json").read_text(encoding="utf-8"))
    validator = jsonschema_rs.validator_for(json.loads((FOLDER / f"{name}.schema.json").read_text(encoding="utf-8")))
    assert validator.is_valid(example), [str(one) for one in validator.iter_errors(example)]
    wanted: Any = TYPES[name]
    msgspec.convert(example, wanted)
    assert not validator.is_valid({**example, "type": "another"})


def test_there_is_an_example_of_nothing_else() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.json")} == set(TYPES)


def test_the_page_names_every_schema_and_every_report() -> None:
    linked = set(re.findall(r"\(protocol/([a-zA-Z.-]+)\.schema\.json\)", PAGE))
    assert linked == set(TYPES)
    for report in REPORTS:
        assert f"`{report.__struct_config__.tag}`" in PAGE


def test_the_page_speaks_of_events_cases_and_reasons_that_there_are() -> None:
    for name in re.findall(r"`((?:handover|delivery|conversation)\.[a-z_]+)`", PAGE):
        assert name in EVENTS or f"event.{name}" in TYPES or name == "conversation.id", name
    cases = {case.name for case in load_cases()} | {"nothing-secret-is-logged"}
    named = re.findall(r"^\| \d+ \|.*\| `([a-z0-9-]+)`(?:, `([a-z0-9-]+)`)* \|$", PAGE, re.MULTILINE)
    assert named
    for line in re.findall(r"^\| \d+ \|.*\|(.*)\|$", PAGE, re.MULTILINE):
        assert set(re.findall(r"`([a-z0-9-]+)`", line)) <= cases, line
    for reason in Reason.__args__:  # type: ignore[attr-defined]
        assert f"`{reason}`" in PAGE
