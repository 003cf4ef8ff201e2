"""What callers may send to Gorgias.

Documented: which fields there are, which are required, the lengths, and that a missing, wrong or unknown parameter is 400.
``via`` and ``channel`` are lists of words in the vendor's schema, of which the page shows a part: what is a word is taken.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from warmline.simulators.base import VendorRefusal

INVALID = "Invalid payload."
T = TypeVar("T")
ShortText = Annotated[str, msgspec.Meta(max_length=255)]
Word = Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9_-]*$", max_length=64)]
Status = Literal["open", "closed"]


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An object with the fields it names and no other."""


class Ref(Body, frozen=True, kw_only=True):
    """Somebody by number."""

    id: int


class Person(Body, frozen=True, kw_only=True):
    """Somebody by number or e-mail."""

    id: int | None = None
    email: str | None = None
    name: str | None = None


class Address(Body, frozen=True, kw_only=True):
    """One end of a message."""

    address: str | None = None
    name: str | None = None
    id: int | None = None


class Source(Body, frozen=True, kw_only=True, rename={"from_": "from"}):
    """How a message was routed."""

    type: str | None = None
    from_: Address | None = None
    to: list[Address] = []
    cc: list[Address] = []
    bcc: list[Address] = []
    extra: Any = None


class NewFile(Body, frozen=True, kw_only=True):
    """An attachment as the upload answered it."""

    url: str
    name: str | None = None
    size: int | None = None
    content_type: str | None = None
    public: bool | None = None
    extra: Any = None


class NewMessage(Body, frozen=True, kw_only=True):
    """One message, alone or of a new ticket."""

    channel: Word
    via: Word
    from_agent: bool
    sender: Person | None = None
    receiver: Person | None = None
    source: Source | None = None
    body_text: str | None = None
    body_html: str | None = None
    stripped_text: str | None = None
    stripped_html: str | None = None
    subject: str | None = None
    attachments: list[NewFile] | None = None
    public: bool = True
    external_id: ShortText | None = None
    created_datetime: dt.datetime | None = None
    sent_datetime: dt.datetime | None = None
    failed_datetime: dt.datetime | None = None
    deleted_datetime: dt.datetime | None = None
    last_sending_error: Any = None
    message_id: str | None = None
    integration_id: int | None = None
    rule_id: int | None = None
    headers: Any = None
    meta: Any = None
    actions: Any = None
    macros: Any = None
    mention_ids: list[int] | None = None


class TagName(Body, frozen=True, kw_only=True):
    """A label by name or number."""

    name: str | None = None
    id: int | None = None
    decoration: Any = None


class FieldValue(Body, frozen=True, kw_only=True):
    """A value of a custom field."""

    id: int
    value: Any = None


class NewTicket(Body, frozen=True, kw_only=True):
    """A ticket with its messages."""

    messages: Annotated[list[NewMessage], msgspec.Meta(min_length=1, max_length=500)]
    customer: Person | None = None
    channel: Word | None = None
    via: Word | None = None
    from_agent: bool | None = None
    subject: str | None = None
    language: str | None = None
    external_id: ShortText | None = None
    priority: Literal["low", "normal", "high", "critical"] | None = None
    tags: list[TagName] = []
    custom_fields: list[FieldValue] = []
    meta: Any = None
    assignee_team: Ref | None = None
    assignee_user: Ref | None = None
    status: Status = "open"
    spam: bool = False
    created_datetime: dt.datetime | None = None
    closed_datetime: dt.datetime | None = None
    opened_datetime: dt.datetime | None = None
    trashed_datetime: dt.datetime | None = None
    updated_datetime: dt.datetime | None = None
    snooze_datetime: dt.datetime | None = None
    last_message_datetime: dt.datetime | None = None
    last_received_message_datetime: dt.datetime | None = None


class ChangedTicket(Body, frozen=True, kw_only=True):
    """What may be changed; what is left out stays."""

    status: Status | UnsetType = UNSET
    assignee_team: Ref | UnsetType | None = UNSET
    assignee_user: Ref | UnsetType | None = UNSET
    subject: str | UnsetType | None = UNSET
    language: str | UnsetType | None = UNSET
    external_id: ShortText | UnsetType | None = UNSET
    priority: str | UnsetType | None = UNSET
    spam: bool | UnsetType = UNSET
    meta: Any | UnsetType = UNSET
    tags: list[TagName] | UnsetType = UNSET
    customer: Person | UnsetType = UNSET
    channel: Word | UnsetType = UNSET
    is_unread: bool | UnsetType = UNSET
    snooze_datetime: dt.datetime | UnsetType | None = UNSET
    trashed_datetime: dt.datetime | UnsetType | None = UNSET


class Tags(Body, frozen=True, kw_only=True):
    """Labels by number or by name."""

    ids: list[int] = []
    names: list[str] = []


class NewChannel(Body, frozen=True, kw_only=True):
    """How to reach somebody."""

    type: Word
    address: str
    preferred: bool = False


class NewCustomer(Body, frozen=True, kw_only=True):
    """Somebody new.  ``firstname`` and ``lastname`` are what some clients send; the page has ``name`` only."""

    channels: list[NewChannel] | None = None
    email: str | None = None
    name: str | None = None
    firstname: str | None = None
    lastname: str | None = None
    external_id: str | None = None
    language: str | None = None
    timezone: str | None = None
    note: str | None = None
    data: Any = None


class ChangedCustomer(Body, frozen=True, kw_only=True):
    """What is left out stays."""

    channels: list[NewChannel] | UnsetType = UNSET
    email: str | UnsetType | None = UNSET
    name: str | UnsetType | None = UNSET
    external_id: str | UnsetType | None = UNSET
    language: str | UnsetType | None = UNSET
    timezone: str | UnsetType | None = UNSET
    note: str | UnsetType | None = UNSET
    data: Any | UnsetType = UNSET


class Http(Body, frozen=True, kw_only=True):
    """What an HTTP integration calls, and when."""

    url: str
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"]
    request_content_type: Literal["application/json", "application/x-www-form-urlencoded"]
    response_content_type: Literal["application/json"]
    triggers: dict[str, bool] = {}
    headers: dict[str, str] | None = None
    form: Any = None


class NewIntegration(Body, frozen=True, kw_only=True):
    """An HTTP integration; no other type can be made here."""

    name: str
    type: Literal["http"]
    http: Http
    description: str | None = None
    deactivated_datetime: dt.datetime | None = None


class ChangedIntegration(Body, frozen=True, kw_only=True):
    """What is left out stays; ``deactivated_datetime`` null switches it on again (assumed)."""

    name: str | UnsetType = UNSET
    type: Literal["http"] | UnsetType = UNSET
    http: Http | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    deactivated_datetime: dt.datetime | UnsetType | None = UNSET


def read(body: bytes, kind: type[T]) -> T:
    """The body as ``kind``.  Raises VendorRefusal 400, also for a parameter that is not known."""
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise VendorRefusal(400, INVALID, note=str(error)) from error


def millis(moment: dt.datetime | None) -> int | None:
    """A moment in milliseconds; one without an offset is UTC, as the vendor writes its own."""
    if moment is None:
        return None
    return round((moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp() * 1000)
