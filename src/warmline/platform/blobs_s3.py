"""Files in a bucket of an S3-compatible store, by three plain requests: PUT, GET with a range, DELETE.

Addresses are path-style (``endpoint/bucket/key``), which every such store knows.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from pathlib import Path

from warmline.kernel.clock import Clock
from warmline.kernel.errors import NotFound, Unavailable, WarmlineError
from warmline.kernel.ids import uuid7
from warmline.platform.http import Outgoing, Reply
from warmline.platform.s3_signing import EMPTY_SHA256, S3Key, encoded_path, signed_headers

PIECE = 1 << 20
_AT_ONCE = 4
"""A file stands in memory while it is sent: not too many at a time."""
_SHORT_S = 10.0
_PUT_S = 120.0
_OVERHEAD = 64 * 1024
_PARTIAL = 206
_WHOLE = 200
_GONE = 404
_BEYOND = 416


class S3Blobs:
    """See ``Blobs``.  ``folder`` is put before every key, so that a bucket can hold other things as well."""

    def __init__(
        self, outgoing: Outgoing, clock: Clock, *, endpoint: str, bucket: str, folder: str, key: S3Key
    ) -> None:
        self._outgoing = outgoing
        self._clock = clock
        self._endpoint = endpoint.rstrip("/")
        self._bucket = bucket
        self._folder = folder
        self._key = key
        self._sending = asyncio.Semaphore(_AT_ONCE)
        target = outgoing.target(self._endpoint + "/")
        standard = {"http": 80, "https": 443}[target.url.scheme]
        port = target.url.port
        self._host = (target.url.raw_host or "") + ("" if port == standard else f":{port}")

    async def stop(self) -> None:
        """Close the connections."""
        await self._outgoing.stop()

    async def put(self, key: str, source: Path) -> None:
        """See ``Blobs``."""
        async with self._sending:
            body = await asyncio.to_thread(source.read_bytes)
            reply = await self._ask("PUT", key, body=body, timeout_s=_PUT_S)
        if not reply.ok:
            raise _refused(reply, "stored")

    async def pieces(self, key: str) -> AsyncGenerator[bytes, None]:
        """See ``Blobs``."""
        start = 0
        while True:
            reply = await self._ask("GET", key, headers={"Range": f"bytes={start}-{start + PIECE - 1}"})
            if reply.status == _GONE:
                raise NotFound("This file is gone.")
            if reply.status == _BEYOND:
                return
            if reply.status == _WHOLE and start == 0:
                yield reply.body  # a store that knows no ranges gives all of it
                return
            if reply.status != _PARTIAL:
                raise _refused(reply, "read")
            yield reply.body
            start += len(reply.body)
            if len(reply.body) < PIECE or start >= _total(reply):
                return

    async def delete(self, key: str) -> None:
        """See ``Blobs``."""
        reply = await self._ask("DELETE", key)
        if not reply.ok and reply.status != _GONE:
            raise _refused(reply, "deleted")

    async def check(self) -> str:
        """See ``Blobs``."""
        key = f"check-{uuid7()}"
        reply = await self._ask("PUT", key, body=b"warmline")
        if not reply.ok:
            raise _refused(reply, "stored")
        read = await self._ask("GET", key)
        await self.delete(key)
        if read.body != b"warmline":
            raise _refused(read, "read")
        return f"The bucket {self._bucket} at {self._endpoint} takes files."

    async def _ask(
        self,
        method: str,
        key: str,
        *,
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
        timeout_s: float = _SHORT_S,
    ) -> Reply:
        path = encoded_path(self._bucket, self._folder, key)
        digest = EMPTY_SHA256 if not body else await asyncio.to_thread(lambda: hashlib.sha256(body).hexdigest())
        # Compressed on the way, a range would be a range of something else.
        given = {"Accept-Encoding": "identity", **(headers or {})}
        signed = signed_headers(
            self._key, method, self._host, path, headers=given, payload_sha256=digest, at=self._clock.now()
        )
        try:
            return await self._outgoing.request(
                method,
                self._endpoint + path,
                headers=signed,
                body=body,
                timeout_s=timeout_s,
                max_bytes=PIECE + _OVERHEAD,
                idempotent=True,
            )
        except WarmlineError as error:
            raise Unavailable(f"The store for files cannot be reached: {error.detail}") from error


def _total(reply: Reply) -> int:
    """How long the whole file is, from ``bytes 0-1048575/2000000``."""
    told = reply.headers.get("Content-Range", "").rpartition("/")[2]
    return int(told) if told.isascii() and told.isdigit() else 1 << 62


def _refused(reply: Reply, done: str) -> Unavailable:
    return Unavailable(f"The store for files answered {reply.status}: the file could not be {done}.")
