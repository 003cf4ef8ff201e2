"""Payloads of conversation entries.

Documented: the names of entries and events, and the fields below unless said otherwise.  Assumed: the ids of entries that
are no messages, ``id`` and ``entryType`` inside every payload (seen), the fields of a work result besides ``workType``, and
how an offered choice looks in detail.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from warmline.simulators.salesforce.state import Agent, Conversation, FileOf, Queue, record_id

EVENTS: Mapping[str, str] = {
    "Message": "CONVERSATION_MESSAGE",
    "RoutingResult": "CONVERSATION_ROUTING_RESULT",
    "RoutingWorkResult": "CONVERSATION_ROUTING_WORK_RESULT",
    "QueuePosition": "CONVERSATION_QUEUE_POSITION",
    "ParticipantChanged": "CONVERSATION_PARTICIPANT_CHANGED",
    "TypingStartedIndicator": "CONVERSATION_TYPING_STARTED_INDICATOR",
    "TypingStoppedIndicator": "CONVERSATION_TYPING_STOPPED_INDICATOR",
    "DeliveryAcknowledgement": "CONVERSATION_DELIVERY_ACKNOWLEDGEMENT",
    "ReadAcknowledgement": "CONVERSATION_READ_ACKNOWLEDGEMENT",
    "SessionStatusChanged": "CONVERSATION_SESSION_STATUS_CHANGED",
    "CloseConversation": "CONVERSATION_CLOSE_CONVERSATION",
}
"""An entry's type, and the event that tells it.  That of a work result was seen only."""
UNLISTED = frozenset(
    {"TypingStartedIndicator", "TypingStoppedIndicator", "DeliveryAcknowledgement", "ReadAcknowledgement"}
)
"""What passes and is not kept among the entries (assumed)."""


def message(
    message_id: str,
    text: str,
    files: Sequence[FileOf] = (),
    *,
    reply_to: str | None = None,
    reason: str | None = None,
) -> dict[str, Any]:
    """Text, or files with it."""
    content: dict[str, Any] = {"formatType": "Attachments" if files else "Text", "text": text}
    if files:
        content["attachments"] = [
            {"id": one.id, "name": one.name, "mimeType": one.media_type, "url": one.url, "referenceId": None}
            for one in files
        ]
    said = {
        "messageType": "StaticContentMessage",
        "id": message_id,
        "inReplyToMessageId": reply_to,
        "staticContent": content,
    }
    return {"abstractMessage": said, "messageReason": reason}


def choices(message_id: str, text: str, options: Sequence[str]) -> dict[str, Any]:
    """Buttons to choose from."""
    items = [
        {
            "itemType": "TitleOptionItem",
            "optionIdentifier": record_id("opt", option),
            "titleItem": {"itemType": "TitleItem", "title": option, "subTitle": None},
        }
        for option in options
    ]
    said = {
        "messageType": "ChoicesMessage",
        "id": message_id,
        "inReplyToMessageId": None,
        "choices": {"formatType": "Buttons", "text": text, "optionItems": items},
    }
    return {"abstractMessage": said, "messageReason": None}


def routing_result(
    conversation: Conversation,
    queue: Queue | None,
    *,
    kind: str = "Initial",
    failure: str = "None",
    reason: str | None = None,
    wait_s: int | None = None,
) -> dict[str, Any]:
    """It is routed, moved, or cannot be."""
    return {
        "recordId": conversation.session_id,
        "routingType": kind,
        "failureType": failure,
        "failureReason": reason,
        "errorMessages": [reason] if reason else [],
        "cancelReason": None,
        "workOwnerId": None,
        "pendingServiceRoutingId": record_id("0JR", conversation.session_id) if failure == "None" else None,
        "isExternallyRouted": False,
        "estimatedWaitTime": {
            "isEWTRequested": wait_s is not None,
            "estimatedWaitTimeInSeconds": -1 if wait_s is None else wait_s,
        },
        "routingConfigurationDetails": {
            "routingConfigurationType": "QueueBased",
            "queueId": queue.id if queue else None,
        },
    }


def work_result(conversation: Conversation, kind: str, agent: Agent | None) -> dict[str, Any]:
    """What became of the offer to an agent."""
    return {
        "workType": kind,
        "recordId": conversation.session_id,
        "workId": record_id("0Bz", f"{conversation.session_id}{agent.id if agent else ''}"),
        "workOwnerId": agent.id if agent else None,
    }


def queue_position(conversation: Conversation, position: int) -> dict[str, Any]:
    """Where it stands, counted from 1 (assumed)."""
    return {
        "position": position,
        "workItemId": conversation.session_id,
        "pendingServiceRoutingId": record_id("0JR", conversation.session_id),
    }


def participant(operation: str, agent: Agent, *, role: str = "Agent") -> dict[str, Any]:
    """Somebody came (``add``) or left (``remove``)."""
    who = {"role": role, "appType": "agent", "subject": agent.id, "clientIdentifier": agent.id}
    return {"entries": [{"operation": operation, "displayName": agent.name, "participant": who}]}


def session_status(conversation: Conversation, before: str, at: int, ended_by: str | None) -> dict[str, Any]:
    """The session moved on."""
    return {
        "sessionId": conversation.session_id,
        "sessionStatus": conversation.status,
        "sessionStatusPrev": before,
        "sessionStartTime": conversation.started_at,
        "sessionEndTime": at if conversation.status == "Ended" else None,
        "sessionEndedByRole": ended_by,
    }


def acknowledgement(entry_id: str, at: int) -> dict[str, Any]:
    """Somebody got or read an entry."""
    return {"acknowledgedConversationEntryIdentifier": entry_id, "acknowledgementTimestamp": at}
