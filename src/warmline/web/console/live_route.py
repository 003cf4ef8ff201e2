"""The route of the live pages' event stream."""

from __future__ import annotations

from typing import Any

from litestar import Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.response import Stream

from warmline.web.console.live import Live, events_of


def create_live(live: Live) -> HTTPRouteHandler:
    """``GET /live?topic=…&topic=…``: the one event stream of the console."""

    @get("/live", include_in_schema=False)
    async def stream(request: Request[Any, Any, Any]) -> Stream:
        visit = request.state.visit
        topics = request.query_params.getall("topic", [])
        # Watching starts before the first read: what is committed in between arrives twice rather than never.
        watcher = live.watch(visit.principal, topics)
        try:
            first = await live.first(visit.principal, topics)
        except BaseException:
            live.leave(watcher)
            raise
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        body = events_of(live, watcher, first, visit.is_still_signed_in)
        return Stream(body, media_type="text/event-stream", headers=headers)

    return stream
