"""What an agent is told first, and what the ticket is made with."""

from __future__ import annotations

import json

import msgspec
import pytest
from tests.support.desks import asking

from warmline.desks.sunco.context import MOST_PARTS, TEXT_LIMIT, context_parts, pieces, split_turns
from warmline.desks.sunco.metadata import LIMIT_BYTES, pass_metadata
from warmline.desks.sunco.settings import PAYLOAD, FieldValue, SuncoPayload
from warmline.handover.payloads import check_payload
from warmline.handover.port import AuthorKind, EndReason, HandoverRequest, TranscriptLine, VisitorCard
from warmline.platform.typed_json import TypedJsonInvalid


def line(seq: int, text: str, author: AuthorKind = AuthorKind.VISITOR) -> TranscriptLine:
    return TranscriptLine(seq=seq, at=seq, author=author, name="", text=text)


def request(*lines: TranscriptLine, cursor: int = 1_000, complete: bool = True) -> HandoverRequest:
    return asking(
        reason=EndReason.RULE,
        visitor=VisitorCard(name="Kim", email="kim@example.com"),
        page={"url": "https://shop.example/lamps"},
        transcript=lines,
        transcript_complete=complete,
        cursor=cursor,
    )


def test_the_facts_come_first_then_what_was_said_until_the_wish() -> None:
    asked = request(line(1, "Hi"), line(2, "Hello", AuthorKind.BOT), line(3, " "), line(9, "later"), cursor=5)
    first, said = context_parts(asked)
    assert first == (
        "Reason: rule\nVisitor: Kim\nE-mail: kim@example.com\nPage: https://shop.example/lamps\nLanguage: en"
    )
    assert said == "Visitor: Hi\nBot: Hello"


def test_a_long_transcript_is_split_between_turns_and_keeps_the_newest() -> None:
    lines = [line(number, f"{number} " + "x" * 1_500) for number in range(1, 60)]
    parts = context_parts(request(*lines))
    assert len(parts) == MOST_PARTS
    assert all(len(part) <= TEXT_LIMIT for part in parts)
    assert all(part.startswith("Visitor: ") for part in parts[1:])
    assert "Visitor: 59 " in parts[-1]
    assert parts[0].endswith("(earlier messages are left out)")
    assert context_parts(request(line(1, "Hi"), complete=False))[0].endswith("left out)")


@pytest.mark.parametrize("length", [9, 10, 11, 25])
def test_a_turn_that_is_too_long_is_cut_and_nothing_is_lost(length: int) -> None:
    turns = ["a" * length, "b", "c" * 3]
    parts = split_turns(turns, 10)
    assert max(len(part) for part in parts) <= 10
    assert "".join(parts).replace("\n", "") == "".join(turns)


@pytest.mark.parametrize("text", ["", "a", "a" * 4_096, "😀" * 4_096, "a" + "😀" * 2_048 + "b", "ab😀" * 3_000])
def test_an_emoji_counts_twice_and_nothing_is_lost(text: str) -> None:
    found = pieces(text)
    assert "".join(found) == text
    assert all(0 < len(piece.encode("utf-16-le")) // 2 <= TEXT_LIMIT for piece in found)
    assert len(found) <= 3


def test_the_ticket_is_made_with_what_the_rung_says() -> None:
    payload = SuncoPayload(
        crm_platform="sunco",
        connection_id="x",
        assignee_id="5",
        priority="high",
        name="Kim Lee",
        tags=("a", "b"),
        ticket_fields={"360": "value", "361": True, "362": "", "363": None},
    )
    assert pass_metadata(payload, request(), group_id="7", first_message_id="m") == {
        "dataCapture.systemField.requester.name": "Kim Lee",
        "dataCapture.systemField.requester.email": "kim@example.com",
        "dataCapture.systemField.tags": "a,b",
        "dataCapture.systemField.priority": "high",
        "dataCapture.systemField.group_id": "7",
        "dataCapture.systemField.assignee_id": "5",
        "first_message_id": "m",
        "dataCapture.ticketField.360": "value",
        "dataCapture.ticketField.361": True,
    }


def test_more_fields_than_fit_are_left_out() -> None:
    fields: dict[str, FieldValue | None] = {str(number): "ü" * 1_000 for number in range(9)}
    fields["9"] = "short"
    payload = SuncoPayload(crm_platform="sunco", connection_id="x", ticket_fields=fields)
    made = pass_metadata(payload, request(), group_id=None, first_message_id="m")
    assert len(msgspec.json.encode(made)) <= LIMIT_BYTES
    assert made["dataCapture.ticketField.9"] == "short"


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"groupId": "support"}, "$.groupId"),
        ({"ticketFields": {"page": "x"}}, "$.ticketFields.page"),
        ({"priority": "soon"}, "$.priority"),
        ({"tags": ["a,b"]}, "$.tags[0]"),
        ({"queue": "x"}, "$"),
    ],
)
def test_a_wrong_payload_is_named(change: dict[str, object], path: str) -> None:
    good = json.loads(PAYLOAD.example)
    check_payload(PAYLOAD, json.dumps(good))
    with pytest.raises(TypedJsonInvalid) as refused:
        check_payload(PAYLOAD, json.dumps(good | change))
    assert str(refused.value.fields["path"]).startswith(path)
