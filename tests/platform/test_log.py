"""Logs carry no secrets and no personal content."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from warmline.platform.log import MASK, redact, set_up_logging


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def test_one_json_object_per_line_from_both_sides() -> None:
    stream = io.StringIO()
    set_up_logging(format="json", stream=stream)
    structlog.get_logger("warmline.here").info("relay started", thread="t1", count=3)
    logging.getLogger("some.library").warning("slow %s", "query")
    ours, theirs = map(json.loads, stream.getvalue().splitlines())
    assert (ours["event"], ours["level"], ours["logger"], ours["thread"], ours["count"]) == (
        "relay started", "info", "warmline.here", "t1", 3
    )  # fmt: skip
    assert (theirs["event"], theirs["level"]) == ("slow query", "warning")


def test_level_is_kept_and_libraries_are_quieter() -> None:
    stream = io.StringIO()
    set_up_logging(level="info", format="json", stream=stream)
    structlog.get_logger("warmline.here").debug("not shown")
    logging.getLogger("uvicorn.error").info("not shown")
    assert stream.getvalue() == ""


@pytest.mark.parametrize("key", ["password", "api_key", "Authorization", "visitor_token", "text", "email", "phone"])
def test_values_under_telling_names_are_masked(key: str) -> None:
    assert redact(None, "info", {"event": "x", key: "content", "deep": [{key: "content"}]}) == {
        "event": "x", key: MASK, "deep": [{key: MASK}]
    }  # fmt: skip


@pytest.mark.parametrize(
    "said",
    [
        "connecting to postgresql://warm:s3cret@db/w",
        "refused: Bearer s3cret-s3cret",
        "GET /x?token=s3cret&a=1",
        "mail to s3cret@example.com failed",
    ],
)
def test_secrets_inside_sentences_are_masked(said: str) -> None:
    event = redact(None, "info", {"event": said, "reason": said})
    assert "s3cret" not in str(event)
    assert MASK in event["event"]


def test_a_stack_is_redacted_too() -> None:
    stream = io.StringIO()
    set_up_logging(format="json", stream=stream)
    try:
        int("Bearer s3cret-s3cret")
    except ValueError:
        structlog.get_logger("warmline.here").exception("failed")
    line = json.loads(stream.getvalue())
    assert "ValueError" in line["exception"]
    assert "s3cret" not in stream.getvalue()
