"""The table of the widget-escalation wire, one case per cell, against the aggregate alone."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from msgspec.structs import replace

from warmline.conversations import commands as c
from warmline.conversations import events as e
from warmline.conversations.decisions import decide
from warmline.conversations.model import ConversationState, Moment, evolve, initial
from warmline.kernel.errors import Conflict

LADDER = (e.Rung(connection_id="crm", desk="customcrm"), e.Rung(connection_id="desk", desk="builtin"))
VERBS: dict[str, c.DeskVerb] = {
    "escalationQueueUpdate": "queued",
    "escalationSuccess": "joined",
    "message": "replied",
    "escalationFailed": "failed",
    "agentDisconnect": "left",
}


@dataclass
class At:
    at: int = 1_000
    actor: str = "test"


class Walk:
    """A conversation on its way, without a store."""

    def __init__(self) -> None:
        self.state: ConversationState = initial("c1")
        self.seq = 0

    def give(self, *commands: c.Command) -> list[str]:
        types = []
        for command in commands:
            for body in decide(self.state, command, At()):
                self.seq += 1
                self.state = evolve(self.state, body, Moment(self.seq, 1_000, "test"))
                types.append(body.TYPE)
        return types

    def desk(self, verb: c.DeskVerb, agent: str = "Ann") -> list[str]:
        command = c.DeskSays(
            connection_id="crm", verb=verb, agent=e.Agent(name=agent), position=3, message_id="m1", text="hello"
        )
        return self.give(command)


def walk_to(stage: str) -> Walk:
    walk = Walk()
    walk.give(
        c.Start(visitor_id="v", bot_id="b"),
        c.RequestHandover(handover_id="h", reason="api", by="api", ladder=LADDER),
        c.AcceptOffer(epoch=2, thread_ref="t"),
    )
    if stage in {"queued", "connected", "transferring", "over", "closed"}:
        walk.desk("queued")
    if stage in {"connected", "transferring", "over", "closed"}:
        walk.desk("joined")
    if stage == "transferring":
        walk.desk("queued")
    if stage in {"over", "closed"}:
        walk.desk("left")
    if stage == "closed":
        walk.give(c.Close(reason="visitor"))
    return walk


WAITING_ROW: dict[str, list[str] | str] = {
    "escalationQueueUpdate": ["handover.queued"],
    "escalationSuccess": ["handover.connected"],
    "message": "not_connected",
    "escalationFailed": ["handover.rung_failed"],
    "agentDisconnect": ["handover.rung_failed"],
}
CELLS: dict[str, dict[str, list[str] | str]] = {
    "offered": WAITING_ROW,
    "queued": WAITING_ROW,
    "connected": {
        "escalationQueueUpdate": ["handover.transferring"],
        "escalationSuccess": [],
        "message": ["message.posted"],
        "escalationFailed": "already_connected",
        "agentDisconnect": ["handover.ended"],
    },
    "transferring": {
        "escalationQueueUpdate": ["handover.queued"],
        "escalationSuccess": ["handover.transferred"],
        "message": ["message.posted"],
        "escalationFailed": ["handover.rung_failed"],
        "agentDisconnect": ["handover.ended"],
    },
    "over": dict.fromkeys(VERBS, "stale_owner"),
    "closed": dict.fromkeys(VERBS, "closed"),
}


@pytest.mark.parametrize(
    ("stage", "event", "outcome"),
    [(stage, event, outcome) for stage, row in CELLS.items() for event, outcome in row.items()],
)
def test_each_event_in_each_state(stage: str, event: str, outcome: list[str] | str) -> None:
    walk = walk_to(stage)
    before = walk.state
    if isinstance(outcome, str):
        with pytest.raises(Conflict) as refused:
            walk.desk(VERBS[event])
        assert refused.value.code == outcome
        assert walk.state == before
    else:
        assert walk.desk(VERBS[event]) == outcome


def test_success_while_connected_is_a_transfer_when_another_agent_reports_it() -> None:
    walk = walk_to("connected")
    assert walk.desk("joined", agent="Bob") == ["handover.transferred"]
    assert walk.state.handover is not None
    assert walk.state.handover.agent == e.Agent(name="Bob")


def test_queue_update_after_connecting_keeps_the_visitor_in_the_transfer_until_success() -> None:
    walk = walk_to("connected")
    walk.desk("queued")
    walk.desk("queued")
    assert walk.state.handover is not None
    assert walk.state.handover.stage == "transferring"
    assert walk.state.handover.position == 3
    walk.desk("joined", agent="Bob")
    assert walk.state.handover == replace(walk.state.handover, stage="connected", position=None)


@pytest.mark.parametrize("event", VERBS)
def test_nothing_acts_on_an_attempt_before_its_escalation_was_acknowledged(event: str) -> None:
    walk = Walk()
    walk.give(
        c.Start(visitor_id="v", bot_id="b"),
        c.RequestHandover(handover_id="h", reason="api", by="api", ladder=LADDER),
    )
    with pytest.raises(Conflict) as refused:
        walk.desk(VERBS[event])
    assert refused.value.code == ("not_connected" if event == "message" else "not_offered")


def test_a_late_success_of_an_earlier_rung_meets_a_higher_epoch() -> None:
    walk = walk_to("queued")
    walk.desk("failed")
    walk.give(c.AcceptOffer(epoch=walk.state.owner_epoch, thread_ref="t2"))
    with pytest.raises(Conflict) as refused:
        walk.desk("joined")
    assert refused.value.code == "stale_owner"


def test_of_two_agents_who_take_at_once_the_second_is_refused() -> None:
    walk = walk_to("queued")
    epoch = walk.state.owner_epoch

    def take(member: str) -> list[str]:
        agent = e.Agent(id=member, name=member)
        return walk.give(c.DeskSays(connection_id="crm", verb="joined", epoch=epoch, only_waiting=True, agent=agent))

    assert take("ann") == ["handover.connected"]
    with pytest.raises(Conflict) as refused:
        take("bob")
    assert refused.value.code == "already_connected"
    assert take("ann") == [], "the same agent's second tap changes nothing"


@pytest.mark.parametrize("reason", ["agent_left", "idle", "desk_lost", "visitor_left"])
def test_how_it_ended_is_told_as_the_desk_tells_it(reason: e.Reason) -> None:
    for stage, type_ in (
        ("queued", "handover.rung_failed"),
        ("connected", "handover.ended"),
        ("transferring", "handover.ended"),
    ):
        walk = walk_to(stage)
        left = c.DeskSays(connection_id="crm", verb="left", reason=reason)
        (body,) = decide(walk.state, left, At())
        assert isinstance(body, e.HandoverEnded | e.HandoverRungFailed)
        assert (body.TYPE, body.reason) == (type_, reason)


def test_knowing_the_epoch_opens_nothing_to_another_connection() -> None:
    walk = walk_to("queued")
    foreign = c.DeskSays(connection_id="desk", verb="joined", epoch=walk.state.owner_epoch)
    with pytest.raises(Conflict) as refused:
        walk.give(foreign)
    assert refused.value.code == "stale_owner"
