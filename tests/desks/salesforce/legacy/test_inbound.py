"""What a poll of Live Agent means; the files say whether they come from the guide or from elsewhere."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from warmline.desks.salesforce.legacy.chat import ChatState
from warmline.desks.salesforce.legacy.client import Batch, Message
from warmline.desks.salesforce.legacy.inbound import Reading, read_batch, session_gone
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
)

FILES = Path(__file__).with_name("payloads")
WAITING = ChatState(session_id="s-1", key="k", affinity="a", organization_id="00D6g000003Q6HI", wait_s=40)
JOINED = msgspec.structs.replace(WAITING, joined=True)


def decoded(name: str) -> Batch:
    return msgspec.json.decode((FILES / f"{name}.json").read_bytes(), type=Batch)


def read(name: str, state: ChatState = JOINED) -> Reading:
    return read_batch(decoded(name), state)


def only(name: str, state: ChatState = JOINED) -> DeskEvent:
    (event,) = read(name, state).events
    assert event.thread_ref == "s-1"
    return event


def test_an_agents_line() -> None:
    event = only("agent_message")
    assert isinstance(event, AgentReplied)
    assert (event.text, event.name) == ("Hello, how can I help you?", "Andy L.")


@pytest.mark.parametrize("name", ["request_success", "queue_update"])
def test_a_place_in_the_queue_and_a_waiting_time_in_whole_minutes(name: str) -> None:
    event = only(name, WAITING)
    assert isinstance(event, QueueMoved)
    assert (event.position, event.wait_minutes) == {"request_success": (1, 2), "queue_update": (3, 3)}[name]


def test_a_place_of_zero_and_a_time_of_minus_one_mean_nothing() -> None:
    event = only("queue_update_unknown", WAITING)
    assert isinstance(event, QueueMoved)
    assert (event.position, event.wait_minutes) == (None, None)


def test_an_agent_joins_and_another_takes_over() -> None:
    joined, other = read("established", WAITING), only("transferred")
    assert joined.state.joined
    (event,) = joined.events
    assert isinstance(event, AgentJoined)
    assert event.name == "Andy L."
    assert isinstance(other, AgentJoined)
    assert other.name == "Ryan S."


@pytest.mark.parametrize(
    ("name", "type_", "over"),
    [
        ("agent_typing", AgentTyping, False),
        ("agent_not_typing", AgentTyping, False),
        ("agent_disconnect", ThreadTransferred, False),
        ("request_fail", AgentLeft, True),
        ("ended_by_agent", AgentLeft, True),
        ("ended", ThreadEnded, True),
        ("idle_warning", Unknown, False),
        ("custom_event", Unknown, False),
        ("breadcrumb", Unknown, False),
        ("sensitive_data_rules", Unknown, False),
        ("file_requested", Unknown, False),
    ],
)
def test_the_other_events_of_a_chat_with_an_agent(name: str, type_: type[DeskEvent], over: bool) -> None:
    assert type(only(name)) is type_
    assert read(name).over is over


@pytest.mark.parametrize("name", ["request_fail", "ended", "ended_by_agent"])
def test_an_end_before_anybody_came_is_a_failed_opening(name: str) -> None:
    assert isinstance(only(name, WAITING), OpenFailed)
    assert read(name, WAITING).over
    assert isinstance(session_gone(WAITING, "403"), OpenFailed)
    gone = session_gone(JOINED, "403")
    assert isinstance(gone, ThreadEnded)
    assert gone.reason is EndReason.DESK_LOST


@pytest.mark.parametrize(
    ("why", "reason"),
    [
        ("client", EndReason.VISITOR_LEFT),
        ("clientIdleTimeout", EndReason.IDLE),
        ("", EndReason.AGENT_LEFT),
        ("another word", EndReason.AGENT_LEFT),
    ],
)
def test_why_a_chat_ended(why: str, reason: EndReason) -> None:
    batch = Batch(messages=(Message(type="ChatEnded", message={"reason": why}),), sequence=1, offset=1)
    (event,) = read_batch(batch, JOINED).events
    assert isinstance(event, ThreadEnded)
    assert event.reason is reason


def test_a_batch_advances_what_is_acknowledged() -> None:
    after = read("agent_message").state
    assert (after.ack, after.offset) == (4, 1234567894)


def test_events_keep_their_names_when_a_stretch_is_read_again_and_differ_within_it() -> None:
    batch = Batch(messages=decoded("agent_message").messages * 2, sequence=7)
    first, again = read_batch(batch, JOINED), read_batch(batch, JOINED)
    names = [event.vendor_event_id for event in first.events]
    assert names == [event.vendor_event_id for event in again.events]
    assert len(set(names)) == 2
    elsewhere = read_batch(batch, msgspec.structs.replace(JOINED, round=1))
    assert set(names).isdisjoint(event.vendor_event_id for event in elsewhere.events)


def test_a_line_that_only_the_sessions_data_has_is_told_from_there_and_not_again() -> None:
    moved = read("session_data")
    (event,) = moved.events
    assert isinstance(event, AgentReplied)
    assert (event.text, event.occurred_at) == ("Hello, how can I help you?", 1376596367548)
    assert [line.content for line in moved.lines or () if line.type == "Chasitor"] == ["I have a question for you."]
    assert read("agent_message", moved.state).events == ()
    assert len(read("agent_message", read("agent_message", moved.state).state).events) == 1


def test_a_line_that_was_heard_is_not_told_from_the_sessions_data() -> None:
    heard = read("agent_message").state
    assert read("session_data", heard).events == ()


def test_the_keys_of_an_upload_are_kept_nowhere() -> None:
    assert only("file_requested").raw == {"type": "FileTransfer", "message": {"type": "Requested"}}


def test_what_is_not_documented_is_unknown_and_never_an_error() -> None:
    strange = (
        b'{"messages":[{"type":"Weather","message":null},{"type":"ChatMessage","message":{"text":7}}],"sequence":1}'
    )
    events = read_batch(msgspec.json.decode(strange, type=Batch), JOINED).events
    assert [type(event) for event in events] == [Unknown, Unknown]
