"""The forms of Kustomer's answers: single resources, pages, and nothing.

Documented: ``{data}``, and of a list ``data``, ``meta`` with ``page`` and ``pageSize``, and ``links`` with ``self``, ``first``,
``prev`` and ``next``; ``page`` and ``pageSize`` (up to 100) in the query.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec
from aiohttp import web

from warmline.simulators.base import Ask, VendorRefusal
from warmline.simulators.kustomer.bodies import INVALID

_MOST, _USUAL = 100, 25
Rows = Sequence[tuple[str, str, str, Callable[[Ask], Coroutine[Any, Any, web.StreamResponse]]]]
"""Method, path, operation, handler."""
_CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    409: "conflict",
    413: "payload_too_large",
    422: "unprocessable_entity",
    429: "too_many_requests",
    500: "internal_server_error",
}
"""``bad_request`` is documented, the others are named after it."""


def data(value: Mapping[str, Any], status: int = 200, **more: Any) -> web.Response:
    """``{data}``, and what stands next to it."""
    return web.Response(
        status=status, body=msgspec.json.encode({"data": value, **more}), content_type="application/json"
    )


def nothing() -> web.Response:
    """A good answer without a body."""
    return web.Response(status=204)


def page(ask: Ask, rows: Sequence[Mapping[str, Any]], **more: Any) -> web.Response:
    """The page of ``rows`` that the query asks for.  Raises VendorRefusal 400."""
    number, size = _number(ask, "page", 1), min(_number(ask, "pageSize", _USUAL), _MOST)
    shown = rows[(number - 1) * size : number * size]

    def link(to: int) -> str:
        return f"{ask.call.path}?{urlencode({**ask.query, 'page': to, 'pageSize': size})}"

    body = {
        "meta": {"pageSize": size, "page": number},
        "data": shown,
        "links": {
            "self": link(number),
            "first": link(1),
            "prev": link(number - 1) if number > 1 else None,
            "next": link(number + 1) if number * size < len(rows) else None,
        },
        **more,
    }
    return web.Response(body=msgspec.json.encode(body), content_type="application/json")


def _number(ask: Ask, name: str, usual: int) -> int:
    given = ask.query.get(name, str(usual))
    if not given.isdecimal() or int(given) < 1:
        raise VendorRefusal(400, INVALID, note=f"{name} must be a positive number")
    return int(given)


def refusal(status: int, message: str, *, jsonapi: bool) -> web.Response:
    """``{errors: [{code, message, meta}]}``, or the form of JSON:API."""
    code = _CODES.get(status, "error")
    error: dict[str, Any] = {"code": code, "message": message, "meta": {}}
    if jsonapi:
        error = {"status": str(status), "code": code, "title": message, "source": {}}
    return web.Response(status=status, body=msgspec.json.encode({"errors": [error]}), content_type="application/json")
