"""The connection form of Salesforce Live Agent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from warmline.handover.connection_forms import FieldKind, FormField

FORM = (
    FormField(
        name="chat_url",
        label="Chat API endpoint",
        help="Salesforce: Setup, Chat Settings, “Chat API Endpoint”, like https://d.la1-c2-ia4.salesforceliveagent.com.",
        kind=FieldKind.URL,
        required=True,
    ),
    FormField(
        name="organization_id",
        label="Organization ID",
        help="Setup, Company Information. Begins with 00D; 15 or 18 characters.",
        required=True,
    ),
    FormField(
        name="deployment_id",
        label="Deployment ID",
        help="In the code of the chat deployment. Begins with 572.",
        required=True,
    ),
    FormField(
        name="button_id",
        label="Button ID",
        help="In the code of the chat button. Begins with 573. Leave it empty when every rung's payload names its own:"
        " before the handover is offered, this one is asked whether anybody is there.",
    ),
)


class LiveAgentSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The form's values, typed.  This protocol has no secrets but those of each session."""

    chat_url: str
    organization_id: str
    deployment_id: str
    button_id: str | None = None

    @property
    def base(self) -> str:
        """The address before ``/chat/rest``; Salesforce shows it with and without that end."""
        return self.chat_url.rstrip("/").removesuffix("/rest").removesuffix("/chat")


def read_settings(settings: Mapping[str, Any]) -> LiveAgentSettings:
    """From the stored JSON, which the form has checked.  Raises msgspec.ValidationError for a damaged row."""
    return msgspec.convert(dict(settings), LiveAgentSettings)
