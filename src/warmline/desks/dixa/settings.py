"""The connection form of Dixa, and the payload of a rung."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from warmline.desks.shared.payload_ids import is_id
from warmline.handover.connection_forms import FieldKind, FormField
from warmline.handover.payloads import PayloadKind
from warmline.platform.typed_json import Typed

API_TOKEN = "api_token"
WEBHOOK_SECRET = "webhook_secret"
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")


def _fault(secret: str) -> str:
    return "" if _HEX.fullmatch(secret) else "Dixa's secrets are made of pairs of the digits 0–9 and a–f."


FORM = (
    FormField(
        name=API_TOKEN,
        label="API token",
        help="Dixa: Settings, Integrations, API tokens. For bot lines in the transcript: the token of a third-party AI"
        " agent (Settings, AI agents, Third-party).",
        required=True,
        secret=True,
    ),
    FormField(
        name=WEBHOOK_SECRET,
        verifies=True,
        label="Webhook secret",
        help="Dixa shows it when you add a webhook with this connection's address: add the connection first, and enter it"
        " then.",
        secret=True,
        fault=_fault,
    ),
    FormField(
        name="bot_agent_id",
        label="Agent id of the bot",
        help="The id of that AI agent. Without it the bot's lines are told to the agent in a note instead.",
    ),
    FormField(
        name="queue_id",
        label="Queue",
        help="The id of the queue to hand over to, unless a rung names another. Empty: Dixa's own routing decides.",
    ),
    FormField(
        name="api_url",
        label="Address of the API",
        help="Dixa's own, unless you try a simulator.",
        kind=FieldKind.URL,
        default="https://dev.dixa.io",
    ),
)


class DixaSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The form's values, typed; secrets stand elsewhere."""

    bot_agent_id: str | None = None
    queue_id: str | None = None
    api_url: str = "https://dev.dixa.io"


def read_settings(settings: Mapping[str, Any]) -> DixaSettings:
    """From the stored JSON, which the form has checked.  Raises msgspec.ValidationError for a damaged row."""
    return msgspec.convert(dict(settings), DixaSettings)


Tag = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class DixaPayload(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What a rung may tell Dixa, as published for ``crmPlatform: dixa``.

    ``widget_id`` is mandatory as published; the messaging channel in use today has no such thing, so it is not sent.
    """

    crm_platform: Literal["dixa"]
    connection_id: str
    widget_id: str
    email: str | None = None
    queue_id: str | None = None
    tags: tuple[Tag, ...] = ()


def _check(body: DixaPayload, typed: Typed) -> None:
    for name in ("connectionId", "widgetId", "queueId"):
        value = typed.value.get(name)
        if value is not None and not is_id(value):
            typed.refuse("An id like 96f2fc68-beb0-48f4-9efc-78b399205e00 is expected.", f"$.{name}")
    del body


PAYLOAD = PayloadKind(
    body=DixaPayload,
    check=_check,
    example="""{
  "tags": ["some", "tag"],
  "email": "{{email}}",
  "queueId": "8d921a1c-8da5-4788-b787-21024c230787",
  "widgetId": "a4fda39e-0d78-40a4-afbd-b2d35d0b2a3a",
  "crmPlatform": "dixa",
  "connectionId": "96f2fc68-beb0-48f4-9efc-78b399205e00"
}""",
)
