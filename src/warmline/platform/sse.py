"""Server-sent events, read as the HTML standard says.  Pure: bytes in, events out."""

from __future__ import annotations

import re
from dataclasses import dataclass

from warmline.platform.outgoing.errors import ReplyTooLarge

MAX_EVENT_BYTES = 1_000_000
_LINE_END = re.compile(rb"\r\n|\r|\n")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class SseEvent:
    """One event.  ``id`` is the last one the stream has named ("" before the first); ``event`` is "message" by default."""

    event: str
    data: str
    id: str


class SseParser:
    """Takes a stream in pieces of any size.  One event, or one line, is at most ``max_bytes`` long.

    ``last_id`` is what to ask for after a break, ``retry_ms`` the pause the other side wishes for, None when it said
    nothing.  What stands behind the last empty line when a stream ends was not finished and is no event.
    """

    def __init__(self, *, max_bytes: int = MAX_EVENT_BYTES, last_id: str = "") -> None:
        self.last_id = last_id
        self.retry_ms: int | None = None
        self._max_bytes = max_bytes
        self._line = bytearray()
        self._after_cr = False
        self._first = True
        self._event = ""
        self._data: list[str] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[SseEvent]:
        """The events that this piece completes.  Raises ReplyTooLarge."""
        found: list[SseEvent] = []
        start = 0
        if self._after_cr and chunk:
            # The other half of a line's end, which was cut in two.
            start = 1 if chunk[:1] == b"\n" else 0
            self._after_cr = False
        while (end := _LINE_END.search(chunk, start)) is not None:
            self._keep(chunk[start : end.start()])
            self._after_cr = end.group() == b"\r" and end.end() == len(chunk)
            start = end.end()
            event = self._take_line()
            if event is not None:
                found.append(event)
        self._keep(chunk[start:])
        return found

    def _keep(self, part: bytes) -> None:
        self._line += part
        if len(self._line) + self._size > self._max_bytes:
            detail = f"An event of the stream is larger than {self._max_bytes} bytes."
            raise ReplyTooLarge(detail)

    def _take_line(self) -> SseEvent | None:
        raw, self._line = bytes(self._line), bytearray()
        if self._first:
            self._first = False
            raw = raw.removeprefix(_BOM)
        if not raw:
            return self._finish()
        name, _, value = raw.decode("utf-8", "replace").partition(":")
        value = value.removeprefix(" ")
        match name:
            case "data":
                self._data.append(value)
                # Every line counts, also an empty one: a list of nothing can be endless as well.
                self._size += len(raw) + 1
            case "event":
                self._event = value
            case "id" if "\0" not in value:
                self.last_id = value
            case "retry" if value.isascii() and value.isdigit() and len(value) < 10:
                self.retry_ms = int(value)
        return None

    def _finish(self) -> SseEvent | None:
        event, data = self._event or "message", self._data
        self._event, self._data, self._size = "", [], 0
        return SseEvent(event, "\n".join(data), self.last_id) if data else None
