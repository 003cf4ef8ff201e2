"""Values that several nouns of the API share: moments, texts, ids, pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any, TypeVar

import msgspec
from litestar.params import QueryParameter
from msgspec import Meta

from warmline.conversations.commands import MAX_TEXT
from warmline.kernel.clock import to_rfc3339
from warmline.kernel.errors import NotFound
from warmline.kernel.ids import is_uuid

T = TypeVar("T")
S = TypeVar("S")

MAX_PAGE = 200
_UUID = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"

Moment = Annotated[str, Meta(extra_json_schema={"format": "date-time"}, description="RFC 3339, UTC, milliseconds.")]
Text = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT, pattern="^[^\\u0000]*$")]
AnyText = Annotated[str, Meta(max_length=MAX_TEXT, pattern="^[^\\u0000]*$")]
Line = Annotated[str, Meta(max_length=200, pattern="^[^\\u0000-\\u001f\\u007f]*$")]
Id = Annotated[str, Meta(pattern=_UUID)]
BotRef = Annotated[str, Meta(pattern="^[0-9a-f]{24}$", description="24 lower-case hexadecimal digits.")]

Limit = Annotated[int, QueryParameter(ge=1, le=MAX_PAGE, description="At most so many items.")]
Cursor = Annotated[
    str | None,
    QueryParameter(description="`next_cursor` of the page before.", max_length=200, pattern="^[A-Za-z0-9_-]+$"),
]
IdCursor = Annotated[str | None, QueryParameter(description="`next_cursor` of the page before.", pattern=_UUID)]
Search = Annotated[
    str | None, QueryParameter(description="Words that must all occur.", max_length=200, pattern="^[^\\u0000]*$")
]
IdFilter = Annotated[str | None, QueryParameter(description="Only of this one.", pattern=_UUID)]
After = Annotated[int, QueryParameter(ge=0, le=2**53, description="Only what has a higher `seq`.")]


class Input(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all request bodies: a misspelt field is refused, not ignored."""


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all answers.  Fields may be added: readers ignore what they do not know."""


def moment(at: int) -> str:
    """The moment as text."""
    return to_rfc3339(at)


def moment_or_none(at: int | None) -> str | None:
    """The moment as text, if there is one."""
    return None if at is None else to_rfc3339(at)


def check_id(value: str, noun: str) -> str:
    """A path's id, when it can be one at all.  Raises NotFound."""
    if not is_uuid(value):
        raise NotFound(f"There is no such {noun}.")
    return value


def page_by_id(
    found: Iterable[S], cursor: str | None, limit: int, show: Callable[[S], T], *, newest_first: bool = False
) -> tuple[tuple[T, ...], str | None]:
    """One page, in the order of ids, of a list that is short enough to be held in memory; and the next cursor."""

    def key(one: Any) -> str:
        return str(one.id)

    ordered = sorted(found, key=key, reverse=newest_first)
    if cursor is not None:
        ordered = [one for one in ordered if (key(one) < cursor if newest_first else key(one) > cursor)]
    page = ordered[:limit]
    return tuple(show(one) for one in page), key(page[-1]) if len(ordered) > limit else None
