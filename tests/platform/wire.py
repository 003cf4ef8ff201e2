"""A real server on loopback whose every byte a test decides."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

Answer = Callable[["Exchange"], Awaitable[None]]


@dataclass
class Exchange:
    """One request as it came in, and the way to answer it."""

    head: bytes
    body: bytes
    number: int
    connection: int
    stopped: asyncio.Event
    _writer: asyncio.StreamWriter = field(repr=False)

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    def close(self) -> None:
        self._writer.close()

    def abort(self) -> None:
        self._writer.transport.abort()

    async def pause(self) -> None:
        """A short while, or until the test is over."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.stopped.wait(), 0.02)

    def header(self, name: str) -> str | None:
        for line in self.head.decode("latin-1").split("\r\n")[1:]:
            key, _, value = line.partition(":")
            if key.lower() == name.lower():
                return value.strip()
        return None


@dataclass
class Wire:
    """What the server saw."""

    host: str
    port: int
    exchanges: list[Exchange] = field(default_factory=list)
    connections: int = 0

    @property
    def place(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.place}/hook"


def reply(body: bytes = b"ok", *, status: str = "200 OK", headers: str = "", length: int | None = None) -> bytes:
    """A plain HTTP/1.1 reply; ``headers`` are whole lines."""
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\nContent-Length: {size}\r\n{headers}\r\n".encode() + body


async def fine(exchange: Exchange) -> None:
    await exchange.send(reply())


@contextlib.asynccontextmanager
async def serving(
    answer: Answer = fine, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncIterator[Wire]:
    """Serve ``answer`` for every request until the block ends."""
    stopped = asyncio.Event()
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        wire.connections += 1
        number = wire.connections
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while not stopped.is_set():
                head = await reader.readuntil(b"\r\n\r\n")
                exchange = Exchange(head, b"", len(wire.exchanges) + 1, number, stopped, writer)
                exchange.body = await reader.readexactly(int(exchange.header("content-length") or 0))
                wire.exchanges.append(exchange)
                await answer(exchange)
        writer.transport.abort()
        tasks.discard(task)

    server = await asyncio.start_server(connected, host, 0, ssl=tls)
    wire = Wire(host, server.sockets[0].getsockname()[1])
    try:
        yield wire
    finally:
        stopped.set()
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
