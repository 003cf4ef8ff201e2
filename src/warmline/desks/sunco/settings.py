"""The connection form of Sunshine Conversations, and the payload of a rung."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from warmline.handover.connection_forms import FieldKind, FormField
from warmline.handover.payloads import PayloadKind
from warmline.platform.typed_json import Typed

KEY_SECRET = "key_secret"
WEBHOOK_SECRET = "webhook_secret"
AGENT_WORKSPACE = "zd:agentWorkspace"

FORM = (
    FormField(
        name="api_url",
        label="Address of the API",
        help="https://YOURNAME.zendesk.com/sc — an older account without Zendesk: https://api.smooch.io",
        kind=FieldKind.URL,
        required=True,
    ),
    FormField(
        name="app_id",
        label="App id",
        help="Zendesk: Admin Center, Apps and integrations, Conversations API. It stands there with the key.",
        required=True,
    ),
    FormField(
        name="key_id",
        label="Key id",
        help="The id of an API key made there. It begins with app_ (or int_ for an integration's own key).",
        required=True,
    ),
    FormField(name=KEY_SECRET, label="Key secret", help="Shown once, with the key.", required=True, secret=True),
    FormField(
        name="switchboard_integration",
        label="Own place in the switchboard",
        help="The name or the id of the switchboard integration that belongs to this connection.",
        required=True,
    ),
    FormField(
        name=WEBHOOK_SECRET,
        label="Webhook secret",
        help="Shown when a webhook is added with this connection's address: add the connection first, and enter it then.",
        secret=True,
    ),
    FormField(
        name="agent_integration",
        label="Place of the agents",
        help="Who gets the conversation. Zendesk's Agent Workspace, unless your switchboard calls it otherwise.",
        default=AGENT_WORKSPACE,
    ),
    FormField(
        name="group_id",
        label="Group",
        help="The id of the Zendesk group that gets the tickets, unless a rung names another. Empty: Zendesk decides.",
    ),
)


class SuncoSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The form's values, typed; secrets stand elsewhere."""

    api_url: str
    app_id: str
    key_id: str
    switchboard_integration: str
    agent_integration: str = AGENT_WORKSPACE
    group_id: str | None = None


def read_settings(settings: Mapping[str, Any]) -> SuncoSettings:
    """From the stored JSON, which the form has checked.  Raises msgspec.ValidationError for a damaged row."""
    return msgspec.convert(dict(settings), SuncoSettings)


Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Tag = Annotated[str, msgspec.Meta(min_length=1, max_length=100, pattern=r"^[^,]+$")]
"""Without a comma: tags are told as a list with commas between them."""
FieldValue = Annotated[str, msgspec.Meta(max_length=1_000)] | int | float | bool


class SuncoPayload(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What a rung may tell Zendesk.  ``ticket_fields``: ids of ticket fields (all digits) and their values.

    A field of which nothing is known (null) is left as it is.
    """

    crm_platform: Literal["sunco"]
    connection_id: Text
    group_id: Text | None = None
    assignee_id: Text | None = None
    brand_id: Text | None = None
    organization_id: Text | None = None
    priority: Literal["low", "normal", "high", "urgent"] | None = None
    name: str | None = None
    email: str | None = None
    tags: Annotated[tuple[Tag, ...], msgspec.Meta(max_length=30)] = ()
    ticket_fields: Annotated[dict[str, FieldValue | None], msgspec.Meta(max_length=30)] = {}


_NUMBER = re.compile(r"[0-9]{1,30}")


def _check(body: SuncoPayload, typed: Typed) -> None:
    for name in ("groupId", "assigneeId", "brandId", "organizationId"):
        value = typed.value.get(name)
        if value is not None and not _NUMBER.fullmatch(value) and "{{" not in value:
            typed.refuse("An id of Zendesk is a number, like 360001234567.", f"$.{name}")
    for number in body.ticket_fields:
        if not _NUMBER.fullmatch(number):
            typed.refuse("A ticket field is named by its id, a number like 360001234567.", f"$.ticketFields.{number}")


PAYLOAD = PayloadKind(
    body=SuncoPayload,
    check=_check,
    example="""{
  "crmPlatform": "sunco",
  "connectionId": "96f2fc68-beb0-48f4-9efc-78b399205e00",
  "groupId": "360001234567",
  "priority": "normal",
  "email": "{{email}}",
  "tags": ["website_chat"],
  "ticketFields": {"360007654321": "{{url}}"}
}""",
)
