"""The connection form of the open protocol, and the payload of a rung."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from warmline.desks.shared.signed_posts import SIGNING_FIELD
from warmline.handover.connection_forms import LADDER_OF_WIDGET, FieldKind, FormField
from warmline.handover.payloads import PayloadKind
from warmline.kernel.errors import Invalid
from warmline.platform.signing import decode_secret

SENDER_SECRET = "sender_secret"
AVAILABILITY_TIMEOUT_S = 3.0
AVAILABILITY_KEPT_MS = 10_000


def _fault(secret: str) -> str:
    try:
        decode_secret(secret)
    except Invalid as error:
        return error.detail
    return ""


FORM = (
    FormField(
        name="url",
        label="Address",
        help="Where the helpdesk (or the bot) receives our events. HTTPS, except for addresses the operator has allowed.",
        kind=FieldKind.URL,
        required=True,
    ),
    FormField(
        name=SENDER_SECRET,
        label="The other side's secret",
        help="What it signs its own deliveries with: whsec_ and base64. Without it nothing of an agent is heard."
        " When you enter another one, the old one counts for a day more.",
        secret=True,
        verifies=True,
        fault=_fault,
    ),
    FormField(
        name="ask_availability",
        label="Ask whether people are there",
        help="Sends availability.asked before a handover is offered (3 seconds, the answer is kept for 10)."
        ' {"available": false} skips this step of the ladder; anything but true or false counts as unknown.',
        kind=FieldKind.BOOLEAN,
        default=False,
    ),
    FormField(
        name=LADDER_OF_WIDGET,
        label="Ladder for a bot elsewhere",
        help="Only for a bot that hands its conversations over to us: the id of the widget whose ladder they go down.",
    ),
    SIGNING_FIELD,
)


class OpenSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The form's values, typed; secrets stand elsewhere."""

    url: str
    ask_availability: bool = False
    ladder_of_widget: str | None = None


def read_settings(settings: Mapping[str, Any]) -> OpenSettings:
    """From the stored JSON, which the form has checked.  Raises msgspec.ValidationError for a damaged row."""
    return msgspec.convert(dict(settings), OpenSettings)


PAYLOAD = PayloadKind(
    body=dict[str, Any],
    example="""{
  "queue": "returns",
  "page": "{{url}}",
  "order": "{{details.order}}"
}""",
)
