"""The visitor's stream over a WebSocket."""

from __future__ import annotations

from typing import Any

from warmline.kernel.errors import Conflict, Forbidden, Invalid, NotFound, Unauthorized, WarmlineError
from warmline.web import stream_frames as f
from warmline.web.problems import Receive, Scope, Send, problem_of
from warmline.web.security import client_address, is_own_origin
from warmline.web.stream import VisitorStream, log
from warmline.web.stream_outlet import END_EXTENSION, REFUSED_EXTENSION, WRITE_EXTENSION, SocketOutlet


class SocketEndpoint:
    """``GET /widget/ws``.  Each connection costs the server's own task and one outlet, nothing more."""

    def __init__(self, stream: VisitorStream, public_origin: str) -> None:
        self._stream = stream
        self._public_origin = public_origin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (await receive())["type"] != "websocket.connect":
            return
        if not is_own_origin(scope, self._public_origin):
            await _reject(send)
            if refused := scope["extensions"].get(REFUSED_EXTENSION):
                refused()
            return
        await send({"type": "websocket.accept"})
        extensions = scope["extensions"]
        outlet = SocketOutlet(send, extensions.get(END_EXTENSION), extensions.get(WRITE_EXTENSION))
        address = client_address(scope)
        hub = self._stream.hub
        hub.register(outlet)
        try:
            while (message := await receive())["type"] == "websocket.receive":
                await self._receive(outlet, message, address)
                del message
        finally:
            hub.unregister(outlet)

    async def _receive(self, outlet: SocketOutlet, message: Any, address: str) -> None:
        if outlet.closing is not None:
            return
        raw: str | bytes = message.get("text") or message.get("bytes") or b""
        if len(raw) > f.MAX_FRAME_BYTES:
            outlet.close(f.BAD_FRAME, "frame too large")
            return
        try:
            frame = f.parse_frame(raw)
        except Invalid as error:
            self._stream.push(outlet, f.refused_frame(f.client_id_of(raw), error))
            return
        # Only a readable frame is a sign of life; garbage does not keep a connection.
        if outlet.visitor:
            outlet.unheard = 0
        if isinstance(frame, f.Hello):
            await self._hello(outlet, frame)
        elif outlet.channel is None:
            early = Conflict("Say hello first.", code="hello_first")
            self._stream.push(outlet, f.refused_frame(getattr(frame, "client_id", None), early))
        else:
            conversation = outlet.channel.conversation
            self._stream.push(outlet, await self._stream.respond(outlet.visitor, conversation, frame, address))

    async def _hello(self, outlet: SocketOutlet, frame: f.Hello) -> None:
        try:
            await self._stream.hello(outlet, frame)
        except Unauthorized:
            outlet.close(f.BAD_TOKEN, "bad token")
        except NotFound:
            outlet.close(f.NO_SUCH_CONVERSATION, "no such conversation")
        except WarmlineError as error:
            self._stream.push(outlet, f.refused_frame(None, error))
            outlet.close(f.RESYNC, "try again")
        except Exception:  # noqa: BLE001 - a failing store must not look like a final answer
            log.exception("resume failed", conversation=frame.conversation)
            outlet.close(f.RESYNC, "try again")


async def _reject(send: Send) -> None:
    """Refuse the handshake with a readable 403."""
    body = f.text_of(problem_of(Forbidden("This Origin may not open the stream.", code="origin"))).encode()
    headers = [(b"content-type", b"application/problem+json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "websocket.http.response.start", "status": 403, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})
