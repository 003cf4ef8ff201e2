"""What callers may send to Kustomer.

Documented: every field of the v1 bodies; of the v2.1 bodies the names, which of them are required, and the rules of a
handoff.  Assumed: that ``attachments`` of chat messages look as in v1, and everything about work items but the conversation
they point at.  A body that does not fit is 400 ``bad_request`` (documented).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from warmline.simulators.base import VendorRefusal

INVALID = "Invalid request body or parameters."
T = TypeVar("T")
Moment = Annotated[dt.datetime, msgspec.Meta(tz=True)]
Few = Annotated[list[str], msgspec.Meta(max_length=10)]
Word = Annotated[str, msgspec.Meta(min_length=1)]


class Body(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A request; attributes stand in it plainly."""


class FileRef(Body, frozen=True, kw_only=True):
    """An attachment that was made before."""

    id: str = msgspec.field(name="_id")
    name: str
    content_type: str
    content_length: int
    source_id: str | None = None


Files = list[FileRef | str]


# --------------------------------------------------------------------------------------------- chat v2.1
class HandoffMessage(Body, frozen=True, kw_only=True):
    """A line of what was said before."""

    direction: Literal["in", "out"]
    body: Word
    date: Moment


class Handoff(Body, frozen=True, kw_only=True):
    """A conversation that began elsewhere."""

    customer_id: Word
    messages: list[HandoffMessage]
    sender: Word = msgspec.field(name="from")
    active: bool
    tracking_id: str | None = None
    external_id: str | None = None
    brand: str | None = None
    lang: str | None = None


class NewSession(Body, frozen=True, kw_only=True):
    """An empty chat."""

    customer_id: Word
    tracking_id: str | None = None
    assistant: str | None = None
    brand: str | None = None
    lang: str | None = None


class ChatMessage(Body, frozen=True, kw_only=True):
    """The customer writes."""

    customer_id: Word
    session: Word
    tracking_id: str | None = None
    body: str | None = None
    attachments: Files = []


class OutboundChatMessage(Body, frozen=True, kw_only=True):
    """A member writes."""

    customer_id: Word
    sender: Word = msgspec.field(name="from")
    session: Word
    tracking_id: str | None = None
    body: str | None = None
    attachments: Files = []
    auto: bool | None = None


class Typing(Body, frozen=True, kw_only=True):
    """A member types, or stopped."""

    customer_id: Word
    sender: Word = msgspec.field(name="from")
    session: Word
    typing: bool
    tracking_id: str | None = None
    ai: bool | None = None


class Rating(Body, frozen=True, kw_only=True):
    """What the customer thinks of it."""

    rating: int | None = None
    comment: str | None = None


# -------------------------------------------------------------------------------------------------- v1
class Email(Body, frozen=True, kw_only=True):
    """An address."""

    email: Annotated[str, msgspec.Meta(pattern=r"^[^@\s]+@[^@\s]+$")]
    type: Literal["home", "work", "other"] = "home"
    verified: bool = False


class Phone(Body, frozen=True, kw_only=True):
    """A number."""

    phone: Word
    type: Literal["mobile", "home", "work", "fax", "other"] = "mobile"
    verified: bool = False


class CustomerFields(Body, frozen=True, kw_only=True):
    """A new customer, or what changes about one."""

    name: str | UnsetType | None = UNSET
    company: str | UnsetType | None = UNSET
    username: str | UnsetType | None = UNSET
    external_id: str | UnsetType | None = UNSET
    avatar_url: str | UnsetType | None = UNSET
    emails: list[Email] | UnsetType = UNSET
    phones: list[Phone] | UnsetType = UNSET
    urls: list[dict[str, str]] | UnsetType = UNSET
    locale: str | UnsetType | None = UNSET
    time_zone: str | UnsetType | None = UNSET
    default_lang: str | UnsetType | None = UNSET
    tags: list[str] | UnsetType = UNSET
    custom: dict[str, Any] | UnsetType = UNSET
    last_seen_at: str | UnsetType | None = UNSET
    rev: int | UnsetType = UNSET


class QueueRef(Body, frozen=True, kw_only=True):
    """A queue by its id; null takes the conversation out of its queue."""

    id: str | None = None
    external: Literal["amazon-connect"] | None = None


class ConversationFields(Body, frozen=True, kw_only=True):
    """What changes about a conversation."""

    external_id: str | UnsetType | None = UNSET
    name: str | UnsetType | None = UNSET
    direction: Literal["in", "out"] | UnsetType = UNSET
    priority: Annotated[int, msgspec.Meta(ge=1, le=5)] | UnsetType = UNSET
    satisfaction: int | UnsetType | None = UNSET
    status: Literal["open", "snoozed", "done"] | UnsetType = UNSET
    snooze: dict[str, Any] | UnsetType = UNSET
    sub_status: str | UnsetType = UNSET
    reply_channel: str | UnsetType | None = UNSET
    tags: list[str] | UnsetType = UNSET
    assigned_users: Few | UnsetType = UNSET
    assigned_teams: Few | UnsetType = UNSET
    custom: dict[str, Any] | UnsetType = UNSET
    ended: bool | UnsetType = UNSET
    ended_at: Moment | UnsetType = UNSET
    ended_reason: str | UnsetType = UNSET
    ended_by: str | UnsetType = UNSET
    ended_by_type: Literal["user", "customer"] | UnsetType = UNSET
    locked: bool | UnsetType = UNSET
    default_lang: str | UnsetType | None = UNSET
    queue: QueueRef | UnsetType = UNSET
    rev: int | UnsetType = UNSET


class NewConversation(ConversationFields, frozen=True, kw_only=True):
    """A conversation of its own, not begun as a chat."""

    customer: Word


class NewMessage(Body, frozen=True, kw_only=True):
    """A message that is recorded; nothing is delivered."""

    channel: Literal[
        "email", "sms", "chat", "facebook", "twitter-dm", "twitter-tweet", "voice", "instagram", "whatsapp"
    ]
    app: Word
    direction: Literal["in", "out"] = "in"
    preview: str = ""
    body: str | None = None
    subject: str | None = None
    external_id: str | None = None
    conversation: str | None = None
    customer: str | None = None
    status: Literal["sent", "received", "error"] | None = None
    auto: bool = False
    sent_at: Moment | None = None
    imported_at: Moment | None = None
    attachments: Files = []
    meta: dict[str, Any] | None = None
    custom: dict[str, Any] | None = None
    lang: str | None = None
    queue: QueueRef | None = None


class NewNote(Body, frozen=True, kw_only=True):
    """A note that only members see."""

    body: Word
    external_id: str | None = None
    conversation: str | None = None
    user_mentions: list[dict[str, str]] = []
    attachments: list[FileRef] = []
    created_at: Moment | None = None
    created_by: str | None = None
    imported_at: Moment | None = None
    lang: str | None = None


class NewAttachment(Body, frozen=True, kw_only=True):
    """A file to come, or one that stays where it is."""

    name: Word
    content_type: Word
    content_length: Annotated[int, msgspec.Meta(ge=0)]
    external_url: str | None = None
    render_mode: Literal["default", "metadata_only"] | None = None


class Header(Body, frozen=True, kw_only=True):
    """A header that deliveries carry."""

    name: Word
    value: str


class WebhookFields(Body, frozen=True, kw_only=True):
    """A new outbound webhook, or what changes about one."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=255)] | UnsetType = UNSET
    url: Annotated[str, msgspec.Meta(min_length=1, max_length=255)] | UnsetType = UNSET
    events: Annotated[list[str], msgspec.Meta(min_length=1, max_length=12)] | UnsetType = UNSET
    headers: list[Header] | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET


class NewWorkItem(Body, frozen=True, kw_only=True):
    """A conversation for routing; ``resource`` points at it, by its id or as an object with an id."""

    resource: str | dict[str, Any]
    resource_type: str | None = None
    queue: str | dict[str, Any] | None = None


# ----------------------------------------------------------------------------------------------- reading
def read(body: bytes, kind: type[T], *, strict: bool) -> T:
    """The body as ``kind``.  Raises VendorRefusal 400; with ``strict`` for fields that are not in the schema, too."""
    try:
        raw = msgspec.json.decode(body or b"{}")
        value = msgspec.convert(raw, kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise VendorRefusal(400, INVALID, note=str(error)) from error
    if strict and (path := _unknown_field(raw, msgspec.to_builtins(value))):
        raise VendorRefusal(400, INVALID, note=f"{path} is not in the schema")
    return value


def _unknown_field(raw: object, known: object, path: str = "$") -> str:
    if isinstance(raw, Mapping) and isinstance(known, Mapping):
        for name, value in raw.items():
            if name not in known:
                return f"{path}.{name}"
            if found := _unknown_field(value, known[name], f"{path}.{name}"):
                return found
    elif isinstance(raw, list) and isinstance(known, list):
        for index, (one, other) in enumerate(zip(raw, known, strict=True)):
            if found := _unknown_field(one, other, f"{path}[{index}]"):
                return found
    return ""


def required(value: T | UnsetType, name: str) -> T:
    """A field that a new thing needs.  Raises VendorRefusal 400."""
    if isinstance(value, UnsetType):
        raise VendorRefusal(400, INVALID, note=f"$.{name} is required")
    return value


def millis(moment: dt.datetime) -> int:
    """A moment in milliseconds."""
    return round(moment.timestamp() * 1000)


def file_ids(files: Files) -> tuple[str, ...]:
    """The attachments' ids."""
    return tuple(one if isinstance(one, str) else one.id for one in files)
