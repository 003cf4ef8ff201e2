"""What the framework's routes say of themselves: addresses and parameters as it describes them, bodies from our types.

The framework knows neither refused unknown fields nor values that may be left out, and describes errors in a shape
that is not ours; a document that is tested against the program has to be exact there.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from types import NoneType
from typing import Any

from litestar import Litestar
from litestar.handlers import HTTPRouteHandler

ANY_BYTES: dict[str, Any] = {"application/octet-stream": {}}
"""OpenAPI 3.1: a body of any bytes has no schema."""
SHARED_PROBLEMS = (401, 403, 413, 429)
"""Any operation behind the door can answer so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cold:
    """One operation served by the framework: its types, and the statuses of the problems it names."""

    path: str
    method: str
    description: dict[str, Any]
    request: Any
    body_needed: bool
    response: Any
    status: int
    problems: tuple[int, ...]
    one_needed: tuple[str, ...] = ()


def cold_operations(app: Litestar, api: str) -> list[Cold]:
    """Every operation below ``api``, with the framework's description of it."""
    described = app.openapi_schema.to_schema().get("paths", {})
    found: list[Cold] = []
    for route in app.routes:
        path = getattr(route, "path_format", "")
        if path != api and not path.startswith(api + "/"):
            continue
        for handler in getattr(route, "route_handlers", ()):
            found += [
                _cold(path, method.lower(), described[path][method.lower()], handler)
                for method in sorted(handler.http_methods)
                if method.lower() in described.get(path, {})
            ]
    return found


def _cold(path: str, method: str, description: dict[str, Any], handler: HTTPRouteHandler) -> Cold:
    data = handler.parsed_data_field
    returned = handler.parsed_return_field.annotation
    # A body of any bytes is read by the handler itself, so the framework knows nothing of it.
    request = handler.opt.get("body") if data is None else data.annotation
    given = bool(description.get("parameters") or request is not None)
    problems = {*handler.opt.get("problems", ()), *SHARED_PROBLEMS, *((400,) if given else ())}
    if "{" in path:
        problems.add(404)
    words = [inspect.getdoc(handler.fn)]
    if "scope" in handler.opt:
        words.append(f"Needs the scope `{handler.opt['scope']}`.")
    description = {**description, "description": "\n\n".join(text for text in words if text)}
    return Cold(
        path=path,
        method=method,
        description=description,
        request=request,
        body_needed=request is bytes or (data is not None and not data.is_optional),
        response=None if returned in {None, NoneType} else returned,
        status=handler.status_code,
        problems=tuple(sorted(problems)),
        one_needed=tuple(handler.opt.get("one_needed", ())),
    )


def cold_document(cold: Cold, schemas: Mapping[int, Any]) -> dict[str, Any]:
    """The operation as it stands in the document, without its answers.  ``schemas`` are JSON schemas by id(type)."""
    described = {key: value for key, value in cold.description.items() if key not in {"responses", "requestBody"}}
    described.pop("deprecated", None)
    if "parameters" in described:
        described["parameters"] = [_parameter(one) for one in described["parameters"]]
    if cold.request is not None:
        content = ANY_BYTES if cold.request is bytes else {"application/json": {"schema": _body(cold, schemas)}}
        described["requestBody"] = {"required": cold.body_needed, "content": content}
    return described


def _body(cold: Cold, schemas: Mapping[int, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = schemas[id(cold.request)]
    if not cold.one_needed:
        return schema
    # Each may be left out or empty, but not all of them.
    filled = {"minLength": 1, "minItems": 1}
    return {**schema, "anyOf": [{"required": [name], "properties": {name: filled}} for name in cold.one_needed]}


def _parameter(parameter: Mapping[str, Any]) -> dict[str, Any]:
    """A parameter is text on the wire: it can be left out, but it cannot be null."""
    kept = {key: parameter[key] for key in ("name", "in", "required", "description") if key in parameter}
    schema = dict(parameter.get("schema", {}))
    schema.pop("description", None)
    choices = [one for one in schema.pop("oneOf", []) if one.get("type") != "null"]
    if len(choices) == 1:
        schema = {**choices[0], **schema}
    elif choices:
        schema["oneOf"] = choices
    if isinstance(schema.get("type"), list):
        types = [one for one in schema["type"] if one != "null"]
        schema["type"] = types[0] if len(types) == 1 else types
    if "enum" in schema:
        schema["enum"] = [one for one in schema["enum"] if one is not None]
    if schema.get("default", "") is None:
        del schema["default"]
    return {**kept, "schema": schema}
