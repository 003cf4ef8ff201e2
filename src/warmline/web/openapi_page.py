"""The readable API reference: one page from the OpenAPI document, no script, nothing from elsewhere."""

from __future__ import annotations

import json
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

_environment = Environment(
    loader=PackageLoader("warmline.web", "reference"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_METHODS = ("get", "post", "put", "patch", "delete")


def render_reference(document: dict[str, Any]) -> str:
    """The page for a document (as ``OpenApiDocument.build`` gives it)."""
    schemas: dict[str, Any] = document["components"]["schemas"]
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                operation = item[method]
                tag = (operation.get("tags") or ["Other"])[0]
                groups.setdefault(tag, []).append(_entry(path, method, operation))
    return _environment.get_template("reference.html").render(
        info=document["info"],
        server=document["servers"][0]["url"],
        groups=dict(sorted(groups.items())),
        security=document["components"]["securitySchemes"],
        schemas={name: _fields(schema) for name, schema in schemas.items()},
        sources={name: json.dumps(schema, indent=2, ensure_ascii=False) for name, schema in schemas.items()},
    )


def _entry(path: str, method: str, operation: dict[str, Any]) -> dict[str, Any]:
    body = operation.get("requestBody", {}).get("content", {})
    return {
        "id": operation.get("operationId", f"{method}-{path}"),
        "path": path,
        "method": method.upper(),
        "summary": operation.get("summary", ""),
        "description": operation.get("description", ""),
        "security": [name for entry in operation.get("security", []) for name in entry],
        "parameters": [
            {
                "name": parameter["name"],
                "where": parameter["in"],
                "required": parameter.get("required", False),
                "type": type_words(parameter.get("schema", {})),
                "description": parameter.get("description", ""),
            }
            for parameter in operation.get("parameters", [])
        ],
        "body": [_ref_or_words(content.get("schema", {})) for content in body.values()],
        "responses": [
            {
                "status": status,
                "description": answer.get("description", ""),
                "body": [_ref_or_words(content.get("schema", {})) for content in answer.get("content", {}).values()],
            }
            for status, answer in operation["responses"].items()
        ],
    }


def _fields(schema: dict[str, Any]) -> list[dict[str, Any]]:
    required = set(schema.get("required", []))
    return [
        {
            "name": name,
            "type": type_words(field),
            "ref": _ref(field),
            "required": name in required,
            "description": field.get("description", ""),
        }
        for name, field in schema.get("properties", {}).items()
    ]


def _ref(schema: dict[str, Any]) -> str:
    target = schema.get("$ref") or schema.get("items", {}).get("$ref", "")
    return str(target).rpartition("/")[2]


def _ref_or_words(schema: dict[str, Any]) -> dict[str, str]:
    return {"ref": _ref(schema), "words": type_words(schema)}


def type_words(schema: dict[str, Any]) -> str:
    """A JSON Schema as a few words: ``text, 1–64 characters``, ``list of Message``, ``a or b``."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    for union in ("anyOf", "oneOf"):
        if union in schema:
            return " or ".join(type_words(part) for part in schema[union])
    if "const" in schema:
        return json.dumps(schema["const"], ensure_ascii=False)
    if "enum" in schema:
        return " · ".join(str(value) for value in schema["enum"])
    kind = schema.get("type", "anything")
    if isinstance(kind, list):
        return " or ".join(type_words({**schema, "type": one}) for one in kind)
    if kind == "array":
        return f"list of {type_words(schema.get('items', {}))}"
    words = {"string": "text", "integer": "whole number", "boolean": "true or false"}.get(kind, kind)
    return ", ".join([str(schema.get("format") or words), *_bounds(schema)])


def _bounds(schema: dict[str, Any]) -> list[str]:
    low, high = schema.get("minLength"), schema.get("maxLength")
    if low is not None or high is not None:
        return [f"{low or 0}–{high if high is not None else '…'} characters"]
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None or high is not None:
        return [f"{'…' if low is None else low} to {'…' if high is None else high}"]
    return []
