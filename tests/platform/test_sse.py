"""Server-sent events, in whatever pieces they come."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.platform.http import ReplyTooLarge
from warmline.platform.sse import SseEvent, SseParser

STREAM = (
    "\ufeff: hello\n"
    "retry: 3000\r\n"
    "id: 1\r"
    "event: grüße\r\n"
    "data: für 灯\r"
    "data:  two\r\n"
    "\r\n"
    "event: nothing\n\n"
    "data\n\n"
    "id: bad\0\n"
    "id\n"
    "data:x:y\n"
    "unknown: z\n"
    "\r"
    "data: never finished"
).encode()
EVENTS = [
    SseEvent("grüße", "für 灯\n two", "1"),
    SseEvent("message", "", "1"),
    SseEvent("message", "x:y", ""),
]


def test_a_stream_is_read_as_the_standard_says() -> None:
    parser = SseParser()
    assert parser.feed(STREAM) == EVENTS
    assert (parser.retry_ms, parser.last_id) == (3000, "")


@given(st.lists(st.integers(min_value=0, max_value=len(STREAM))))
def test_it_does_not_matter_where_the_pieces_end(cuts: list[int]) -> None:
    parser, places = SseParser(), [0, *sorted(cuts), len(STREAM)]
    pieces = [STREAM[start:end] for start, end in pairwise(places)]
    assert [event for piece in pieces for event in parser.feed(piece)] == EVENTS


def test_byte_by_byte() -> None:
    parser = SseParser()
    assert [event for byte in STREAM for event in parser.feed(bytes([byte]))] == EVENTS


def test_the_last_id_is_known_before_and_after() -> None:
    parser = SseParser(last_id="7")
    assert parser.feed(b"data: a\n\nid: 8\n\n") == [SseEvent("message", "a", "7")]
    assert parser.last_id == "8"


@pytest.mark.parametrize("value", ["", "-1", "1.5", "²", "9" * 12, "soon"])
def test_a_pause_that_is_no_number_is_not_kept(value: str) -> None:
    parser = SseParser()
    parser.feed(f"retry: {value}\n\n".encode())
    assert parser.retry_ms is None


@pytest.mark.parametrize(
    "endless",
    [b"x" * 100, b"data: x\n", b"data\n", b": comment without end "],
    ids=["line", "data", "empty", "comment"],
)
def test_what_has_no_end_is_cut_off(endless: bytes) -> None:
    parser = SseParser(max_bytes=1_000)
    with pytest.raises(ReplyTooLarge):
        _feed(parser, endless, times=1_000)


def _feed(parser: SseParser, chunk: bytes, *, times: int) -> None:
    for _ in range(times):
        parser.feed(chunk)


def test_comments_and_events_may_go_on_for_ever() -> None:
    parser = SseParser(max_bytes=100)
    for _ in range(1_000):
        assert parser.feed(b": ping\n\n") == []
        assert len(parser.feed(b"data: " + b"x" * 50 + b"\n\n")) == 1
