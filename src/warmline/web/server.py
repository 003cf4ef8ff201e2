"""The web process: the ASGI application put together, and uvicorn run from inside the program."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog
import uvicorn
from litestar import Litestar, Request, Response
from litestar.config.app import AppConfig
from litestar.exceptions import HTTPException, SerializationException, ValidationException
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.types import ControllerRouterHandler

from warmline.kernel.errors import Invalid, WarmlineError
from warmline.kernel.ids import uuid7
from warmline.web.error_pages import Render
from warmline.web.front import Front, Health, RawRoute, SocketRoute
from warmline.web.late import LateApplication
from warmline.web.openapi import DOCUMENT, OpenApiDocument
from warmline.web.problems import explain, problem_for_status, problem_headers, problem_of
from warmline.web.security import HSTS, TrustedProxies, origin_of
from warmline.web.stream_socket import HttpProtocol, SocketProtocol

log = structlog.get_logger(__name__)

MAX_SOCKET_MESSAGE = 256 * 1024
"""Beyond this the server itself closes (1009); between 64 KiB and this the stream answers 4503."""

Stopper = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class WebOptions:
    """What the web ring needs of the settings.  ``trusted_proxies`` are addresses or CIDR ranges."""

    public_url: str
    version: str
    max_body_bytes: int = 1_000_000
    trusted_proxies: Sequence[str] = ()


def build_application(
    options: WebOptions,
    *,
    routes: Sequence[RawRoute] = (),
    sockets: Sequence[SocketRoute] = (),
    handlers: Sequence[ControllerRouterHandler] = (),
    health: Health | None = None,
    error_page: Render | None = None,
    on_app_init: Sequence[Callable[[AppConfig], AppConfig]] = (),
    **litestar: Any,
) -> Front:
    """The whole ASGI application.

    ``routes`` and ``sockets`` are dispatched in front of the framework, ``handlers`` (Litestar controllers, routers,
    handlers) by it; ``error_page`` draws problems for people with browsers; ``litestar`` goes to the Litestar constructor
    (``dependencies``, ``plugins``, ``template_config`` …).
    Raises ValueError when the public address or a proxy range is malformed, or two raw routes claim one path.
    """

    def make() -> Litestar:
        return Litestar(
            route_handlers=list(handlers),
            debug=False,
            # The framework insists on routes for its own document; ours stands in front of them.
            openapi_config=OpenAPIConfig(
                title="Warmline", version=options.version, render_plugins=[JsonRenderPlugin()], path=DOCUMENT
            ),
            exception_handlers=dict(_EXCEPTION_HANDLERS),
            request_max_body_size=options.max_body_bytes,
            logging_config=None,
            on_app_init=list(on_app_init),
            **litestar,
        )

    cold = LateApplication(make)
    document = OpenApiDocument(
        cold.made, routes, title="Warmline", version=options.version, public_url=options.public_url
    )
    secure = origin_of(options.public_url).startswith("https://")
    return Front(
        cold,
        [*routes, *document.routes()],
        sockets,
        proxies=TrustedProxies(options.trusted_proxies),
        headers=(HSTS,) if secure else (),
        health=health,
        error_page=error_page,
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


class Server(uvicorn.Server):
    """uvicorn, with our order of stopping: no new connections, drain the streams, finish requests, return."""

    def __init__(
        self,
        config: uvicorn.Config,
        drain: Stopper,
        ready: Callable[[str], None] | None = None,
        warm: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        super().__init__(config)
        self._warm = warm
        self._warming: asyncio.Future[None] | None = None
        self._drain = drain
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and self._ready is not None:
            self._ready(self.address)
        if self.started and self._warm is not None:
            self._warming = asyncio.ensure_future(self._warm())

    @property
    def address(self) -> str:
        """``http://host:port`` of the first listening socket."""
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        await self._drain()
        if self._warming is not None:
            await self._warming
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        # uvicorn raises the captured signal again when it is done, which would end the process before the
        # journal is stopped; here serve() simply returns.
        with super().capture_signals():
            yield
            self._captured_signals.clear()


def make_server(
    application: Front,
    *,
    host: str,
    port: int,
    drain: Stopper,
    ready: Callable[[str], None] | None = None,
    warm: bool = False,
) -> Server:
    """A server ready for ``await server.serve()``; port 0 takes a free one, ``ready(address)`` is called once it listens.

    ``should_exit = True``, SIGINT or SIGTERM stop it gracefully: readiness fails, ``drain`` runs, requests finish.
    """

    async def drain_all() -> None:
        application.health.draining = True
        await drain()

    config = uvicorn.Config(
        application,
        host=host,
        port=port,
        loop="uvloop",
        http=HttpProtocol,
        ws=SocketProtocol,
        ws_max_size=MAX_SOCKET_MESSAGE,
        ws_ping_interval=None,
        ws_per_message_deflate=False,
        interface="asgi3",
        lifespan="on",
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
        backlog=4096,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=10,
    )
    return Server(config, drain_all, ready, application.warm if warm else None)
