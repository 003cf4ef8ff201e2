"""Reading what another company's system posts: bodies by their types, every refusal with the path of its field.  Pure."""

from __future__ import annotations

import re
from typing import Annotated, Any, NoReturn

import msgspec

from warmline.conversations.commands import MAX_TEXT
from warmline.kernel.errors import Invalid

TEXT_LIMIT = MAX_TEXT
ID_LIMIT = 200
NAME_LIMIT = 200
URL_LIMIT = 2_048
DETAIL_LIMIT = 300
HIGHEST_POSITION = 1_000_000
LONGEST_WAIT_MINUTES = 525_600
"""A year: whatever is beyond is a mistake, not a waiting time."""

Id = Annotated[str, msgspec.Meta(min_length=1, max_length=ID_LIMIT)]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=TEXT_LIMIT)]
Name = Annotated[str, msgspec.Meta(max_length=NAME_LIMIT)]
Url = Annotated[str, msgspec.Meta(max_length=URL_LIMIT)]

_ADDRESS = re.compile(r"https?://[^\s/?#@\\\"<>]+(?:[/?#][^\s\\\"<>]*)?", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# Line breaks and tabs are content; the rest is invisible, and the stores cannot keep NUL.
_INVISIBLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

_MISSING = re.compile(r"Object missing required field `([^`]+)`(?: - at `([^`]+)`)?")
_PLACED = re.compile(r"(.*) - at `([^`]+)`", re.DOTALL)


def decode(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
    """``decoder.decode(body)``, with every failure as Invalid naming its path (deep nesting included)."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        _refuse(str(error))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid("The body is not JSON in UTF-8.", code="malformed") from error
    except RecursionError:
        # Without "from": the chain would carry thousands of frames into the log.
        raise Invalid("The body is nested too deeply.", code="too_deep") from None


def clean_id(value: str, path: str) -> str:
    """``value``, unless it is blank or has control characters."""
    if _CONTROL.search(value) or not value.strip():
        raise Invalid("An id is a text without control characters, and not blank.", path=path, code="id")
    return value


def clean_text(value: str, path: str) -> str:
    """``value`` without invisible control characters; Invalid when nothing is left to show."""
    text = _INVISIBLE.sub("", value) if not value.isprintable() else value
    if not text or text.isspace():
        raise Invalid("The text is empty.", path=path, code="empty")
    return text


def clean_name(value: str | None) -> str:
    """A name without invisible characters; "" for none."""
    return _INVISIBLE.sub("", value).strip() if value is not None else ""


def check_address(value: str, path: str, what: str) -> str:
    """``value``, when it is an http or https address; ``what`` says of what, for the sentence."""
    if not _ADDRESS.fullmatch(value):
        raise Invalid(f"The {what} is an address: http:// or https://.", path=path, code="url")
    return value


def _refuse(said: str) -> NoReturn:
    if missing := _MISSING.fullmatch(said):
        name, parent = missing.groups()
        raise Invalid(f"The field {name} is missing.", path=f"{parent or '$'}.{name}", code="missing")
    placed = _PLACED.fullmatch(said)
    detail, path = placed.groups() if placed else (said, "$")
    raise Invalid(f"{detail[:DETAIL_LIMIT].rstrip('.')}.", path=path, code="type")
