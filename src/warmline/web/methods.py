"""HEAD and OPTIONS of the framework's routes below ``/api/v1``.

HEAD is GET, through the same door, with nothing behind the headers.  OPTIONS names the methods; that is no secret, so
it needs no key.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from warmline.web.problems import Handler, Headers, Receive, Scope, Send

API = "/api/v1/"
_NO_METHOD = "NONE"
_OF_THE_BODY = frozenset({b"content-type", b"content-length"})


def with_every_method(application: Handler) -> Handler:
    """The application, answering HEAD wherever it answers GET, and OPTIONS everywhere."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "HEAD":
            # A copy: the server goes by its own scope when it decides whether a body may follow.
            await application({**scope, "method": "GET"}, receive, _without_body(send))
        elif scope["method"] == "OPTIONS":
            # What the framework answers by itself names only the method that was registered first.  To a method that
            # nothing has, it answers with all there are.
            await application({**scope, "method": _NO_METHOD}, receive, _as_options(send))
        else:
            await application(scope, receive, _allowing_head(send))

    return answer


def _without_body(send: Send) -> Send:
    async def cutting(message: Any) -> None:
        if message["type"] == "http.response.body":
            if not message.get("more_body"):
                await send({"type": "http.response.body", "body": b""})
            return
        await send(message)

    return cutting


def _as_options(send: Send) -> Send:
    refused = False

    async def turning(message: Any) -> None:
        nonlocal refused
        if message["type"] == "http.response.start" and message["status"] == HTTPStatus.METHOD_NOT_ALLOWED:
            refused = True
            kept = [(name, value) for name, value in message["headers"] if name.lower() not in _OF_THE_BODY]
            await send({**message, "status": HTTPStatus.NO_CONTENT.value, "headers": _with_head(kept)})
        elif not refused:
            await send(message)
        elif not message.get("more_body"):
            await send({"type": "http.response.body", "body": b""})

    return turning


def _allowing_head(send: Send) -> Send:
    async def adding(message: Any) -> None:
        if message["type"] == "http.response.start" and message["status"] == HTTPStatus.METHOD_NOT_ALLOWED:
            message["headers"] = _with_head(message.get("headers", ()))
        await send(message)

    return adding


def _with_head(headers: Headers) -> Headers:
    return [(name, _listed(value) if name.lower() == b"allow" else value) for name, value in headers]


def _listed(allowed: bytes) -> bytes:
    names = {name.strip() for name in allowed.split(b",")}
    return b", ".join(sorted(names | {b"HEAD"} if b"GET" in names else names))
