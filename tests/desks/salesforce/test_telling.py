"""What Salesforce is told at the beginning, the ids it is told it under, and the table of parameters."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.desks import asking as request_of

from warmline.desks.salesforce.ids import derived_id, item_id, message_id
from warmline.desks.salesforce.payload import CustomDetail, SalesforcePayload
from warmline.desks.salesforce.settings import MessagingSettings, check_settings, parse_table
from warmline.desks.salesforce.telling import context_text, routing_attributes
from warmline.desks.salesforce.words import files_of, words_of
from warmline.handover.port import AuthorKind, EndReason, HandoverRequest, TranscriptLine, VisitorCard
from warmline.kernel.errors import Invalid
from warmline.kernel.ids import uuid7

UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
NO_PAYLOAD: Any = None


def asking(payload: Any = NO_PAYLOAD, lines: int = 3, **more: Any) -> HandoverRequest:
    said = tuple(
        TranscriptLine(seq=number, at=number, author=AuthorKind.VISITOR, name="", text=f"line {number} 😀")
        for number in range(1, lines + 1)
    )
    values: dict[str, Any] = {
        "visitor": VisitorCard(name="Kim Berg", email="kim@example.com"),
        "page": {"url": "https://shop.example/lamp", "userAgent": "Browser/1"},
        "details": {"order": "A-17"},
        "cursor": lines,
        "transcript": said,
    }
    return request_of(**{"conversation_id": "c-1", "reason": EndReason.RULE, "payload": payload, **values, **more})


def published(**more: Any) -> SalesforcePayload:
    values: dict[str, Any] = {
        "crm_platform": "salesforce",
        "organization_id": "00D6g000003Q6HI",
        "deployment_id": "5726g000000k9nQ",
        "button_id": "5736g000000k9nQ",
        "live_agent_hostname": "d.la1-c2-ia4.salesforceliveagent.com",
    }
    return SalesforcePayload(**{**values, **more})


# --------------------------------------------------------------------------------------------------------- ids
@given(st.text(max_size=50))
def test_ids_are_uuids_of_version_4_and_the_same_each_time(words: str) -> None:
    assert UUID4.fullmatch(message_id(words))
    assert message_id(words) == message_id(words)
    assert UUID4.fullmatch(derived_id("a", words))
    assert derived_id("a", words) != derived_id("b", words)


def test_our_messages_are_found_again_by_their_ids() -> None:
    ours = uuid7()
    assert UUID4.fullmatch(message_id(ours))
    assert item_id(message_id(ours)) == ours
    assert item_id(message_id(f"{ours}.2")) not in {ours, f"{ours}.2"}


# --------------------------------------------------------------------------------------------------- parameters
def test_the_table_fills_parameters_from_the_visitor_the_page_and_details() -> None:
    table = parse_table("visitorName=Name; email = E_Mail ;details.order=Order; userAgent = Agent; phone = Phone;")
    assert routing_attributes(table, asking()) == {
        "Name": "Kim Berg",
        "E_Mail": "kim@example.com",
        "Order": "A-17",
        "Agent": "Browser/1",
    }


def test_the_payloads_details_are_found_by_their_labels() -> None:
    details = (
        CustomDetail(label="Order number", value="B-2"),
        CustomDetail(label="email", value="other@example.com"),
        CustomDetail(label="Empty", value=None),
    )
    payload = published(prechat_details=details, visitor_name="Visitor", user_agent="Filled/2", language="en-US")
    table = parse_table(
        "Order number = Order; email = Mail; Empty = Nothing; visitorName = Name; buttonId = Button; language = Language"
    )
    assert routing_attributes(table, asking(payload)) == {
        "Order": "B-2",
        "Mail": "other@example.com",
        "Name": "Kim Berg",
        "Button": "5736g000000k9nQ",
        "Language": "en-US",
    }
    unknown = asking(payload, visitor=VisitorCard())
    assert routing_attributes({"visitorName": "Name"}, unknown) == {"Name": "Visitor"}


def test_a_label_may_have_an_equals_sign() -> None:
    assert parse_table("a = b = C") == {"a = b": "C"}


@pytest.mark.parametrize("text", ["email", "= Email", "email =", "email = E-Mail", "email = 1st", "a = B; c"])
def test_a_pair_that_is_none_is_named(text: str) -> None:
    with pytest.raises(Invalid) as fault:
        parse_table(text)
    assert fault.value.fields["path"] == "$.settings.routing_attributes"


def test_the_org_is_named_by_15_characters() -> None:
    given_settings = {"scrt_url": "https://x.example", "org_id": "00D6g000003Q6HIEA0", "developer_name": "Web"}
    check_settings(given_settings)
    assert MessagingSettings(**given_settings).org == "00D6g000003Q6HI"  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------- the transcript
def test_the_context_says_who_asks_why_and_what_was_said() -> None:
    text = context_text(asking(transcript_url="https://us.example/t"), most_bytes=7_500)
    assert text.splitlines() == [
        "Visitor: Kim Berg, kim@example.com",
        "Reason: rule",
        "Page: https://shop.example/lamp",
        "Language: en",
        "Transcript: https://us.example/t",
        "",
        "Visitor: line 1 😀",
        "Visitor: line 2 😀",
        "Visitor: line 3 😀",
    ]


@given(most=st.integers(min_value=30, max_value=2_000), lines=st.integers(min_value=0, max_value=80))
def test_the_context_never_has_more_bytes_and_leaves_out_the_oldest_first(most: int, lines: int) -> None:
    text = context_text(asking(lines=lines), most_bytes=most)
    assert len(text.encode()) <= most
    kept = re.findall(r"line (\d+) ", text)
    assert kept == [str(number) for number in range(lines - len(kept) + 1, lines + 1)]
    if most >= 300:
        assert ("(Earlier lines were left out.)" in text) is (len(kept) < lines)


def test_what_is_said_after_the_wish_follows_by_itself() -> None:
    text = context_text(asking(cursor=2, transcript_complete=False), most_bytes=7_500)
    assert "line 2" in text
    assert "line 3" not in text
    assert "(Earlier lines were left out.)" in text


# ---------------------------------------------------------------------------------------------------- odd messages
@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({}, "(Something was sent that cannot be shown here: a message without a type)"),
        ({"messageType": "ChoicesMessage"}, "(Something was sent that cannot be shown here: ChoicesMessage)"),
        ({"messageType": "Carousel", "items": [{"title": "One"}, {"title": "Two"}]}, "One\nTwo"),
        (
            {"messageType": "StaticContentMessage", "staticContent": {"formatType": "WebView", "url": "https://x.y"}},
            "https://x.y",
        ),
        (
            {"messageType": "StaticContentMessage", "staticContent": {"formatType": "Hologram"}},
            "(Something was sent that cannot be shown here: Hologram)",
        ),
        (
            {"messageType": "FormMessage", "form": {"title": "Your order"}},
            "Your order\n(A form was sent that cannot be shown here.)",
        ),
    ],
)
def test_nothing_is_lost_without_a_trace(message: dict[str, Any], text: str) -> None:
    assert words_of(message) == text


def test_files_without_an_address_are_none() -> None:
    content = {"formatType": "Attachments", "attachments": [{"name": "x"}, 7, {"url": "https://x.y/z"}]}
    assert [one.url for one in files_of({"staticContent": content})] == ["https://x.y/z"]
    assert files_of({"staticContent": {"attachments": "x"}}) == ()
    assert files_of({}) == ()
