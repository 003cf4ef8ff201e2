"""What callers may send: the request schemas of the vendor's OpenAPI document 17.12.1.

Documented: every field below, which are required, the lengths, that metadata is flat and has at most 4 kB, and which kinds of
content can be sent.  Assumed: that a field the document does not name is refused (``Assumptions.refuse_unknown_fields``).
What stands inside the items of carousels, lists, forms and templates is kept, not checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from warmline.simulators import reading
from warmline.simulators.base import VendorRefusal

MAX_JSON, MAX_METADATA, MAX_TEXT = 100_000, 4_096, 4_096
T = TypeVar("T")
Metadata = dict[str, Any]
Said = Annotated[str, Meta(max_length=MAX_TEXT)]
Short = Annotated[str, Meta(min_length=1, max_length=128)]
Address = Annotated[str, Meta(pattern=r"^https?://[^\s]+$", max_length=2_048)]
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]+$", max_length=128)]
DisplayName = Annotated[str, Meta(min_length=1, max_length=100)]


class Body(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A request."""


# ------------------------------------------------------------------------------------------------- users
class Profile(Body, frozen=True, kw_only=True):
    """What is known of somebody."""

    given_name: Short | None = None
    surname: Short | None = None
    email: Annotated[str, Meta(pattern=r"^[^@\s]+@[^@\s]+$", max_length=128)] | None = None
    avatar_url: Address | None = None
    locale: Annotated[str, Meta(min_length=1, max_length=64)] | None = None


class ChangedUser(Body, frozen=True, kw_only=True):
    """What to change of a user."""

    signed_up_at: str | None = None
    to_be_retained: bool | None = None
    profile: Profile | None = None
    metadata: Metadata | None = None


class NewUser(ChangedUser, frozen=True, kw_only=True):
    """Somebody new."""

    external_id: Annotated[str, Meta(min_length=1, max_length=1_024)] | None = None
    brand_id: Annotated[str, Meta(min_length=1, max_length=24)] | None = None


# ----------------------------------------------------------------------------------------- conversations
class Participant(Body, frozen=True, kw_only=True):
    """One of the two ids."""

    user_id: str | None = None
    user_external_id: str | None = None
    subscribe_sdk_client: bool | None = msgspec.field(name="subscribeSDKClient", default=None)


class ChangedConversation(Body, frozen=True, kw_only=True):
    """What to change of a conversation."""

    display_name: DisplayName | None = None
    description: str | None = None
    icon_url: Address | None = None
    metadata: Metadata | None = None


class NewConversation(ChangedConversation, frozen=True, kw_only=True):
    """A conversation of one user (``personal``) or several."""

    type: Literal["personal", "sdkGroup"]
    participants: Annotated[list[Participant], Meta(max_length=10)] = []


# ---------------------------------------------------------------------------------------------- messages
class Author(Body, frozen=True, kw_only=True):
    """Who writes.  Only ``AI`` may be sent as a subtype."""

    type: Literal["user", "business"]
    subtypes: list[Literal["AI"]] = []
    user_id: str | None = None
    user_external_id: str | None = None
    brand_id: str | None = None
    display_name: str | None = None
    avatar_url: Address | None = None


class Content(msgspec.Struct, frozen=True, kw_only=True, rename="camel", tag_field="type"):
    """What is said."""

    block_chat_input: bool | None = None


class Rich(Content, frozen=True, kw_only=True, rename="camel"):
    """The three ways of writing a text."""

    text: Said | None = None
    html_text: Said | None = None
    markdown_text: Said | None = None
    actions: list[dict[str, Any]] = []


class Text(Rich, frozen=True, kw_only=True, rename="camel", tag="text"):
    """A text; not empty."""

    payload: str | None = None


class Media(Rich, frozen=True, kw_only=True, rename="camel"):
    """A file by its address.  ``media_type`` and ``media_size`` are read-only: taken, and not used."""

    media_url: Address
    media_type: str | None = None
    media_size: float | None = None
    alt_text: Annotated[str, Meta(max_length=128)] | None = None
    attachment_id: str | None = None


class Image(Media, frozen=True, kw_only=True, rename="camel", tag="image"):
    """A picture."""


class File(Media, frozen=True, kw_only=True, rename="camel", tag="file"):
    """Any other file."""


class Coordinates(Body, frozen=True, kw_only=True):
    """Where on earth."""

    lat: float
    long: float


class Location(Content, frozen=True, kw_only=True, rename="camel", tag="location"):
    """A place."""

    coordinates: Coordinates
    location: dict[str, str] | None = None


class Carousel(Content, frozen=True, kw_only=True, rename="camel", tag="carousel"):
    """Cards side by side."""

    items: Annotated[list[dict[str, Any]], Meta(min_length=1, max_length=10)]
    display_settings: dict[str, Any] | None = None


class ListOf(Content, frozen=True, kw_only=True, rename="camel", tag="list"):
    """Cards below each other."""

    items: Annotated[list[dict[str, Any]], Meta(min_length=1, max_length=10)]
    actions: list[dict[str, Any]] = []


class Form(Content, frozen=True, kw_only=True, rename="camel", tag="form"):
    """Fields to fill in."""

    fields: Annotated[list[dict[str, Any]], Meta(min_length=1, max_length=20)]
    submitted: bool | None = None


class Template(Content, frozen=True, kw_only=True, rename="camel", tag="template"):
    """A template of a channel."""

    template: dict[str, Any]


class NewMessage(Body, frozen=True, kw_only=True):
    """A message."""

    author: Author
    content: Text | Image | File | Location | Carousel | ListOf | Form | Template
    destination: dict[str, Any] | None = None
    metadata: Metadata | None = None
    override: dict[str, Any] | None = None
    schema: str | None = None


class NewActivity(Body, frozen=True, kw_only=True):
    """Typing, or reading; a user can only read."""

    author: Author
    type: Literal["conversation:read", "typing:start", "typing:stop"]


class Control(Body, frozen=True, kw_only=True):
    """What goes along with control."""

    metadata: Metadata | None = None


class ControlTo(Control, frozen=True, kw_only=True):
    """Who gets it: an id, a name, a type of integration, or ``next``."""

    switchboard_integration: Annotated[str, Meta(min_length=1)]


# ------------------------------------------------------------------------------------------------- setup
class NewWebhook(Body, frozen=True, kw_only=True):
    """Where events go."""

    target: Address
    triggers: Annotated[list[str], Meta(min_length=1)]
    include_full_user: bool = False
    include_full_source: bool = False


class ChangedWebhook(Body, frozen=True, kw_only=True):
    """What to change of it."""

    target: Address | UnsetType = UNSET
    triggers: Annotated[list[str], Meta(min_length=1)] | UnsetType = UNSET
    include_full_user: bool | UnsetType = UNSET
    include_full_source: bool | UnsetType = UNSET


class NewIntegration(Body, frozen=True, kw_only=True):
    """A custom integration; other channels cannot be made here."""

    type: Literal["custom"]
    webhooks: Annotated[list[NewWebhook], Meta(min_length=1, max_length=1)]
    display_name: DisplayName | None = None


class ChangedSwitchboard(Body, frozen=True, kw_only=True):
    """What to change of the switchboard."""

    enabled: bool | UnsetType = UNSET
    default_switchboard_integration_id: str | UnsetType = UNSET


class ChangedLine(Body, frozen=True, kw_only=True):
    """What to change of a switchboard integration."""

    name: Name | UnsetType = UNSET
    integration_id: str | UnsetType = UNSET
    integration_type: str | UnsetType = UNSET
    deliver_standby_events: bool | UnsetType = UNSET
    next_switchboard_integration_id: str | UnsetType | None = UNSET
    message_history_count: Annotated[int, Meta(ge=1, le=10)] | UnsetType | None = UNSET


class NewLine(ChangedLine, frozen=True, kw_only=True):
    """A switchboard integration, by the id or the type of an integration."""

    name: Name


# ----------------------------------------------------------------------------------------------- reading
def read(body: bytes, kind: type[T], *, strict: bool) -> T:
    """The body as ``kind``.  Raises VendorRefusal 400; with ``strict`` for fields that are not in the schema, too."""
    try:
        value = reading.read(body, kind, strict=strict)
    except reading.Unfit as unfit:
        raise VendorRefusal(400, "Bad request", note=str(unfit)) from unfit
    _check_metadata(getattr(value, "metadata", None))
    if isinstance(value, NewMessage):
        _check_message(value)
    return value


def plain(given: msgspec.Struct) -> dict[str, Any]:
    """The fields that were given, by their names on the wire."""
    fields: dict[str, Any] = msgspec.to_builtins(given)
    return {name: value for name, value in fields.items() if value not in (None, [])}


def _check_metadata(given: object) -> None:
    if not isinstance(given, Mapping):
        return
    for name, value in given.items():
        if not isinstance(value, str | int | float | bool):
            raise VendorRefusal(400, "Bad request", note=f"metadata.{name} is neither string, number nor boolean")
    if len(msgspec.json.encode(given)) > MAX_METADATA:
        raise VendorRefusal(400, "Bad request", note="metadata is larger than 4 kB")


def _check_message(given: NewMessage) -> None:
    content, author = given.content, given.author
    if isinstance(content, Rich) and content.html_text is not None and content.markdown_text is not None:
        raise VendorRefusal(400, "Bad request", note="htmlText and markdownText exclude each other")
    said = isinstance(content, Text) and (content.text or content.html_text or content.markdown_text or content.actions)
    if isinstance(content, Text) and not said:
        raise VendorRefusal(400, "Bad request", note="a text without any text")
    by_user = author.user_id is not None or author.user_external_id is not None
    if by_user != (author.type == "user"):
        raise VendorRefusal(400, "Bad request", note="a user needs userId or userExternalId, the business neither")
