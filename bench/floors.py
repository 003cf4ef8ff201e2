"""What this machine can do at best: servers that do almost nothing, run as ``python -m bench.floors KIND PORT FOLDER``.

``canned``   a bare protocol with a fixed answer: what the load generator itself can do
``echo``     raw ASGI on uvicorn: no store, no thought
``commit``   raw ASGI, and one appended row per request, committed in groups on SQLite before the answer
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import sys
import threading
from pathlib import Path
from typing import Any

import uvicorn
import uvloop

from bench.wires import Sink

_HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"2")]


async def answer(send: Any) -> None:
    """200 ``{}``."""
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": b"{}"})


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Read the body, answer."""
    if scope["type"] == "http":
        await receive()
        await answer(send)


class GroupCommit:
    """One thread, one transaction for everything that waits, ``synchronous=FULL``."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "floor.db"
        self._queue: queue.SimpleQueue[tuple[asyncio.Future[None], bytes]] = queue.SimpleQueue()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = (await receive()).get("body", b"")
        if scope["method"] == "POST":
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._queue.put((future, body))
            await future
        await answer(send)

    def start(self) -> None:
        """Begin to write."""
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._run, args=(loop,), daemon=True).start()

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        connection = sqlite3.connect(self._path, isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE events (position INTEGER PRIMARY KEY, body TEXT)")
        while True:
            batch = [self._queue.get()]
            while len(batch) < 500 and not self._queue.empty():
                batch.append(self._queue.get())
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO events (body) VALUES (?)", [(body,) for _future, body in batch])
            connection.execute("COMMIT")
            loop.call_soon_threadsafe(self._answered, [future for future, _body in batch])

    @staticmethod
    def _answered(futures: list[asyncio.Future[None]]) -> None:
        for future in futures:
            if not future.done():
                future.set_result(None)


async def canned(port: int) -> None:
    """Serve fixed answers until killed."""

    def ignore(_body: bytes) -> None: ...

    class Bare(Sink):
        def data_received(self, data: bytes) -> None:
            if data.startswith(b"GET"):
                assert self._transport is not None
                self._transport.write(self.ANSWER)
            else:
                super().data_received(data)

    server = await asyncio.get_running_loop().create_server(lambda: Bare(ignore), "127.0.0.1", port)
    await server.serve_forever()


async def serve(application: Any, port: int) -> None:
    """Run uvicorn with the options of the real server."""
    if isinstance(application, GroupCommit):
        application.start()
    config = uvicorn.Config(
        application, host="127.0.0.1", port=port, http="httptools", lifespan="off", access_log=False, log_config=None
    )
    await uvicorn.Server(config).serve()


def main() -> None:
    """Run one floor."""
    kind, port, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    if kind == "canned":
        uvloop.run(canned(port))
    else:
        uvloop.run(serve(echo if kind == "echo" else GroupCommit(folder), port))


if __name__ == "__main__":
    main()
