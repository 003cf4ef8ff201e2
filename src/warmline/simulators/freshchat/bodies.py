"""What callers may send to Freshchat.

The vendor documents these bodies by examples; three public integrations agree on them.  Assumed: that a field which nobody
was seen to send is refused.  The spellings of a file part are all that integrations were seen to use.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

import msgspec

from warmline.simulators.base import VendorRefusal

INVALID = "INVALID_VALUE"
NOT_VALID = "CONVERSATION_PAYLOAD_NOT_VALID"
T = TypeVar("T", bound="Body")


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An object with nothing else in it."""


class Text(Body, frozen=True, kw_only=True):
    """Plain text."""

    content: str


class Image(Body, frozen=True, kw_only=True):
    """A picture by its address."""

    url: str


class File(Body, frozen=True, kw_only=True):
    """A file, by its address or as it was uploaded."""

    url: str = ""
    name: str = ""
    file_size_in_bytes: int | None = None
    content_type: str = ""
    file_extension: str = ""
    file_hash: str = ""
    file_id: str = ""
    content_type_camel: str = msgspec.field(name="contentType", default="")
    file_hash_camel: str = msgspec.field(name="fileHash", default="")
    file_id_camel: str = msgspec.field(name="fileId", default="")


class Video(Body, frozen=True, kw_only=True):
    """A film or a sound by its address."""

    url: str
    content_type: str = ""


class UrlButton(Body, frozen=True, kw_only=True):
    """A link that looks like a button."""

    url: str
    label: str
    target: str = ""


class Part(Body, frozen=True, kw_only=True, omit_defaults=True):
    """One of these."""

    text: Text | None = None
    image: Image | None = None
    file: File | None = None
    video: Video | None = None
    url_button: UrlButton | None = None


class NewMessage(Body, frozen=True, kw_only=True):
    """A message, alone or in a new conversation."""

    message_parts: list[Part]
    actor_type: Literal["user", "agent", "bot", "system"]
    message_type: Literal["normal", "private"] = "normal"
    actor_id: str = ""
    user_id: str = ""
    channel_id: str = ""


class UserId(Body, frozen=True, kw_only=True):
    """A user by his id."""

    id: str


class NewConversation(Body, frozen=True, kw_only=True):
    """A conversation with its first messages."""

    channel_id: str
    users: list[UserId]
    messages: list[NewMessage]
    app_id: str = ""
    status: str = "new"
    assigned_group_id: str = ""
    assigned_agent_id: str = ""
    properties: dict[str, Any] = {}


class ChangedConversation(Body, frozen=True, kw_only=True):
    """What to change of a conversation."""

    status: str | None = None
    assigned_agent_id: str | None = None
    assigned_group_id: str | None = None
    channel_id: str | None = None
    properties: dict[str, Any] | None = None


class Avatar(Body, frozen=True, kw_only=True):
    """A picture of somebody."""

    url: str | None = None


class Property(Body, frozen=True, kw_only=True):
    """Something about a user."""

    name: str
    value: str


class UserFields(Body, frozen=True, kw_only=True):
    """A user, new or changed."""

    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    phone: str | None = None
    reference_id: str | None = None
    avatar: Avatar | None = None
    properties: list[Property] | None = None


def read(body: bytes, kind: type[T], *, word: str = INVALID) -> T:
    """The body as ``kind``.  Raises VendorRefusal 400 with ``word``."""
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise VendorRefusal(400, word, note=str(error)) from error


def parts(given: NewMessage) -> list[dict[str, Any]]:
    """The parts as they are kept.  Raises VendorRefusal 400 for one that says nothing, or two things."""
    if not given.message_parts:
        raise VendorRefusal(400, INVALID, note="$.message_parts is empty")
    found: list[dict[str, Any]] = []
    for place, one in enumerate(given.message_parts):
        part: dict[str, Any] = msgspec.to_builtins(one)
        if len(part) != 1:
            raise VendorRefusal(400, INVALID, note=f"$.message_parts[{place}] must be of one kind")
        if one.text is not None and not one.text.content.strip():
            raise VendorRefusal(400, INVALID, note=f"$.message_parts[{place}].text is empty")
        found.append({kind: _spoken(content) for kind, content in part.items()})
    return found


def _spoken(content: Mapping[str, Any]) -> dict[str, Any]:
    """Without what was not given, in one spelling."""
    spelled = {"contentType": "content_type", "fileHash": "file_hash", "fileId": "file_id"}
    return {spelled.get(name, name): value for name, value in content.items() if value not in {"", None}}


def moment(text: str) -> int:
    """Milliseconds.  Raises VendorRefusal 400."""
    try:
        at = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise VendorRefusal(400, INVALID, note=f"{text!r} is no moment") from error
    return round((at if at.tzinfo else at.replace(tzinfo=dt.UTC)).timestamp() * 1000)
