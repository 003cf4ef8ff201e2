"""docs/desks/README.md says what the manifests say."""

from __future__ import annotations

from tools.write_matrix import DOCUMENT, render

from warmline.desks.registry import desk_kinds


def test_the_table_of_desks_is_up_to_date() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == render(), "run `make docs`"


def test_every_desk_stands_in_it_with_its_guide() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    for kind in desk_kinds(outgoing=None, clock=None, agents_online=None).values():  # type: ignore[arg-type]
        guide = kind.manifest.docs.removeprefix("docs/desks/")
        assert f"[{kind.manifest.title}]({guide})" in text
        assert (DOCUMENT.parent / guide).is_file(), kind.manifest.docs
