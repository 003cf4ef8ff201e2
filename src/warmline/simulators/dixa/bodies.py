"""What callers may send to Dixa: the request schemas of its OpenAPI document (dev.dixa.io, v1), with their ``_type`` tags.

Documented there: every field below, which of them are required, and ``Decoding failure in request`` as the answer to a
body that does not fit.  Assumed: that a field the document does not know is refused as well
(``Assumptions.refuse_unknown_fields``), and that an id which is no UUID counts as not decodable.
``subject`` of an import stands in the guide "escalate to agent", not in the schema; it is taken.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

import msgspec

from warmline.simulators.base import VendorRefusal

DECODING_FAILURE = "Decoding failure in request"
INVALID_VALUE = "Invalid value in request"
T = TypeVar("T")
Moment = Annotated[dt.datetime, msgspec.Meta(tz=True)]


class Tagged(msgspec.Struct, frozen=True, kw_only=True, rename="camel", tag_field="_type", tag=True):
    """An object that says its type; the tag is the name of the class."""


class Plain(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An object that does not."""


# --------------------------------------------------------------------------------------------- messages
class Text(Tagged, frozen=True, kw_only=True):
    """Plain text."""

    value: str


class Html(Tagged, frozen=True, kw_only=True):
    """HTML."""

    value: str


class Markdown(Tagged, frozen=True, kw_only=True):
    """Markdown."""

    value: str


Content = Text | Html | Markdown


class File(Plain, frozen=True, kw_only=True):
    """An attachment: where it is, and what it is called."""

    url: str
    pretty_name: str | None = None


class Inbound(Tagged, frozen=True, kw_only=True):
    """A message of the end user."""

    content: Content
    attachments: list[File] = []
    integration_email: str | None = None
    external_id: str | None = None


class Outbound(Tagged, frozen=True, kw_only=True):
    """A message of an agent."""

    agent_id: uuid.UUID
    content: Content | None = None
    attachments: list[File] = []
    integration_email: str | None = None
    external_id: str | None = None
    cc: list[uuid.UUID] = []
    bcc: list[uuid.UUID] = []


NewMessage = Inbound | Outbound


class InboundImport(Tagged, frozen=True, kw_only=True):
    """A message of the end user that is older than the conversation."""

    content: Content
    created_at: Moment
    attachments: list[File] = []
    external_id: str | None = None
    attributes: Any = None


class OutboundImport(Tagged, frozen=True, kw_only=True):
    """A message of an agent (the bot, mostly) that is older than the conversation."""

    content: Content
    agent_id: uuid.UUID
    created_at: Moment
    attachments: list[File] = []
    external_id: str | None = None
    attributes: Any = None


class Assignment(Plain, frozen=True, kw_only=True):
    """Who has the conversation."""

    agent_id: uuid.UUID
    assigned_at: Moment


class Closing(Plain, frozen=True, kw_only=True):
    """Who ended the conversation."""

    closed_at: Moment
    closed_by: uuid.UUID


class GenericConversationImport(Tagged, frozen=True, kw_only=True):
    """A conversation that began elsewhere.  ``direction``: Inbound or Outbound."""

    generic_channel_name: str
    requester_id: uuid.UUID
    direction: str
    created_at: Moment
    requester_connection_status: str | None = None
    messages: list[InboundImport | OutboundImport] = []
    assignment: Assignment | None = None
    external_id: str | None = None
    closing: Closing | None = None
    attributes: Any = None
    subject: str | None = None


# ------------------------------------------------------------------------------------------ conversations
class TransferToQueue(Plain, frozen=True, kw_only=True):
    """Into which queue."""

    queue_id: uuid.UUID
    user_id: uuid.UUID | None = None


class ByUser(Plain, frozen=True, kw_only=True):
    """Who closes or reopens."""

    user_id: uuid.UUID | None = None


class FollowUp(Plain, frozen=True, kw_only=True):
    """Until when it is put off."""

    timestamp: Moment
    user_id: uuid.UUID | None = None


class Claim(Plain, frozen=True, kw_only=True):
    """Who takes it; ``force`` takes it from somebody else."""

    agent_id: uuid.UUID
    force: bool = False


class NewNote(Plain, frozen=True, kw_only=True):
    """A note that only agents see."""

    message: str
    agent_id: uuid.UUID | None = None
    created_at: Moment | None = None


class NewNotes(Plain, frozen=True, kw_only=True):
    """Several notes."""

    data: list[NewNote] = []


class TagName(Plain, frozen=True, kw_only=True):
    """A tag by its name."""

    name: str


class TagNames(Plain, frozen=True, kw_only=True):
    """Tags that are added in the background."""

    data: list[TagName] = []


class NewTag(Plain, frozen=True, kw_only=True):
    """A tag to make."""

    name: str
    color: str | None = None


class NewEndUser(Plain, frozen=True, kw_only=True):
    """A person who asks."""

    display_name: str | None = None
    email: str | None = None
    phone_number: str | None = None
    additional_emails: list[str] = []
    additional_phone_numbers: list[str] = []
    first_name: str | None = None
    last_name: str | None = None
    middle_names: list[str] = []
    avatar_url: str | None = None
    external_id: str | None = None


AttributeValues = dict[uuid.UUID, str | list[str] | None]


# ---------------------------------------------------------------------------------------------- webhooks
class NoAuth(Tagged, frozen=True, kw_only=True):
    """No authorization."""


class BasicAuth(Tagged, frozen=True, kw_only=True):
    """``Basic`` and base64 of user and password."""

    username: str
    password: str


class TokenAuth(Tagged, frozen=True, kw_only=True):
    """``Bearer`` and the value."""

    value: str


class NewWebhook(Plain, frozen=True, kw_only=True):
    """A subscription.  ``filters`` are kept and shown, not applied."""

    name: str
    url: str
    authorization: NoAuth | BasicAuth | TokenAuth
    custom_headers: dict[str, str]
    events: list[str] = []
    enabled: bool = True
    filters: dict[str, Any] | None = None


class ChangedWebhook(Plain, frozen=True, kw_only=True):
    """What to change of a subscription."""

    name: str | msgspec.UnsetType = msgspec.UNSET
    url: str | msgspec.UnsetType = msgspec.UNSET
    authorization: NoAuth | BasicAuth | TokenAuth | msgspec.UnsetType = msgspec.UNSET
    custom_headers: dict[str, str] | msgspec.UnsetType = msgspec.UNSET
    events: list[str] | msgspec.UnsetType = msgspec.UNSET
    enabled: bool | msgspec.UnsetType = msgspec.UNSET
    filters: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET


# ----------------------------------------------------------------------------------------------- reading
def read(body: bytes, kind: type[T], *, strict: bool) -> T:
    """The body as ``kind``.  Raises VendorRefusal 400; with ``strict`` for fields that are not in the schema, too."""
    try:
        raw = msgspec.json.decode(body or b"{}")
        value = msgspec.convert(raw, kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise VendorRefusal(400, DECODING_FAILURE, note=str(error)) from error
    if strict and (path := unknown_field(raw, msgspec.to_builtins(value))):
        raise VendorRefusal(400, DECODING_FAILURE, note=f"{path} is not in the schema")
    return value


def unknown_field(raw: object, known: object, path: str = "$") -> str:
    """The path of the first field of ``raw`` that ``known`` has no place for; "" when there is none."""
    if isinstance(raw, Mapping) and isinstance(known, Mapping):
        for name, value in raw.items():
            if name not in known:
                return f"{path}.{name}"
            if found := unknown_field(value, known[name], f"{path}.{name}"):
                return found
    if isinstance(raw, list) and isinstance(known, list):
        for place, (one, other) in enumerate(zip(raw, known, strict=False)):
            if found := unknown_field(one, other, f"{path}[{place}]"):
                return found
    return ""
