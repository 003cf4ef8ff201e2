"""Before any page of the console: session, role, and that the request was not forged elsewhere."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast
from urllib.parse import quote

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from warmline.accounts.access import Scope, require
from warmline.kernel.errors import Forbidden, NotFound
from warmline.web.console.context import ConsoleContext
from warmline.web.console.visit import Visit, Visitation, local_path, session_cookie_name
from warmline.web.security import is_own_origin

PUBLIC = "public"
"""``opt={"public": True}``: a page for people who have not signed in.  Everything else needs a session."""

_READING = frozenset({"GET", "HEAD"})
CSRF_HEADER = "x-csrf-token"

Guard = Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], Awaitable[None]]


class SignInNeeded(Exception):
    """Nobody is signed in; ``path`` is where to come back to."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class Forged(Forbidden):
    """A changing request that did not come from one of our own forms."""

    default_code = "forged"
    title = "This form is not valid any more. Go back, reload the page and try again."


def create_guard(ctx: ConsoleContext) -> Guard:
    """The guard of every console route: refuses by default, puts the Visit at ``request.state.visit``."""

    async def admit(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        request: Request[Any, Any, Any] = (
            connection if isinstance(connection, Request) else Request(connection.scope, connection.receive)
        )
        token = request.cookies.get(session_cookie_name(ctx), "")
        signed_in = await ctx.accounts.find_session(token) if token else None
        visit = Visitation(ctx, request, signed_in)
        request.state.visit = visit
        if "\x00" in request.scope["path"] or b"%00" in request.scope["query_string"]:
            raise NotFound("There is no such page.")  # nothing has such a name, and PostgreSQL cannot look for it
        if signed_in is None and not handler.opt.get(PUBLIC):
            raise SignInNeeded(_way_back(request))
        scope = handler.opt.get("scope")
        if scope is not None:
            require(visit.principal, Scope(scope))
        if request.method not in _READING:
            await _check_not_forged(ctx, visit)

    return admit


async def _check_not_forged(ctx: ConsoleContext, visit: Visit) -> None:
    # Three walls: the cookie is SameSite=Lax, the browser's Origin is ours, and the token is the session's.
    if not is_own_origin(cast("dict[str, Any]", visit.request.scope), ctx.public_origin):
        raise Forged
    token = visit.request.headers.get(CSRF_HEADER) or (await visit.form()).text("csrf")
    if not visit.accepts_csrf(token):
        raise Forged


def _way_back(request: Request[Any, Any, Any]) -> str:
    if request.method != "GET" or request.headers.get("hx-request") == "true":
        return ""
    query = request.scope.get("query_string", b"").decode("latin-1")
    path = request.url.path + (f"?{query}" if query else "")
    return quote(local_path(path) or "", safe="/")
