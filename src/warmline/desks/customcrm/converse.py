"""Reads the body of ``POST /converse/chat``: a visitor's event from a CRM that is the front end itself.  Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec

from warmline.desks.customcrm.inbound import Number, read_whole
from warmline.desks.shared.bodies import TEXT_LIMIT, Id, clean_id, clean_text, decode
from warmline.kernel.errors import Invalid

DETAILS_LIMIT = 100
KEY_LIMIT = 200
HIGHEST_CARD = 1_000

ConverseKind = Literal["startSession", "message", "endSession", "metadata"]

_Key = Annotated[str, msgspec.Meta(min_length=1, max_length=KEY_LIMIT)]
_Value = Annotated[str, msgspec.Meta(max_length=TEXT_LIMIT)]


class DetailBody(msgspec.Struct, frozen=True):
    """One fact about the visitor; ``sanitize`` marks it as personal."""

    key: _Key
    value: _Value
    sanitize: bool = False


# The vendor's tables show an object, its data types an array: both are in use.
_Pairs = Annotated[list[DetailBody], msgspec.Meta(max_length=DETAILS_LIMIT)]
_Named = Annotated[dict[_Key, _Value], msgspec.Meta(max_length=DETAILS_LIMIT)]


class ConverseBody(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The body of ``/converse/chat``; ``text`` is required for messages."""

    platform_conversation_id: Id
    event_type: ConverseKind
    text: Annotated[str, msgspec.Meta(max_length=TEXT_LIMIT)] | None = None
    meta_data: _Pairs | _Named | None = None
    card_index: Number | None = None
    message_id: Id | None = None


_BODY: msgspec.json.Decoder[Any] = msgspec.json.Decoder(ConverseBody)


@dataclass(frozen=True, slots=True)
class Detail:
    """Something the CRM knows of the visitor; ``sanitize`` marks personal data that must not be shown or logged."""

    key: str
    value: str
    sanitize: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ConverseEvent:
    """One event of the visitor.  ``text`` is "" except for messages; ``external_id`` is unique per connection."""

    kind: ConverseKind
    external_id: str
    text: str = ""
    details: tuple[Detail, ...] = ()
    card_index: int | None = None
    message_id: str | None = None


def parse_converse_event(body: bytes) -> ConverseEvent:
    """The event; unknown fields are ignored, as is ``metaData`` on ``endSession``.  Raises Invalid with the path."""
    given: ConverseBody = decode(_BODY, body)
    kind = given.event_type
    text = ""
    if kind == "message":
        if given.text is None:
            raise Invalid("A message needs a text.", path="$.text", code="missing")
        text = clean_text(given.text, "$.text")
    details = _details(given.meta_data) if kind != "endSession" else ()
    if kind == "metadata" and given.meta_data is None:
        raise Invalid("The event metadata needs metaData.", path="$.metaData", code="missing")
    card = given.card_index
    return ConverseEvent(
        kind=kind,
        external_id=clean_id(given.platform_conversation_id, "$.platformConversationId"),
        text=text,
        details=details,
        card_index=None if card is None else read_whole(card, "$.cardIndex", HIGHEST_CARD),
        message_id=None if given.message_id is None else clean_id(given.message_id, "$.messageId"),
    )


def _details(given: list[DetailBody] | dict[str, str] | None) -> tuple[Detail, ...]:
    if given is None:
        return ()
    if isinstance(given, dict):
        return tuple(_detail(key, value, False, f"$.metaData.{key}") for key, value in given.items())
    return tuple(
        _detail(pair.key, pair.value, pair.sanitize, f"$.metaData[{number}]") for number, pair in enumerate(given)
    )


def _detail(key: str, value: str, sanitize: bool, path: str) -> Detail:
    return Detail(clean_id(key, path), value.replace("\x00", ""), sanitize)
