"""What a custom CRM may say, and how what it may not say is refused."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.desks.customcrm.support import SECRET, make_desk, payload

from warmline.desks.customcrm.inbound import parse_agent_event
from warmline.desks.shared.bodies import LONGEST_WAIT_MINUTES, TEXT_LIMIT
from warmline.handover.port import (
    AgentJoined,
    AgentLeft,
    AgentReplied,
    DeskEvent,
    InboundDelivery,
    OpenFailed,
    QueueMoved,
    SignatureRejected,
)
from warmline.kernel.errors import Invalid
from warmline.platform import signing
from warmline.platform.http import Outgoing

REF = "123456789"


def parse(**fields: Any) -> DeskEvent:
    return parse_agent_event(json.dumps({"platformConversationId": REF, **fields}).encode())


def refusal(body: bytes) -> Invalid:
    with pytest.raises(Invalid) as caught:
        parse_agent_event(body)
    return caught.value


def path_of(**fields: Any) -> str:
    return str(refusal(json.dumps({"platformConversationId": REF, **fields}).encode()).fields["path"])


@pytest.mark.parametrize(
    ("name", "event"),
    [
        ("escalation_queue_update", QueueMoved(thread_ref=REF, position=3, wait_minutes=12)),
        ("escalation_queue_update_bare", QueueMoved(thread_ref=REF)),
        ("escalation_success", AgentJoined(thread_ref=REF, name="John Smith")),
        (
            "escalation_success_avatar",
            AgentJoined(thread_ref="c-8841", name="Noor Haddad", avatar="https://cdn.example/noor.png"),
        ),
        (
            "message",
            AgentReplied(thread_ref=REF, text="Hello, I'm John, your agent, let me help you with your issue"),
        ),
        ("escalation_failed", OpenFailed(thread_ref=REF)),
        ("agent_disconnect", AgentLeft(thread_ref=REF)),
    ],
)
def test_every_published_event(name: str, event: DeskEvent) -> None:
    body = json.dumps(payload(f"in/{name}")).encode()
    said = parse_agent_event(body)
    assert said.raw == body
    assert said == type(event)(**{**{key: getattr(event, key) for key in _fields(event)}, "raw": body})


def _fields(event: DeskEvent) -> list[str]:
    return list(type(event).__dataclass_fields__)


@pytest.mark.parametrize("kind", ["escalationQueueUpdate", "escalationSuccess", "escalationFailed", "agentDisconnect"])
def test_unknown_fields_are_ignored_and_the_message_id_is_the_events_id(kind: str) -> None:
    said = parse(eventType=kind, messageId="e-1", text=5, somethingNew={"deep": [1]})
    assert (said.thread_ref, said.vendor_event_id) == (REF, "e-1")


def test_a_messages_id_is_both_its_own_and_the_events() -> None:
    said = parse(eventType="message", text="Hi", messageId="m-1")
    assert isinstance(said, AgentReplied)
    assert (said.message_id, said.vendor_event_id) == ("m-1", "m-1")


@pytest.mark.parametrize(
    ("given_position", "given_wait", "position", "wait"),
    [
        ("3", "12", 3, 12),
        (3, 12, 3, 12),
        (0, 0, 0, 0),
        ("0", "0.0", 0, 0),
        (3.0, 2.1, 3, 3),
        (" 3 ", "2.0001", 3, 3),
        ("007", 0.5, 7, 1),
        (None, 1e-9, None, 1),
        (1_000_000, LONGEST_WAIT_MINUTES, 1_000_000, LONGEST_WAIT_MINUTES),
    ],
)
def test_numbers_come_as_numbers_or_texts(
    given_position: Any, given_wait: Any, position: int | None, wait: int | None
) -> None:
    said = parse(eventType="escalationQueueUpdate", queuePosition=given_position, waitingTime=given_wait)
    assert isinstance(said, QueueMoved)
    assert (said.position, said.wait_minutes) == (position, wait)


@pytest.mark.parametrize("field", ["queuePosition", "waitingTime"])
@pytest.mark.parametrize(
    "value",
    [
        True,
        False,
        -1,
        "-1",
        -0.1,
        "",
        " ",
        "NaN",
        "nan",
        "Infinity",
        "1e3",
        "0x10",
        "3rd",
        "١",
        [],
        {},
        [3],
        1e300,
        "9" * 15,
        "9" * 5000,
        10**9,
        10**40,
        "1_000",
        "+3",
        "1,5",
    ],
)
def test_what_is_no_waiting_number(field: str, value: Any) -> None:
    assert path_of(eventType="escalationQueueUpdate", **{field: value}) == f"$.{field}"


def test_a_position_is_whole() -> None:
    assert path_of(eventType="escalationQueueUpdate", queuePosition=1.5) == "$.queuePosition"
    assert path_of(eventType="escalationQueueUpdate", queuePosition="1.5") == "$.queuePosition"


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"1e400", b"0x10", b"01"])
def test_numbers_that_json_does_not_have(number: bytes) -> None:
    body = b'{"eventType":"escalationQueueUpdate","platformConversationId":"1","waitingTime":' + number + b"}"
    assert refusal(body).status == 400


@pytest.mark.parametrize(
    "avatar",
    [
        "noor.png",
        "javascript:alert(1)",
        "data:image/png;base64,AA",
        "//cdn.example/a.png",
        "ftp://cdn.example/a",
        "https://",
        "https:///a.png",
        "https://cdn.example/a b",
        'https://cdn.example/"><x',
        "https://u:p@cdn.example/a",
        "https://cdn.example/a\n",
        5,
        [],
        "https://cdn.example/" + "a" * 2048,
        " https://cdn.example/a",
    ],
)
def test_an_avatar_is_a_web_address(avatar: Any) -> None:
    assert path_of(eventType="escalationSuccess", agentAvatar=avatar) == "$.agentAvatar"


@pytest.mark.parametrize("avatar", ["http://cdn.example/a.png", "HTTPS://CDN.example:8443/a.png?x=1#y", None])
def test_good_avatars(avatar: str | None) -> None:
    said = parse(eventType="escalationSuccess", agent="Noor", agentAvatar=avatar)
    assert isinstance(said, AgentJoined)
    assert said.avatar == avatar


def test_an_agent_without_a_picture_may_say_so_with_an_empty_text() -> None:
    said = parse(eventType="escalationSuccess", agent="Noor", agentAvatar="")
    assert isinstance(said, AgentJoined)
    assert said.avatar is None


@pytest.mark.parametrize(("name", "shown"), [("", ""), (None, ""), ("  Noor\u0000 Haddad\n", "Noor Haddad")])
def test_an_agent_may_have_no_name(name: str | None, shown: str) -> None:
    said = parse(eventType="escalationSuccess", agent=name)
    assert isinstance(said, AgentJoined)
    assert said.name == shown


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({}, "$.eventType"),
        ({"eventType": None}, "$.eventType"),
        ({"eventType": 5}, "$.eventType"),
        ({"eventType": ""}, "$.eventType"),
        ({"eventType": "widgetEscalate"}, "$.eventType"),
        ({"eventType": "Message", "text": "x"}, "$.eventType"),
        ({"eventType": "message"}, "$.text"),
        ({"eventType": "message", "text": ""}, "$.text"),
        ({"eventType": "message", "text": " \n\t"}, "$.text"),
        ({"eventType": "message", "text": "\x00\x07"}, "$.text"),
        ({"eventType": "message", "text": None}, "$.text"),
        ({"eventType": "message", "text": 5}, "$.text"),
        ({"eventType": "message", "text": ["x"]}, "$.text"),
        ({"eventType": "message", "text": "x" * (TEXT_LIMIT + 1)}, "$.text"),
        ({"eventType": "message", "text": "x", "messageId": ""}, "$.messageId"),
        ({"eventType": "message", "text": "x", "messageId": 5}, "$.messageId"),
        ({"eventType": "message", "text": "x", "messageId": "m" * 201}, "$.messageId"),
        ({"eventType": "message", "text": "x", "messageId": "m\n"}, "$.messageId"),
        ({"eventType": "message", "text": "x", "platformConversationId": ""}, "$.platformConversationId"),
        ({"eventType": "message", "text": "x", "platformConversationId": " "}, "$.platformConversationId"),
        ({"eventType": "message", "text": "x", "platformConversationId": 5}, "$.platformConversationId"),
        ({"eventType": "message", "text": "x", "platformConversationId": None}, "$.platformConversationId"),
        ({"eventType": "message", "text": "x", "platformConversationId": "a\u0000"}, "$.platformConversationId"),
        ({"eventType": "message", "text": "x", "platformConversationId": "a" * 201}, "$.platformConversationId"),
        ({"eventType": "escalationSuccess", "agent": 5}, "$.agent"),
        ({"eventType": "escalationSuccess", "agent": "a" * 201}, "$.agent"),
    ],
)
def test_the_offending_field_is_named(fields: dict[str, Any], path: str) -> None:
    assert path_of(**fields) == path


def test_a_missing_conversation_is_named() -> None:
    assert refusal(b'{"eventType":"agentDisconnect"}').fields["path"] == "$.platformConversationId"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"null",
        b"[]",
        b'"message"',
        b"5",
        b"\xff\xfe",
        b"eventType=message",
        b"{'a':1}",
        b'{"a":' + b"[" * 100000,
        b'{"eventType":"message","x":' + b'{"y":' * 100000,
        b'{"eventType":"message","platformConversationId":"1","text":"\xff"}',
        b'{"eventType":"message","platformConversationId":"1","text":"\\ud800"}',
        b'{"eventType":"message","platformConversationId":"1","text":"x"} trailing',
    ],
)
def test_what_is_no_json_object(body: bytes) -> None:
    assert refusal(body).fields["path"] == "$"


def test_line_breaks_stay_and_invisible_characters_go() -> None:
    said = parse(eventType="message", text="one\r\n\ttwo\u0000\u001b[31m ❤️ مرحبا")
    assert isinstance(said, AgentReplied)
    assert said.text == "one\r\n\ttwo[31m ❤️ مرحبا"


def test_the_longest_text_is_taken_whole() -> None:
    said = parse(eventType="message", text="ż" * TEXT_LIMIT)
    assert isinstance(said, AgentReplied)
    assert len(said.text) == TEXT_LIMIT


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
_KINDS = ["escalationQueueUpdate", "escalationSuccess", "message", "escalationFailed", "agentDisconnect", "other"]
_FIELDS = ["text", "agent", "agentAvatar", "queuePosition", "waitingTime", "messageId", "platformConversationId"]


def _event_or_path(body: bytes) -> DeskEvent | str:
    """The event, or the path that a refusal names."""
    try:
        return parse_agent_event(body)
    except Invalid as refused:
        return str(refused.fields["path"])


@given(st.sampled_from(_KINDS), st.dictionaries(st.sampled_from(_FIELDS), _JSON | st.text(min_size=1)))
def test_any_body_is_either_an_event_within_its_bounds_or_refused(kind: str, fields: dict[str, Any]) -> None:
    said = _event_or_path(json.dumps({"eventType": kind, **fields}).encode())
    if isinstance(said, str):
        assert said.startswith("$")
        return
    assert kind != "other"
    assert 1 <= len(said.thread_ref) <= 200
    if isinstance(said, AgentReplied):
        assert 1 <= len(said.text) <= TEXT_LIMIT
        assert "\x00" not in said.text
    if isinstance(said, QueueMoved):
        assert said.position is None or said.position >= 0
        assert said.wait_minutes is None or 0 <= said.wait_minutes <= LONGEST_WAIT_MINUTES


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_in_words(body: bytes) -> None:
    assert refusal(body).status == 400


@given(st.floats(min_value=0, max_value=LONGEST_WAIT_MINUTES))
def test_a_waiting_time_is_never_shown_shorter_than_it_was_told(minutes: float) -> None:
    said = parse(eventType="escalationQueueUpdate", waitingTime=minutes)
    assert isinstance(said, QueueMoved)
    assert said.wait_minutes == math.ceil(minutes)


def test_a_delivery_from_outside_must_be_signed() -> None:
    desk = make_desk(Outgoing(), "https://crm.example/hook")
    body = json.dumps(payload("in/message")).encode()
    at = 1_700_000_000_000
    headers = signing.sign([SECRET], "d-1", at, body)
    (said,) = desk.parse(InboundDelivery(headers=headers, body=body, query={}, received_at=at))
    assert said.thread_ref == REF
    for bad_headers, moment in (({}, at), (headers, at + 600_000), ({**headers, "webhook-signature": "v1,AA"}, at)):
        with pytest.raises(SignatureRejected):
            desk.parse(InboundDelivery(headers=bad_headers, body=body, query={}, received_at=moment))
    with pytest.raises(SignatureRejected):
        make_desk(Outgoing(), "https://crm.example/hook", secrets=()).parse(
            InboundDelivery(headers=headers, body=body, query={}, received_at=at)
        )
