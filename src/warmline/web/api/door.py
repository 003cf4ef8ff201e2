"""The door of ``/api/v1``: whose key it is, what the key opens, how often; and what every handler is given."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import msgspec
from litestar import Request
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import HeaderParameter

from warmline.accounts.access import Principal, Scope, key_principal, require
from warmline.accounts.model import ApiKey
from warmline.journal.kinds import IdempotencyKey
from warmline.kernel.ids import uuid7
from warmline.platform.limits import RateLimiter
from warmline.web.api.services import Services

T = TypeVar("T")

RATE_PER_S = 100
RATE_BURST = 600
KEY_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Calling:
    """One authenticated request."""

    at: Services
    key: ApiKey
    who: Principal


class Repeating:
    """The request's ``Idempotency-Key``, if it has one."""

    def __init__(self, call: Calling, value: str | None) -> None:
        self._call = call
        self._value = value

    def key(self, operation: str, body: Any = None) -> IdempotencyKey | None:
        """The key as the stores know it: per API key, and bound to the operation and its body."""
        if self._value is None:
            return None
        told = msgspec.json.encode([operation, body], order="deterministic")
        scope = f"api:{self._call.key.id}"
        return IdempotencyKey(scope=scope, key=self._value, body_hash=hashlib.sha256(told).hexdigest())

    def new_id(self) -> str:
        """A fresh id; for a repeated request the one it was given the first time."""
        if self._value is None:
            return uuid7()
        digits = hashlib.sha256(f"{self._call.key.id}\0{self._value}".encode()).hexdigest()
        # RFC 9562, version 8: an id whose bits are somebody's own business.
        return f"{digits[:8]}-{digits[8:12]}-8{digits[13:16]}-8{digits[17:20]}-{digits[20:32]}"

    async def once(self, operation: str, body: Any, type_: type[T], make: Callable[[], Awaitable[T]]) -> T:
        """What ``make`` gives, or gave when this request was made first."""
        return await self._call.at.answers.once(self.key(operation, body), type_, make)


Call = NamedDependency[Calling]
"""As handlers ask for it: ``call: Call``."""

Repeat = NamedDependency[Repeating]
"""As handlers that honour the header ask for it: ``repeat: Repeat``."""


class Door:
    """Guard and provider of one application."""

    def __init__(self, services: Services, limiter: RateLimiter) -> None:
        self._services = services
        self._limiter = limiter

    def admit(self, connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        """401, then 429, then 403, before anything of the request is read.

        Raises Unauthorized, RateLimited, Forbidden.
        """
        key = self._services.api_keys.authenticate(_token(connection), "v1")
        self._limiter.check(key.id)
        who = key_principal(key)
        require(who, Scope(handler.opt["scope"]))
        connection.scope["auth"] = Calling(self._services, key, who)

    @staticmethod
    def call(request: Request[Any, Any, Any]) -> Calling:
        """The dependency ``call``."""
        found: Calling = request.auth
        return found


def read_repeat(
    call: Call,
    idempotency_key: Annotated[
        str | None,
        HeaderParameter(
            name="Idempotency-Key",
            description="Chosen by you. The same request again with the same key is done once and answered alike.",
            min_length=1,
            max_length=KEY_LENGTH,
            pattern="^[!-~]+$",
        ),
    ] = None,
) -> Repeating:
    """The dependency ``repeat``."""
    return Repeating(call, idempotency_key)


def _token(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    given = connection.headers.get("authorization")
    if given is not None:
        scheme, _, token = given.partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""
    return connection.headers.get("x-api-key", "")
