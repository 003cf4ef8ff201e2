"""A file on its way in: the body of a request, piece by piece, and the name that its header gives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import unquote

from msgspec import Struct

from warmline.conversations.attachments import too_large
from warmline.conversations.events import Attachment
from warmline.kernel.errors import Invalid, TooLarge
from warmline.web.problems import Receive, Scope
from warmline.web.security import header

NAME_HEADER = "x-file-name"
_LONGEST_NAME = 2_000
_PATIENCE_S = 30.0
"""Between two pieces; and so long altogether for whoever sends more slowly than this:"""
_LEAST_BYTES_PER_S = 16_384
_DRAIN_S = 20.0
_DRAIN_BYTES = 256 * 1024 * 1024


class UploadedFile(Struct, frozen=True, kw_only=True):
    """A file that a message may name now.  ``media_type`` was told from its bytes, ``size`` is in bytes."""

    id: str
    name: str
    media_type: str
    size: int


def uploaded(one: Attachment) -> UploadedFile:
    """The answer to an upload."""
    return UploadedFile(id=one.id, name=one.name, media_type=one.media_type, size=one.size)


def file_name(value: str | None) -> str:
    """What the header says, percent-encoded UTF-8.  Raises Invalid."""
    if value is None or not 0 < len(value) <= _LONGEST_NAME:
        raise Invalid(f"The header {NAME_HEADER} names the file, percent-encoded.", path=f"header.{NAME_HEADER}")
    try:
        return unquote(value, errors="strict")
    except UnicodeDecodeError:
        raise Invalid("The name is not percent-encoded UTF-8.", path=f"header.{NAME_HEADER}") from None


class Upload:
    """The file in the body of one request."""

    def __init__(self, scope: Scope, receive: Receive, *, limit: int) -> None:
        """Raises Invalid for a missing name, TooLarge when the request says so of itself."""
        self._receive = receive
        self._over = False
        raw = header(scope, NAME_HEADER.encode())
        self.name = file_name(None if raw is None else raw.decode("latin-1"))
        told = header(scope, b"content-length") or b""
        self._announced_too_large = told.isdigit() and int(told) > limit
        self._limit = limit

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body.

        Raises Invalid when its sender goes away, stands still or dawdles, TooLarge for one announced as too large.
        """
        if self._announced_too_large:
            raise too_large(self._limit)
        # Only what is waited for the sender counts: our own storage may be slow.
        loop, received, waited = asyncio.get_running_loop(), 0, 0.0
        while not self._over:
            begun, left = loop.time(), _PATIENCE_S + received / _LEAST_BYTES_PER_S - waited
            try:
                async with asyncio.timeout(min(_PATIENCE_S, left)):
                    message = await self._next()
            except TimeoutError:
                raise Invalid("The file did not arrive in time.", path="$.file") from None
            waited += loop.time() - begun
            if message["type"] == "http.disconnect":
                raise Invalid("The client went away before its file was complete.", path="$.file")
            if body := message.get("body", b""):
                received += len(body)
                yield body

    async def drain(self, error: TooLarge) -> TooLarge:
        """Swallow what is on its way, up to a bound: a browser that is still sending would not read the refusal."""
        left = _DRAIN_BYTES
        try:
            async with asyncio.timeout(_DRAIN_S):
                while not self._over and left > 0:
                    left -= len((await self._next()).get("body", b""))
        except TimeoutError:
            pass
        return error

    async def _next(self) -> Any:
        message = await self._receive()
        self._over = message["type"] == "http.disconnect" or not message.get("more_body")
        return message
