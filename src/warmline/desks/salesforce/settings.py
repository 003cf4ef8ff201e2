"""The connection form of Salesforce Enhanced Chat, and the table that fills its hidden pre-chat parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from warmline.handover.connection_forms import FieldKind, FormField
from warmline.kernel.errors import Invalid

TABLE = "routing_attributes"
CONTEXT = "context_parameter"
ORG_CHARACTERS = 15
"""Salesforce shows org ids with 15 or 18 characters and takes 15 here."""

FORM = (
    FormField(
        name="scrt_url",
        label="Messaging address",
        help="Salesforce: Setup, Embedded Service Deployments, your custom client, “Code Snippet”: the value “Url”, like"
        " https://mydomain.my.salesforce-scrt.com.",
        kind=FieldKind.URL,
        required=True,
    ),
    FormField(
        name="org_id",
        label="Organization ID",
        help="“OrganizationId” of the same snippet. Begins with 00D; 15 or 18 characters.",
        required=True,
    ),
    FormField(
        name="developer_name",
        label="Deployment",
        help="“DeveloperName” of the same snippet: the API name of the deployment, not an id that begins with 572.",
        required=True,
    ),
    FormField(
        name=TABLE,
        label="Pre-chat parameters",
        help="What goes into which hidden pre-chat parameter, as pairs: visitorName = Visitor_Name; email = Email;"
        " Order number = Order_Number. Left: a label of the payload's prechatDetails, or one of visitorName, email, phone,"
        " visitorId, language, reason, url, title, referrer, userAgent, screenResolution, conversationId, buttonId,"
        " details.…. Right: the parameter's API name.",
    ),
    FormField(
        name=CONTEXT,
        label="Parameter for the transcript",
        help="The API name of a hidden pre-chat parameter that takes what was said before. Empty: it is sent as the"
        " visitor's first message.",
    ),
    FormField(
        name="context_bytes",
        label="Longest transcript",
        help="In bytes; older lines are left out first. Salesforce documents no number, another integrator says 8 KB.",
        kind=FieldKind.NUMBER,
        default=7_500,
        lowest=500,
        highest=100_000,
    ),
    FormField(
        name="close_conversation",
        label="Close the conversation at the end",
        help="Off: only the session ends, and the conversation stays in Salesforce as one that could go on.",
        kind=FieldKind.BOOLEAN,
        default=False,
    ),
)


class MessagingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The form's values, typed.  Nothing here is secret: every visitor gets a token of his own."""

    scrt_url: str
    org_id: str
    developer_name: str
    routing_attributes: str | None = None
    context_parameter: str | None = None
    context_bytes: float = 7_500
    close_conversation: bool = False

    @property
    def org(self) -> str:
        """The org's id as these calls want it."""
        return self.org_id[:ORG_CHARACTERS]

    @property
    def table(self) -> Mapping[str, str]:
        """What goes into which parameter."""
        return parse_table(self.routing_attributes or "")


def read_settings(settings: Mapping[str, Any]) -> MessagingSettings:
    """From the stored JSON, which the form has checked.  Raises msgspec.ValidationError for a damaged row."""
    return msgspec.convert(dict(settings), MessagingSettings)


_ORG = re.compile(r"00D[A-Za-z0-9]{12}(?:[A-Za-z0-9]{3})?")
_API_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}")


def parse_table(text: str) -> dict[str, str]:
    """``left = right; …`` as a mapping.  Raises Invalid naming the first pair that is none."""
    table: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in text.split(";"))):
        left, sign, right = (part.strip() for part in pair.rpartition("="))
        if not (left and sign) or not _API_NAME.fullmatch(right):
            raise Invalid(f"“{pair[:60]}” is not like “email = Email”.", path=f"$.settings.{TABLE}", code="form")
        table[left] = right
    return table


def check_settings(settings: Mapping[str, Any]) -> None:
    """What single fields cannot tell.  Raises Invalid with the path."""
    given = read_settings(settings)
    parse_table(given.routing_attributes or "")
    if not _ORG.fullmatch(given.org_id):
        raise Invalid("An organization's id begins with 00D and has 15 or 18 characters.", path="$.settings.org_id")
    if not _API_NAME.fullmatch(given.developer_name):
        raise Invalid("The API name has letters, digits and _ only.", path="$.settings.developer_name", code="form")
    if given.context_parameter and not _API_NAME.fullmatch(given.context_parameter):
        raise Invalid("The API name has letters, digits and _ only.", path=f"$.settings.{CONTEXT}", code="form")
