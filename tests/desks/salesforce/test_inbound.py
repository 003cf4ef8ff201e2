"""What Salesforce's entries mean; the files say whether they come from the documentation, from clients, or were captured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from warmline.desks.salesforce.client import Entry
from warmline.desks.salesforce.inbound import Heard, Here, asked_about, entry_type, hear, hear_all
from warmline.handover.port import (
    AgentJoined,
    AgentReplied,
    AgentTyping,
    EndReason,
    OpenFailed,
    QueueMoved,
    ThreadEnded,
    ThreadTransferred,
    Unknown,
)
from warmline.platform.sse import SseEvent

FILES = Path(__file__).with_name("payloads")
REF = "5d0c1a7e-6b1f-4c1d-9a52-0d6c8f0b7a11"
ALONE = Here(token="t")
WITH_ASTRID = Here(token="t", agents={"agent-1": "Astrid Holm"})


def given(name: str) -> dict[str, Any]:
    return json.loads((FILES / f"{name}.json").read_text())


def told(name: str, number: int = 1) -> SseEvent:
    one = given(name)
    return SseEvent(event=one["event"], data=json.dumps(one["data"]), id=str(number))


def read(name: str, here: Here = ALONE) -> Heard:
    return hear_all([told(name)], here, ref=REF)


def kinds(heard: Heard) -> list[type]:
    return [type(event) for event in heard.events]


def through(here: Here, *names: str) -> tuple[list[type], Here]:
    heard = hear_all([told(name, number) for number, name in enumerate(names, 1)], here, ref=REF)
    return kinds(heard), heard.here


@pytest.mark.parametrize(
    ("name", "here", "expected"),
    [
        ("message_by_agent", WITH_ASTRID, [AgentReplied]),
        ("message_by_agent", ALONE, [AgentJoined, AgentReplied]),
        ("message_by_visitor", WITH_ASTRID, []),
        ("message_automated", ALONE, [AgentReplied]),
        ("participant_added", ALONE, [AgentJoined]),
        ("participant_removed", WITH_ASTRID, []),
        ("participant_removed", ALONE, []),
        ("routing_initial", ALONE, [QueueMoved]),
        ("routing_transfer", WITH_ASTRID, [ThreadTransferred]),
        ("routing_transfer", ALONE, []),
        ("routing_conference", WITH_ASTRID, []),
        ("routing_failed", ALONE, [OpenFailed]),
        ("work_accepted", ALONE, []),
        ("work_declined", ALONE, []),
        ("work_transferred", WITH_ASTRID, [ThreadTransferred]),
        ("queue_position", ALONE, [QueueMoved]),
        ("queue_position", WITH_ASTRID, []),
        ("typing_started", WITH_ASTRID, [AgentTyping]),
        ("typing_stopped", WITH_ASTRID, [AgentTyping]),
        ("typing_by_visitor", WITH_ASTRID, []),
        ("session_active", ALONE, []),
        ("session_inactive", WITH_ASTRID, []),
        ("session_ended", WITH_ASTRID, [ThreadEnded]),
        ("session_error", ALONE, [OpenFailed]),
        ("session_error", WITH_ASTRID, [ThreadEnded]),
        ("close_conversation", WITH_ASTRID, [ThreadEnded]),
        ("delivered", WITH_ASTRID, []),
        ("read", WITH_ASTRID, []),
        ("progress", WITH_ASTRID, []),
    ],
)
def test_what_an_entry_means(name: str, here: Here, expected: list[type]) -> None:
    heard = read(name, here)
    assert kinds(heard) == expected
    assert all(event.thread_ref == REF and event.vendor_event_id for event in heard.events)
    assert len({event.vendor_event_id for event in heard.events}) == len(heard.events)
    ends = {"session_ended", "session_error", "close_conversation", "routing_failed"}
    assert heard.over is (name in ends)


def test_an_agents_line() -> None:
    (event,) = read("message_by_agent", WITH_ASTRID).events
    assert isinstance(event, AgentReplied)
    assert (event.text, event.name, event.message_id) == ("Hello, I am Astrid.", "Astrid Holm", "m-1")
    assert event.occurred_at == 1_795_255_200_001
    assert event.vendor_event_id == given("message_by_agent")["data"]["conversationEntry"]["identifier"]


def test_an_agents_file() -> None:
    (event,) = read("message_with_file", WITH_ASTRID).events
    assert isinstance(event, AgentReplied)
    assert event.text == ""
    (file,) = event.files
    assert (file.url, file.name, file.media_type) == ("https://files.example/leaf.png", "leaf.png", "image/png")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("message_rich_link", "The lamp\nhttps://shop.example/lamp"),
        ("message_choices", "Which one?\n- The oak lamp – 49 €\n- The elm lamp"),
        ("message_form", "(A form was sent that cannot be shown here.)"),
    ],
)
def test_what_cannot_be_shown_becomes_text(name: str, text: str) -> None:
    (event,) = read(name, WITH_ASTRID).events
    assert isinstance(event, AgentReplied)
    assert event.text == text


def test_position_and_waiting_time_are_passed_on_unless_the_payload_does_not_want_them() -> None:
    (moved,) = read("queue_position").events
    (routed,) = read("routing_initial").events
    assert isinstance(moved, QueueMoved)
    assert isinstance(routed, QueueMoved)
    assert (moved.position, moved.wait_minutes, routed.position, routed.wait_minutes) == (3, None, None, 3)
    for name in ("queue_position", "routing_initial"):
        (quiet,) = read(name, msgspec.structs.replace(ALONE, figures=False)).events
        assert isinstance(quiet, QueueMoved)
        assert (quiet.position, quiet.wait_minutes) == (None, None)


def test_why_nobody_comes_is_for_the_operator() -> None:
    (event,) = read("routing_failed").events
    assert isinstance(event, OpenFailed)
    assert event.detail == "RoutingError: No agents are available."


# ------------------------------------------------------------------------------------ the same thing said thrice
@pytest.mark.parametrize(
    "order",
    [
        ("routing_transfer", "work_transferred", "participant_removed"),
        ("participant_removed", "routing_transfer", "work_transferred"),
        ("work_transferred", "participant_removed", "routing_transfer"),
    ],
)
def test_a_transfer_is_told_once_in_whatever_order_it_is_said(order: tuple[str, ...]) -> None:
    heard, here = through(WITH_ASTRID, *order)
    assert heard == [ThreadTransferred]
    assert here.moving
    heard, here = through(here, "participant_added")
    assert (heard, here.moving) == ([AgentJoined], False)


def test_a_transfer_that_fails_leaves_the_agent_where_he_was() -> None:
    for failure in ("routing_transfer_failed", "work_transfererror"):
        heard, here = through(WITH_ASTRID, "routing_transfer", failure)
        assert heard == [ThreadTransferred, AgentJoined]
        assert not here.moving


def test_an_entry_that_is_told_again_later_means_nothing() -> None:
    heard, here = through(WITH_ASTRID, "routing_transfer", "participant_removed", "participant_added")
    assert heard == [ThreadTransferred, AgentJoined]
    heard, after = through(here, "routing_transfer", "participant_added", "participant_removed")
    assert heard == []
    assert after == here


def test_the_second_agent_leaving_is_no_transfer() -> None:
    here = msgspec.structs.replace(WITH_ASTRID, agents={"agent-1": "Astrid Holm", "agent-2": "Noah Vinter"})
    heard, here = through(here, "participant_removed")
    assert heard == []
    assert here.agents == {"agent-2": "Noah Vinter"}


# ------------------------------------------------------------------------------------ an agent who goes
def test_an_agent_who_goes_before_the_end_was_not_transferred() -> None:
    heard, here = through(WITH_ASTRID, "participant_removed", "session_ended")
    assert heard == [ThreadEnded]
    assert not here.moving
    assert through(WITH_ASTRID, "participant_removed", "session_error")[0] == [ThreadEnded]


@pytest.mark.parametrize("sign", ["queue_position", "routing_initial"])
def test_whose_agent_has_gone_waits_again_when_the_queue_says_so(sign: str) -> None:
    heard, here = through(WITH_ASTRID, "participant_removed", sign, "routing_transfer")
    assert heard == [QueueMoved]
    assert (here.moving, here.left) == (True, "")
    assert through(here, "participant_added")[0] == [AgentJoined]


def test_whose_agent_has_gone_and_whom_nobody_takes_goes_on_to_the_next_rung() -> None:
    heard, _here = through(WITH_ASTRID, "participant_removed", "routing_failed")
    assert heard == [QueueMoved, OpenFailed]


def test_who_comes_back_or_speaks_has_not_gone() -> None:
    for sign, told in (("participant_added", [AgentJoined]), ("message_by_agent", [AgentJoined, AgentReplied])):
        heard, here = through(WITH_ASTRID, "participant_removed", sign)
        assert heard == told
        assert (here.moving, here.left) == (False, "")


@pytest.mark.parametrize(
    ("status", "told"),
    [("TRANSFER", [ThreadTransferred]), ("NEEDS_ROUTING", [QueueMoved]), ("ROUTED", []), ("INITIAL", []), ("", [])],
)
def test_a_conversation_is_asked_about_an_agent_who_went(status: str, told: list[type]) -> None:
    _heard, here = through(WITH_ASTRID, "participant_removed")
    heard = asked_about(status, here, ref=REF)
    assert kinds(heard) == told
    assert bool(heard.here.left) is not bool(told)
    assert all(event.vendor_event_id == f"{here.left}/asked" for event in heard.events)


@pytest.mark.parametrize(
    ("role", "before", "reason"),
    [
        ("Agent", "Active", EndReason.AGENT_LEFT),
        ("Agent", "Inactive", EndReason.AGENT_LEFT),
        ("Supervisor", "Active", EndReason.AGENT_LEFT),
        ("EndUser", "Active", EndReason.AGENT_LEFT),
        ("System", "Active", EndReason.IDLE),
        (None, "Inactive", EndReason.IDLE),
        (None, "Active", EndReason.AGENT_LEFT),
    ],
)
def test_who_ended_the_session(role: str | None, before: str, reason: EndReason) -> None:
    payload = {"sessionStatus": "Ended", "sessionStatusPrev": before, "sessionEndedByRole": role}
    entry = Entry(identifier="e-1", entry_type="SessionStatusChanged", entry_payload=payload)
    (event,) = hear(entry, WITH_ASTRID, ref=REF).events
    assert isinstance(event, ThreadEnded)
    assert event.reason is reason


def test_a_broken_session_is_lost_and_a_closed_conversation_was_left_by_the_visitor() -> None:
    reasons = [read(name, WITH_ASTRID).events[0] for name in ("session_error", "close_conversation")]
    assert [event.reason for event in reasons if isinstance(event, ThreadEnded)] == [
        EndReason.DESK_LOST,
        EndReason.VISITOR_LEFT,
    ]


# -------------------------------------------------------------------------------------------------- odd things
def test_unknown_entries_are_kept_and_counted() -> None:
    strange = SseEvent("CONVERSATION_SUMMARISED", json.dumps({"conversationId": REF, "conversationEntry": {}}), "7")
    (event,) = hear_all([strange], ALONE, ref=REF).events
    assert isinstance(event, Unknown)
    assert (event.kind, event.vendor_event_id) == ("Summarised", "7")


@pytest.mark.parametrize("data", ["", "hello", "[]", '{"conversationEntry": 7}', '{"conversationId": "x", "a": 1}'])
def test_data_of_another_form_breaks_nothing(data: str) -> None:
    heard = hear_all([SseEvent("CONVERSATION_MESSAGE", data, "7"), told("message_by_agent")], WITH_ASTRID, ref=REF)
    assert AgentReplied in kinds(heard)


@pytest.mark.parametrize("payload", [None, "{", "[]", "7", 7, {"abstractMessage": 7}, {"abstractMessage": {}}])
def test_messages_of_another_form_break_nothing(payload: Any) -> None:
    entry = Entry(identifier="e-1", entry_type="Message", entry_payload=payload, sender={"role": "Agent"})
    assert len(hear(entry, WITH_ASTRID, ref=REF).events) == 1


def test_another_conversation_of_the_stream_is_not_ours_and_a_ping_is_nothing() -> None:
    heard = hear_all([told("message_by_agent"), SseEvent("ping", "{}", "9")], WITH_ASTRID, ref="another")
    assert heard.events == ()
    assert heard.here == WITH_ASTRID


def test_lists_have_the_payload_as_an_object() -> None:
    entry = given("message_by_agent")["data"]["conversationEntry"]
    entry["entryPayload"] = json.loads(entry["entryPayload"])
    (event,) = hear(msgspec.convert(entry, Entry), WITH_ASTRID, ref=REF).events
    assert isinstance(event, AgentReplied)
    assert event.text == "Hello, I am Astrid."


def test_typing_moves_no_cursor_and_words_do() -> None:
    assert read("typing_started", WITH_ASTRID).here == WITH_ASTRID
    here = read("message_by_agent", WITH_ASTRID).here
    assert (here.last_event_id, here.since) == ("1", 1_795_255_200_001)


@pytest.mark.parametrize(
    ("name", "type_"),
    [
        ("CONVERSATION_MESSAGE", "Message"),
        ("CONVERSATION_TYPING_STARTED_INDICATOR", "TypingStartedIndicator"),
        ("CONVERSATION_SESSION_STATUS_CHANGED", "SessionStatusChanged"),
    ],
)
def test_the_name_of_an_event_gives_the_type_of_its_entry(name: str, type_: str) -> None:
    assert entry_type(name) == type_
