"""The connection form of a custom CRM."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from warmline.desks.shared.signed_posts import SIGNING_FIELD
from warmline.handover.connection_forms import Choice, FieldKind, FormField

AVAILABILITY_TIMEOUT_S = 3.0
AVAILABILITY_KEPT_MS = 10_000

Profile = Literal["exact", "rich"]

FORM = (
    FormField(
        name="webhook_url",
        label="Webhook address",
        help="Where your CRM receives the events. HTTPS, except for addresses the operator has allowed.",
        kind=FieldKind.URL,
        required=True,
    ),
    FormField(
        name="profile",
        label="What is sent",
        help="“Exact” sends the published fields and nothing else. “Rich” adds data.warmline with the transcript, the"
        " visitor's contact details, page, language and attachments.",
        kind=FieldKind.CHOICE,
        default="exact",
        choices=(Choice("exact", "Exact"), Choice("rich", "Rich")),
    ),
    FormField(
        name="escalate_to",
        label="Target",
        help="Sent as escalateTo when the scenario names no target of its own. Leave empty to send none.",
    ),
    FormField(
        name="team_online",
        label="Ask whether the team is online",
        help="Sends isTeamOnline before a handover is offered (3 seconds, kept for 10). Your CRM must answer"
        ' {"isOnline": true} or {"isOnline": false}; anything else counts as unknown.',
        kind=FieldKind.BOOLEAN,
        default=False,
    ),
    FormField(
        name="timeout_s",
        label="Patience",
        help="Seconds your CRM has to answer each event before it is sent again.",
        kind=FieldKind.NUMBER,
        default=10.0,
        lowest=1,
        # A send must end before the lease under which it is made: the relay counts on 12 seconds.
        highest=10,
    ),
    SIGNING_FIELD,
)


class CustomCrmSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The form's values, typed.  ``timeout_s`` is in seconds."""

    webhook_url: str
    profile: Profile = "exact"
    escalate_to: str | None = None
    team_online: bool = False
    timeout_s: float = 10.0


def read_settings(settings: Mapping[str, Any]) -> CustomCrmSettings:
    """From the stored JSON, which the form has checked.  Raises msgspec.ValidationError for a damaged row."""
    return msgspec.convert(dict(settings), CustomCrmSettings)
