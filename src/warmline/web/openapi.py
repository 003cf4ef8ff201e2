"""The OpenAPI 3.1 document: the framework's part for ``/api/v1`` and what the raw routes declare of themselves."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from http import HTTPStatus
from importlib import resources
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from warmline.kernel.errors import NotFound
from warmline.web.front import RawRoute
from warmline.web.openapi_operation import Operation
from warmline.web.openapi_page import render_reference
from warmline.web.problems import JSON, NOSNIFF, Receive, Scope, Send, send_bytes
from warmline.web.security import REFERENCE_POLICY, header

if TYPE_CHECKING:
    from litestar import Litestar

API = "/api/v1"
DOCUMENT = "/api/openapi.json"
REFERENCE = "/api/reference"
STYLE = "/api/reference.css"
_REF = "#/components/schemas/{name}"

SECURITY_SCHEMES: dict[str, Any] = {
    "apiKey": {"type": "http", "scheme": "bearer", "description": "A key made in the console, with scopes."},
    "apiKeyHeader": {"type": "apiKey", "in": "header", "name": "x-api-key", "description": "The same key."},
    "connectionKey": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "The key of one custom-CRM connection, as it is: no scheme in front of it.",
    },
    "visitor": {"type": "http", "scheme": "bearer", "description": "A visitor's token, from POST /widget/session."},
}


class Problem(Struct, kw_only=True):
    """RFC 9457: why a request was refused.  Nothing was changed."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    path: str | msgspec.UnsetType = msgspec.UNSET
    retry_after: float | msgspec.UnsetType = msgspec.UNSET
    reference: str | msgspec.UnsetType = msgspec.UNSET


class OpenApiDocument:
    """Built on first use, kept for the life of the process."""

    def __init__(
        self,
        app: Callable[[], Litestar],
        raw: Sequence[RawRoute],
        *,
        title: str,
        version: str,
        public_url: str,
        api: str = API,
    ) -> None:
        self._app = app
        self._raw = raw
        self._info = {"title": title, "version": version, "description": "Conversation handover server."}
        self._servers = [{"url": public_url.rstrip("/")}]
        self._api = api
        self._json: bytes | None = None
        self._page: bytes | None = None

    def routes(self) -> list[RawRoute]:
        """The document, its readable page, and a lid on the framework's own schema routes below it."""
        return [
            RawRoute(path=DOCUMENT, method="GET", handler=self._send_json),
            RawRoute(path=REFERENCE, method="GET", handler=self._send_page),
            RawRoute(path=STYLE, method="GET", handler=_send_style),
            RawRoute(path=DOCUMENT + "/", method="GET", handler=_nothing_here, prefix=True),
        ]

    def build(self) -> dict[str, Any]:
        """The document."""
        from warmline.web.openapi_framework import cold_document, cold_operations  # noqa: PLC0415 - loads the framework

        cold = cold_operations(self._app(), self._api)
        declared = [(route, route.operation) for route in self._raw if route.operation is not None]
        bodies = [type_ for one in cold for type_ in (one.request, one.response) if type_ not in {None, bytes}]
        refs, schemas = _describe([Problem, *bodies, *_types_of(operation for _route, operation in declared)])
        known = {id(type_): schema for type_, schema in refs}
        paths: dict[str, Any] = {}
        for one in cold:
            described = cold_document(one, known)
            described["responses"] = {
                str(one.status): _response(one.status, None if one.response is None else known[id(one.response)]),
                **{str(status): _problem(status) for status in one.problems},
                "default": _problem(0),
            }
            paths.setdefault(one.path, {})[one.method] = described
        for route, operation in declared:
            item = paths.setdefault(operation.path or route.path, {})
            item[route.method.lower()] = _operation(operation, refs)
        return {
            "openapi": "3.1.0",
            "info": self._info,
            "servers": self._servers,
            "paths": dict(sorted(paths.items())),
            "components": {"schemas": _reachable(paths, schemas), "securitySchemes": SECURITY_SCHEMES},
        }

    async def _send_json(self, scope: Scope, _receive: Receive, send: Send) -> None:
        if self._json is None:
            self._json = msgspec.json.encode(self.build())
        await send_cached(scope, send, self._json, [JSON, (b"access-control-allow-origin", b"*")])

    async def _send_page(self, scope: Scope, _receive: Receive, send: Send) -> None:
        if self._page is None:
            self._page = render_reference(self.build()).encode()
        headers = [(b"content-type", b"text/html; charset=utf-8"), (b"content-security-policy", REFERENCE_POLICY)]
        await send_cached(scope, send, self._page, headers)


async def send_cached(scope: Scope, send: Send, body: bytes, headers: Sequence[tuple[bytes, bytes]]) -> None:
    """Answer with a body that may be kept but must be asked about again (ETag, 304)."""
    tag = b'"' + hashlib.sha256(body).hexdigest()[:32].encode() + b'"'
    extra = [(b"etag", tag), (b"cache-control", b"no-cache"), NOSNIFF]
    if header(scope, b"if-none-match") == tag:
        await send({"type": "http.response.start", "status": 304, "headers": extra})
        await send({"type": "http.response.body", "body": b""})
        return
    await send_bytes(send, 200, body, [*headers, *extra])


async def _send_style(scope: Scope, _receive: Receive, send: Send) -> None:
    body = (resources.files("warmline.web") / "reference" / "reference.css").read_bytes()
    await send_cached(scope, send, body, [(b"content-type", b"text/css; charset=utf-8")])


async def _nothing_here(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise NotFound("There is nothing at this address.")


def _shape(schema: dict[str, Any]) -> tuple[set[str], set[str]]:
    """What tells types of one name apart: the framework words the same type a little differently than msgspec."""
    return set(schema.get("properties", {})), set(schema.get("required", []))


def _types_of(operations: Iterable[Operation]) -> list[Any]:
    found: list[Any] = []
    for operation in operations:
        found += [type_ for type_ in (operation.request, *operation.responses.values()) if type_ is not None]
        found += [parameter.type for parameter in operation.parameters]
    return found


def _describe(types: Sequence[Any]) -> tuple[list[tuple[Any, dict[str, Any]]], dict[str, Any]]:
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
    return list(zip(types, schemas, strict=True)), components


def _schema(type_: Any, refs: list[tuple[Any, dict[str, Any]]]) -> dict[str, Any]:
    return next(schema for known, schema in refs if known is type_ or known == type_)


def _operation(operation: Operation, refs: list[tuple[Any, dict[str, Any]]]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.id,
        "summary": operation.summary,
        "tags": list(operation.tags),
        "responses": {str(status): _answer(status, type_, refs) for status, type_ in operation.responses.items()},
    }
    if operation.description:
        described["description"] = operation.description
    if operation.request is not None:
        described["requestBody"] = {"required": True, "content": _content(operation.request, refs)}
    if operation.parameters:
        described["parameters"] = [
            {
                "name": parameter.name,
                "in": parameter.where,
                "required": parameter.required or parameter.where == "path",
                "description": parameter.description,
                "schema": _schema(parameter.type, refs),
            }
            for parameter in operation.parameters
        ]
    if operation.security:
        described["security"] = [{name: []} for name in operation.security]
    for status in operation.problems:
        described["responses"][str(status)] = _problem(status)
    described["responses"]["default"] = _problem(0)
    return described


def _content(type_: Any, refs: list[tuple[Any, dict[str, Any]]]) -> dict[str, Any]:
    if type_ is bytes:
        return {"application/octet-stream": {}}
    return {"application/json": {"schema": _schema(type_, refs)}}


def _answer(status: int, type_: Any, refs: list[tuple[Any, dict[str, Any]]]) -> dict[str, Any]:
    answer = _response(status, None)
    return answer if type_ is None else answer | {"content": _content(type_, refs)}


def _response(status: int, schema: dict[str, Any] | None) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    if schema is not None:
        answer["content"] = {"application/json": {"schema": schema}}
    return answer


def _problem(status: int) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "description": HTTPStatus(status).phrase if status else "Refused, and nothing was changed",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        seconds = {"type": "integer", "minimum": 1}
        answer["headers"] = {"Retry-After": {"description": "Seconds.", "required": True, "schema": seconds}}
    return answer


def _reachable(paths: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    """Only the schemas that the paths use."""
    wanted: dict[str, Any] = {}
    pending: list[Any] = [paths]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            name = str(value.get("$ref", "")).removeprefix("#/components/schemas/")
            if name in schemas and name not in wanted:
                wanted[name] = schemas[name]
                pending.append(schemas[name])
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)
    return dict(sorted(wanted.items()))
