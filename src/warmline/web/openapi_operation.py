"""How a raw route tells the OpenAPI document what it does: from its msgspec types, so that it cannot drift."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A header, query or path parameter.  ``type`` is any type msgspec can describe."""

    name: str
    where: Literal["query", "header", "path"]
    description: str
    type: Any = str
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation of the document.

    ``responses`` maps a status to the type of its JSON body (None for an empty one); statuses in ``problems``
    answer with ``application/problem+json``.  ``security`` names schemes of the document.
    """

    id: str
    summary: str
    description: str = ""
    tags: tuple[str, ...] = ()
    request: Any = None
    responses: Mapping[int, Any] = field(default_factory=lambda: {200: None})
    problems: tuple[int, ...] = (400, 413)
    parameters: tuple[Parameter, ...] = ()
    security: tuple[str, ...] = ()
    path: str = ""
    """The path as the document shows it, when the route's own is a prefix: ``/widget/frame/{widget_id}``."""
