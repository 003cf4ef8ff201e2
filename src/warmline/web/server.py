"""The web process: the ASGI application put together, and uvicorn run from inside the program."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import uvicorn

from warmline.web.error_pages import Render
from warmline.web.front import Front, Health, RawRoute, SocketRoute
from warmline.web.late import LateApplication
from warmline.web.openapi import OpenApiDocument
from warmline.web.security import HSTS, TrustedProxies, origin_of
from warmline.web.stream_socket import HttpProtocol, SocketProtocol

if TYPE_CHECKING:
    from litestar import Litestar
    from litestar.config.app import AppConfig
    from litestar.types import ControllerRouterHandler

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
    handlers: Callable[[], Sequence[ControllerRouterHandler]] = tuple,
    health: Health | None = None,
    error_page: Render | None = None,
    on_app_init: Sequence[Callable[[AppConfig], AppConfig]] = (),
    **litestar: Any,
) -> Front:
    """The whole ASGI application.

    ``routes`` and ``sockets`` are dispatched in front of the framework, what ``handlers`` gives (Litestar controllers,
    routers, handlers) by it; ``error_page`` draws problems for people with browsers; ``litestar`` goes to the Litestar constructor
    (``dependencies``, ``plugins``, ``template_config`` …).
    Raises ValueError when the public address or a proxy range is malformed, or two raw routes claim one path.
    """

    def make() -> Litestar:
        # Loading the framework takes as long as making the application: neither is done before somebody needs it.
        from warmline.web.framework import make_framework  # noqa: PLC0415

        return make_framework(
            list(handlers()),
            version=options.version,
            max_body_bytes=options.max_body_bytes,
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
