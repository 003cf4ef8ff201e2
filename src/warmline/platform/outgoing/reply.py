"""A reply of another server, and how its body is read within its cap."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import aiohttp
from multidict import CIMultiDictProxy

from warmline.platform.outgoing.errors import ReplyTooLarge, Unreachable

# Compressed data can be this much longer than what it holds; more is an endless stream that decompresses to nothing.
_ENCODING_OVERHEAD = 4_096


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete answer of any status; redirects (3xx) are not followed.  ``headers`` ignores case."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300


async def read_body(response: aiohttp.ClientResponse, place: str, max_bytes: int) -> bytes:
    """The whole body, decompressed, of at most ``max_bytes``.  Raises ReplyTooLarge; Unreachable when damaged."""
    inflate = _inflater(response.headers.get("Content-Encoding", ""), place)
    content = bytearray()
    received = 0
    while chunk := await response.content.readany():
        received += len(chunk)
        if inflate is None:
            content += chunk
        else:
            content += inflate.feed(chunk, max_bytes + 1 - len(content))
        if len(content) > max_bytes or received > max_bytes + _ENCODING_OVERHEAD:
            detail = f"The reply of {place} is larger than {max_bytes} bytes."
            raise ReplyTooLarge(detail)
    if inflate is not None and not inflate.complete:
        detail = f"The compressed reply of {place} is incomplete."
        raise Unreachable(detail, maybe_sent=True)
    return bytes(content)


def _inflater(encoding: str, place: str) -> _Inflater | None:
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return None
    if name in ("gzip", "x-gzip", "deflate"):
        return _Inflater(name == "deflate", place)
    # Nothing else was offered to the other side.
    detail = f"The reply of {place} is encoded as {encoding[:40]!r}, which was not asked for."
    raise Unreachable(detail, maybe_sent=True)


class _Inflater:
    def __init__(self, deflate: bool, place: str) -> None:
        self._deflate = deflate
        self._place = place
        self._stream: zlib._Decompress | None = None
        self._fed = False

    @property
    def complete(self) -> bool:
        return not self._fed or (self._stream is not None and self._stream.eof)

    def feed(self, chunk: bytes, limit: int) -> bytes:
        """At most ``limit`` (> 0) decompressed bytes of what was fed; reaching the limit means: too large."""
        self._fed = True
        if self._stream is None:
            # "deflate" is sent both with and without the zlib header, which begins with a low nibble of 8.
            raw = self._deflate and chunk[0] & 0x0F != 8
            self._stream = zlib.decompressobj(-15 if raw else 15 if self._deflate else 31)
        try:
            plain = self._stream.decompress(chunk, limit)
        except zlib.error as error:
            detail = f"The compressed reply of {self._place} is damaged."
            raise Unreachable(detail, maybe_sent=True) from error
        # An object that has ended keeps whatever else it is fed.
        if self._stream.unused_data:
            detail = f"The compressed reply of {self._place} goes on after its end."
            raise Unreachable(detail, maybe_sent=True)
        return plain
