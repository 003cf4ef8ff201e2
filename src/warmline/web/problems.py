"""Reading and answering over raw ASGI: bodies with a cap, typed JSON with the offending path, RFC 9457 problems."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from http import HTTPStatus
from typing import Any, TypeVar

import msgspec

from warmline.kernel.errors import Invalid, RateLimited, TooLarge, WarmlineError

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Handler = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = Sequence[tuple[bytes, bytes]]

T = TypeVar("T")

JSON = (b"content-type", b"application/json")
PROBLEM = (b"content-type", b"application/problem+json")
NO_STORE = (b"cache-control", b"no-store")
NOSNIFF = (b"x-content-type-options", b"nosniff")

MAX_DEPTH = 64
BODY_PATIENCE_S = 30.0
DETAIL_LIMIT = 500

_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
_PATH = re.compile(r" - at `(\$.*)`$")
_MISSING = re.compile(r"Object missing required field `([^`]*)`")
_UNKNOWN = re.compile(r"Object contains unknown field `([^`]*)`")
_LENGTH = re.compile(r"Expected `(\w+)` of length (<=|>=|==) (\d+)")
_RANGE = re.compile(r"Expected `(?:int|float)` (<=|>=|<|>) (-?[\d.]+)")
_TYPES = re.compile(r"Expected `([^`]+)`, got `([^`]+)`")
_CHOICE = re.compile(r"Invalid (?:enum )?value '?([^']*?)'?$")

_WORDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "null": "null",
    "array": "a list",
    "object": "an object",
    "bytes": "base64 text",
    "datetime": "a date-time with an offset",
}


async def read_body(receive: Receive, limit: int) -> bytes:
    """The whole request body.

    Raises TooLarge beyond ``limit`` bytes, Invalid when the client goes away or takes longer than 30 s.
    """
    message = await receive()
    if not message.get("more_body") and message["type"] == "http.request":
        body: bytes = message.get("body", b"")
        if len(body) > limit:
            raise TooLarge(f"The body may have at most {limit} bytes.")
        return body
    try:
        async with asyncio.timeout(BODY_PATIENCE_S):
            return await _read_rest(message, receive, limit)
    except TimeoutError:
        raise Invalid("The request body did not arrive in time.") from None


async def _read_rest(message: MutableMapping[str, Any], receive: Receive, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        if message["type"] == "http.disconnect":
            raise Invalid("The client went away before its request was complete.")
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise TooLarge(f"The body may have at most {limit} bytes.")
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)
        message = await receive()


def check_depth(body: bytes, limit: int = MAX_DEPTH) -> None:
    """Refuse JSON nested deeper than ``limit``, before any decoder sees it.  Raises Invalid."""
    # Fewer brackets than the limit cannot nest deeper: the usual body costs two memchr-like scans.
    if body.count(b"[") + body.count(b"{") <= limit:
        return
    depth = 0
    for match in _BRACKETS.finditer(body):
        first = body[match.start()]
        if first in b"[{":
            depth += 1
            if depth > limit:
                raise Invalid(f"The JSON is nested deeper than {limit} levels.")
        elif first in b"]}":
            depth -= 1


def decode(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Decode a JSON body into the decoder's type.  Raises Invalid with the JSON-path and a sentence."""
    check_depth(body)
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise explain(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Invalid("The body is not well-formed JSON.", code="malformed_json") from None
    except RecursionError:
        raise Invalid("The JSON is nested too deeply.") from None


def explain(message: str) -> Invalid:
    """A msgspec validation message as an Invalid whose path points at the fault and whose detail a person reads."""
    path = "$"
    found = _PATH.search(message)
    if found:
        path, message = found[1], message[: found.start()]
    if missing := _MISSING.match(message):
        return Invalid(f"The field `{missing[1]}` is missing.", path=f"{path}.{missing[1]}")
    if unknown := _UNKNOWN.match(message):
        return Invalid(f"The field `{unknown[1]}` is not known here.", path=f"{path}.{unknown[1]}")
    return Invalid(_sentence(message), path=path)


def _sentence(message: str) -> str:
    if length := _LENGTH.search(message):
        unit = "characters" if length[1] == "str" else "items"
        if length[2] == ">=" and length[3] == "1":
            return "This must not be empty."
        bound = {"<=": "at most", ">=": "at least", "==": "exactly"}[length[2]]
        return f"This must have {bound} {length[3]} {unit}."
    if bounds := _RANGE.search(message):
        word = {"<=": "at most", ">=": "at least", "<": "less than", ">": "more than"}[bounds[1]]
        return f"This must be {word} {bounds[2]}."
    if types := _TYPES.search(message):
        wanted = " or ".join(_WORDS.get(name.strip(), name.strip()) for name in types[1].split("|"))
        return f"Expected {wanted}, but got {_WORDS.get(types[2], types[2])}."
    if choice := _CHOICE.search(message):
        return f"The value “{choice[1][:80]}” is not one of the allowed ones."
    if "matching regex" in message:
        return "This does not have the expected form."
    return message[:DETAIL_LIMIT].rstrip(".") + "."


def problem_of(error: WarmlineError) -> dict[str, Any]:
    """The RFC 9457 body of an error."""
    return {
        "type": f"urn:warmline:problem:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
        **error.fields,
    }


def problem_for_status(status: int, detail: str = "", **fields: Any) -> dict[str, Any]:
    """A problem for a bare HTTP status; ``code`` is the status' phrase in snake case."""
    phrase = HTTPStatus(status).phrase
    code = {404: "not_found", 405: "method_not_allowed", 413: "too_large", 500: "internal"}.get(
        status, phrase.lower().replace(" ", "_").replace("-", "_").replace("'", "")
    )
    return {
        "type": f"urn:warmline:problem:{code}",
        "title": phrase,
        "status": status,
        "detail": detail or phrase,
        "code": code,
        **fields,
    }


def problem_headers(error: WarmlineError) -> list[tuple[bytes, bytes]]:
    """The headers an error brings: when to come back, and how to authenticate."""
    if isinstance(error, RateLimited):
        return [(b"retry-after", b"%d" % max(1, -int(-error.retry_after // 1)))]
    if error.status == HTTPStatus.UNAUTHORIZED:
        return [(b"www-authenticate", b"Bearer")]
    return []


async def send_bytes(send: Send, status: int, body: bytes, headers: Headers) -> None:
    """Answer with ``body``; the content length is set here, everything else is the caller's."""
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [*headers, (b"content-length", b"%d" % len(body))],
        }
    )
    await send({"type": "http.response.body", "body": body})


async def send_json(send: Send, value: Any, status: int = 200, headers: Headers = ()) -> None:
    """Answer with ``value`` as JSON (anything msgspec encodes), never cached."""
    await send_bytes(send, status, msgspec.json.encode(value), [JSON, NO_STORE, NOSNIFF, *headers])


async def send_problem(send: Send, error: WarmlineError, headers: Headers = ()) -> None:
    """Answer with the error as ``application/problem+json``."""
    body = msgspec.json.encode(problem_of(error))
    await send_bytes(send, error.status, body, [PROBLEM, NO_STORE, NOSNIFF, *problem_headers(error), *headers])
