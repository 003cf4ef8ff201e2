"""What Dixa's webhooks say (docs.dixa.io/docs/webhooks, read 2026-11).  Pure.

Documented: the envelope, the message's fields, the signature, that deliveries may repeat and come in any order.  Inferred
from the list of events: the upper-case names except CONVERSATION_MESSAGE_ADDED, and ``data.agent``.  The events' page names
two kinds of transfer, the API one: all three are understood.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from warmline.desks.dixa.client import DESK
from warmline.desks.shared.plain_text import plain_text
from warmline.handover.port import (
    AgentJoined,
    AgentReplied,
    AgentTyping,
    DeskEvent,
    InboundDelivery,
    OpenFailed,
    QueueMoved,
    SignatureRejected,
    ThreadEnded,
    ThreadTransferred,
    Unknown,
    VendorFile,
)
from warmline.kernel.clock import from_rfc3339
from warmline.kernel.errors import Invalid

SIGNATURE_HEADER = "x-dixa-signature"
TOLERANCE_MS = 300_000


class _Person(msgspec.Struct, frozen=True):
    id: str = ""
    name: str | None = None
    avatar_url: str | None = None


class _Conversation(msgspec.Struct, frozen=True):
    csid: int | str = ""
    assignee: _Person | None = None


class _Content(msgspec.Struct, frozen=True):
    text: str | None = None
    content_type: str | None = None


class _Attachment(msgspec.Struct, frozen=True):
    url: str | None = None
    pretty_name: str | None = None


class _Data(msgspec.Struct, frozen=True):
    conversation: _Conversation = _Conversation()
    agent: _Person | None = None
    author: _Person | None = None
    message_id: str | None = None
    direction: str = ""
    text: str | None = None
    content: _Content | None = None
    attachments: tuple[_Attachment, ...] = ()


class _Envelope(msgspec.Struct, frozen=True):
    event_id: str
    event_fqn: str
    event_timestamp: str | None = None
    data: _Data = _Data()


_BODY: msgspec.json.Decoder[_Envelope] = msgspec.json.Decoder(_Envelope)


def check_signature(delivery: InboundDelivery, secrets: Sequence[str]) -> None:
    """``t=<ms>,v1=<hex>``: HMAC-SHA256 of ``t.body`` under the hex-decoded secret.  Raises SignatureRejected."""
    given = dict(part.strip().partition("=")[::2] for part in delivery.headers.get(SIGNATURE_HEADER, "").split(","))
    stamp, signature = given.get("t", ""), given.get("v1", "")
    fresh = stamp.isascii() and stamp.isdigit() and abs(delivery.received_at - int(stamp[:15])) <= TOLERANCE_MS
    found = False
    for secret in secrets:
        try:
            key = binascii.unhexlify(secret)
        except (binascii.Error, ValueError):
            continue
        expected = hmac.new(key, stamp.encode() + b"." + delivery.body, hashlib.sha256).hexdigest()
        found |= hmac.compare_digest(expected.encode(), signature.lower().encode())
    if not (found and fresh):
        raise SignatureRejected("The delivery is not signed with this connection's webhook secret.", desk=DESK)


def parse_event(body: bytes, bot_agent_id: str | None) -> DeskEvent | None:
    """The event of a delivery, None for what is our own echo.  Raises Invalid for what is no delivery of Dixa."""
    try:
        given = _BODY.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"This is not a delivery of Dixa: {error}.") from error
    common: dict[str, Any] = {
        "thread_ref": str(given.data.conversation.csid),
        "vendor_event_id": given.event_id,
        "occurred_at": _moment(given.event_timestamp),
        "raw": body,
    }
    if not common["thread_ref"]:
        return None
    if given.event_fqn == "CONVERSATION_MESSAGE_ADDED":
        return _message(given.data, bot_agent_id, common)
    made = _EVENTS.get(given.event_fqn)
    return made(given.data, common) if made else Unknown(kind=given.event_fqn, **common)


def _message(data: _Data, bot_agent_id: str | None, common: dict[str, Any]) -> DeskEvent | None:
    # Everything that is added is told, also what we added ourselves.
    author = data.author or _Person()
    if data.direction != "outbound" or (bot_agent_id is not None and author.id == bot_agent_id):
        return None
    content = data.content or _Content()
    said = data.text or content.text or ""
    if (content.content_type or "").lower() == "html":
        said = plain_text(content.text or said)
    files = tuple(VendorFile(url=one.url, name=one.pretty_name or "") for one in data.attachments if one.url)
    if not (said.strip() or files):
        return Unknown(kind="CONVERSATION_MESSAGE_ADDED without content", **common)
    return AgentReplied(
        text=said.strip() and said,
        message_id=data.message_id,
        name=author.name or "",
        avatar=author.avatar_url,
        files=files,
        **common,
    )


def _who(data: _Data) -> _Person:
    return data.agent or data.conversation.assignee or _Person()


def _joined(data: _Data, common: dict[str, Any]) -> DeskEvent:
    who = _who(data)
    return AgentJoined(name=who.name or "", avatar=who.avatar_url, **common)


_EVENTS: dict[str, Callable[[_Data, dict[str, Any]], DeskEvent]] = {
    "CONVERSATION_ENQUEUED": lambda _data, common: QueueMoved(**common),
    "CONVERSATION_ASSIGNED": _joined,
    "CONVERSATION_UNASSIGNED": lambda _data, common: ThreadTransferred(**common),
    "CONVERSATION_TRANSFERRED": lambda data, common: (
        _joined(data, common) if _who(data).name else ThreadTransferred(**common)
    ),
    "CONVERSATION_TRANSFERRED_TO_QUEUE": lambda _data, common: ThreadTransferred(**common),
    "CONVERSATION_TRANSFERRED_TO_AGENT": _joined,
    "TYPING_STARTED": lambda _data, common: AgentTyping(on=True, **common),
    "CONVERSATION_TYPING_STARTED": lambda _data, common: AgentTyping(on=True, **common),
    "CONVERSATION_CLOSED": lambda _data, common: ThreadEnded(**common),
    "CONVERSATION_ABANDONED": lambda _data, common: OpenFailed(detail="Closed without an agent.", **common),
}


def _moment(stamp: str | None) -> int | None:
    try:
        return from_rfc3339(stamp) if stamp else None
    except ValueError:
        return None
