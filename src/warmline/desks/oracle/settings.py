"""The connection form of Oracle, and the payload of a rung."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from warmline.desks.shared.payload_ids import is_id
from warmline.handover.connection_forms import FieldKind, FormField
from warmline.handover.payloads import PayloadKind
from warmline.kernel.errors import Invalid
from warmline.platform.typed_json import Typed, TypedJsonInvalid, parse_typed

PASSWORD = "password"
CHAT_DOMAINS = "custhelp.com, rightnowtech.com, oraclecloud.com"
"""Where Oracle's chat servers are assumed to be: the names are those of its public sites, no page lists them."""

FORM = (
    FormField(
        name="site_url",
        label="Address of the site",
        help="Your Service site, like https://lumen.custhelp.com.",
        kind=FieldKind.URL,
        required=True,
    ),
    FormField(
        name="user",
        label="User name",
        help="A service account whose profile may establish chat sessions by the REST API.",
        required=True,
    ),
    FormField(name=PASSWORD, label="Password", help="The password of that account.", required=True, secret=True),
    FormField(
        name="queue_id",
        label="Queue",
        help="The number of the chat queue to hand over to, unless a rung names another. Empty: the site's rules decide, and"
        " nobody can say beforehand whether people are there.",
    ),
    FormField(
        name="chat_domains",
        label="Domains of the chat servers",
        help="The site's answer says where its chat server is. Only a host of these domains, or the site's own, is called.",
        default=CHAT_DOMAINS,
    ),
)
_DOMAIN = re.compile(r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")


class OracleSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The form's values, typed; secrets stand elsewhere."""

    site_url: str
    user: str
    queue_id: str | None = None
    chat_domains: str = CHAT_DOMAINS

    @property
    def domains(self) -> tuple[str, ...]:
        """The domains, lower case."""
        return tuple(one.strip().lower().lstrip(".") for one in self.chat_domains.split(",") if one.strip())


def read_settings(settings: Mapping[str, Any]) -> OracleSettings:
    """From the stored JSON, which the form has checked.  Raises msgspec.ValidationError for a damaged row."""
    return msgspec.convert(dict(settings), OracleSettings)


def check_settings(settings: Mapping[str, Any]) -> None:
    """Raise Invalid for a queue that is no number, or a domain that is none (a whole top-level domain is none)."""
    given = read_settings(settings)
    if given.queue_id and not given.queue_id.isdecimal():
        raise Invalid("The queue is a number, like 1.", path="$.settings.queue_id", code="queue")
    for domain in given.domains:
        if not _DOMAIN.fullmatch(domain):
            raise Invalid(f"“{domain}” is no domain like custhelp.com.", path="$.settings.chat_domains", code="domain")


class OraclePayload(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What a rung may tell Oracle, as published for ``crmPlatform: oracle_chat``.

    ``session_information`` is JSON inside a text, because it is Oracle's own request field.
    """

    crm_platform: Literal["oracle_chat"]
    connection_id: str
    session_information: str


_INFORMATION = "sessionInformation"
_TEXTS = ("firstName", "lastName", "emailAddress", "question")
NUMBERS = ("queueId", "contactId", "organizationId", "productId", "categoryId", "incidentId")


def _check(body: OraclePayload, typed: Typed) -> None:
    if not is_id(body.connection_id):
        typed.refuse("A bare id like 6038fb60-c16c-4b67-8443-3ea21ae08d85 is expected.", "$.connectionId")
    try:
        inner = parse_typed(body.session_information)
        _check_information(inner)
    except TypedJsonInvalid as fault:
        inside = f"$.{_INFORMATION}{str(fault.fields.get('path', '$'))[1:]}"
        typed.refuse(f"The JSON inside {_INFORMATION} is not right. {fault.detail}", inside)


def _check_information(inner: Typed) -> None:
    """Known attributes have their types; others pass, since the published list of attributes is not complete."""
    if not isinstance(inner.value, dict):
        inner.refuse('An object like {"emailAddress": "…"} is expected.', "$")
    for name, value in inner.value.items():
        if name in _TEXTS and not isinstance(value, str):
            inner.refuse(f"{name} is a text.", f"$.{name}")
        filled_later = isinstance(value, str) and ("{{" in value or value.isdecimal())
        if name in NUMBERS and not filled_later and (not isinstance(value, int) or isinstance(value, bool)):
            inner.refuse(f"{name} is a whole number.", f"$.{name}")


PAYLOAD = PayloadKind(
    body=OraclePayload,
    check=_check,
    json_texts=(_INFORMATION,),
    example="""{
  "crmPlatform": "oracle_chat",
  "connectionId": "6038fb60-c16c-4b67-8443-3ea21ae08d85",
  "sessionInformation": "{\\"emailAddress\\" : \\"{{email}}\\"}"
}""",
)
