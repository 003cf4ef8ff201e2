"""Dixa's webhooks: envelope, payloads, signature.

Documented: the envelope; snake_case; ``CONVERSATION_MESSAGE_ADDED`` and its whole ``data``, with the conversation and user
objects (a captured sample is public too); that closed, abandoned, enqueued, created and open carry ``conversation``, and
abandoned ``queue``; the event types a subscription may name; ``X-DIXA-SIGNATURE`` with the hex-decoded secret.
Assumed: the ``event_fqn`` of all others, which follow the pattern of the one that is documented
(``TypingStarted`` becomes ``TYPING_STARTED``); ``data.agent`` (``Assumptions.agent_in_data``), ``data.queue`` of enqueued and
transferred events, ``data.tag`` and ``data.note``; the spelling of the channel.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from warmline.kernel.clock import to_rfc3339
from warmline.kernel.ids import uuid7
from warmline.simulators.dixa import bodies
from warmline.simulators.dixa.state import CHANNEL, Agent, Conversation, EndUser, Message, Organization, Queue

SIGNATURE_HEADER = "X-DIXA-SIGNATURE"
EVENT_TYPES = frozenset(
    {
        "AgentBannedEnduser",
        "AgentBannedIp",
        "AgentUnbannedEnduser",
        "AgentUnbannedIp",
        "ConversationAbandoned",
        "ConversationAssigned",
        "ConversationClosed",
        "ConversationCreated",
        "ConversationCustomAttributeUpdated",
        "ConversationEndUserReplaced",
        "ConversationEnqueued",
        "ConversationMessageAdded",
        "ConversationMessageDeliveryDelivered",
        "ConversationMessageDeliveryFailed",
        "ConversationMessageDeliveryInfo",
        "ConversationMessageDeliverySeen",
        "ConversationMessageDeliverySent",
        "ConversationMessageDeliverySpamComplaint",
        "ConversationNoteAdded",
        "ConversationOpen",
        "ConversationPending",
        "ConversationPendingExpired",
        "ConversationRated",
        "ConversationTagAdded",
        "ConversationTagRemoved",
        "ConversationTransferred",
        "ConversationUnassigned",
        "SLAEvaluationAchieved",
        "SLAEvaluationBreached",
        "SLAEvaluationPending",
        "SLAEvaluationVoided",
        "TypingStarted",
    }
)
"""What a subscription may name, as documented."""


class Subscription(msgspec.Struct, kw_only=True):
    """A webhook.  Times in milliseconds; ``secret`` in hexadecimal digits."""

    id: str
    name: str
    url: str
    events: tuple[str, ...]
    headers: Mapping[str, str]
    secret: str
    enabled: bool
    filters: Mapping[str, Any] | None
    created_at: int
    updated_at: int


def fqn(event_type: str) -> str:
    """``CONVERSATION_MESSAGE_ADDED`` for ``ConversationMessageAdded``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", event_type).upper()


def envelope(name: str, organization: Organization, at: int, data: Mapping[str, Any]) -> tuple[str, bytes]:
    """The event's id and its body."""
    event_id = uuid7()
    body = {
        "event_id": event_id,
        "event_fqn": name,
        "event_version": "1",
        "event_timestamp": to_rfc3339(at),
        "organization": {"id": organization.id, "name": organization.name},
        "data": data,
    }
    return event_id, msgspec.json.encode(body)


def authorization(given: bodies.NoAuth | bodies.BasicAuth | bodies.TokenAuth) -> dict[str, str]:
    """The header that a subscription asked for."""
    if isinstance(given, bodies.BasicAuth):
        return {"Authorization": "Basic " + base64.b64encode(f"{given.username}:{given.password}".encode()).decode()}
    if isinstance(given, bodies.TokenAuth):
        return {"Authorization": f"Bearer {given.value}"}
    return {}


def signature(secret: str, body: bytes, at: int) -> str:
    """``t=<ms>,v1=<hex>``: HMAC-SHA256 over the moment, a dot and the body, with the decoded secret."""
    digest = hmac.new(bytes.fromhex(secret), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


# ---------------------------------------------------------------------------------------------- payloads
def user(one: Agent | EndUser) -> dict[str, Any]:
    """An agent (``Member``) or an end user (``Contact``)."""
    return {
        "id": one.id,
        "name": one.name,
        "email": one.email,
        "phone": one.phone,
        "roles": list(one.roles) if isinstance(one, Agent) else [],
        "user_type": "Member" if isinstance(one, Agent) else "Contact",
    }


def queue(one: Queue | None) -> dict[str, Any] | None:
    """A queue."""
    return {"id": one.id, "name": one.name} if one else None


def conversation(
    one: Conversation, requester: EndUser, assignee: Agent | None, in_queue: Queue | None
) -> dict[str, Any]:
    """The conversation object of every event.  ``csid`` is the number the API calls ``id``."""
    return {
        "csid": one.id,
        "channel": CHANNEL.upper(),
        "status": one.state.upper(),
        "direction": one.direction.upper(),
        "requester": user(requester),
        "assignee": user(assignee) if assignee else None,
        "queue": queue(in_queue),
        "contact_point": None,
        "created_at": to_rfc3339(one.created_at),
        "subject": one.subject,
        "tags": sorted(one.tags),
    }


def message(one: Message, author: Agent | EndUser) -> dict[str, Any]:
    """What ``CONVERSATION_MESSAGE_ADDED`` has besides the conversation."""
    return {
        "message_id": one.id,
        "external_id": one.external_id,
        "direction": one.direction.lower(),
        "channel": CHANNEL.upper(),
        "text": one.text,
        "content": {
            "text": one.text,
            "content_type": one.content_type,
            "original_content_url": None,
            "processed_content_url": None,
        },
        "attachments": [{"url": file.url, "pretty_name": file.name} for file in one.attachments],
        "author": user(author),
        "created_at": to_rfc3339(one.created_at),
    }
