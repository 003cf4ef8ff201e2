"""Bare HTTP/1.1 and WebSocket clients: a comfortable client would measure itself.

They know exactly as much of the protocols as our own server and its floors send.
"""

from __future__ import annotations

import asyncio
import base64
import os
import struct
from collections.abc import Callable
from typing import cast

Answered = Callable[[int, bytes], None]
"""Status and body of an answer."""


class Call(asyncio.Protocol):
    """One keep-alive connection with at most one request on its way."""

    def __init__(self, host: str, port: int) -> None:
        self.place = (host, port)
        self.transport: asyncio.Transport | None = None
        self._buffer = b""
        self._answered: Answered | None = None

    async def connect(self) -> Call:
        """Open the connection."""
        await asyncio.get_running_loop().create_connection(lambda: self, *self.place)
        return self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's are no subclass

    def send(self, request: bytes, answered: Answered) -> None:
        """Send one complete request; ``answered`` is called with its answer, status 0 when the connection ended."""
        self._answered = answered
        assert self.transport is not None
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        start = head.find(b"content-length:") + 15
        length = int(head[start : head.find(b"\r\n", start) if b"\r\n" in head[start:] else len(head)])
        if len(self._buffer) < end + 4 + length:
            return
        body = self._buffer[end + 4 : end + 4 + length]
        self._buffer = self._buffer[end + 4 + length :]
        self._give(int(head[9:12]), body)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._give(0, b"")

    def _give(self, status: int, body: bytes) -> None:
        answered, self._answered = self._answered, None
        if answered is not None:
            answered(status, body)

    def close(self) -> None:
        """Hang up."""
        if self.transport is not None:
            self.transport.abort()


def post(path: str, body: bytes, headers: dict[str, str]) -> bytes:
    """A complete POST request with a JSON body."""
    lines = [f"POST {path} HTTP/1.1", "host: bench", "content-type: application/json", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


class Socket(asyncio.Protocol):
    """A WebSocket of one visitor; every text frame goes to ``received``."""

    def __init__(self, received: Callable[[Socket, bytes], None], number: int) -> None:
        self.number = number
        self.closed = False
        self._received = received
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._open: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def connect(self, host: str, port: int, path: str, headers: dict[str, str]) -> Socket:
        """Open the connection and shake hands.  Raises ConnectionError."""
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: self, host, port)
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [f"GET {path} HTTP/1.1", f"host: {host}:{port}", "upgrade: websocket", "connection: Upgrade"]
        lines += [f"sec-websocket-key: {key}", "sec-websocket-version: 13"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        assert self._transport is not None
        self._transport.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        await self._open
        return self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def send(self, text: bytes) -> None:
        """Send one text frame (at most 64 KiB), masked with zeros: the mask protects proxies, of which there are none."""
        size = len(text)
        head = struct.pack("!BB", 0x81, 0x80 | size) if size < 126 else struct.pack("!BBH", 0x81, 0x80 | 126, size)
        if self._transport is not None and not self.closed:
            self._transport.write(head + b"\0\0\0\0" + text)

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        if not self._open.done():
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            if not self._buffer.startswith(b"HTTP/1.1 101"):
                self._open.set_exception(ConnectionError(self._buffer[:200].decode("latin-1")))
                return
            self._buffer = self._buffer[end + 4 :]
            self._open.set_result(None)
        self._read_frames()

    def _read_frames(self) -> None:
        buffer, at = self._buffer, 0
        while len(buffer) - at >= 2:
            size, start = buffer[at + 1], at + 2
            if size == 126:
                if len(buffer) - at < 4:
                    break
                size, start = int.from_bytes(buffer[at + 2 : at + 4], "big"), at + 4
            elif size == 127:
                if len(buffer) - at < 10:
                    break
                size, start = int.from_bytes(buffer[at + 2 : at + 10], "big"), at + 10
            if len(buffer) - start < size:
                break
            if buffer[at] & 0x0F == 1:
                self._received(self, buffer[start : start + size])
            at = start + size
        self._buffer = buffer[at:]

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        if not self._open.done():
            self._open.set_exception(exc or ConnectionError("closed"))

    def abort(self) -> None:
        """Vanish, as a laptop that is closed."""
        self.closed = True
        if self._transport is not None:
            self._transport.abort()


class Sink(asyncio.Protocol):
    """One connection of a bare HTTP server: every request body goes to ``received``, every answer is 200 ``{}``."""

    ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"

    def __init__(self, received: Callable[[bytes], None]) -> None:
        self._received = received
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower() + b"\r\n"
            start = head.find(b"content-length:") + 15
            length = int(head[start : head.find(b"\r\n", start)])
            if len(self._buffer) < end + 4 + length:
                return
            body, self._buffer = self._buffer[end + 4 : end + 4 + length], self._buffer[end + 4 + length :]
            self._received(body)
            assert self._transport is not None
            self._transport.write(self.ANSWER)
