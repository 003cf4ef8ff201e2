"""What Kustomer's outbound webhooks say (developer.kustomer.com/docs/events, read 2026-11).  Pure.

Documented: the signature, the envelope with its ``changes``, the names of the events, and that deliveries may repeat and come
in any order.  Inferred, because Kustomer has no events for them: that somebody joined (the assignment changes), and that the
visitor waits (again) (queue or team change while nobody is assigned).  Also inferred: which relationship names a message's
author, that an event names a message's files among its relationships as the API does, that a ``preview`` may be cut, and that
imported messages are reported under the user they were imported for.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from typing import Any

import msgspec

from warmline.desks.kustomer.client import CHANNEL, DESK, ToMany, ToOne, attachment_path
from warmline.handover.port import (
    AgentJoined,
    AgentReplied,
    DeskEvent,
    EndReason,
    InboundDelivery,
    QueueMoved,
    SignatureRejected,
    ThreadEnded,
    Unknown,
    VendorFile,
)
from warmline.kernel.clock import from_rfc3339
from warmline.kernel.errors import Invalid

SIGNATURE_HEADER = "x-kustomer-webhook-signature"


class _Change(msgspec.Struct, frozen=True):
    before: Any = None
    after: Any = None


class _Changes(msgspec.Struct, frozen=True):
    attributes: dict[str, _Change] | None = None
    relationships: dict[str, Any] | None = None


class _Attributes(msgspec.Struct, frozen=True, rename="camel"):
    channel: str | None = None
    channels: tuple[str, ...] | None = None
    direction: str | None = None
    body: str | None = None
    preview: str | None = None
    size: int | None = None
    auto: bool | None = None
    imported_at: str | None = None
    assigned_users: tuple[str, ...] | None = None
    ended_by_type: str | None = None


class _Relationships(msgspec.Struct, frozen=True, rename="camel"):
    conversation: ToOne | None = None
    sent_by: ToOne | None = None
    created_by: ToOne | None = None
    attachments: ToMany | None = None


class _Data(msgspec.Struct, frozen=True):
    id: str
    attributes: _Attributes = _Attributes()
    relationships: _Relationships | None = None


class _Envelope(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    name: str
    data: _Data
    created_at: str | None = None
    changes: _Changes | None = None


_BODY: msgspec.json.Decoder[_Envelope] = msgspec.json.Decoder(_Envelope)


def check_signature(delivery: InboundDelivery, tokens: Sequence[str]) -> None:
    """HMAC-SHA256 of the raw body under the webhook's token, in hexadecimal.  Raises SignatureRejected.

    Nothing in it tells when it was made: a repeated delivery is known by the event's id.
    """
    given = delivery.headers.get(SIGNATURE_HEADER, "").encode()
    found = False
    for token in tokens:
        expected = hmac.new(token.encode(), delivery.body, hashlib.sha256).hexdigest()
        found |= hmac.compare_digest(expected.encode(), given)
    if not found:
        raise SignatureRejected("The delivery is not signed with this connection's webhook token.", desk=DESK)


def parse_event(body: bytes, bot_user_id: str) -> DeskEvent | None:
    """The event of a delivery, None for what is none of this desk's business.  Raises Invalid for no delivery of Kustomer.

    A webhook tells of everything in the organisation: of e-mails and telephone calls too, and of every change of a
    conversation.  What cannot mean anything to a chat is not kept.
    """
    given = _decoded(body)
    kind, _, verb = given.name.removeprefix("kustomer.").partition(".")
    common: dict[str, Any] = {"vendor_event_id": given.id, "occurred_at": _moment(given.created_at), "raw": body}
    if kind == "message":
        conversation = given.data.relationships.conversation if given.data.relationships else None
        if conversation is None or conversation.data is None:
            return None
        common["thread_ref"] = conversation.data.id
        return _message(given.data, bot_user_id, common) if verb == "create" else None
    if kind == "conversation":
        common["thread_ref"] = given.data.id
        return _conversation(given, bot_user_id, common) if verb == "update" else None
    return None


def agent_id(body: bytes, bot_user_id: str) -> str | None:
    """The id of the user whom a delivery is about: a message's author, or who was assigned."""
    given = _decoded(body)
    if given.name.startswith("kustomer.message."):
        return _author(given.data)
    assigned = _assigned(given, bot_user_id)
    return assigned[0] if assigned else None


def is_cut(body: bytes) -> bool:
    """Whether a delivery tells only the beginning of a message: a preview shorter than the size (in bytes) that it names."""
    said = _decoded(body).data.attributes
    return not said.body and (said.size or 0) > len((said.preview or "").encode())


def _decoded(body: bytes) -> _Envelope:
    try:
        return _BODY.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"This is not a delivery of Kustomer: {error}.") from error


def _message(data: _Data, bot_user_id: str, common: dict[str, Any]) -> DeskEvent | None:
    said = data.attributes
    # The visitor's lines are ours, and so are the bot's, which come back from the import.
    if said.direction != "out" or said.imported_at or _author(data) == bot_user_id:
        return None
    if said.channel not in (None, CHANNEL):
        # An agent wrote an e-mail from within the conversation: it has reached the customer already.
        return None
    if said.auto:
        # No person has said it, so nobody joins by it.
        return Unknown(kind="automatic message", **common)
    text = said.body or said.preview or ""
    files = _files(data)
    if not (text.strip() or files):
        return Unknown(kind="message without text", **common)
    return AgentReplied(text=text.strip() and text, message_id=data.id, files=files, **common)


def _files(data: _Data) -> tuple[VendorFile, ...]:
    """Files of which only the ids are told: they stand where the API describes them."""
    named = data.relationships.attachments if data.relationships else None
    return tuple(
        VendorFile(url=attachment_path(one.id, data.id), name="file", private=True)
        for one in (named.data if named else None) or ()
    )


def _author(data: _Data) -> str | None:
    related = data.relationships or _Relationships()
    for person in (related.sent_by, related.created_by):
        if person is not None and person.data is not None:
            return person.data.id
    return None


def _conversation(given: _Envelope, bot_user_id: str, common: dict[str, Any]) -> DeskEvent | None:
    now = given.data.attributes
    if now.channels and CHANNEL not in now.channels:
        return None
    attributes = (given.changes and given.changes.attributes) or {}
    relationships = (given.changes and given.changes.relationships) or {}
    nothing = _Change()
    if attributes.get("status", nothing).after == "done" or attributes.get("ended", nothing).after is True:
        # Told for an ended conversation only; whether it goes when that is opened again is not documented.
        by_customer = now.ended_by_type == "customer" and attributes.get("ended", nothing).after is True
        how = EndReason.VISITOR_LEFT if by_customer else EndReason.AGENT_LEFT
        return ThreadEnded(reason=how, **common)
    if "assignedUsers" in attributes:
        # Nobody any more: the conversation is open and waits for somebody else, so the visitor does too.
        return AgentJoined(**common) if _assigned(given, bot_user_id) else QueueMoved(**common)
    moved = {"assignedTeams", "queue"} & (attributes.keys() | relationships.keys())
    return QueueMoved(**common) if moved and not now.assigned_users else None


def _assigned(given: _Envelope, bot_user_id: str) -> list[str]:
    """Who is assigned after a change, the new ones first."""
    change = ((given.changes and given.changes.attributes) or {}).get("assignedUsers", _Change())
    after = [one for one in change.after if isinstance(one, str)] if isinstance(change.after, list) else []
    before = change.before if isinstance(change.before, list) else []
    return sorted((one for one in after if one != bot_user_id), key=lambda one: one in before)


def _moment(stamp: str | None) -> int | None:
    try:
        return from_rfc3339(stamp) if stamp else None
    except ValueError:
        return None
