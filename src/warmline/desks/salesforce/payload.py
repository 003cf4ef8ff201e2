"""What a rung may tell Salesforce, as published for ``crmPlatform: salesforce``.

Both desks of this vendor take it: the one for its retired Live Agent chat sends it on as it stands, the one for its
messaging uses the names and the pre-chat details in it.

The fields are those of Live Agent's ChasitorInit (Chat REST API guide 2026, request bodies and data types).  Its table has
no member for the record fields of a detail while its example spells it ``entityFieldMaps`` and working clients send
``entityMaps``; the fields of an entity are ``entityFieldsMaps`` there, one client writes ``entityFieldsMap``.  All are taken.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from warmline.handover.payloads import PayloadKind
from warmline.platform.typed_json import Typed

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


class EntityMap(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A field of a record that a detail's value belongs to.  Names are case-sensitive."""

    entity_name: Name
    field_name: Name
    is_fast_fillable: bool | UnsetType = UNSET
    is_auto_queryable: bool | UnsetType = UNSET
    is_exact_matchable: bool | UnsetType = UNSET


class CustomDetail(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A thing to know about the visitor.  ``value`` is None where its placeholder had nothing to say."""

    label: Name
    value: str | None
    display_to_agent: bool | UnsetType = UNSET
    transcript_fields: tuple[Name, ...] | UnsetType = UNSET
    do_knowledge_search: bool | UnsetType = UNSET
    entity_maps: tuple[EntityMap, ...] | UnsetType = UNSET
    entity_field_maps: tuple[EntityMap, ...] | UnsetType = UNSET

    @property
    def maps(self) -> tuple[EntityMap, ...]:
        """The record fields, however they were spelled."""
        return (self.entity_maps or ()) + (self.entity_field_maps or ())


class EntityField(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A field of a record and the label of the detail that fills it."""

    field_name: Name
    label: Name
    do_find: bool = False
    is_exact_match: bool = False
    do_create: bool = False


class Entity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A record to find or to make."""

    entity_name: Name
    show_on_create: bool | UnsetType | None = UNSET
    link_to_entity_name: str | UnsetType | None = UNSET
    link_to_entity_field: str | UnsetType | None = UNSET
    save_to_transcript: str | UnsetType | None = UNSET
    entity_fields_maps: tuple[EntityField, ...] | UnsetType = UNSET
    entity_fields_map: tuple[EntityField, ...] | UnsetType = UNSET

    @property
    def fields(self) -> tuple[EntityField, ...]:
        """The record's fields, however they were spelled."""
        return (self.entity_fields_maps or ()) + (self.entity_fields_map or ())


class SalesforcePayload(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """The published payload.  Ids have 15 or 18 characters; ``live_agent_hostname`` is a bare host name.

    ``user_agent``, ``screen_resolution`` and the other texts are None where their placeholder had nothing to say.
    """

    crm_platform: Literal["salesforce"]
    organization_id: str
    deployment_id: str
    button_id: str
    live_agent_hostname: str
    is_post: bool = True
    language: str | None = None
    user_agent: str | None = None
    visitor_name: str | None = None
    screen_resolution: str | None = None
    prechat_details: tuple[CustomDetail, ...] = ()
    prechat_entities: tuple[Entity, ...] = ()
    button_overrides: tuple[Name, ...] = ()
    receive_queue_updates: bool = True
    agent_id: str | None = None
    do_fallback: bool | None = None
    connection_id: str | None = None

    @property
    def known_details(self) -> tuple[CustomDetail, ...]:
        """Those that have a value: the vendor's servers refuse the others [reported by an integrator]."""
        return tuple(detail for detail in self.prechat_details if detail.value)


_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")
_PREFIXES = {"organizationId": "00D", "deploymentId": "572", "buttonId": "573", "agentId": "005"}
_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,}")


def _check(body: SalesforcePayload, typed: Typed) -> None:
    value = typed.value
    for name, prefix in _PREFIXES.items():
        given = value.get(name)
        if given and "{{" not in given and not (_ID.fullmatch(given) and given.startswith(prefix)):
            typed.refuse(f"An id of 15 or 18 letters and digits that begins with {prefix} is expected.", f"$.{name}")
    if not body.is_post:
        typed.refuse("Salesforce takes a chat only when isPost is true.", "$.isPost")
    host = body.live_agent_hostname
    if "{{" not in host and not _HOST.fullmatch(host):
        typed.refuse("A host name like d.la1-c2-ia4.salesforceliveagent.com is expected.", "$.liveAgentHostname")
    _check_details(body, typed)
    _check_entities(body, typed)


def _check_details(body: SalesforcePayload, typed: Typed) -> None:
    for place, detail in enumerate(body.prechat_details):
        path = f"$.prechatDetails[{place}]"
        if not detail.value:
            typed.refuse("Salesforce refuses a detail without a value.", f"{path}.value")
        if detail.entity_maps and detail.entity_field_maps:
            typed.refuse("entityMaps and entityFieldMaps mean the same; give one.", f"{path}.entityFieldMaps")


def _check_entities(body: SalesforcePayload, typed: Typed) -> None:
    labels = {detail.label for detail in body.prechat_details}
    for place, entity in enumerate(body.prechat_entities):
        path = f"$.prechatEntities[{place}]"
        spelled = "entityFieldsMaps" if entity.entity_fields_maps is not UNSET else "entityFieldsMap"
        if entity.entity_fields_maps is not UNSET and entity.entity_fields_map is not UNSET:
            typed.refuse("entityFieldsMaps and entityFieldsMap mean the same; give one.", f"{path}.entityFieldsMap")
        for at, field in enumerate(entity.fields):
            if field.label not in labels:
                said = f"There is no pre-chat detail with the label {field.label[:60]}."
                typed.refuse(said, f"{path}.{spelled}[{at}].label")


def chasitor_init(body: SalesforcePayload) -> dict[str, Any]:
    """The payload's part of Live Agent's ChasitorInit: as it was written, without what does not belong there."""
    known = msgspec.structs.replace(body, is_post=True, prechat_details=body.known_details)
    told: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(known))
    elsewhere = ("crmPlatform", "connectionId", "liveAgentHostname")
    return {name: value for name, value in told.items() if value is not None and name not in elsewhere}


PAYLOAD = PayloadKind(
    body=SalesforcePayload,
    check=_check,
    example="""{
  "isPost": true,
  "buttonId": "5736g000000k9nQ",
  "language": "en-US",
  "userAgent": "{{userAgent}}",
  "crmPlatform": "salesforce",
  "visitorName": "{{visitorName}}",
  "deploymentId": "5726g000000k9nQ",
  "organizationId": "00D6g000003Q6HI",
  "prechatDetails": [],
  "buttonOverrides": [],
  "prechatEntities": [],
  "screenResolution": "{{screenRes}}",
  "liveAgentHostname": "d.la1-c2-ia4.salesforceliveagent.com",
  "receiveQueueUpdates": true
}""",
)
