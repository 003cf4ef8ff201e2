"""What a CRM that is the front end itself may say."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.desks.customcrm.support import payload

from warmline.desks.customcrm.converse import ConverseEvent, Detail, parse_converse_event
from warmline.kernel.errors import Invalid

REF = "c-8841"


def parse(**fields: Any) -> ConverseEvent:
    return parse_converse_event(json.dumps({"platformConversationId": REF, **fields}).encode())


def path_of(**fields: Any) -> str:
    with pytest.raises(Invalid) as caught:
        parse(**fields)
    return str(caught.value.fields["path"])


@pytest.mark.parametrize(
    ("name", "event"),
    [
        (
            "converse_start_session",
            ConverseEvent(
                kind="startSession",
                external_id=REF,
                details=(Detail("plan", "gold"), Detail("email", "noor@example.com", sanitize=True)),
            ),
        ),
        (
            "converse_message",
            ConverseEvent(kind="message", external_id=REF, text="Where is my order?", card_index=1),
        ),
        ("converse_metadata", ConverseEvent(kind="metadata", external_id=REF, details=(Detail("plan", "gold"),))),
        ("converse_end_session", ConverseEvent(kind="endSession", external_id=REF)),
    ],
)
def test_every_published_event(name: str, event: ConverseEvent) -> None:
    assert parse_converse_event(json.dumps(payload(f"in/{name}")).encode()) == event


def test_the_array_and_the_object_say_the_same() -> None:
    as_array = parse(eventType="metadata", metaData=[{"key": "a", "value": "1"}, {"key": "b", "value": ""}])
    as_object = parse(eventType="metadata", metaData={"a": "1", "b": ""})
    assert as_array == as_object


def test_metadata_is_ignored_at_the_end_and_unknown_fields_always() -> None:
    said = parse(eventType="endSession", metaData={"a": "1"}, other=[1], text="x")
    assert said == ConverseEvent(kind="endSession", external_id=REF)


@pytest.mark.parametrize("card", [2, "2", 2.0])
def test_the_index_of_a_card(card: Any) -> None:
    assert parse(eventType="message", text="x", cardIndex=card, messageId="m-1").card_index == 2


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({}, "$.eventType"),
        ({"eventType": "agentDisconnect"}, "$.eventType"),
        ({"eventType": "message"}, "$.text"),
        ({"eventType": "message", "text": ""}, "$.text"),
        ({"eventType": "message", "text": "  "}, "$.text"),
        ({"eventType": "message", "text": "x" * 10_001}, "$.text"),
        ({"eventType": "message", "text": 1}, "$.text"),
        ({"eventType": "message", "text": "x", "cardIndex": -1}, "$.cardIndex"),
        ({"eventType": "message", "text": "x", "cardIndex": True}, "$.cardIndex"),
        ({"eventType": "message", "text": "x", "cardIndex": 0.5}, "$.cardIndex"),
        ({"eventType": "message", "text": "x", "cardIndex": "first"}, "$.cardIndex"),
        ({"eventType": "message", "text": "x", "messageId": ""}, "$.messageId"),
        ({"eventType": "metadata"}, "$.metaData"),
        ({"eventType": "metadata", "metaData": None}, "$.metaData"),
        ({"eventType": "metadata", "metaData": "x"}, "$.metaData"),
        ({"eventType": "metadata", "metaData": [{"key": "a"}]}, "$.metaData[0].value"),
        ({"eventType": "metadata", "metaData": [{"key": "a", "value": "1"}, {"value": "x"}]}, "$.metaData[1].key"),
        ({"eventType": "metadata", "metaData": [{"key": "", "value": "x"}]}, "$.metaData[0].key"),
        ({"eventType": "metadata", "metaData": [{"key": "a", "value": 1}]}, "$.metaData[0].value"),
        (
            {"eventType": "metadata", "metaData": [{"key": "a", "value": "", "sanitize": "yes"}]},
            "$.metaData[0].sanitize",
        ),
        ({"eventType": "metadata", "metaData": {"a": 1}}, "$.metaData[...]"),
        ({"eventType": "metadata", "metaData": [{"key": "a", "value": ""}] * 101}, "$.metaData"),
        ({"eventType": "startSession", "platformConversationId": ""}, "$.platformConversationId"),
    ],
)
def test_the_offending_field_is_named(fields: dict[str, Any], path: str) -> None:
    assert path_of(**fields) == path


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_in_words(body: bytes) -> None:
    with pytest.raises(Invalid):
        parse_converse_event(body)


@given(
    st.sampled_from(["startSession", "message", "endSession", "metadata"]),
    st.text(min_size=1, max_size=50),
    st.dictionaries(st.text(max_size=5), st.text(max_size=5) | st.integers(), max_size=5),
)
def test_any_event_is_read_or_refused(kind: str, text: str, details: dict[str, Any]) -> None:
    try:
        said = parse(eventType=kind, text=text, metaData=details)
    except Invalid:
        return
    assert (said.text != "") == (kind == "message")
    assert not any("\x00" in one.value for one in said.details)
