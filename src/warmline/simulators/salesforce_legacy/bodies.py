"""What callers may send to Live Agent.

Documented: the fields and types of every body; that the reason of an end is required (though the guide's example of
``MultiNoun`` has none); that ``prechatDetails`` and ``prechatEntities`` are arrays.  Reported: that a detail without a
value is refused, that the map of a detail is spelled ``entityMaps`` as well, and that of an entity ``entityFieldsMap``.
Assumed: which fields of ``ChasitorInit`` may be left out, and that ``data`` of a noun is JSON in a string.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

import msgspec

from warmline.simulators.base import VendorRefusal
from warmline.simulators.reading import Unfit
from warmline.simulators.reading import read as read_strictly
from warmline.simulators.salesforce_legacy.state import ID_CHARACTERS

T = TypeVar("T")
Id = Annotated[str, msgspec.Meta(pattern=rf"^[0-9A-Za-z]{{{ID_CHARACTERS}}}([0-9A-Za-z]{{3}})?$")]
Filled = Annotated[str, msgspec.Meta(min_length=1)]


class Body(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A request; nothing in it for nouns that have no body."""


class DetailMap(Body, frozen=True, kw_only=True):
    """The field of a record to which a detail belongs."""

    entity_name: str
    field_name: str
    is_fast_fillable: bool = False
    is_auto_queryable: bool = False
    is_exact_matchable: bool = False


class CustomDetail(Body, frozen=True, kw_only=True):
    """Something known of the visitor."""

    label: str
    value: Filled
    transcript_fields: list[str]
    display_to_agent: bool = True
    entity_maps: list[DetailMap] = []
    entity_field_maps: list[DetailMap] = []


class FieldsMap(Body, frozen=True, kw_only=True):
    """How a detail finds or makes a record."""

    field_name: str
    label: str
    do_find: bool
    is_exact_match: bool
    do_create: bool


class Entity(Body, frozen=True, kw_only=True):
    """A record to search for, or to make."""

    entity_name: str
    show_on_create: bool = False
    link_to_entity_name: str | None = None
    link_to_entity_field: str | None = None
    save_to_transcript: str | None = None
    entity_fields_maps: list[FieldsMap] = []
    entity_fields_map: list[FieldsMap] = []


class ChasitorInit(Body, frozen=True, kw_only=True):
    """A request for a chat."""

    organization_id: Id
    deployment_id: Id
    session_id: str
    user_agent: str
    language: str
    screen_resolution: str
    visitor_name: str
    prechat_details: list[CustomDetail]
    prechat_entities: list[Entity]
    receive_queue_updates: bool
    is_post: bool
    button_id: str | None = None
    agent_id: str | None = None
    do_fallback: bool | None = None
    button_overrides: list[str] = []


class ChatMessage(Body, frozen=True, kw_only=True):
    """The visitor writes."""

    text: str


class SneakPeek(Body, frozen=True, kw_only=True):
    """What the visitor has typed so far."""

    position: int
    text: str


class ChatEnd(Body, frozen=True, kw_only=True):
    """The visitor ends it."""

    reason: str | None = None


class CustomEvent(Body, frozen=True, kw_only=True):
    """Anything."""

    type: str
    data: str


class IdleWarning(Body, frozen=True, kw_only=True):
    """The visitor is warned that he says nothing, or the warning is gone."""

    idle_timeout_warning_event: Literal["triggered", "cleared"]


class Rule(Body, frozen=True, kw_only=True):
    """A rule for sensitive data."""

    name: str
    id: str | None = None


class RulesTriggered(Body, frozen=True, kw_only=True):
    """Rules were applied to what the visitor wrote."""

    rules: list[Rule]


class Breadcrumb(Body, frozen=True, kw_only=True):
    """The page that the visitor looks at."""

    location: str


class ResyncState(Body, frozen=True, kw_only=True):
    """A session that has moved is in step again."""

    organization_id: Id


class Noun(Body, frozen=True, kw_only=True):
    """One POST of a batch."""

    prefix: Literal["Chasitor"]
    noun: str
    object: dict[str, Any] | None = None
    data: str | None = None

    @property
    def body(self) -> bytes:
        """What would have been posted by itself."""
        return (self.data or "{}").encode() if self.object is None else msgspec.json.encode(self.object)


class MultiNoun(Body, frozen=True, kw_only=True):
    """Several POSTs in one."""

    nouns: list[Noun]


def read(body: bytes, kind: type[T], *, strict: bool, about: str = "") -> T:
    """The body as ``kind``.  Raises VendorRefusal 400."""
    try:
        return read_strictly(body, kind, strict=strict)
    except Unfit as fault:
        raise VendorRefusal(400, "Bad Request", note=f"{about}{fault}") from fault
