"""Where the bytes of files are kept: in a folder, or in a bucket (``blobs_s3``).  What they mean is known elsewhere.

A key is chosen by us, never by a visitor: letters, digits and hyphens.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Protocol

from warmline.kernel.errors import NotFound, Unavailable

PIECE = 256 * 1024
"""Bytes that are read at once: a large file never stands in memory as a whole."""
_KEY = re.compile(r"[0-9a-z-]{4,64}")


class Blobs(Protocol):
    """A store of files.  Every method may raise Unavailable when the place cannot be reached."""

    async def put(self, key: str, source: Path) -> None:
        """Keep the content of ``source`` under ``key``; the file may be moved away.  Durable when this returns."""

    def pieces(self, key: str) -> AsyncGenerator[bytes, None]:
        """The content, in order.  Raises NotFound before the first piece when there is none."""

    async def delete(self, key: str) -> None:
        """Forget it.  Nothing happens when there is none."""

    async def stop(self) -> None:
        """Give back what is held open."""

    async def check(self) -> str:
        """Write, read and delete a small file; a sentence about the place.  Raises Unavailable."""


class LocalBlobs:
    """Files below one folder, spread over 256 others so that none gets too long.

    ``put`` renames: ``source`` has to be on the same disk, see ``incoming``.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def put(self, key: str, source: Path) -> None:
        """See ``Blobs``."""
        await asyncio.to_thread(self._put, key, source)

    async def pieces(self, key: str) -> AsyncGenerator[bytes, None]:
        """See ``Blobs``."""
        try:
            file = await asyncio.to_thread(self._path(key).open, "rb")
        except FileNotFoundError:
            raise NotFound("This file is gone.") from None
        except OSError as error:
            raise Unavailable(f"A stored file cannot be read ({error.strerror}).") from error
        try:
            while piece := await asyncio.to_thread(file.read, PIECE):
                yield piece
        finally:
            file.close()

    async def delete(self, key: str) -> None:
        """See ``Blobs``."""
        try:
            await asyncio.to_thread(self._path(key).unlink, missing_ok=True)
        except OSError as error:
            raise Unavailable(f"A stored file cannot be deleted ({error.strerror}).") from error

    async def stop(self) -> None:
        """See ``Blobs``."""

    async def check(self) -> str:
        """See ``Blobs``."""
        await asyncio.to_thread(self._try)
        return f"{self._folder} takes files."

    def _path(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise ValueError(key)
        # The last characters of our ids are random, the first ones the time.
        return self._folder / key[-2:] / key

    def _put(self, key: str, source: Path) -> None:
        path = self._path(key)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with source.open("rb") as file:
                os.fsync(file.fileno())
            source.replace(path)
            _sync_folder(path.parent)
        except OSError as error:
            raise Unavailable(f"The file cannot be stored ({error.strerror}).") from error

    def _try(self) -> None:
        path = self._folder / f".check-{os.getpid()}"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.write_bytes(b"warmline")
            path.unlink()
        except OSError as error:
            raise Unavailable(f"{self._folder} takes no files ({error.strerror}).") from error


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


async def read_whole(blobs: Blobs, key: str) -> bytes:
    """The content of one blob at once, for those who have to upload it elsewhere.  Raises NotFound, Unavailable."""
    return b"".join([piece async for piece in blobs.pieces(key)])
