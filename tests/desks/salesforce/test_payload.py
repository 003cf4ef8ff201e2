"""The published payload of Salesforce: taken as it is, and what is wrong with one is told with its place."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from warmline.desks.salesforce.payload import PAYLOAD, SalesforcePayload, chasitor_init
from warmline.handover.payloads import check_payload, fill_payload
from warmline.platform.typed_json import TypedJsonInvalid

PUBLISHED = """{
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
  "receiveQueueUpdates": true,
}"""

DETAIL = {
    "label": "E-mail",
    "value": "{{email}}",
    "transcriptFields": ["Email__c"],
    "displayToAgent": False,
    "entityMaps": [{"entityName": "Contact", "fieldName": "Email", "isExactMatchable": True}],
}
ENTITY = {
    "entityName": "Contact",
    "saveToTranscript": "Contact",
    "showOnCreate": True,
    "linkToEntityName": None,
    "entityFieldsMaps": [
        {"fieldName": "Email", "label": "E-mail", "doFind": True, "isExactMatch": True, "doCreate": True}
    ],
}


def with_parts(**parts: Any) -> str:
    """The published payload, with some of its members replaced."""
    return msgspec.json.encode(msgspec.json.decode(PAYLOAD.example) | parts).decode()


def filled(text: str, **values: Any) -> SalesforcePayload:
    body = fill_payload(PAYLOAD, text, values)
    assert isinstance(body, SalesforcePayload)
    return body


def test_the_published_payload_is_taken_as_it_is() -> None:
    check_payload(PAYLOAD, PUBLISHED)
    told = chasitor_init(filled(PUBLISHED, visitorName="Ada", userAgent="Lynx", screenRes="1920x1080"))
    assert told == {
        "isPost": True,
        "buttonId": "5736g000000k9nQ",
        "language": "en-US",
        "userAgent": "Lynx",
        "visitorName": "Ada",
        "deploymentId": "5726g000000k9nQ",
        "organizationId": "00D6g000003Q6HI",
        "prechatDetails": [],
        "buttonOverrides": [],
        "prechatEntities": [],
        "screenResolution": "1920x1080",
        "receiveQueueUpdates": True,
    }


def test_details_and_entities_go_as_they_were_written() -> None:
    text = with_parts(prechatDetails=[DETAIL], prechatEntities=[ENTITY])
    check_payload(PAYLOAD, text)
    told = chasitor_init(filled(text, email="ada@example.org"))
    assert told["prechatDetails"] == [DETAIL | {"value": "ada@example.org"}]
    assert told["prechatEntities"] == [ENTITY]


@pytest.mark.parametrize("spelling", ["entityMaps", "entityFieldMaps"])
def test_both_spellings_of_a_details_fields(spelling: str) -> None:
    detail = {"label": "E-mail", "value": "x", spelling: DETAIL["entityMaps"]}
    text = with_parts(prechatDetails=[detail])
    check_payload(PAYLOAD, text)
    body = filled(text)
    assert [one.field_name for one in body.prechat_details[0].maps] == ["Email"]
    assert chasitor_init(body)["prechatDetails"] == [detail]


@pytest.mark.parametrize("spelling", ["entityFieldsMaps", "entityFieldsMap"])
def test_both_spellings_of_an_entitys_fields(spelling: str) -> None:
    entity = {"entityName": "Contact", spelling: ENTITY["entityFieldsMaps"]}
    text = with_parts(prechatDetails=[DETAIL], prechatEntities=[entity])
    check_payload(PAYLOAD, text)
    body = filled(text, email="x")
    assert [one.label for one in body.prechat_entities[0].fields] == ["E-mail"]
    assert chasitor_init(body)["prechatEntities"] == [entity]


def test_a_detail_that_nothing_fills_is_left_out() -> None:
    assert chasitor_init(filled(with_parts(prechatDetails=[DETAIL])))["prechatDetails"] == []


@pytest.mark.parametrize(
    ("parts", "path"),
    [
        ({"buttonId": "123"}, "$.buttonId"),
        ({"buttonId": "5726g000000k9nQ"}, "$.buttonId"),
        ({"organizationId": "00D6g000003Q6HI0"}, "$.organizationId"),
        ({"deploymentId": None}, "$.deploymentId"),
        ({"isPost": False}, "$.isPost"),
        ({"liveAgentHostname": "https://d.example.com/chat"}, "$.liveAgentHostname"),
        ({"crmPlatform": "dixa"}, "$.crmPlatform"),
        ({"mood": "sunny"}, "$.mood"),
        ({"prechatDetails": [{"label": "", "value": "x"}]}, "$.prechatDetails[0].label"),
        ({"prechatDetails": [{"label": "A", "value": ""}]}, "$.prechatDetails[0].value"),
        ({"prechatDetails": [{"label": "A"}]}, "$.prechatDetails[0].value"),
        (
            {"prechatDetails": [DETAIL | {"entityFieldMaps": DETAIL["entityMaps"]}]},
            "$.prechatDetails[0].entityFieldMaps",
        ),
        (
            {"prechatDetails": [DETAIL | {"entityMaps": [{"entityName": "Contact"}]}]},
            "$.prechatDetails[0].entityMaps[0].fieldName",
        ),
        ({"prechatEntities": [ENTITY]}, "$.prechatEntities[0].entityFieldsMaps[0].label"),
        (
            {
                "prechatDetails": [DETAIL],
                "prechatEntities": [ENTITY | {"entityFieldsMap": ENTITY["entityFieldsMaps"]}],
            },
            "$.prechatEntities[0].entityFieldsMap",
        ),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_what_is_wrong_is_told_with_its_place(parts: dict[str, Any], path: str) -> None:
    with pytest.raises(TypedJsonInvalid) as refused:
        check_payload(PAYLOAD, with_parts(**parts))
    assert refused.value.fields["path"] == path
