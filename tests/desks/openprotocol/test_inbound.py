"""What reports of a helpdesk mean; the files are the examples of docs/protocol.md."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from warmline.desks.openprotocol.inbound import parse_report
from warmline.handover.port import (
    AgentJoined,
    AgentLeft,
    AgentReplied,
    AgentTyping,
    DeskEvent,
    OpenFailed,
    QueueMoved,
    ThreadTransferred,
    Unknown,
    VendorFile,
)
from warmline.kernel.errors import Invalid

FILES = Path(__file__).with_name("payloads")
ATTEMPT = "01a1ff3d-1cae-7038-b83f-91bbdb2baee1.0"


def read(name: str, **changed: Any) -> list[DeskEvent]:
    given = json.loads((FILES / f"report.{name}.json").read_text()) | changed
    return list(parse_report(json.dumps(given).encode()))


def only(name: str, **changed: Any) -> Any:
    (event,) = read(name, **changed)
    return event


def test_every_report_names_its_attempt_and_itself() -> None:
    for path in FILES.glob("report.*.json"):
        for event in parse_report(path.read_bytes()):
            assert event.thread_ref == ATTEMPT
            assert (event.vendor_event_id or "").startswith("r-")
            assert event.raw == path.read_bytes()


def test_accept() -> None:
    event = only("accept")
    assert isinstance(event, AgentJoined)
    assert (event.name, event.avatar) == ("Noor Haddad", "https://helpdesk.example/noor.png")
    nobody = only("accept", agent={})
    assert (nobody.name, nobody.avatar) == ("", None)


def test_decline_and_queue_and_typing() -> None:
    declined, queued, typing = only("decline"), only("queue"), only("typing")
    assert isinstance(declined, OpenFailed)
    assert declined.detail == "Everybody is at lunch."
    assert isinstance(queued, QueueMoved)
    assert (queued.position, queued.wait_minutes) == (3, 7)
    assert isinstance(typing, AgentTyping)
    assert not typing.on


def test_a_message_with_its_files() -> None:
    event = only("message")
    assert isinstance(event, AgentReplied)
    assert (event.text, event.name, event.message_id) == ("Here is your label.", "Noor Haddad", "r-5")
    assert event.files == (
        VendorFile(
            url="https://helpdesk.example/f/label.pdf", name="label.pdf", media_type="application/pdf", size=48_211
        ),
    )
    assert only("message", text="").text == ""


def test_pass_and_release() -> None:
    people = only("pass")
    assert isinstance(people, ThreadTransferred)
    assert people.name == "Returns"
    left, declined = read("pass", to="ladder")
    assert isinstance(left, ThreadTransferred)
    assert isinstance(declined, OpenFailed)
    # Two events of one report are two things to remember.
    assert left.vendor_event_id != declined.vendor_event_id
    assert isinstance(only("pass", to="bot"), AgentLeft)
    assert isinstance(only("release"), AgentLeft)


def test_a_type_of_a_later_version_is_kept_as_unknown() -> None:
    event = only("release", type="summarise")
    assert isinstance(event, Unknown)
    assert event.kind == "summarise"


@pytest.mark.parametrize(
    ("name", "changed", "path"),
    [
        ("accept", {"attempt_id": " "}, "$.attempt_id"),
        ("accept", {"id": ""}, "$.id"),
        ("accept", {"agent": {"avatar": "javascript:alert(1)"}}, "$.agent.avatar"),
        ("accept", {"type": 1}, "$.type"),
        ("queue", {"position": 0}, "$.position"),
        ("queue", {"wait_minutes": 1.5}, "$.wait_minutes"),
        ("message", {"text": " \u0000 "}, "$.text"),
        ("message", {"text": "x" * 10_001}, "$.text"),
        ("message", {"text": "", "files": []}, "$.text"),
        ("message", {"files": [{"url": "file:///etc/passwd"}]}, "$.files[0].url"),
        ("message", {"files": [{"name": "no address"}]}, "$.files[0].url"),
        ("pass", {"to": "nobody"}, "$.to"),
    ],
)
def test_what_is_wrong_is_named(name: str, changed: dict[str, Any], path: str) -> None:
    with pytest.raises(Invalid) as refused:
        read(name, **changed)
    assert refused.value.fields["path"] == path


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'"x"', b"\xff", b"[" * 100_000])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(Invalid):
        parse_report(body)
