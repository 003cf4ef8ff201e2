"""The first lines every request meets: raw ASGI dispatch for the hot routes, Litestar for the rest.

A framework's routing, parameter plumbing and middleware cost 25–50 µs per request; an exact look-up in a
dictionary costs one.  Handlers here are plain ASGI callables that may raise any WarmlineError.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

import msgspec
import structlog

from warmline.kernel.errors import Unavailable, WarmlineError
from warmline.kernel.ids import uuid7
from warmline.web.error_pages import Render, wants_page, with_pages
from warmline.web.late import LateApplication
from warmline.web.methods import API, with_every_method
from warmline.web.openapi_operation import Operation
from warmline.web.problems import (
    NO_STORE,
    NOSNIFF,
    PROBLEM,
    Handler,
    Headers,
    Receive,
    Scope,
    Send,
    problem_for_status,
    send_bytes,
    send_json,
    send_problem,
)
from warmline.web.security import TrustedProxies, headers_for, with_headers

log = structlog.get_logger(__name__)

Check = Callable[[], Awaitable[bool]]
"""A readiness check: True when the part can work now.  It must answer within a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawRoute:
    """One hot route.  ``path`` is exact, or with ``prefix`` everything below it; ``operation`` goes into OpenAPI."""

    path: str
    method: str
    handler: Handler
    operation: Operation | None = None
    prefix: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketRoute:
    """One WebSocket path.  The handler does its own error handling; nothing stands between it and the server."""

    path: str
    handler: Handler


@dataclass(slots=True)
class Health:
    """What ``/healthz`` and ``/readyz`` tell: alive as long as the loop runs, ready while every check passes."""

    checks: dict[str, Check] = field(default_factory=dict)
    draining: bool = False

    async def live(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """200 whenever the process answers at all."""
        await send_json(send, {"status": "ok"})

    async def ready(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """200 when every check passes, else 503 naming those that do not."""
        results = {name: await _passes(check) for name, check in self.checks.items()}
        ok = all(results.values()) and not self.draining
        status = "draining" if self.draining else "ok" if ok else "unavailable"
        await send_json(send, {"status": status, "checks": results}, 200 if ok else 503)


async def _passes(check: Check) -> bool:
    try:
        async with asyncio.timeout(1):
            return await check()
    except Exception:  # noqa: BLE001 - a check that breaks is a check that fails
        return False


class Front:
    """The ASGI application the server runs: hot routes by dictionary, then prefixes, then ``cold``."""

    def __init__(
        self,
        cold: Handler,
        routes: Iterable[RawRoute],
        sockets: Iterable[SocketRoute],
        *,
        proxies: TrustedProxies,
        headers: Headers = (),
        health: Health | None = None,
        error_page: Render | None = None,
    ) -> None:
        self.health = health or Health()
        self.routes = (
            RawRoute(path="/healthz", method="GET", handler=self.health.live),
            RawRoute(path="/readyz", method="GET", handler=self.health.ready),
            *routes,
        )
        self._cold = cold
        self._api = with_every_method(cold)
        self._proxies = proxies
        self._everywhere = headers
        self._error_page = error_page
        self._exact: dict[str, dict[str, Handler]] = {}
        self._prefixes: dict[str, dict[str, Handler]] = {}
        for route in self.routes:
            table = self._prefixes if route.prefix else self._exact
            methods = table.setdefault(route.path, {})
            if route.method in methods:
                msg = f"two raw routes claim {route.method} {route.path}"
                raise ValueError(msg)
            methods[route.method] = route.handler
        self._sockets = {route.path: route.handler for route in sockets}

    async def warm(self) -> None:
        """Make now what is otherwise made for the first request behind the front."""
        if isinstance(self._cold, LateApplication):
            await self._cold.warm()

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        # Not a coroutine function on purpose: an idle socket then holds no frame of this dispatcher.
        kind = scope["type"]
        if kind == "lifespan":
            return self._cold(scope, receive, send)
        if self._proxies:
            self._proxies.apply(scope)
        path: str = scope["path"]
        if kind == "websocket":
            handler = self._sockets.get(path)
            return handler(scope, receive, send) if handler else self._cold(scope, receive, send)
        methods = self._exact.get(path) or self._below(path)
        if self._error_page is not None and wants_page(scope):
            send = with_pages(send, self._error_page)
        if methods is None:
            extra = (*headers_for(path), *self._everywhere)
            cold = self._api if path.startswith(API) else self._cold
            return _guarded(cold, scope, receive, with_headers(send, extra))
        if self._everywhere:
            send = with_headers(send, self._everywhere)
        method: str = scope["method"]
        found = methods.get(method) or (methods.get("GET") if method == "HEAD" else None)
        if found is None:
            return _method_not_allowed(send, methods)
        return _guarded(found, scope, receive, send)

    def _below(self, path: str) -> dict[str, Handler] | None:
        for prefix, methods in self._prefixes.items():
            if path.startswith(prefix):
                return methods
        return None


async def _guarded(handler: Handler, scope: Scope, receive: Receive, send: Send) -> None:
    try:
        await handler(scope, receive, send)
    except WarmlineError as error:
        await send_problem(send, error)
    except TimeoutError:
        await send_problem(send, Unavailable("The answer took too long; try again."))
    except Exception:  # the last line of defence: logged with a reference that the caller also gets
        reference = uuid7()
        log.exception("request failed", path=scope["path"], reference=reference)
        body = problem_for_status(500, "Something went wrong on our side.", reference=reference)
        await send_bytes(send, 500, msgspec.json.encode(body), [PROBLEM, NO_STORE, NOSNIFF])


async def _method_not_allowed(send: Send, methods: dict[str, Handler]) -> None:
    names = sorted({*methods, *(["HEAD"] if "GET" in methods else [])})
    allowed = ", ".join(names)
    body = problem_for_status(405, f"This address knows only {allowed}.")
    await send_bytes(
        send, 405, msgspec.json.encode(body), [PROBLEM, NO_STORE, NOSNIFF, (b"allow", allowed.encode("ascii"))]
    )
