"""What Gorgias' HTTP integration says.  Its body is a template of ours (``TEMPLATE``), filled by Gorgias.  Pure.

Documented: that account's own headers and body are sent, the triggers, expressions like ``{{ticket.id}}``, the fields of ticket and
message.  Seen with others: ``message`` beside ``ticket``, and that every value arrives as text, a yes as ``True`` and nothing as
``None``.  Not documented: a signature, repeats, order, and which trigger it was; so every delivery says how the ticket stands.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Any

from warmline.desks.gorgias.client import DESK, Message
from warmline.desks.gorgias.settings import SECRET_HEADER
from warmline.desks.gorgias.ticket_bodies import NOTE, OURS
from warmline.desks.shared.plain_text import plain_text
from warmline.handover.port import (
    AgentJoined,
    AgentReplied,
    DeskEvent,
    InboundDelivery,
    SignatureRejected,
    ThreadEnded,
    ThreadTransferred,
    Unknown,
)
from warmline.kernel.clock import from_rfc3339
from warmline.kernel.errors import Invalid

TRIGGERS = ("ticket-message-created", "ticket-updated", "ticket-message-failed")
TEMPLATE: Mapping[str, str] = {
    "ticket": "{{ticket.id}}",
    "status": "{{ticket.status}}",
    "spam": "{{ticket.spam}}",
    "trashed": "{{ticket.trashed_datetime}}",
    "changed": "{{ticket.updated_datetime}}",
    "assignee": "{{ticket.assignee_user.id}}",
    "assignee_name": "{{ticket.assignee_user.name}}",
    "message": "{{message.id}}",
    "external_id": "{{message.external_id}}",
    "from_agent": "{{message.from_agent}}",
    "public": "{{message.public}}",
    "channel": "{{message.channel}}",
    "via": "{{message.via}}",
    "sender": "{{message.sender.name}}",
    "created": "{{message.created_datetime}}",
    "failed": "{{message.failed_datetime}}",
    "text": "{{message.body_text}}",
}
"""The body of the HTTP integration."""
_NOTHING = frozenset({"", "none", "null"})
_YES = frozenset({"true", "1"})
_NO = frozenset({"false", "0"})


def check_secret(delivery: InboundDelivery, secrets: Sequence[str]) -> None:
    """The secret of ours that the integration sends along.  Raises SignatureRejected."""
    given = delivery.headers.get(SECRET_HEADER.lower(), "").encode()
    found = False
    for secret in secrets:
        found |= hmac.compare_digest(secret.encode(), given)
    if not found:
        raise SignatureRejected("The delivery does not carry this connection's webhook secret.", desk=DESK)


def parse_delivery(body: bytes) -> tuple[DeskEvent, ...]:
    """Who has the ticket, what an agent wrote, and whether it is over, in this order.  Raises Invalid for another body."""
    try:
        raw = json.loads(body, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"This is not the body that the guide shows: {error}.") from error
    said = raw if isinstance(raw, dict) else {}
    ticket = _value(said, "ticket")
    if not ticket:
        raise Invalid("The body names no ticket; it must be the one that the guide shows.", path="$.ticket")
    message = _message(said, {"thread_ref": ticket, "raw": said})
    changed = _value(said, "changed")
    state: dict[str, Any] = {"thread_ref": ticket, "occurred_at": moment(changed), "raw": said}
    events: list[DeskEvent] = []
    # Our own lines tell nothing of who has the ticket that an update does not tell as well.
    if not _value(said, "message") or _is(said, "from_agent", _YES):
        events.append(_holder(said, f"{ticket}@{changed}", state))
    if message is not None:
        events.append(message)
    if _value(said, "status") == "closed" or _is(said, "spam", _YES) or _value(said, "trashed"):
        events.append(ThreadEnded(vendor_event_id=f"over-{ticket}@{changed}", **state))
    return tuple(events)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose names are there once.

    That Gorgias escapes what it fills in is assumed.  If it did not, somebody could write a message that reads like further
    fields, and speak as an agent or for another ticket: such a body names something twice.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        msg = "it names something twice"
        raise ValueError(msg)
    return found


def _holder(said: Mapping[str, Any], moment_of: str, state: dict[str, Any]) -> DeskEvent:
    assignee = _value(said, "assignee")
    if assignee:
        name = _value(said, "assignee_name")
        return AgentJoined(name=name, vendor_event_id=f"agent-{assignee}-{moment_of}", **state)
    return ThreadTransferred(vendor_event_id=f"nobody-{moment_of}", **state)


def _message(said: Mapping[str, Any], common: dict[str, Any]) -> DeskEvent | None:
    number, via = _value(said, "message"), _value(said, "via")
    if not number or not _is(said, "from_agent", _YES):
        return None
    # The bot's lines and notes come back, and what other programs add by the API is no agent's word.
    if _value(said, "external_id").startswith(OURS) or via == "api":
        return None
    if _value(said, "channel") == NOTE or _is(said, "public", _NO):
        return None
    common |= {"occurred_at": moment(_value(said, "created"))}
    if _value(said, "failed"):
        return Unknown(kind="message failed", vendor_event_id=f"failed-{number}", **common)
    if via == "rule":
        return Unknown(kind="message of a rule", vendor_event_id=f"rule-{number}", **common)
    text = said.get("text")
    return AgentReplied(
        text=text if isinstance(text, str) else "",
        message_id=number,
        name=_value(said, "sender"),
        vendor_event_id=f"message-{number}",
        **common,
    )


def text_of(message: Message) -> str:
    """What an agent wrote, without signature and quotes where Gorgias has taken them off."""
    html = message.stripped_html or message.body_html
    return plain_text(html) if html else (message.stripped_text or message.body_text or "").strip()


def moment(stamp: str | None) -> int | None:
    """Milliseconds; Gorgias leaves the zone out where it is UTC."""
    if not stamp:
        return None
    try:
        return from_rfc3339(stamp)
    except ValueError:
        try:
            return from_rfc3339(f"{stamp}Z")
        except ValueError:
            return None


def _value(said: Mapping[str, Any], name: str) -> str:
    """A value as text, "" for nothing."""
    value = said.get(name)
    text = "" if value is None else str(value).strip()
    return "" if text.lower() in _NOTHING else text


def _is(said: Mapping[str, Any], name: str, words: frozenset[str]) -> bool:
    return _value(said, name).lower() in words
