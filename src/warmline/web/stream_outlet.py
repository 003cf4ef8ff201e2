"""One live connection as the hub sees it: a byte-bounded queue in front of an ASGI ``send``.

An idle outlet owns no task and no queue; both appear with a burst of frames and go with it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from warmline.web.problems import Send
from warmline.web.stream_frames import SLOW_CONSUMER

QUEUE_BYTES = 256 * 1024
END_EXTENSION = "warmline.end"
"""Scope extension of our server protocols: ``end(code, reason)`` closes even when the peer does not read."""
REFUSED_EXTENSION = "warmline.refused"
"""Scope extension: ``refused()`` after a handshake was answered with a status of its own."""

WRITE_EXTENSION = "warmline.write"
"""Scope extension: ``write(data)`` puts a whole WebSocket frame on an open connection whose peer reads; else False."""

End = Callable[[int, str], None]
Write = Callable[[bytes], bool]

_flushing: set[asyncio.Task[None]] = set()


class Frame:
    """One server frame, written once and shared by every outlet it goes to."""

    __slots__ = ("_raw", "_sse", "_ws", "seq", "text")

    def __init__(self, text: str, seq: int | None = None) -> None:
        """``seq`` is set for frames that move the reader forward: it becomes the SSE id."""
        self.text = text
        self.seq = seq
        self._raw: bytes | None = None
        self._ws: dict[str, Any] | None = None
        self._sse: dict[str, Any] | None = None

    def as_bytes(self) -> bytes:
        """The text message as a server writes it on the wire (RFC 6455 §5.2): one final frame, not masked."""
        if self._raw is None:
            payload = self.text.encode()
            size = len(payload)
            if size < 126:
                head = bytes((0x81, size))
            elif size < 65_536:
                head = b"\x81\x7e" + size.to_bytes(2, "big")
            else:
                head = b"\x81\x7f" + size.to_bytes(8, "big")
            self._raw = head + payload
        return self._raw

    def as_websocket(self) -> dict[str, Any]:
        """The ASGI message for a WebSocket."""
        if self._ws is None:
            self._ws = {"type": "websocket.send", "text": self.text}
        return self._ws

    def as_sse(self, incarnation: str) -> dict[str, Any]:
        """The ASGI message for an event stream; JSON text has no line breaks, so one data line holds it."""
        if self._sse is None:
            head = f"id: {incarnation}.{self.seq}\n" if self.seq is not None else ""
            body = f"{head}data: {self.text}\n\n".encode()
            self._sse = {"type": "http.response.body", "body": body, "more_body": True}
        return self._sse


class Outlet:
    """A connection that receives frames.  Subclasses say how a frame and the end are written."""

    __slots__ = (
        "_bytes",
        "_end",
        "_queue",
        "_send",
        "_task",
        "answers_pings",
        "channel",
        "closing",
        "known",
        "slot",
        "unheard",
        "visitor",
    )

    def __init__(self, send: Send, end: End | None) -> None:
        self._send = send
        self._end = end
        self._queue: deque[Frame] | None = None
        self._bytes = 0
        self._task: asyncio.Task[None] | None = None
        self.closing: tuple[int, str] | None = None
        self.known = 0
        self.channel: Any = None
        self.visitor = ""
        self.unheard = 0
        self.answers_pings = True
        self.slot = -1

    def push(self, frame: Frame) -> None:
        """Queue a frame.  A connection that lets more than 256 KiB pile up is closed: it resumes by seq."""
        if self.closing is not None or (self._queue is None and self._write_now(frame)):
            return
        self._bytes += len(frame.text)
        if self._bytes > QUEUE_BYTES and self._queue:
            self._overflow()
            return
        if self._queue is None:
            self._queue = deque((frame,))
            self._start()
        else:
            self._queue.append(frame)

    def close(self, code: int, reason: str) -> None:
        """End the connection after what is queued."""
        if self.closing is None:
            self.closing = (code, reason)
            if self._task is None:
                self._start()

    def _overflow(self) -> None:
        self.closing = (SLOW_CONSUMER, "slow consumer")
        if self._task is not None:
            self._task.cancel()
        if self._end is not None:
            self._end(*self.closing)

    def _start(self) -> None:
        self._task = task = asyncio.get_running_loop().create_task(self._flush())
        _flushing.add(task)
        task.add_done_callback(_flushing.discard)

    async def _flush(self) -> None:
        try:
            while queue := self._queue:
                await self._write(queue[0])
                self._bytes -= len(queue.popleft().text)
            if self.closing is not None:
                await self._finish(*self.closing)
        except (OSError, RuntimeError):
            # The peer is gone; the handler hears of it from the server and leaves the hub.
            self.closing = self.closing or (1006, "")
        finally:
            self._queue = None
            self._bytes = 0
            self._task = None

    def _write_now(self, frame: Frame) -> bool:
        """Write without a task where that is possible; whether it was."""
        del frame
        return False

    async def _write(self, frame: Frame) -> None:
        raise NotImplementedError

    async def _finish(self, code: int, reason: str) -> None:
        raise NotImplementedError


class SocketOutlet(Outlet):
    """A WebSocket.  ``write`` is the server's own, where it has one: a task per frame would double a frame's cost."""

    __slots__ = ("_direct",)

    def __init__(self, send: Send, end: End | None, write: Write | None = None) -> None:
        super().__init__(send, end)
        self._direct = write

    def _write_now(self, frame: Frame) -> bool:
        return self._direct is not None and self._direct(frame.as_bytes())

    async def _write(self, frame: Frame) -> None:
        await self._send(frame.as_websocket())

    async def _finish(self, code: int, reason: str) -> None:
        await self._send({"type": "websocket.close", "code": code, "reason": reason})


class EventStreamOutlet(Outlet):
    """A ``text/event-stream`` response.  Its end is the end of the body, after a ``close`` event with the code."""

    __slots__ = ("_incarnation",)

    def __init__(self, send: Send, end: End | None, incarnation: str) -> None:
        super().__init__(send, end)
        self._incarnation = incarnation

    async def _write(self, frame: Frame) -> None:
        await self._send(frame.as_sse(self._incarnation))

    async def _finish(self, code: int, reason: str) -> None:
        tail = f'event: close\ndata: {{"code":{code},"reason":"{reason}"}}\n\n'.encode()
        await self._send({"type": "http.response.body", "body": tail, "more_body": False})
