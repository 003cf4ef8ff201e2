"""The visitor's stream as server-sent events, for networks that let no WebSocket through; sending is by POST."""

from __future__ import annotations

import re
from typing import Annotated, TypeVar
from urllib.parse import parse_qs

import msgspec
from msgspec import Meta

from warmline.kernel.errors import Invalid, NotFound
from warmline.web import stream_frames as f
from warmline.web.problems import Receive, Scope, Send, explain, read_body, send_json
from warmline.web.security import bearer, client_address, header
from warmline.web.stream import VisitorStream, log
from warmline.web.stream_outlet import END_EXTENSION, EventStreamOutlet

_LAST_EVENT_ID = re.compile(r"([A-Za-z0-9_-]{1,64})\.(\d{1,16})")
_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    # Reverse proxies buffer answers unless told not to; then nothing would be live.
    (b"x-accel-buffering", b"no"),
]


class StreamQuery(msgspec.Struct, frozen=True):
    """Query of ``GET /widget/sse``."""

    conversation: f.ConversationRef
    since: f.Seq = 0
    incarnation: Annotated[str, Meta(max_length=64)] | None = None


class SendQuery(msgspec.Struct, frozen=True):
    """Query of ``POST /widget/send``."""

    conversation: f.ConversationRef | None = None


class _Addressed(msgspec.Struct, frozen=True):
    conversation: f.ConversationRef | None = None


_addressed = msgspec.json.Decoder(_Addressed)


class EventStreamEndpoint:
    """``GET /widget/sse`` and ``POST /widget/send``."""

    def __init__(self, stream: VisitorStream) -> None:
        self._stream = stream

    async def events(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Follow a conversation.  ``Last-Event-ID`` (``incarnation.seq``) wins over the query."""
        visitor = self._stream.visitors.authenticate(bearer(scope))
        query = parse_query(scope, StreamQuery)
        incarnation, since = query.incarnation, query.since
        if found := _LAST_EVENT_ID.fullmatch((header(scope, b"last-event-id") or b"").decode("latin-1")):
            incarnation, since = found[1], int(found[2])
        await self._stream.own(visitor, query.conversation)
        hub = self._stream.hub
        end = scope.get("extensions", {}).get(END_EXTENSION)
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        outlet = EventStreamOutlet(send, end, hub.journal.incarnation)
        outlet.visitor = visitor
        outlet.answers_pings = False
        hub.register(outlet)
        try:
            await self._follow(outlet, query.conversation, incarnation, since)
            while (await receive())["type"] != "http.disconnect":
                pass
        finally:
            hub.unregister(outlet)

    async def _follow(self, outlet: EventStreamOutlet, conversation: str, incarnation: str | None, since: int) -> None:
        # The answer has begun: from here on a failure can only be told as a close event.
        try:
            await self._stream.follow(outlet, conversation, incarnation, since)
        except NotFound:
            outlet.close(f.NO_SUCH_CONVERSATION, "no such conversation")
        except Exception:  # noqa: BLE001 - a failing store must not look like a final answer
            log.exception("resume failed", conversation=conversation)
            outlet.close(f.RESYNC, "try again")

    async def send(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One client frame; the answer is its ``ack`` or ``refused`` frame, or ``{}`` when it has none.

        The conversation is named by the query or by the frame's own field ``conversation``.
        """
        visitor = self._stream.visitors.authenticate(bearer(scope))
        raw = await read_body(receive, f.MAX_FRAME_BYTES)
        try:
            frame = f.parse_frame(raw)
        except Invalid as error:
            await send_json(send, f.refused_frame(f.client_id_of(raw), error), 400)
            return
        conversation = parse_query(scope, SendQuery).conversation or _addressed.decode(raw).conversation
        if conversation is None:
            raise Invalid("Name the conversation.", path="$.conversation")
        await self._stream.own(visitor, conversation)
        answer = await self._stream.respond(visitor, conversation, frame, client_address(scope))
        await send_json(send, answer or {})


T = TypeVar("T")


def parse_query(scope: Scope, type_: type[T]) -> T:
    """The query string as ``type_``.  Raises Invalid whose path is ``query.<name>``."""
    try:
        pairs = parse_qs(scope["query_string"].decode("ascii"), max_num_fields=20, errors="strict")
        return msgspec.convert({name: values[-1] for name, values in pairs.items()}, type_, strict=False)
    except msgspec.ValidationError as error:
        found = explain(str(error))
        raise Invalid(found.detail, path="query" + found.fields["path"][1:]) from None
    except ValueError:
        raise Invalid("The query string is malformed.", path="query") from None
