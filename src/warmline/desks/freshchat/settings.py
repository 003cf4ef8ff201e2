"""The connection form of Freshchat, and the payload of a rung."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from warmline.desks.freshchat.inbound import read_key
from warmline.desks.shared.payload_ids import is_id
from warmline.handover.connection_forms import FieldKind, FormField
from warmline.handover.payloads import PayloadKind
from warmline.platform.typed_json import Typed

API_TOKEN = "api_token"
PUBLIC_KEY = "public_key"


def _fault(key: str) -> str:
    try:
        read_key(key)
    except ValueError as error:
        return f"It cannot be used, {error}."
    return ""


FORM = (
    FormField(
        name="api_url",
        label="Address of the API",
        help="Like https://shop.freshchat.com/v2: Freshchat shows it under Settings, API tokens. It differs from account to"
        " account.",
        kind=FieldKind.URL,
        required=True,
    ),
    FormField(
        name=API_TOKEN,
        label="API token",
        help="Freshchat: Settings, API tokens, Generate token.",
        required=True,
        secret=True,
    ),
    FormField(
        name=PUBLIC_KEY,
        label="Public key of the webhook",
        help="Freshchat shows it under Settings, Conversation webhooks, beside the webhook's address. Paste all of it, also"
        " the BEGIN and END.",
        secret=True,
        verifies=True,
        fault=_fault,
    ),
    FormField(
        name="topic_id",
        label="Topic",
        help="The id of the topic (the API calls it a channel) in which conversations begin. Empty: the first one that is"
        " enabled.",
    ),
    FormField(
        name="group_id",
        label="Group",
        help="The id of the group to hand over to, unless the scenario names another. Empty: Freshchat's own rules decide.",
    ),
)


class FreshchatSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The form's values, typed; secrets stand elsewhere."""

    api_url: str
    topic_id: str | None = None
    group_id: str | None = None


def read_settings(settings: Mapping[str, Any]) -> FreshchatSettings:
    """From the stored JSON, which the form has checked.  Raises msgspec.ValidationError for a damaged row."""
    return msgspec.convert(dict(settings), FreshchatSettings)


class FreshchatPayload(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What a rung may tell Freshchat, as published for ``crmPlatform: freshchat``."""

    crm_platform: Literal["freshchat"]
    connection_id: str
    name: str | None = None
    email: str | None = None


def _check(body: FreshchatPayload, typed: Typed) -> None:
    if not is_id(body.connection_id):
        typed.refuse("An id like 3b26e44a-9293-4e1b-9a31-d9667457334c is expected.", "$.connectionId")


PAYLOAD = PayloadKind(
    body=FreshchatPayload,
    check=_check,
    example="""{
  "name": "{{name}}",
  "email": "{{email}}",
  "crmPlatform": "freshchat",
  "connectionId": "3b26e44a-9293-4e1b-9a31-d9667457334c"
}""",
)
