"""What deliveries of Sunshine Conversations mean; the files say whether they come from the documentation or were captured."""

from __future__ import annotations

from pathlib import Path

import pytest

from warmline.desks.sunco.inbound import check_secret, parse_batch
from warmline.desks.sunco.settings import AGENT_WORKSPACE
from warmline.handover.port import (
    AgentJoined,
    AgentReplied,
    AgentTyping,
    DeskEvent,
    EndReason,
    InboundDelivery,
    OpenFailed,
    SignatureRejected,
    ThreadEnded,
    Unknown,
    VendorFile,
)
from warmline.kernel.errors import Invalid

FILES = Path(__file__).with_name("payloads")
CONVERSATION = "029c31f25a21b47effd7be90"
API = "https://shop.zendesk.com/sc"


def read(name: str) -> list[DeskEvent]:
    return parse_batch((FILES / f"{name}.json").read_bytes(), agents=AGENT_WORKSPACE, api_url=API)


def reply(name: str) -> AgentReplied:
    (found,) = [event for event in read(name) if isinstance(event, AgentReplied)]
    return found


def delivery(secret: str | None) -> InboundDelivery:
    headers = {} if secret is None else {"x-api-key": secret}
    return InboundDelivery(headers=headers, body=b"{}", query={}, received_at=1)


def test_an_agent_who_writes_is_there() -> None:
    joined, said = read("agent_text")
    assert isinstance(joined, AgentJoined)
    assert (joined.name, joined.avatar, joined.thread_ref) == ("Noor", "https://example.com/noor.png", CONVERSATION)
    assert isinstance(said, AgentReplied)
    assert (said.text, said.name, said.message_id) == ("Hello, I am Noor.", "Noor", "615d7e2f9d8c7b00e5e1a001")
    assert said.occurred_at == 1_795_255_200_000
    assert joined.vendor_event_id != said.vendor_event_id == "5f74a0d52b5315fc007e7001"


def test_an_agent_without_a_name_is_left_to_be_inferred() -> None:
    assert [type(event) for event in read("agent_without_a_name")] == [AgentReplied]


def test_markup_becomes_text_with_the_targets_of_links() -> None:
    assert reply("agent_html").text == "See the lamp (https://shop.example/lamp)\n\n- one"


def test_files_are_named_and_private_ones_marked() -> None:
    picture = reply("agent_image")
    url = "https://media.smooch.example/apps/1/lamp%20post.png"
    assert picture.text == "Like this?"
    assert picture.files == (VendorFile(url=url, name="lamp post.png", media_type="image/png", size=1234),)
    paper = reply("agent_private_file")
    assert (paper.text, paper.files[0].name, paper.files[0].private) == ("", "Invoice 5.pdf", True)


@pytest.mark.parametrize(
    "name",
    [
        "own_line_of_the_visitor",
        "own_context",
        "user_types",
        "release_by_us",
        "pass_to_ourselves_by_us",
        "pass_to_agents",
        "offer_to_us",
        "user_updated",
        "conversation_created",
    ],
)
def test_echoes_and_what_is_no_business_of_a_talk_are_dropped(name: str) -> None:
    assert read(name) == []


@pytest.mark.parametrize(
    ("name", "type_"),
    [
        ("agent_types", AgentTyping),
        ("agent_stops_typing", AgentTyping),
        ("release_ticket_closed", ThreadEnded),
        ("release_transfer_to_email", ThreadEnded),
        ("pass_back_to_us", ThreadEnded),
        ("pass_to_bot", ThreadEnded),
        ("accepted_by_bot", ThreadEnded),
        ("activity_ticket_closed", ThreadEnded),
        ("activity_transfer_email", ThreadEnded),
        ("pass_failure", OpenFailed),
        ("offer_failure", OpenFailed),
        ("activity_ended_by_user", ThreadEnded),
        ("bot_of_zendesk", Unknown),
        ("bot_by_subtype", Unknown),
        ("message_without_words", Unknown),
        ("offer_to_somebody", Unknown),
        ("delivery_failure", Unknown),
        ("unheard_of", Unknown),
        ("another_shape", Unknown),
    ],
)
def test_what_each_event_means(name: str, type_: type[DeskEvent]) -> None:
    (event,) = read(name)
    assert type(event) is type_
    assert event.thread_ref == CONVERSATION
    assert event.vendor_event_id


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("activity_ended_by_user", EndReason.VISITOR_LEFT),
        ("activity_ticket_closed", EndReason.AGENT_LEFT),
        ("release_ticket_closed", EndReason.AGENT_LEFT),
    ],
)
def test_how_it_ended(name: str, reason: EndReason) -> None:
    (event,) = read(name)
    assert isinstance(event, ThreadEnded)
    assert event.reason is reason


def test_details_are_for_the_operator() -> None:
    (failed,) = read("pass_failure")
    assert isinstance(failed, OpenFailed)
    assert failed.detail == "switchboard_invalid_target Switchboard invalid target"
    (stopped,) = read("agent_stops_typing")
    assert isinstance(stopped, AgentTyping)
    assert not stopped.on
    (unknown,) = read("unheard_of")
    assert isinstance(unknown, Unknown)
    assert unknown.kind == "conversation:summarised"


def test_a_batch_holds_several_conversations_in_order() -> None:
    events = read("batch_of_two_conversations")
    told = [(type(event).__name__, event.thread_ref[-2:]) for event in events]
    assert told == [
        ("AgentJoined", "90"),
        ("AgentReplied", "90"),
        ("AgentJoined", "91"),
        ("AgentReplied", "91"),
        ("ThreadEnded", "90"),
    ]
    assert len({event.vendor_event_id for event in events}) == len(events)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"events": 1}', b"\xff"])
def test_what_is_no_delivery_is_refused(body: bytes) -> None:
    with pytest.raises(Invalid):
        parse_batch(body, agents=AGENT_WORKSPACE, api_url=API)


def test_an_event_without_a_conversation_is_nobodys() -> None:
    body = b'{"events": [{"id": "1", "type": "client:add", "payload": {}}, {"id": "2", "type": "x", "payload": []}]}'
    assert parse_batch(body, agents=AGENT_WORKSPACE, api_url=API) == []


def test_the_secret_is_the_header_and_may_be_one_of_two() -> None:
    check_secret(delivery("new"), ["new", "old"])
    check_secret(delivery("old"), ["new", "old"])
    for given, secrets in (("new", []), (None, ["new"]), ("", ["new"]), ("NEW", ["new"]), ("é", ["new"])):
        with pytest.raises(SignatureRejected):
            check_secret(delivery(given), secrets)
