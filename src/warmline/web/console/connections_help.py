"""A connection's queues, its guide, and the file for whoever looks after its desk."""

from __future__ import annotations

import msgspec
from litestar import Response, get
from litestar.params import FromPath

from warmline.accounts.access import Scope
from warmline.handover.diagnostics import Diagnostics
from warmline.handover.port import DeskError, ListsQueues
from warmline.kernel.errors import Conflict
from warmline.platform.crypto import KeyMissing
from warmline.web.console.administration import administration
from warmline.web.console.connections import connection_page
from warmline.web.console.visit import Visit

SEE = {"scope": Scope.CONNECTIONS_READ}
CHANGE = {"scope": Scope.CONNECTIONS_WRITE}
_PAGE = 50


@get("/connections/{connection_id:str}/queues", opt=CHANGE)
async def show_queues(visit: Visit, connection_id: FromPath[str]) -> Response[str]:
    """Where the vendor can be told to bring a visitor, asked of it now."""
    at = administration(visit)
    connection = at.connections.get(connection_id)
    search = visit.request.query_params.get("q", "").strip()[:200]
    failure, queues = "", []
    try:
        desk = at.connections.desk(connection_id)
        queues = list(await desk.queues()) if isinstance(desk, ListsQueues) else []
    except (DeskError, Conflict, KeyMissing) as error:
        failure = error.detail
    found = [one for one in queues if search.casefold() in f"{one.name} {one.ref}".casefold()]
    first = _first(visit.request.query_params.get("from", ""), len(found))
    return await connection_page(
        visit,
        connection,
        "queues",
        queues=found[first : first + _PAGE],
        any_at_all=bool(queues),
        search=search,
        failure=failure,
        first=first,
        every=len(found),
        size=_PAGE,
    )


def _first(text: str, every: int) -> int:
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0
    return number - number % _PAGE if number < every else 0


@get("/connections/{connection_id:str}/help", opt=SEE)
async def show_help(visit: Visit, connection_id: FromPath[str]) -> Response[str]:
    """How it is connected, what its desk can do, and the report of a problem."""
    return await connection_page(
        visit,
        administration(visit).connections.get(connection_id),
        "help",
        report=msgspec.json.format(msgspec.json.encode(await _report(visit, connection_id)), indent=2).decode(),
    )


@get("/connections/{connection_id:str}/report.json", opt=SEE)
async def download_report(visit: Visit, connection_id: FromPath[str]) -> Response[bytes]:
    """The diagnostics file."""
    text = msgspec.json.format(msgspec.json.encode(await _report(visit, connection_id)), indent=2)
    name = f"warmline-{administration(visit).connections.get(connection_id).kind}-{connection_id[:8]}.json"
    headers = {
        "cache-control": "no-store",
        "content-disposition": f'attachment; filename="{name}"',
        "x-content-type-options": "nosniff",
    }
    return Response(text + b"\n", media_type="application/json", headers=headers)


async def _report(visit: Visit, connection_id: str) -> Diagnostics:
    at = administration(visit)
    ladders = [
        {"widget": widget.id, "rung": place, "of": len(widget.ladder), "payload": bool(step.payload.strip())}
        for widget in await at.all_widgets()
        for place, step in enumerate(widget.ladder, 1)
        if step.connection_id == connection_id
    ]
    return await at.reporter.report(connection_id, ladders=ladders)


CONNECTIONS_HELP = (show_queues, show_help, download_report)
