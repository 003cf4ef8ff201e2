"""The console as Litestar handlers."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

import structlog
from litestar import Request, Response, Router, get
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from warmline.accounts.model import SignedIn
from warmline.kernel.errors import NotFound, RateLimited, WarmlineError
from warmline.web.asset_route import create_assets
from warmline.web.console.admission import PUBLIC, SignInNeeded, create_guard
from warmline.web.console.context import ConsoleContext
from warmline.web.console.live_route import create_live
from warmline.web.console.routes_account import ACCOUNT
from warmline.web.console.routes_audit import AUDIT
from warmline.web.console.routes_door import DOOR
from warmline.web.console.routes_gallery import GALLERY
from warmline.web.console.routes_keys import KEYS
from warmline.web.console.routes_members import MEMBERS
from warmline.web.console.visit import Visit, Visitation, session_cookie_name
from warmline.web.security import CONSOLE_HEADERS

log = structlog.get_logger(__name__)

_OWN = (*DOOR, *ACCOUNT, *MEMBERS, *KEYS, *AUDIT, *GALLERY)


def create_console(ctx: ConsoleContext, pages: Sequence[HTTPRouteHandler] = ()) -> list[Any]:
    """Route handlers for the application.

    ``pages`` are handlers of other domains with paths relative to ``/console``; they get ``visit`` as a parameter.
    """
    return [
        Router(
            path="/console",
            route_handlers=[_index, *_OWN, create_live(ctx.live), *pages, _nothing_here],
            guards=[create_guard(ctx)],
            dependencies={"visit": Provide(_visit, sync_to_thread=False)},
            exception_handlers=_failures(ctx),
            after_request=_add_headers,
            include_in_schema=False,
        ),
        create_assets(ctx.assets),
    ]


def _visit(request: Request[Any, Any, Any]) -> Visit:
    visit: Visit = request.state.visit
    return visit


@get("/", sync_to_thread=False)
def _index(visit: Visit) -> Response[str]:
    return visit.redirect(visit.home)


@get("/{path:path}", opt={PUBLIC: True}, sync_to_thread=False)
def _nothing_here(path: FromPath[str]) -> Response[str]:
    raise NotFound(f"There is no page “{path[:80]}”.")


def _failures(ctx: ConsoleContext) -> dict[int | type[Exception], Any]:
    def on_sign_in_needed(request: Request[Any, Any, Any], error: SignInNeeded) -> Response[str]:
        visit: Visit = request.state.visit
        had_session = session_cookie_name(ctx) in request.cookies
        suffix = f"?next={error.path}" if error.path else ""
        if had_session:
            visit.set_cookie(session_cookie_name(ctx), "", max_age=0)
        return visit.redirect(f"/console/sign-in{suffix}")

    def on_refusal(request: Request[Any, Any, Any], error: WarmlineError) -> Response[str]:
        return _error_page(ctx, request, error)

    def on_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[str]:
        return _error_page(ctx, request, _refusal_of(error))

    def on_failure(request: Request[Any, Any, Any], error: Exception) -> Response[str]:
        log.error("console.failed", path=request.url.path, exc_info=error)
        return _error_page(ctx, request, WarmlineError())

    return {
        SignInNeeded: on_sign_in_needed,
        WarmlineError: on_refusal,
        HTTPException: on_http,
        Exception: on_failure,
    }


def _refusal_of(error: HTTPException) -> WarmlineError:
    refusal = WarmlineError(error.detail if error.status_code < 500 else "")
    if error.status_code == 404:
        return NotFound("There is no such page.")
    refusal.status = error.status_code  # type: ignore[misc]
    return refusal


def _error_page(ctx: ConsoleContext, request: Request[Any, Any, Any], error: WarmlineError) -> Response[str]:
    visit: Visit = getattr(request.state, "visit", None) or Visitation(ctx, request, _nobody())
    reference = secrets.token_hex(4)
    if error.status >= 500:
        log.error("console.error_page", reference=reference, code=error.code)
    response = visit.page("errors/error.html", status=error.status, error=error, reference=reference)
    if isinstance(error, RateLimited):
        response.headers["retry-after"] = str(int(error.retry_after) + 1)
    return response


def _nobody() -> SignedIn | None:
    return None


def _add_headers(response: Response[Any]) -> Response[Any]:
    for name, value in CONSOLE_HEADERS:
        response.headers.setdefault(name.decode(), value.decode())
    return response
