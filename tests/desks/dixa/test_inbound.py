"""What Dixa's deliveries mean; the files say whether they come from the documentation or were captured."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

import pytest

from warmline.desks.dixa.inbound import TOLERANCE_MS, check_signature, parse_event
from warmline.handover.port import (
    AgentJoined,
    AgentReplied,
    AgentTyping,
    DeskEvent,
    InboundDelivery,
    OpenFailed,
    QueueMoved,
    SignatureRejected,
    ThreadEnded,
    ThreadTransferred,
    Unknown,
    VendorFile,
)
from warmline.kernel.errors import Invalid

FILES = Path(__file__).with_name("payloads")
SECRET = "6a" * 32
NOW = 1_795_000_000_000


def read(name: str) -> DeskEvent | None:
    return parse_event((FILES / f"{name}.json").read_bytes(), "bot-1")


def delivery(body: bytes, *, secret: str = SECRET, at: int = NOW, header: str | None = None) -> InboundDelivery:
    digest = hmac.new(bytes.fromhex(secret), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    signature = header if header is not None else f"t={at},v1={digest}"
    return InboundDelivery(headers={"x-dixa-signature": signature}, body=body, query={}, received_at=NOW)


def test_an_agents_line() -> None:
    event = read("message_added_by_agent")
    assert isinstance(event, AgentReplied)
    assert (event.thread_ref, event.text, event.name) == ("4711", "Hello, I am Noor.", "Noor")
    assert (event.message_id, event.occurred_at) == ("m-1", 1_795_255_200_000)
    assert event.vendor_event_id == "0f8fad5b-d9cb-469f-a165-708677300001"


def test_an_agents_file_arrives_by_its_address() -> None:
    event = read("message_added_with_attachment")
    assert isinstance(event, AgentReplied)
    assert event.text == ""
    assert event.files == (VendorFile(url="https://files.dixa.io/x.pdf", name="invoice.pdf"),)


@pytest.mark.parametrize("name", ["message_added_by_visitor", "message_added_by_bot"])
def test_our_own_lines_come_back_and_are_dropped(name: str) -> None:
    assert read(name) is None


@pytest.mark.parametrize(
    ("name", "type_"),
    [
        ("enqueued", QueueMoved),
        ("assigned", AgentJoined),
        ("unassigned", ThreadTransferred),
        ("transferred_to_queue", ThreadTransferred),
        ("transferred_to_agent", AgentJoined),
        ("typing_started", AgentTyping),
        ("closed", ThreadEnded),
        ("abandoned", OpenFailed),
        ("tag_added", Unknown),
    ],
)
def test_the_other_events(name: str, type_: type[DeskEvent]) -> None:
    event = read(name)
    assert type(event) is type_
    assert event is not None
    assert event.thread_ref == "4711"
    if isinstance(event, AgentJoined):
        assert event.name == "Noor"


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"event_id": 1, "event_fqn": "X"}', b"\xff"])
def test_what_is_no_delivery_is_refused(body: bytes) -> None:
    with pytest.raises(Invalid):
        parse_event(body, None)


def test_a_signature_counts_with_either_secret_of_a_rotation() -> None:
    check_signature(delivery(b"{}"), [SECRET])
    check_signature(delivery(b"{}"), ["7b" * 32, SECRET])


@pytest.mark.parametrize(
    "wrong",
    [
        delivery(b"{}", secret="7b" * 32),
        delivery(b"{}", at=NOW - TOLERANCE_MS - 1),
        delivery(b"{}", at=NOW + TOLERANCE_MS + 1),
        delivery(b"{}", header=""),
        delivery(b"{}", header="v1=00"),
        delivery(b"{}", header="t=,v1="),
        delivery(b"{}", header="t=nope,v1=00"),
        InboundDelivery(headers={}, body=b"{}", query={}, received_at=NOW),
    ],
    ids=["other secret", "too old", "from the future", "empty", "no time", "nothing in it", "no number", "missing"],
)
def test_other_signatures_are_refused(wrong: InboundDelivery) -> None:
    with pytest.raises(SignatureRejected):
        check_signature(wrong, [SECRET, "not hexadecimal"])


def test_a_changed_body_is_refused() -> None:
    signed = delivery('{"text": "Grüße 😀"}'.encode())
    check_signature(signed, [SECRET])
    changed = InboundDelivery(headers=signed.headers, body=b'{"text": "x"}', query={}, received_at=NOW)
    with pytest.raises(SignatureRejected):
        check_signature(changed, [SECRET])
