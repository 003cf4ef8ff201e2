"""Problems as pages: a person whose browser meets one gets a page to read, programs go on getting problem+json."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, MutableMapping
from typing import Any

import msgspec

from warmline.web.problems import NO_STORE, PROBLEM, Headers, Scope, Send, send_bytes
from warmline.web.security import CONSOLE_HEADERS, header

HTML = (b"content-type", b"text/html; charset=utf-8")
_PROGRAMS = ("/api/", "/agent/", "/converse/", "/in/", "/widget/")
"""Nobody reads what is answered here."""
_KEPT = frozenset({b"allow", b"retry-after"})


class Problem(msgspec.Struct, frozen=True):
    """What a page says of a problem; ``code`` is the error's.  ``reference`` finds the failure in the log."""

    status: int
    code: str = ""
    detail: str = ""
    reference: str = ""


Render = Callable[[Problem], str]
"""A problem as an HTML page.  It may take a while the first time."""


def wants_page(scope: Scope) -> bool:
    """Whether a person looks at the answer: a browser opens an address, or sends one of the console's forms."""
    path: str = scope["path"]
    if path.startswith(_PROGRAMS):
        return False
    if scope["method"] not in {"GET", "HEAD"} and not path.startswith("/console"):
        return False
    accepted = _qualities(header(scope, b"accept") or b"")
    return accepted.get("text/html", 0.0) > accepted.get("application/json", 0.0)


def with_pages(send: Send, render: Render) -> Send:
    """A ``send`` that turns a problem into a page and leaves every other answer as it is."""
    held: list[MutableMapping[str, Any]] = []
    body = bytearray()

    async def turning(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start" and PROBLEM in message.get("headers", ()):
            held.append(message)
            return
        if not held:
            await send(message)
            return
        body.extend(message.get("body", b""))
        if not message.get("more_body"):
            problem = msgspec.json.decode(body, type=Problem)
            html = await asyncio.to_thread(render, problem)
            await send_bytes(send, problem.status, html.encode(), _headers(held[0].get("headers", ())))

    return turning


def _headers(given: Headers) -> Headers:
    kept = [(name, value) for name, value in given if name.lower() in _KEPT]
    return [HTML, NO_STORE, (b"vary", b"accept"), *kept, *CONSOLE_HEADERS]


def _qualities(accept: bytes) -> dict[str, float]:
    found = {}
    for part in accept.decode("latin-1").split(","):
        media_type, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = next((value[2:] for value in parameters if value.startswith("q=")), "1")
        try:
            found[media_type] = float(quality)
        except ValueError:
            found[media_type] = 0.0
    return found
