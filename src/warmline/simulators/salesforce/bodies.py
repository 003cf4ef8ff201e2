"""What callers may send to Enhanced Chat: fields and which of them are required as in the API reference."""

from __future__ import annotations

import email.parser
import email.policy
import uuid
from typing import Any, Literal, TypeVar

import msgspec

from warmline.simulators.base import VendorRefusal

T = TypeVar("T")


class Body(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """An object of a request."""


class AppContext(Body, frozen=True, kw_only=True):
    """Which app asks."""

    app_name: str
    client_version: str


class NewToken(Body, frozen=True, kw_only=True):
    """A token for somebody who is not verified."""

    org_id: str
    es_developer_name: str
    capabilities_version: Literal["1"]
    platform: Literal["Web", "Mobile"]
    device_id: str | None = None
    context: AppContext | None = None
    captcha_token: str | None = None


class NewConversation(Body, frozen=True, kw_only=True):
    """``conversation_id`` is the caller's own."""

    conversation_id: str
    es_developer_name: str
    routing_attributes: dict[str, Any] = {}
    language: str | None = None


class Content(Body, frozen=True, kw_only=True):
    """What is said."""

    format_type: Literal["Text"]
    text: str


class TextMessage(Body, frozen=True, kw_only=True):
    """A message of the visitor."""

    id: str
    message_type: Literal["StaticContentMessage"]
    static_content: Content
    in_reply_to_message_id: str | None = None


class NewMessage(Body, frozen=True, kw_only=True):
    """A message, and what begins a new session."""

    message: TextMessage
    es_developer_name: str
    is_new_messaging_session: bool = False
    routing_attributes: dict[str, Any] | None = None
    language: str | None = None


class FileMessage(Body, frozen=True, kw_only=True):
    """A message that is a file, with or without words."""

    id: str
    file_id: str
    text: str = ""
    in_reply_to_message_id: str | None = None


class NewFile(Body, frozen=True, kw_only=True):
    """The JSON part of a file."""

    message: FileMessage
    es_developer_name: str
    is_new_messaging_session: bool = False
    routing_attributes: dict[str, Any] | None = None
    language: str | None = None


class NewEntry(Body, frozen=True, kw_only=True):
    """The visitor types, or stops."""

    entry_type: Literal["TypingStartedIndicator", "TypingStoppedIndicator"]
    id: str


class Ack(Body, frozen=True, kw_only=True):
    """A receipt for one entry."""

    id: str
    entry_type: Literal["DeliveryAcknowledgement", "ReadAcknowledgement"]
    conversation_entry_id: str


class Acks(Body, frozen=True, kw_only=True):
    """Several receipts."""

    acks: list[Ack]


def read(body: bytes, kind: type[T]) -> T:
    """The body as ``kind``.  Raises VendorRefusal 400."""
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise VendorRefusal(400, "The request is invalid", note=str(error)) from error


def own_id(text: str, what: str) -> str:
    """A UUID (version 4 for a conversation) in lower case, as documented.  Raises VendorRefusal 400."""
    try:
        version = uuid.UUID(text).version
    except ValueError:
        version = None
    if version is None or text != text.lower() or (what == "conversationId" and version != 4):
        raise VendorRefusal(400, "The request is invalid", note=f"{what} must be a UUID (version 4) in lower case")
    return text


class Part(msgspec.Struct, frozen=True):
    """A part of a form."""

    name: str
    filename: str
    media_type: str
    body: bytes


def parts(content_type: str, body: bytes) -> dict[str, Part]:
    """The parts of a multipart form by their names.  Raises VendorRefusal 400."""
    parser = email.parser.BytesParser(policy=email.policy.HTTP)
    form = parser.parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    if form.get_content_type() != "multipart/form-data" or not form.is_multipart():
        raise VendorRefusal(400, "The request is invalid", note="not a multipart form")
    found: dict[str, Part] = {}
    for part in form.iter_parts():
        name = str(part.get_param("name", "", header="content-disposition"))
        raw = part.get_payload(decode=True)
        found[name] = Part(
            name, part.get_filename("") or "", part.get_content_type(), raw if isinstance(raw, bytes) else b""
        )
    return found
