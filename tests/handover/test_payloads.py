"""Payloads of rungs: mistakes are found where they stand when a payload is saved, and it is filled for each conversation."""

from __future__ import annotations

import msgspec
import pytest

from warmline.handover.payloads import PLACEHOLDERS, PayloadKind, check_payload, fill_payload, values_of
from warmline.handover.port import EndReason, HandoverRequest, VisitorCard
from warmline.platform.typed_json import Typed, TypedJsonInvalid


class Body(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    queue_id: str
    tags: list[str] = []
    email: str | None = None
    note: str = ""


def no_blank_queue(body: Body, typed: Typed) -> None:
    if not body.queue_id:
        typed.refuse("A queue is needed.", "$.queueId")


KIND = PayloadKind(body=Body, example='{"queueId": "q1"}', check=no_blank_queue)

PAYLOAD = """{
  "queueId": "q1", // ours
  "tags": ["web", "{{language}}"],
  "email": "{{email}}",
  "note": "from {{url}}, order {{details.order}}",
}"""


def request(**card: str) -> HandoverRequest:
    return HandoverRequest(
        id="h.0",
        conversation_id="c1",
        handover_id="h",
        rung=0,
        owner_epoch=2,
        bot_id="b",
        reason=EndReason.REQUESTED_BY_VISITOR,
        language="de",
        visitor=VisitorCard(id="v", **card),
        page={"url": "https://shop.example/lamp", "userAgent": "Firefox", "screenRes": ""},
    )


def test_a_payload_is_filled_for_one_conversation() -> None:
    check_payload(KIND, PAYLOAD)
    values = values_of(request(email="vera@mail.example"), {"order": "77"})
    filled = fill_payload(KIND, PAYLOAD, values)
    assert filled == Body(
        queue_id="q1",
        tags=["web", "de"],
        email="vera@mail.example",
        note="from https://shop.example/lamp, order 77",
    )


def test_what_is_not_known_is_null_or_empty() -> None:
    values = values_of(request(), {})
    assert "email" not in values
    assert "screenRes" not in values
    assert values["visitorName"] == "Visitor"
    filled = fill_payload(KIND, PAYLOAD, values)
    assert (filled.email, filled.note) == (None, "from https://shop.example/lamp, order ")


def test_a_visitor_cannot_smuggle_a_placeholder_in() -> None:
    filled = fill_payload(KIND, PAYLOAD, values_of(request(email="{{details.secret}}"), {"secret": "x"}))
    assert filled.email == "{{details.secret}}"


@pytest.mark.parametrize(
    ("text", "path", "place", "word"),
    [
        ('{"tags": []}', "$.queueId", (1, 1), "queueId is missing"),
        ('{"queueId": 7}', "$.queueId", (1, 13), "Expected str"),
        ('{"queueId": "q",\n "tags": ["a", 7]}', "$.tags[1]", (2, 16), "Expected str"),
        ('{"queueId": "q",\n  "quueId": "q"}', "$.quueId", (2, 13), "no field quueId"),
        ('{"queueId": "q", "email": "{{emial}}"}', "$.email", (1, 27), "Is email meant"),
        ('{"queueId": "q", "email": "{{details.}}"}', "$.email", (1, 27), "Not a placeholder"),
        ('{"queueId": "q", "email": "{{secret.key}}"}', "$.email", (1, 27), "Nothing fills"),
        ('{"queueId": ""}', "$.queueId", (1, 13), "A queue is needed"),
        ('["queueId"]', "$", (1, 1), "Expected object"),
    ],
)
def test_what_is_wrong_is_found_where_it_stands(text: str, path: str, place: tuple[int, int], word: str) -> None:
    with pytest.raises(TypedJsonInvalid, match=word) as refused:
        check_payload(KIND, text)
    assert (refused.value.line, refused.value.column) == place
    assert refused.value.fields["path"] == path


def test_every_placeholder_says_what_it_is() -> None:
    known = values_of(request(name="Vera", email="v@m.example", phone="1"), {})
    page = {"screenRes", "title", "referrer"}
    assert set(PLACEHOLDERS) - page == set(known) - {"details"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"queueId": "q1", "note": "{{emial}"}', "two braces on either side"),
        ('{"queueId": "q1", "note": "{email}}"}', "two braces on either side"),
        ('{"queueId": "q1", "{{email}}": "x"}', "not in the names of fields"),
        ('{"queueId": "{{details.queue}}"}', "For a visitor of whom nothing is known"),
        ('{"queueId": ' + "9" * 5_000 + "}", "at most 40 characters"),
        ('{"queueId": 1e999}', "too large"),
    ],
    ids=["one brace missing", "one brace missing before", "in a name", "never without", "long number", "endless"],
)
def test_what_would_go_wrong_later_is_found_when_it_is_saved(text: str, said: str) -> None:
    with pytest.raises(TypedJsonInvalid, match=said):
        check_payload(KIND, text)


def test_an_item_of_a_list_without_a_value_is_left_out() -> None:
    text = '{"queueId": "q1", "tags": ["vip", "{{details.order}}", "{{language}}"]}'
    check_payload(KIND, text)
    assert fill_payload(KIND, text, values_of(request(), {})).tags == ["vip", "de"]
    assert fill_payload(KIND, text, values_of(request(), {"order": "77"})).tags == ["vip", "77", "de"]


class Nested(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    inside: str


NESTED = PayloadKind(body=Nested, example='{"inside": "{}"}', json_texts=("inside",))


@pytest.mark.parametrize(
    ("inner", "said"),
    [
        ({"a": {"b": {}}}, None),
        ({"mail": "{{email}}"}, None),
        ({"mail": "{{emial}}"}, "Is email meant"),
        ({"{{email}}": "x"}, "not in the names of fields"),
    ],
)
def test_json_within_a_text_is_looked_into(inner: object, said: str | None) -> None:
    # Escaped throughout: what stands in it must not be found by its braces alone.
    text = "".join(f"\\u{ord(one):04x}" if one in "{}" else one for one in msgspec.json.encode(inner).decode())
    typed = '{"inside": ' + msgspec.json.encode(msgspec.json.encode(inner).decode()).decode() + "}"
    escaped = '{"inside": "' + text.replace('"', '\\"') + '"}'
    for one in (typed, escaped):
        if said is None:
            check_payload(NESTED, one)
        else:
            with pytest.raises(TypedJsonInvalid, match=said):
                check_payload(NESTED, one)
