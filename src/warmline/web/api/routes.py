"""``/api/v1`` put together."""

from __future__ import annotations

from typing import Any

from litestar import Router
from litestar.connection import ASGIConnection
from litestar.di import Provide
from litestar.handlers import BaseRouteHandler

from warmline.platform.limits import RateLimiter
from warmline.web.api import (
    activities,
    bots,
    connection_keys,
    connections,
    contacts,
    conversation_commands,
    conversations,
    files,
    keys,
    parked,
    widgets,
)
from warmline.web.api.door import RATE_BURST, RATE_PER_S, Door, read_repeat
from warmline.web.api.services import Services

NOUNS = (
    activities,
    bots,
    connection_keys,
    connections,
    contacts,
    conversation_commands,
    conversations,
    files,
    keys,
    parked,
    widgets,
)


def api_router(services: Services, *, scale: int = 1) -> Router:
    """All routes, behind one door.  A key may do ``scale`` times 100 requests a second, 600 at once."""
    limiter = RateLimiter(services.clock, per_second=RATE_PER_S * scale, burst=RATE_BURST * scale)
    door = Door(services, limiter)

    # The framework copies guards deeply; a plain function keeps it from copying the whole program.
    def admit(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        door.admit(connection, handler)

    return Router(
        "/api/v1",
        route_handlers=[handler for noun in NOUNS for handler in noun.HANDLERS],
        guards=[admit],
        dependencies={
            "call": Provide(door.call, sync_to_thread=False),
            "repeat": Provide(read_repeat, sync_to_thread=False),
        },
        security=[{"apiKey": []}, {"apiKeyHeader": []}],
    )
