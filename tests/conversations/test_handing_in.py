"""A conversation that a bot elsewhere hands in: one commit begins it, and the handover's end is its end."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from warmline.conversations import commands as c
from warmline.conversations import events as e
from warmline.conversations.decisions import decide
from warmline.conversations.model import ConversationState, Moment, evolve, initial
from warmline.kernel.errors import Conflict

LADDER = (e.Rung(connection_id="k-1", desk="open"), e.Rung(connection_id="k-2", desk="builtin"))
LINES = (
    c.HandedLine(message_id="m-1", author="bot", text="How can I help?", name="Otto"),
    c.HandedLine(message_id="m-2", author="visitor", text="My card is gone"),
)


@dataclass
class At:
    """When and by whom, for a decision."""

    at: int = 1_000
    actor: str = "key:1"


@dataclass
class Story:
    """A stream in memory."""

    state: ConversationState
    bodies: list[e.Body]

    def do(self, command: c.Command) -> list[str]:
        """The types that follow from a command."""
        found = decide(self.state, command, At())
        for body in found:
            self.bodies.append(body)
            self.state = evolve(self.state, body, Moment(len(self.bodies), 1_000, "key:1"))
        return [body.TYPE for body in found]


def hand_in(*ladder: e.Rung, details: dict[str, str] | None = None) -> c.HandIn:
    start = c.Start(visitor_id="", bot_id="b", channel="api", connection_id="k-0", external_id="x", ladder=ladder)
    return c.HandIn(start=start, handover_id="h", lines=LINES, details=details or {})


def story() -> Story:
    return Story(initial("c-1"), [])


def connected() -> Story:
    told = story()
    told.do(hand_in(*LADDER))
    told.do(c.AcceptOffer(epoch=told.state.owner_epoch, thread_ref="t"))
    told.do(c.DeskSays(connection_id="k-1", verb="joined", epoch=told.state.owner_epoch))
    return told


def test_what_was_said_and_the_request_are_one_commit() -> None:
    told = story()
    assert told.do(hand_in(*LADDER, details={"skill": "cards"})) == [
        "conversation.started",
        "details.set",
        "message.posted",
        "message.posted",
        "handover.requested",
    ]
    assert (told.state.owner, told.state.bot_id, told.state.external_id) == ("desk", "b", "x")
    requested = told.bodies[-1]
    assert isinstance(requested, e.HandoverRequested)
    assert (requested.bot_id, requested.reason, requested.ladder) == ("b", "api", LADDER)


def test_without_a_ladder_it_has_failed_and_is_over() -> None:
    told = story()
    assert told.do(hand_in())[-3:] == ["handover.requested", "handover.failed", "conversation.closed"]
    assert told.state.owner == "nobody"


def test_it_is_handed_in_once() -> None:
    told = story()
    told.do(hand_in(*LADDER))
    with pytest.raises(Conflict) as refused:
        told.do(hand_in(*LADDER))
    assert refused.value.code == "already_started"


def test_when_the_agent_leaves_the_other_bot_has_it_again() -> None:
    told = connected()
    left = c.DeskSays(connection_id="k-1", verb="left", epoch=told.state.owner_epoch)
    assert told.do(left) == ["handover.ended", "conversation.closed"]
    assert told.state.owner == "nobody"


def test_a_rung_that_is_left_is_not_the_end() -> None:
    told = story()
    told.do(hand_in(*LADDER))
    assert told.do(c.FailRung(epoch=told.state.owner_epoch, reason="no_answer")) == ["handover.rung_failed"]
    assert told.do(c.FailRung(epoch=told.state.owner_epoch, reason="no_answer")) == [
        "handover.rung_failed",
        "handover.failed",
        "conversation.closed",
    ]


def test_closing_closes_once() -> None:
    told = connected()
    assert told.do(c.Close(reason="visitor", by="api")) == ["handover.ended", "conversation.closed"]


def test_a_deadline_ends_it_as_well() -> None:
    told = connected()
    assert told.do(c.DeadlineReached(kind="idle")) == ["handover.ended", "conversation.closed"]


def test_a_conversation_of_our_own_goes_on_with_its_bot() -> None:
    told = story()
    told.do(c.Start(visitor_id="v", bot_id="b", ladder=LADDER))
    told.do(c.RequestHandover(handover_id="h", reason="api", by="api", ladder=LADDER))
    assert told.do(c.CancelHandover(by="visitor")) == ["handover.cancelled"]
    assert told.state.owner == "bot"
