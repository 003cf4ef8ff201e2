"""``GET /console/stream``: one event stream per page, with a conversation, the desk's board, or both.

One and not two, because browsers open six connections to a server over HTTP/1.1 and agents open several tabs.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import structlog
from litestar import get
from litestar.response import Stream

from warmline.accounts import access
from warmline.accounts.access import Scope
from warmline.kernel.errors import Invalid, NotFound, Unavailable
from warmline.web import stream_frames as f
from warmline.web.console.desk_surface import READER, DeskSurface
from warmline.web.console.visit import Visit
from warmline.web.stream_outlet import EventStreamOutlet

log = structlog.get_logger(__name__)

CHECK_S = 15.0
"""How often it is asked whether the reader is still signed in with the same powers."""
_LAST_EVENT_ID = re.compile(r"([A-Za-z0-9_-]{1,64})\.(\d{1,16})")
_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}


class _Pipe:
    """Between the outlet, which pushes, and the framework's response, which pulls; one chunk at a time."""

    def __init__(self) -> None:
        self._chunks: asyncio.Queue[bytes | None] = asyncio.Queue(1)
        self._cut = False

    async def send(self, message: Any) -> None:
        """An ASGI message of the outlet."""
        await self._chunks.put(message["body"])
        if not message["more_body"]:
            await self._chunks.put(None)

    def end(self, _code: int, _reason: str) -> None:
        """The reader does not read: stop at the next chunk."""
        self._cut = True

    async def next(self) -> bytes | None:
        """The next chunk, None at the end.  Raises TimeoutError when nothing came for a while."""
        if self._cut:
            return None
        async with asyncio.timeout(CHECK_S):
            return await self._chunks.get()


@get("/stream", opt={"scope": Scope.CONVERSATIONS_READ})
async def open_stream(visit: Visit) -> Stream:
    surface: DeskSurface = visit.ctx.services["desk"]
    query = visit.request.query_params
    conversation, with_board = query.get("conversation", ""), query.get("board") == "1"
    if with_board:
        access.desk.check_write(visit.principal)
    if not conversation and not with_board:
        raise Invalid("Name a conversation, or ask for the board.", path="query.conversation")
    if surface.hub.draining:
        raise Unavailable
    if conversation:
        await surface.services.conversations.snapshot(conversation)
    await surface.names.refresh()
    return Stream(_events(visit, surface, conversation, with_board), media_type="text/event-stream", headers=_HEADERS)


def _position(visit: Visit) -> tuple[str | None, int]:
    """Where the reader stands: ``Last-Event-ID`` wins over the query."""
    query = visit.request.query_params
    if found := _LAST_EVENT_ID.fullmatch(visit.request.headers.get("last-event-id", "")):
        return found[1], int(found[2])
    since = query.get("since", "")
    return query.get("incarnation"), int(since) if since.isascii() and since.isdigit() and len(since) < 17 else 0


async def _events(visit: Visit, surface: DeskSurface, conversation: str, with_board: bool) -> AsyncIterator[bytes]:
    pipe = _Pipe()
    hub = surface.hub
    outlet = EventStreamOutlet(pipe.send, pipe.end, hub.journal.incarnation)
    outlet.visitor = READER
    outlet.answers_pings = False
    hub.register(outlet)
    try:
        yield b"retry: 1500\n\n"
        if with_board:
            await surface.board.watch(outlet, visit.member.id)
        if conversation:
            await _follow(surface, outlet, conversation, *_position(visit))
        check_at = asyncio.get_running_loop().time() + CHECK_S
        while True:
            try:
                chunk = await pipe.next()
            except TimeoutError:
                chunk = b": here\n\n"
            if chunk is None:
                return
            yield chunk
            now = asyncio.get_running_loop().time()
            if now >= check_at:
                # Signing out, being disabled or losing the role ends the stream as well.
                if not await visit.is_still_signed_in():
                    return
                check_at = now + CHECK_S
    finally:
        surface.board.leave(outlet)
        hub.unregister(outlet)


async def _follow(
    surface: DeskSurface, outlet: EventStreamOutlet, conversation: str, incarnation: str | None, since: int
) -> None:
    try:
        await surface.follow(outlet, conversation, incarnation, since)
    except NotFound:
        outlet.close(f.NO_SUCH_CONVERSATION, "no such conversation")
    except Exception:  # the answer has begun: a failure can only be told as a close event
        log.exception("resume failed", conversation=conversation)
        outlet.close(f.RESYNC, "try again")


STREAM = (open_stream,)
