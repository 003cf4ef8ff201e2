"""The commented default file and the page of settings say what the code says."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from pathlib import Path

from tests.repo import tree
from tools.write_settings import default_toml, settings_page

from warmline.platform.settings import TABLE, Settings, load_settings


def test_default_file_is_current() -> None:
    assert (tree.ROOT / "warmline.default.toml").read_text() == default_toml(), "run: make docs"


def test_page_is_current() -> None:
    assert (tree.ROOT / "docs" / "settings.md").read_text() == settings_page(), "run: make docs"


def test_table_and_class_have_the_same_settings() -> None:
    assert {field.name for field in fields(Settings)} == set(TABLE)


def test_default_file_without_its_comment_marks_changes_nothing(tmp_path: Path) -> None:
    lines = (tree.ROOT / "warmline.default.toml").read_text().splitlines()
    text = "\n".join(line[1:] for line in lines if line.startswith("#") and not line.startswith("# "))
    assert set(tomllib.loads(text)) == set(TABLE)
    file = tmp_path / "warmline.toml"
    file.write_text(text)
    assert load_settings({}, file) == load_settings({}, None)
