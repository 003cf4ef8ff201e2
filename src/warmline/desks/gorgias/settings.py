"""The connection form of Gorgias, and the payload of a rung."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from warmline.handover.connection_forms import WAITING_TEXT, Choice, FieldKind, FormField
from warmline.handover.payloads import PayloadKind

API_KEY = "api_key"
WEBHOOK_SECRET = "webhook_secret"
SECRET_HEADER = "X-Warmline-Secret"
SHORTEST_SECRET = 16

FORM = (
    FormField(
        name="api_url",
        label="Address",
        help="Of your Gorgias, like https://shop.gorgias.com.",
        kind=FieldKind.URL,
        required=True,
    ),
    FormField(
        name="account_email",
        label="User name",
        help="Gorgias: Settings, REST API. The e-mail address of the user whose key it is; the bot's lines are his.",
        required=True,
    ),
    FormField(name=API_KEY, label="API key", help="From the same page.", required=True, secret=True),
    FormField(
        name=WEBHOOK_SECRET,
        label="Webhook secret",
        help=f"A long random text of your own. Gorgias signs nothing, so its HTTP integration sends this in {SECRET_HEADER}.",
        secret=True,
        verifies=True,
    ),
    FormField(
        name="team_id",
        label="Team",
        help="The number of the team that tickets are assigned to, unless a rung names another. Empty: your rules decide.",
    ),
    FormField(
        name="tag",
        label="Tag",
        help="Every ticket carries it. A rule of your Gorgias must exclude tickets with it from auto-merge.",
        default="handover",
    ),
    FormField(
        name="channel",
        label="Channel",
        help="Of the tickets. On “api” no auto-reply rules are applied; on “e-mail” answers are mailed to the customer as well.",
        kind=FieldKind.CHOICE,
        default="api",
        choices=(Choice("api", "API"), Choice("email", "E-mail")),
    ),
    FormField(
        name=WAITING_TEXT,
        label="What the visitor reads",
        help="While his ticket waits, on rungs that have no text of their own. Nobody is told to be there at once: say so.",
        default="I have written a ticket for the team. They answer as soon as they can, which may take some hours.",
    ),
    FormField(
        name="close_tickets",
        label="Close the ticket when the visitor leaves",
        help="Otherwise it stays open with a note, and your agents can go on by mail.",
        kind=FieldKind.BOOLEAN,
        default=True,
    ),
)


class GorgiasSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The form's values, typed; secrets stand elsewhere."""

    api_url: str
    account_email: str
    team_id: str | None = None
    tag: str = "handover"
    channel: str = "api"
    close_tickets: bool = True


def read_settings(settings: Mapping[str, Any]) -> GorgiasSettings:
    """From the stored JSON, which the form has checked.  Raises msgspec.ValidationError for a damaged row."""
    return msgspec.convert(dict(settings), GorgiasSettings)


Tag = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
Subject = Annotated[str, msgspec.Meta(max_length=200)]


class GorgiasPayload(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What a rung may tell Gorgias.  No payload was ever published for it: this one is ours, in the manner of the others.

    ``assignee_team`` is the number of a team.
    """

    crm_platform: Literal["gorgias"]
    connection_id: str
    email: str | None = None
    name: str | None = None
    subject: Subject | None = None
    tags: tuple[Tag, ...] = ()
    assignee_team: int | None = None


PAYLOAD = PayloadKind(
    body=GorgiasPayload,
    example="""{
  "name": "{{name}}",
  "tags": ["some", "tag"],
  "email": "{{email}}",
  "subject": "Chat with {{visitorName}}",
  "crmPlatform": "gorgias",
  "assigneeTeam": null,
  "connectionId": "96f2fc68-beb0-48f4-9efc-78b399205e00"
}""",
)
