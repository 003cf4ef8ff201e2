"""What Kustomer's deliveries mean; the files say whether they come from the documentation or were captured."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

import pytest

from warmline.desks.kustomer.inbound import agent_id, check_signature, parse_event
from warmline.handover.port import (
    AgentJoined,
    AgentReplied,
    DeskEvent,
    EndReason,
    InboundDelivery,
    QueueMoved,
    SignatureRejected,
    ThreadEnded,
    Unknown,
    VendorFile,
)
from warmline.kernel.errors import Invalid

FILES = Path(__file__).with_name("payloads")
TOKEN = "6f1c0a5e-token"
BOT = "5f7d064afcc10579957f9200"
NOOR = "5f7d064afcc10579957f9217"
OMAR = "5f7d064afcc10579957f9218"
CONVERSATION = "6717c2a4e5b1f00012ab3500"


def raw(name: str) -> bytes:
    return (FILES / f"{name}.json").read_bytes()


def read(name: str) -> DeskEvent | None:
    return parse_event(raw(name), BOT)


def delivery(body: bytes, *, token: str = TOKEN, header: str | None = None) -> InboundDelivery:
    digest = hmac.new(token.encode(), body, hashlib.sha256).hexdigest()
    headers = {"x-kustomer-webhook-signature": digest if header is None else header}
    return InboundDelivery(headers=headers, body=body, query={}, received_at=1_795_000_000_000)


def test_an_agents_line() -> None:
    event = read("message_by_agent")
    assert isinstance(event, AgentReplied)
    assert (event.thread_ref, event.text, event.name) == (CONVERSATION, "Hello, I am Noor.", "")
    assert (event.message_id, event.occurred_at) == ("6717c2b1e5b1f00012ab3601", 1_795_255_200_000)
    assert event.vendor_event_id == "6717c2b1e5b1f00012ab3501"
    assert agent_id(event.raw, BOT) == NOOR


def test_an_agents_line_of_which_only_the_preview_is_told() -> None:
    event = read("message_by_agent_preview_only")
    assert isinstance(event, AgentReplied)
    assert event.text == "Hello, I am Noor."


def test_an_agents_files_are_named_by_where_the_api_describes_them() -> None:
    event = read("message_by_agent_with_files")
    assert isinstance(event, AgentReplied)
    assert event.text == ""
    below = "/v1/messages/6717c2b1e5b1f00012ab3601/attachments"
    ids = ("6717c2b0e5b1f00012ab35f0", "6717c2b0e5b1f00012ab35f1")
    assert event.files == tuple(VendorFile(url=f"{below}/{one}", name="file", private=True) for one in ids)


@pytest.mark.parametrize("name", ["message_by_visitor", "message_by_bot", "message_imported"])
def test_our_own_lines_come_back_and_are_dropped(name: str) -> None:
    assert read(name) is None


@pytest.mark.parametrize(
    "name",
    [
        "message_by_agent_by_email",
        "message_changed",
        "conversation_created",
        "conversation_reopened",
        "conversation_tagged",
        "conversation_team_changed_while_assigned",
        "conversation_of_another_channel",
        "customer_updated",
    ],
)
def test_what_cannot_mean_anything_to_a_chat_is_not_kept(name: str) -> None:
    assert read(name) is None


@pytest.mark.parametrize("name", ["message_automatic", "message_without_text"])
def test_nobody_joins_by_what_no_person_has_said(name: str) -> None:
    event = read(name)
    assert isinstance(event, Unknown)
    assert event.thread_ref == CONVERSATION


@pytest.mark.parametrize(
    ("name", "agent"),
    [
        ("conversation_assigned", NOOR),
        ("conversation_transferred_to_agent", OMAR),
        ("conversation_agent_added", OMAR),
    ],
)
def test_a_new_assignment_is_an_agent_joining(name: str, agent: str) -> None:
    event = read(name)
    assert isinstance(event, AgentJoined)
    assert event.thread_ref == CONVERSATION
    assert agent_id(event.raw, BOT) == agent


@pytest.mark.parametrize(
    ("name", "type_"),
    [
        ("conversation_queued", QueueMoved),
        ("conversation_unassigned", QueueMoved),
        ("conversation_assigned_to_bot", QueueMoved),
        ("conversation_transferred_to_team", QueueMoved),
        ("conversation_done", ThreadEnded),
        ("conversation_ended", ThreadEnded),
    ],
)
def test_the_other_changes(name: str, type_: type[DeskEvent]) -> None:
    event = read(name)
    assert type(event) is type_
    assert event is not None
    assert event.thread_ref == CONVERSATION


def test_a_customer_who_ended_it_is_told_apart() -> None:
    ended = raw("conversation_ended")
    for who, reason in (("user", EndReason.AGENT_LEFT), ("customer", EndReason.VISITOR_LEFT)):
        event = parse_event(ended.replace(b'"endedByType": "user"', f'"endedByType": "{who}"'.encode()), BOT)
        assert isinstance(event, ThreadEnded)
        assert event.reason is reason
    done = raw("conversation_done")
    event = parse_event(done.replace(b'"status": "done"', b'"endedByType": "customer", "status": "done"', 1), BOT)
    assert isinstance(event, ThreadEnded)
    assert event.reason is EndReason.AGENT_LEFT


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"id": 1, "name": "kustomer.message.create", "data": {"id": "m"}}', b"\xff"]
)
def test_what_is_no_delivery_is_refused(body: bytes) -> None:
    with pytest.raises(Invalid):
        parse_event(body, BOT)


def test_a_message_of_no_conversation_is_nobodys() -> None:
    assert parse_event(b'{"id": "e", "name": "kustomer.message.create", "data": {"id": "m"}}', BOT) is None


def test_a_signature_counts_with_either_token_of_a_rotation() -> None:
    check_signature(delivery(b"{}"), [TOKEN])
    check_signature(delivery(b"{}"), ["another", TOKEN])


@pytest.mark.parametrize(
    "wrong",
    [
        delivery(b"{}", token="another"),
        delivery(b"{}", header=""),
        delivery(b"{}", header="ü"),
        delivery(b"{}", header="sha256=00"),
        InboundDelivery(headers={}, body=b"{}", query={}, received_at=0),
    ],
    ids=["other token", "empty", "not ascii", "another form", "missing"],
)
def test_other_signatures_are_refused(wrong: InboundDelivery) -> None:
    with pytest.raises(SignatureRejected):
        check_signature(wrong, [TOKEN])


def test_without_a_token_nothing_is_signed() -> None:
    with pytest.raises(SignatureRejected):
        check_signature(delivery(b"{}"), [])


def test_a_changed_body_is_refused() -> None:
    signed = delivery('{"text": "Grüße 😀"}'.encode())
    check_signature(signed, [TOKEN])
    changed = InboundDelivery(headers=signed.headers, body=b'{"text":"x"}', query={}, received_at=0)
    with pytest.raises(SignatureRejected):
        check_signature(changed, [TOKEN])
