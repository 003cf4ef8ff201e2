"""Our server protocols: uvicorn's, with a way to end a connection whose peer does not read.

ASGI can only ask to close, and that waits in the same full buffer.  The extension ``warmline.end`` writes the
close behind what is buffered and cuts the connection when it has not gone out after a moment.
"""

from __future__ import annotations

import asyncio
from typing import Any

import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState
from websockets.protocol import State

from warmline.web.stream_frames import BAD_FRAME
from warmline.web.stream_outlet import END_EXTENSION, REFUSED_EXTENSION, WRITE_EXTENSION

log = structlog.get_logger(__name__)

LAST_WORDS_S = 5.0


def _is_text(parts: list[bytes]) -> bool:
    data = parts[0] if len(parts) == 1 else b"".join(parts)
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _abort(transport: asyncio.Transport) -> None:
    transport.abort()


class HttpProtocol(HttpToolsProtocol):
    """HTTP/1.1 with the end extension for event streams."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        scope: Any = self.scope
        scope["extensions"] = {END_EXTENSION: self._end_now}

    def _end_now(self, _code: int, _reason: str) -> None:
        self.transport.close()
        self.loop.call_later(LAST_WORDS_S, _abort, self.transport)


class SocketProtocol(WebSocketsSansIOProtocol):
    """WebSocket with the end extension, and strangers' garbage answered without a word of error in the log."""

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        # uvicorn leaves a handshake that cannot be read (too many headers) without its answer, and open for ever.
        if self.conn.handshake_exc is not None and not self.handshake_initiated and not self.transport.is_closing():
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()

    def send_receive_event_to_app(self) -> None:
        # uvicorn would log a traceback, and close with a code that asks the client to come back.
        if self.curr_msg_data_type == "text" and not self.close_sent and not _is_text(self.frames):
            self.frames = []
            log.info("frame refused: not UTF-8", address=self.client and self.client[0])
            self._end_now(BAD_FRAME, "not UTF-8")
            return
        super().send_receive_event_to_app()

    def handle_connect(self, event: Any) -> None:
        # The task that runs the application starts only after this returns: it sees the extension.
        super().handle_connect(event)
        scope: Any = getattr(self, "scope", None)
        if scope is not None:
            scope["extensions"] |= {
                END_EXTENSION: self._end_now,
                REFUSED_EXTENSION: self._refused,
                WRITE_EXTENSION: self._write_now,
            }

    def _refused(self) -> None:
        # Else uvicorn logs an error for every handshake refused with a body: anybody could fill the log.
        self.handshake_complete = True

    def _write_now(self, data: bytes) -> bool:
        # What waits in the connection's own buffer was flushed by whoever put it there, so nothing is overtaken.
        if (
            not self.writable.is_set()
            or self.close_sent
            or self.disconnected
            or self.conn.state is not State.OPEN
            or self.transport.is_closing()
        ):
            return False
        self.transport.write(data)
        return True

    def _end_now(self, code: int, reason: str) -> None:
        if not self.close_sent and not self.transport.is_closing():
            try:
                self.conn.send_close(code, reason)
                self.transport.write(b"".join(self.conn.data_to_send()))
            except InvalidState:
                pass
            self.close_sent = True
        # A peer that never reads would keep the buffer, and with it the connection, for ever.
        self.loop.call_later(LAST_WORDS_S, _abort, self.transport)
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
