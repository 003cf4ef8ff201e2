"""System messages, and what comes with every number.

Documented: the fields of a changed activity and of a conclusion, ``createdTime`` and ``sequenceNumber`` in every message, a
``…String`` twin of every long.  From the vendor's sample: the other names, ``clientId``, ``name``, ``greeting``, ``role``,
``body``, ``disconnectReason``, ``position`` and the waiting times.  Assumed: the form of ``createdTime``, the fields of a
changed role, and that ``position`` and the times have twins as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ADDED = "RNEngagementParticipantAddedMessage"
LEFT = "RNEngagementParticipantLeftMessage"
CONNECTION = "RNEngagementParticipantConnectionStateChangedMessage"
ROLE = "RNEngagementRoleChangedMessage"
POSTED = "RNEngagementMessagePostedMessage"
ACTIVITY = "RNEngagementActivityChangedMessage"
WAIT = "RNEngagementWaitInformationChangedMessage"
CONCLUDED = "RNEngagementConcludedMessage"
CONFIGURATION = "RNEngagementConfigurationChangedMessage"
FILE = "RNEngagementFileAttachmentMessage"
UNKNOWN = "RNEngagementSummarisedMessage"
"""A kind that no documentation names."""

_LONGS = frozenset(
    {
        "clientId",
        "engagementId",
        "clientTransactionId",
        "sequenceNumber",
        "position",
        "expectedWaitTimeSeconds",
        "averageWaitTimeSeconds",
        "sneakPreviewInterval",
        "cancelledSurveyId",
        "queueId",
        "availableAgentSessions",
        "totalAvailableAgents",
        "engagementsInQueue",
    }
)


def with_twins(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields, each long followed by its text; what is None is left out."""
    answer: dict[str, Any] = {}
    for name, value in fields.items():
        if value is None:
            continue
        answer[name] = value
        if name in _LONGS:
            answer[f"{name}String"] = str(value)
    return answer


def activity(client_id: int, engagement_id: int, mode: str) -> dict[str, Any]:
    """The fields of a changed activity."""
    return {
        "clientId": client_id,
        "mode": mode,
        "engagementId": engagement_id,
        "sneakPreviewState": "NONE",
        "sneakPreviewInterval": 0,
        "sneakPreview": "",
        "sneakPreviewFocus": False,
    }
