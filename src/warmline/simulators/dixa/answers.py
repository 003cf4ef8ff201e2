"""What Dixa answers: the response schemas of its OpenAPI document.

Documented: names, shapes and ``_type`` tags, absent fields left out; ``[GMT]`` behind the moments of listed messages stands
in the examples of the document.  Assumed: the ``channel`` of a generic conversation, whose documented values do not name
it; and that a position counts from 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from warmline.kernel.clock import to_rfc3339
from warmline.simulators.dixa.events import Subscription
from warmline.simulators.dixa.state import (
    CHANNEL,
    Account,
    Agent,
    Attachment,
    Attribute,
    Conversation,
    EndUser,
    Message,
    Note,
    Queue,
    Tag,
)


def _without_nothing(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def end_user(one: EndUser) -> dict[str, Any]:
    """EndUser."""
    return _without_nothing(
        {
            "id": one.id,
            "createdAt": to_rfc3339(one.created_at),
            "displayName": one.name,
            "email": one.email,
            "phoneNumber": one.phone,
            "additionalEmails": list(one.additional_emails),
            "additionalPhoneNumbers": list(one.additional_phones),
            "firstName": one.first_name,
            "lastName": one.last_name,
            "middleNames": list(one.middle_names),
            "avatarUrl": one.avatar_url,
            "externalId": one.external_id,
        }
    )


def agent(one: Agent) -> dict[str, Any]:
    """Agent."""
    return _without_nothing(
        {
            "id": one.id,
            "createdAt": to_rfc3339(one.created_at),
            "displayName": one.name,
            "email": one.email,
            "avatarUrl": one.avatar_url,
            "phoneNumber": one.phone,
            "additionalEmails": [],
            "additionalPhoneNumbers": [],
            "middleNames": [],
            "roles": list(one.roles),
        }
    )


def presence(one: Agent, now: int) -> dict[str, Any]:
    """UserPresence."""
    return {
        "userId": one.id,
        "requestTime": to_rfc3339(now),
        "presenceStatus": "Working" if one.online else "Away",
        "connectionStatus": "Connected" if one.online else "Disconnected",
        "activeChannels": [],
    }


def queue(one: Queue, organization_id: str) -> dict[str, Any]:
    """Queue."""
    return {
        "id": one.id,
        "name": one.name,
        "isDefault": one.default,
        "organizationId": organization_id,
        "queueThresholds": {},
        "slaCalculationMethod": "AbandonedIgnored",
        "doNotOfferTimeouts": {},
        "isDoNotOfferEnabled": False,
        "offeringAlgorithm": "AllAtOnce",
    }


def availability(available: bool, waiting: int) -> dict[str, Any]:
    """ChannelAvailabilityOutcome; ``queueSize`` is there only when nobody is available."""
    channel: dict[str, Any] = {
        "_type": "GenericChannel",
        "genericChannelName": CHANNEL,
        "availability": "Available" if available else "NotAvailable",
    }
    if not available:
        channel["queueSize"] = waiting
    return {"_type": "Success", "channelAvailability": channel}


def content(content_type: str, value: str) -> dict[str, Any]:
    """Content."""
    return {"_type": content_type, "value": value}


def files(attachments: tuple[Attachment, ...]) -> list[dict[str, Any]]:
    """File, several."""
    return [_without_nothing({"url": one.url, "prettyName": one.name}) for one in attachments]


def message(one: Message) -> dict[str, Any]:
    """Message, as listed."""
    return _without_nothing(
        {
            "id": one.id,
            "authorId": one.author_id,
            "externalId": one.external_id,
            "createdAt": f"{to_rfc3339(one.created_at)}[GMT]",
            "attributes": {
                "_type": "GenericAttributes",
                "content": content(one.content_type, one.text),
                "direction": one.direction,
                "attachments": files(one.attachments),
            },
        }
    )


def added_message(one: Message) -> dict[str, Any]:
    """CreateMessageOutputData."""
    return _without_nothing(
        {
            "content": content(one.content_type, one.text),
            "direction": one.direction,
            "authorId": one.author_id,
            "externalId": one.external_id,
            "messageId": one.id,
            "createdAt": to_rfc3339(one.created_at),
        }
    )


def conversation(one: Conversation, account: Account) -> dict[str, Any]:
    """GenericConversation."""
    assignment = queued = None
    if one.assignee_id and one.assigned_at is not None:
        assignment = {"agentId": one.assignee_id, "assignedAt": to_rfc3339(one.assigned_at)}
    if one.queue_id and one.queued_at is not None:
        queued = {"id": one.queue_id, "queuedAt": to_rfc3339(one.queued_at)}
    return _without_nothing(
        {
            "_type": "GenericConversation",
            "id": one.id,
            "requesterId": one.requester_id,
            "channel": CHANNEL,
            "createdAt": to_rfc3339(one.created_at),
            "direction": one.direction,
            "state": one.state,
            "stateUpdatedAt": to_rfc3339(one.state_updated_at),
            "assignment": assignment,
            "queue": queued,
            "customAttributes": attributes(one, account.attributes),
        }
    )


def attributes(one: Conversation, definitions: list[Attribute]) -> list[dict[str, Any]]:
    """CustomAttribute, several: those with a value."""
    return [
        {"id": each.id, "name": each.label, "identifier": each.identifier, "value": one.attributes[each.id]}
        for each in definitions
        if each.id in one.attributes
    ]


def attribute(one: Attribute) -> dict[str, Any]:
    """CustomAttributeDefinition."""
    return {
        "id": one.id,
        "entityType": "Conversation",
        "identifier": one.identifier,
        "label": one.label,
        "inputDefinition": {"_type": "Text"},
        "createdAt": to_rfc3339(0),
        "isRequired": False,
        "isArchived": False,
        "isDeactivated": False,
    }


def note(one: Note, conversation_id: int) -> dict[str, Any]:
    """InternalNoteData."""
    return {
        "id": one.id,
        "authorId": one.author_id,
        "createdAt": to_rfc3339(one.created_at),
        "csid": conversation_id,
        "message": one.message,
    }


def tag(one: Tag) -> dict[str, Any]:
    """Tag."""
    state = "Active" if one.active else "Inactive"
    return _without_nothing({"id": one.id, "name": one.name, "color": one.color, "state": state})


def subscription(one: Subscription, user_id: str) -> dict[str, Any]:
    """WebhookSubscription."""
    return _without_nothing(
        {
            "id": one.id,
            "name": one.name,
            "subscribedEvents": list(one.events),
            "url": one.url,
            "headers": dict(one.headers),
            "secretKey": one.secret,
            "enabled": one.enabled,
            "createdAt": to_rfc3339(one.created_at),
            "createdBy": user_id,
            "updatedAt": to_rfc3339(one.updated_at),
            "updatedBy": user_id,
            "filters": one.filters,
        }
    )
