"""The web framework's application: our routes behind its router, and every failure as problem+json."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import structlog
from litestar import Litestar, Request, Response
from litestar.config.app import AppConfig
from litestar.exceptions import HTTPException, SerializationException, ValidationException
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.types import ControllerRouterHandler

from warmline.kernel.errors import Invalid, WarmlineError
from warmline.kernel.ids import uuid7
from warmline.web.openapi import DOCUMENT
from warmline.web.problems import explain, problem_for_status, problem_headers, problem_of

log = structlog.get_logger(__name__)


def make_framework(
    handlers: list[ControllerRouterHandler],
    *,
    version: str,
    max_body_bytes: int,
    on_app_init: list[Callable[[AppConfig], AppConfig]],
    **litestar: Any,
) -> Litestar:
    """The application for ``handlers``; ``litestar`` goes to its constructor."""
    return Litestar(
        route_handlers=handlers,
        debug=False,
        # The framework insists on routes for its own document; ours stands in front of them.
        openapi_config=OpenAPIConfig(
            title="Warmline", version=version, render_plugins=[JsonRenderPlugin()], path=DOCUMENT
        ),
        exception_handlers=dict(_EXCEPTION_HANDLERS),
        request_max_body_size=max_body_bytes,
        logging_config=None,
        on_app_init=on_app_init,
        **litestar,
    )


def _problem_response(body: dict[str, Any], headers: Sequence[tuple[bytes, bytes]] = ()) -> Response[bytes]:
    return Response(
        content=msgspec.json.encode(body),
        status_code=body["status"],
        media_type="application/problem+json",
        headers={name.decode(): value.decode() for name, value in headers},
    )


def _on_warmline_error(_request: Request[Any, Any, Any], error: WarmlineError) -> Response[bytes]:
    return _problem_response(problem_of(error), problem_headers(error))


def _on_validation(_request: Request[Any, Any, Any], error: ValidationException) -> Response[bytes]:
    return _problem_response(problem_of(invalid_from(error)))


def invalid_from(error: ValidationException) -> Invalid:
    """The first fault Litestar names, as an Invalid with a JSON-path (body) or ``query.name``, ``path.name`` …"""
    faults = [fault for fault in error.extra or () if isinstance(fault, dict)]
    cause = error.__cause__
    if isinstance(cause, msgspec.ValidationError):
        # The cause knows the whole path, below the handler's own arguments: $.data.items[1].text, $.limit
        found = explain(str(cause))
        path: str = found.fields["path"]
        if path == "$.data" or path.startswith(("$.data.", "$.data[")):
            found.fields["path"] = "$" + path[len("$.data") :]
            return found
    elif faults:
        found = explain(str(faults[0].get("message", "")))
    else:
        return Invalid("The body is not well-formed JSON.", code="malformed_json")
    if faults:
        source, key = faults[0].get("source", "body"), str(faults[0].get("key", ""))
        place = "$" if source == "body" else str(getattr(source, "value", source))
        found.fields["path"] = f"{place}.{key}" if key else place
    return found


def _on_serialization(_request: Request[Any, Any, Any], error: SerializationException) -> Response[bytes]:
    cause = error.__cause__
    if isinstance(cause, msgspec.ValidationError):
        return _problem_response(problem_of(explain(str(cause))))
    return _problem_response(problem_of(Invalid("The body is not well-formed JSON.", code="malformed_json")))


def _on_undecodable(request: Request[Any, Any, Any], error: UnicodeDecodeError) -> Response[bytes]:
    # The framework lets the decoder's complaint about bytes that are no UTF-8 through as it is.
    log.info("request body is not UTF-8", path=request.scope["path"], reason=error.reason)
    return _problem_response(problem_of(Invalid("The body is not well-formed JSON.", code="malformed_json")))


def _on_http(_request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    headers = [(name.lower().encode(), value.encode()) for name, value in (error.headers or {}).items()]
    cause = error.__cause__
    if isinstance(cause, SerializationException):
        return _on_serialization(_request, cause)
    known = {404: "There is nothing at this address.", 405: "This address does not know that method."}
    detail = known.get(error.status_code, error.detail if error.status_code < 500 else "")
    return _problem_response(problem_for_status(error.status_code, detail), headers)


def _on_recursion(_request: Request[Any, Any, Any], _error: RecursionError) -> Response[bytes]:
    return _problem_response(problem_of(Invalid("The JSON is nested too deeply.")))


def _on_anything(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    reference = uuid7()
    log.error("request failed", path=request.scope["path"], reference=reference, exc_info=error)
    return _problem_response(problem_for_status(500, "Something went wrong on our side.", reference=reference))


_EXCEPTION_HANDLERS: dict[Any, Any] = {
    WarmlineError: _on_warmline_error,
    ValidationException: _on_validation,
    SerializationException: _on_serialization,
    HTTPException: _on_http,
    UnicodeDecodeError: _on_undecodable,
    RecursionError: _on_recursion,
    Exception: _on_anything,
}
