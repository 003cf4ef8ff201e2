"""docs/events.md says what the code says."""

from __future__ import annotations

from tools.write_events import DOCUMENT, render

from warmline.conversations.events import EVENTS


def test_the_event_reference_is_up_to_date() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == render(), "run `make docs`"


def test_every_event_is_explained() -> None:
    for body in EVENTS.values():
        assert (body.__doc__ or "").strip(), body
