"""A rung's payload for Oracle: JSON inside a text, checked where it is written and filled inside."""

from __future__ import annotations

import json
from typing import Any

import pytest

from warmline.desks.oracle.settings import PAYLOAD, OraclePayload, check_settings
from warmline.handover.payloads import check_payload, fill_payload
from warmline.kernel.errors import Invalid
from warmline.platform.typed_json import TypedJsonInvalid

PUBLISHED = r"""{
  "crmPlatform": "oracle_chat",
  "connectionId": "6038fb60-c16c-4b67-8443-3ea21ae08d85",
  "sessionInformation": "{\"emailAddress\" : \"[email protected]\"}"
}"""


def payload(information: Any, **more: Any) -> str:
    inner = information if isinstance(information, str) else json.dumps(information)
    body = {
        "crmPlatform": "oracle_chat",
        "connectionId": "6038fb60-c16c-4b67-8443-3ea21ae08d85",
        "sessionInformation": inner,
        **more,
    }
    return json.dumps(body, indent=1)


def filled(text: str, **values: Any) -> dict[str, Any]:
    body = fill_payload(PAYLOAD, text, values)
    assert isinstance(body, OraclePayload)
    found: dict[str, Any] = json.loads(body.session_information)
    return found


@pytest.mark.parametrize("text", [PUBLISHED, PAYLOAD.example])
def test_the_published_payload_is_taken(text: str) -> None:
    check_payload(PAYLOAD, text)


def test_what_is_not_listed_passes() -> None:
    text = payload({"queueId": 4, "customFields": [{"name": "c$x", "type": "STRING", "value": "{{details.plan}}"}]})
    check_payload(PAYLOAD, text)
    assert filled(text, details={"plan": "gold"})["customFields"][0]["value"] == "gold"


@pytest.mark.parametrize("nasty", ['a"b', "a\\", '","admin":"yes', "line\nbreak", "{{email}}", "😀\u2028"])
def test_a_value_cannot_break_out_of_its_text(nasty: str) -> None:
    text = payload({"firstName": "{{name}}", "question": "Hi, {{name}}!"})
    check_payload(PAYLOAD, text)
    assert filled(text, name=nasty, email="x@y.example") == {"firstName": nasty, "question": f"Hi, {nasty}!"}


def test_what_is_not_known_is_null_inside() -> None:
    assert filled(PAYLOAD.example) == {"emailAddress": None}


@pytest.mark.parametrize(
    ("text", "path", "place", "words"),
    [
        (payload("{'emailAddress': 1}"), "$.sessionInformation", (4, 24), "Line 1, column 2: A field name in double"),
        (payload('{\n"emailAddress": }'), "$.sessionInformation.emailAddress", (4, 24), "Line 2, column 17"),
        (payload("[]"), "$.sessionInformation", (4, 24), "An object like"),
        (payload({"emailAddress": 5}), "$.sessionInformation.emailAddress", (4, 24), "emailAddress is a text"),
        (payload({"queueId": "one"}), "$.sessionInformation.queueId", (4, 24), "queueId is a whole number"),
        (payload({"queueId": True}), "$.sessionInformation.queueId", (4, 24), "queueId is a whole number"),
        (payload({}, sessionInformation={}), "$.sessionInformation", (4, 24), "Expected str"),
        (payload({}, connectionId="6038fb60"), "$.connectionId", (3, 18), "A bare id like"),
        (payload({"firstName": "{{nmae}}"}), "$.sessionInformation", (4, 24), "Is name meant?"),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, path: str, place: tuple[int, int], words: str) -> None:
    with pytest.raises(TypedJsonInvalid) as caught:
        check_payload(PAYLOAD, text)
    assert caught.value.fields["path"] == path
    assert (caught.value.line, caught.value.column) == place
    assert words in caught.value.detail


@pytest.mark.parametrize(
    ("field", "value"), [("queue_id", "Support"), ("chat_domains", "com"), ("chat_domains", "custhelp.com, a b.com")]
)
def test_a_form_that_cannot_be_right_is_refused(field: str, value: str) -> None:
    settings = {"site_url": "https://shop.custhelp.com", "user": "warmline"}
    check_settings(settings)
    with pytest.raises(Invalid) as caught:
        check_settings({**settings, field: value})
    assert caught.value.fields["path"] == f"$.settings.{field}"
