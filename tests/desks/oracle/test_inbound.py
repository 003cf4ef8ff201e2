"""What polls of Oracle's chat mean; the files say whether they come from the documentation or were captured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from warmline.desks.oracle.inbound import Reading, Remembered
from warmline.handover.port import (
    AgentJoined,
    AgentLeft,
    AgentReplied,
    AgentTyping,
    DeskEvent,
    EndReason,
    OpenFailed,
    QueueMoved,
    ThreadEnded,
    ThreadTransferred,
    Unknown,
    VendorFile,
)

FILES = Path(__file__).with_name("payloads")
NOOR = "9007199254740993"
WAITING = Remembered(client="7")
TALKING = Remembered(client="7", people={NOOR: "Noor", "22": "Mei"}, lead=NOOR, joined=True)


def load(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FILES / f"{name}.json").read_text(encoding="utf-8"))
    return found


def read(name: str, known: Remembered = TALKING) -> Reading:
    reading = Reading("4711", known)
    reading.take(load(name)["systemMessages"])
    return reading


def only(name: str, known: Remembered = TALKING) -> DeskEvent:
    (event,) = read(name, known).events
    return event


def test_a_place_in_the_queue_and_a_wait_in_whole_minutes() -> None:
    event = only("wait", WAITING)
    assert isinstance(event, QueueMoved)
    assert (event.position, event.wait_minutes, event.vendor_event_id) == (3, 2, "1")
    assert event.occurred_at == 1_795_255_200_000


@pytest.mark.parametrize("told", [{}, {"position": -1, "expectedWaitTimeSeconds": -1}])
def test_a_figure_that_is_none_is_not_told(told: dict[str, int]) -> None:
    reading = Reading("4711", WAITING)
    reading.take([{"messageName": "RNEngagementWaitInformationChangedMessage", "sequenceNumber": 1, **told}])
    (event,) = reading.events
    assert isinstance(event, QueueMoved)
    assert (event.position, event.wait_minutes) == (None, None)


def test_the_lead_agent_joins_and_his_greeting_is_a_line() -> None:
    reading = read("lead_added", WAITING)
    joined, greeting = reading.events
    assert isinstance(joined, AgentJoined)
    assert isinstance(greeting, AgentReplied)
    assert (joined.name, greeting.text, greeting.name) == ("Noor", "Hello, how can I help?", "Noor")
    assert (joined.vendor_event_id, greeting.vendor_event_id) == ("2", "2.1")
    assert reading.known == Remembered(client="7", people={NOOR: "Noor"}, lead=NOOR, joined=True)


def test_a_second_agent_comes_and_goes_without_taking_over() -> None:
    assert read("conferee_added").events == []
    assert read("conferee_added").known.lead == NOOR
    assert read("conferee_left").events == []


def test_markup_becomes_text_and_the_speaker_is_named_by_his_exact_number() -> None:
    event = only("posted")
    assert isinstance(event, AgentReplied)
    assert event.text == "Please see the lamp (https://shop.example/lamp)"
    assert event.name == "Noor"


def test_the_visitors_own_line_is_no_news() -> None:
    assert read("posted_by_visitor").events == []


def test_a_notice_of_the_system_is_shown_without_a_name() -> None:
    event = only("notice")
    assert isinstance(event, AgentReplied)
    assert (event.text, event.name) == ("Your message was blocked.", "")


@pytest.mark.parametrize(("name", "on"), [("typing", True), ("listening", False)])
def test_typing(name: str, on: bool) -> None:
    event = only(name)
    assert isinstance(event, AgentTyping)
    assert event.on is on


def test_leaving_is_a_transfer_and_never_the_end() -> None:
    reading = read("lead_transferred")
    assert [type(event) for event in reading.events] == [ThreadTransferred]
    assert (reading.over, reading.known.lead) == (False, "")


def test_another_agent_takes_over_by_a_change_of_roles() -> None:
    reading = read("role_changed")
    (event,) = reading.events
    assert isinstance(event, AgentJoined)
    assert (event.name, reading.known.lead) == ("Mei", "22")
    reading.take(load("lead_transferred")["systemMessages"])
    assert len(reading.events) == 1, "who led before leaves, and nobody minds"


def test_a_pool_that_moves_is_no_event() -> None:
    reading = read("pool_moved")
    assert (reading.pool, reading.events) == ("pool02:shop", [])


def test_an_agents_file() -> None:
    event = only("file")
    assert isinstance(event, AgentReplied)
    assert event.files == (
        VendorFile(url="https://shop.custhelp.com/f/leaf.png", name="leaf.png", media_type="image/png"),
    )


@pytest.mark.parametrize(
    ("name", "known", "kind", "reason"),
    [
        ("concluded_by_agent", TALKING, AgentLeft, None),
        ("concluded_by_visitor", TALKING, ThreadEnded, EndReason.VISITOR_LEFT),
        ("concluded_by_visitor", WAITING, ThreadEnded, EndReason.VISITOR_LEFT),
        ("idle_timeout", TALKING, ThreadEnded, EndReason.IDLE),
        ("idle_timeout", WAITING, OpenFailed, None),
        ("queue_timeout", WAITING, OpenFailed, None),
        ("queue_timeout", TALKING, OpenFailed, None),
    ],
)
def test_the_end(name: str, known: Remembered, kind: type[DeskEvent], reason: EndReason | None) -> None:
    reading = read(name, known)
    assert reading.over
    assert [(type(event), getattr(event, "reason", None)) for event in reading.events] == [(kind, reason)]


@pytest.mark.parametrize("name", ["connection_lost", "file_status", "summarised"])
def test_what_means_nothing_here_is_kept_as_unknown(name: str) -> None:
    event = only(name)
    assert isinstance(event, Unknown)
    assert event.raw == load(name)["systemMessages"][0]
    assert event.kind == event.raw["messageName"]


def test_errors_beside_the_messages_are_kept_each_under_an_id_that_stays() -> None:
    found = []
    for _time in range(2):
        reading = Reading("4711", WAITING)
        reading.take_errors(["one", {"code": 2}])
        assert all(isinstance(event, Unknown) for event in reading.events)
        found.append([event.vendor_event_id for event in reading.events])
    assert found[0] == found[1]
    assert len(set(found[0])) == 2


def test_messages_are_read_in_the_order_of_their_numbers() -> None:
    reading = Reading("4711", WAITING)
    reading.take([*load("posted")["systemMessages"], *load("lead_added")["systemMessages"]])
    assert [type(event) for event in reading.events] == [AgentJoined, AgentReplied, AgentReplied]


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"messageName": None},
        {"messageName": "RNEngagementMessagePostedMessage", "clientId": 22},
        {"messageName": "RNEngagementFileAttachmentMessage"},
        {"messageName": "RNEngagementConfigurationChangedMessage", "pool": 5},
        {"messageName": "RNEngagementRoleChangedMessage", "createdTime": "yesterday"},
    ],
)
def test_messages_without_what_they_should_have_break_nothing(message: dict[str, Any]) -> None:
    reading = Reading("4711", TALKING)
    reading.take([message])
    (event,) = reading.events
    assert isinstance(event, Unknown)
    assert event.vendor_event_id
