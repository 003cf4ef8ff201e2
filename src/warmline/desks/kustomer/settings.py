"""The connection form of Kustomer, and the payload of a rung."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from warmline.desks.shared.payload_ids import is_id
from warmline.handover.connection_forms import FieldKind, FormField
from warmline.handover.payloads import PayloadKind
from warmline.platform.typed_json import Typed

API_KEY = "api_key"
WEBHOOK_TOKEN = "webhook_token"

FORM = (
    FormField(
        name="api_url",
        label="Address of the API",
        help="https://your-organisation.api.kustomerapp.com, or the address of a simulator.",
        kind=FieldKind.URL,
        required=True,
    ),
    FormField(
        name=API_KEY,
        label="API key",
        help="Kustomer: Settings, Security, API keys. The roles it needs are listed in the guide of this desk.",
        required=True,
        secret=True,
    ),
    FormField(
        name=WEBHOOK_TOKEN,
        verifies=True,
        label="Webhook token",
        help="Add the connection first; then add an outbound webhook in Kustomer (Settings, Platform, Outbound webhooks)"
        " with its address. The token stands there under Edit, Header information.",
        secret=True,
    ),
    FormField(
        name="bot_user_id",
        label="User id of the bot",
        help="The bot's lines stand in Kustomer under this user. Take a user of its own: what it writes is not shown to"
        " visitors.",
        required=True,
    ),
    FormField(
        name="queue_id",
        label="Queue",
        help="The id of the queue to hand over to, unless a rung names another. Empty: Kustomer's own routing decides.",
    ),
)


class KustomerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The form's values, typed; secrets stand elsewhere."""

    api_url: str
    bot_user_id: str
    queue_id: str | None = None


def read_settings(settings: Mapping[str, Any]) -> KustomerSettings:
    """From the stored JSON, which the form has checked.  Raises msgspec.ValidationError for a damaged row."""
    return msgspec.convert(dict(settings), KustomerSettings)


Tag = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class KustomerPayload(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What a rung may tell Kustomer, as published for ``crmPlatform: kustomer``; ``queue`` is a queue's id."""

    crm_platform: Literal["kustomer"]
    connection_id: str
    name: str | None = None
    email: str | None = None
    queue: Annotated[str, msgspec.Meta(min_length=1)] | None = None
    tags: tuple[Tag, ...] = ()


def _check(body: KustomerPayload, typed: Typed) -> None:
    if not is_id(body.connection_id):
        typed.refuse("An id like 35b956ad-8f96-4adc-9417-d6d37cafa6c2 is expected.", "$.connectionId")


PAYLOAD = PayloadKind(
    body=KustomerPayload,
    check=_check,
    example="""{
  "name": "Test enduser",
  "tags": ["some", "tag"],
  "email": "{{email}}",
  "queue": null,
  "crmPlatform": "kustomer",
  "connectionId": "35b956ad-8f96-4adc-9417-d6d37cafa6c2"
}""",
)
