"""The conversation aggregate under everything that can be said to it, in any order.  Pure: no store."""

from __future__ import annotations

from typing import Literal

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from warmline.conversations import commands as c
from warmline.conversations import events as e
from warmline.conversations.decisions import decide
from warmline.conversations.model import (
    TALKING,
    WAITING,
    ConversationState,
    Moment,
    deadlines,
    evolve,
    initial,
)
from warmline.kernel.errors import Conflict

CONNECTIONS = ("crm", "builtin", "mail")
VERBS = ("queued", "joined", "replied", "transferring", "failed", "left")


class At(msgspec.Struct, frozen=True):
    """The writer's context."""

    at: int
    actor: str = "test"


def rungs(names: list[str]) -> tuple[e.Rung, ...]:
    return tuple(
        e.Rung(connection_id=name, desk=name, answer_within=60, connect_within=900, idle_after=7_200, lost_after=300)
        for name in names
    )


def token(state: ConversationState) -> tuple[object, ...]:
    """Who owns the conversation: one value per owner, another one whenever the owner is another."""
    held = state.handover
    return (state.owner, held.id, held.rung) if held else (state.owner,)


def fold(state: ConversationState, stream: list[tuple[e.Body, Moment]]) -> ConversationState:
    for body, moment in stream:
        state = evolve(state, body, moment)
    return state


ladders = st.lists(st.sampled_from(CONNECTIONS), max_size=3).map(rungs)
epochs = st.one_of(st.just(0), st.integers(-3, 1))
"""Distance from the epoch in force: mostly none, sometimes late, seldom from the future."""


class ConversationMachine(RuleBasedStateMachine):
    """Commands from every side in any order, late and stale ones too, and time passing."""

    def __init__(self) -> None:
        super().__init__()
        self.state = initial("c1")
        self.stream: list[tuple[e.Body, Moment]] = []
        self.snapshots: list[tuple[int, ConversationState]] = [(0, self.state)]
        self.now = 1_000
        self.drawn = 0
        self.accepted: list[str] = []

    # -- the writer ----------------------------------------------------------------------------------------------

    def give(self, command: c.Command) -> bool:
        """What the writer does with a command; whether it was accepted."""
        before = self.state
        try:
            bodies = decide(before, command, At(self.now))
        except Conflict:
            return False
        for body in bodies:
            self._append(body, command)
        if before.status == "closed":
            assert all(isinstance(body, e.NotePosted) for body in bodies), f"{command} changed a closed conversation"
        return True

    def _append(self, body: e.Body, command: c.Command) -> None:
        before = self.state
        if isinstance(body, e.MessagePosted):
            self._check_speaker(before, body, command)
        moment = Moment(len(self.stream) + 1, self.now, "test")
        self.stream.append((body, moment))
        self.state = evolve(before, body, moment)
        assert self.state.owner_epoch >= before.owner_epoch, "the epoch never falls"
        if token(self.state) != token(before) or isinstance(body, e.HandoverPutBack):
            assert self.state.owner_epoch > before.owner_epoch, f"{body} changed the owner under the same epoch"

    def _check_speaker(self, before: ConversationState, body: e.MessagePosted, command: c.Command) -> None:
        said_under = getattr(command, "epoch", None)
        if body.author == "bot":
            assert before.owner == "bot"
            assert said_under == before.owner_epoch
        if body.author == "agent":
            assert before.handover is not None
            assert before.handover.stage in TALKING
            assert said_under in {None, before.owner_epoch}
            if isinstance(command, c.DeskSays):
                assert command.connection_id == before.handover.step.connection_id, "another desk spoke"
                assert before.attempts[command.connection_id] == before.owner_epoch

    def fire_due(self) -> int:
        """Fire what is due, as the deadline runner does: the earliest first, each checked against the state again."""
        fired = 0
        while True:
            due = sorted((at, kind) for kind, at in deadlines(self.state).items() if at <= self.now)
            if not due:
                return fired
            kind = due[0][1]
            assert self.give(c.DeadlineReached(kind=kind))
            assert deadlines(self.state).get(kind, self.now + 1) > self.now, f"{kind} is due again at once"
            fired += 1
            assert fired < 50, "deadlines go in circles"

    @property
    def late(self) -> bool:
        """Whether it is time for what ends everything; earlier, it would cut most walks short."""
        return len(self.stream) > 25

    def fresh(self, prefix: str) -> str:
        self.drawn += 1
        return f"{prefix}{self.drawn}"

    # -- everything that can be said to it -----------------------------------------------------------------------

    @initialize(ladder=ladders, stage=st.sampled_from(("bot", "requested", "offered", "queued", "connected", "left")))
    def start(self, ladder: tuple[e.Rung, ...], stage: str) -> None:
        """Begin at a drawn stage: a walk that is random from the first step hardly ever meets an agent."""
        assert self.give(c.Start(visitor_id="v1", bot_id="b1", ladder=ladder, idle_after=7_200, bot_answers_within=30))
        assert not self.give(c.Start(visitor_id="v1", bot_id="b1"))
        if stage == "bot":
            return
        wish = c.RequestHandover(handover_id="h0", reason="api", by="api", ladder=ladder or rungs(["crm"]))
        assert self.give(wish)
        steps: tuple[tuple[str, c.DeskVerb], ...] = (
            ("offered", "queued"),
            ("queued", "queued"),
            ("connected", "joined"),
            ("left", "left"),
        )
        for reached, verb in steps:
            if stage == "requested":
                return
            self.desk_goes_on(verb)
            if stage == reached:
                return

    @rule()
    def visitor_says(self) -> None:
        message = self.fresh("m")
        was_open = self.state.status == "open"
        assert self.give(c.VisitorSays(message_id=message, text="hello")) == was_open
        if was_open:
            self.accepted.append(message)

    @rule(off=epochs, back=st.integers(0, 3), lines=st.integers(0, 2), close=st.booleans(), wish=st.none() | ladders)
    def bot_turn(self, off: int, back: int, lines: int, close: bool, wish: tuple[e.Rung, ...] | None) -> None:
        handover = None
        if wish is not None:
            handover = c.HandoverWish(handover_id=self.fresh("h"), reason="requested_by_visitor", ladder=wish)
        said = tuple(c.Line(message_id=self.fresh("m"), text="bot") for _ in range(lines))
        self.give(
            c.BotTurn(
                epoch=self.state.owner_epoch + off,
                answers=max(1, len(self.stream) - back),
                lines=said,
                run={"misses": lines},
                handover=handover,
                close=close and self.late,
            )
        )

    @rule(off=epochs)
    def bot_fails(self, off: int) -> None:
        self.give(c.BotFails(epoch=self.state.owner_epoch + off, error="KeyError", handover_id=self.fresh("h")))

    @rule(ladder=ladders)
    def request_handover(self, ladder: tuple[e.Rung, ...]) -> None:
        self.give(c.RequestHandover(handover_id=self.fresh("h"), reason="api", by="api", ladder=ladder))

    @rule(off=epochs)
    def accept_offer(self, off: int) -> None:
        self.give(c.AcceptOffer(epoch=self.state.owner_epoch + off, thread_ref="t"))

    @precondition(lambda self: self.late or self.state.handover is None)
    @rule(off=epochs)
    def fail_rung(self, off: int) -> None:
        self.give(c.FailRung(epoch=self.state.owner_epoch + off, reason="refused"))

    @rule(
        connection=st.sampled_from(CONNECTIONS),
        verb=st.sampled_from(VERBS),
        off=st.none() | epochs,
        agent=st.sampled_from(("ann", "bob", None)),
        only_waiting=st.booleans(),
    )
    def desk_says(
        self, connection: str, verb: c.DeskVerb, off: int | None, agent: str | None, only_waiting: bool
    ) -> None:
        before = self.state
        accepted = self.give(
            c.DeskSays(
                connection_id=connection,
                verb=verb,
                epoch=None if off is None else before.owner_epoch + off,
                only_waiting=only_waiting,
                agent=e.Agent(name=agent, id=agent),
                position=1,
                message_id=self.fresh("m"),
                text="agent",
            )
        )
        if accepted:
            assert before.handover is not None
            assert before.handover.stage != "requested", "a desk acted before it had taken the request"
            assert before.handover.step.connection_id == connection, "another connection's desk acted"
            if off is None:
                assert before.attempts[connection] == before.owner_epoch, "an attempt acted that was over"
            else:
                assert off == 0, "a stale desk acted"
        if accepted and verb == "joined" and only_waiting:
            assert before.handover is not None
            taken = before.handover.agent
            assert before.handover.stage in WAITING or (taken is not None and taken.id == agent)

    @precondition(lambda self: self.state.handover is not None)
    @rule(verb=st.sampled_from(("joined", "replied", "transferring", "queued", "replied", "joined")))
    def desk_works(self, verb: c.DeskVerb) -> None:
        self.desk_goes_on(verb)

    @precondition(lambda self: self.state.handover is not None)
    @rule(by=st.sampled_from(("ann", "bob")))
    def agent_puts_back(self, by: str) -> None:
        held = self.state.handover
        assert held is not None
        assert self.give(c.PutBack(epoch=self.state.owner_epoch, by=by)) == (held.stage in TALKING)

    def desk_goes_on(self, verb: c.DeskVerb) -> None:
        """The owner's desk does its work."""
        held = self.state.handover
        assert held is not None
        if held.stage == "requested":
            assert self.give(c.AcceptOffer(epoch=self.state.owner_epoch, thread_ref="t"))
            return
        command = c.DeskSays(
            connection_id=held.step.connection_id,
            verb=verb,
            agent=e.Agent(name="ann", id="ann"),
            message_id=self.fresh("m"),
            text="agent",
        )
        assert self.give(command) == (verb != "replied" or held.stage in TALKING)

    @rule(off=epochs)
    def put_back(self, off: int) -> None:
        self.give(c.PutBack(epoch=self.state.owner_epoch + off, by="ann"))

    @precondition(lambda self: self.late or self.state.handover is None)
    @rule()
    def cancel(self) -> None:
        held = self.state.handover
        assert self.give(c.CancelHandover(by="visitor")) == (held is not None and held.stage in WAITING)

    @precondition(lambda self: self.late or self.state.handover is None)
    @rule(off=st.none() | epochs, reason=st.sampled_from(("visitor_left", "agent_left")))
    def end(self, off: int | None, reason: e.Reason) -> None:
        self.give(c.EndHandover(reason=reason, epoch=None if off is None else self.state.owner_epoch + off))

    @rule(off=epochs, recover=st.booleans())
    def delivery(self, off: int, recover: bool) -> None:
        kind = c.Recover if recover else c.Stall
        self.give(kind(epoch=self.state.owner_epoch + off, connection_id="crm"))

    @rule(resend=st.booleans())
    def park(self, resend: bool) -> None:
        self.give(c.Resent(message_id="m1") if resend else c.Park(message_id="m1", connection_id="crm", reason="x"))

    @rule(off=epochs, author=st.sampled_from(("bot", "agent")))
    def post_as(self, off: int, author: e.AuthorKind) -> None:
        epoch = self.state.owner_epoch + off
        self.give(c.PostAs(epoch=epoch, author=author, message_id=self.fresh("m"), text="api"))

    @rule()
    def leave_contact(self) -> None:
        self.give(c.LeaveContact(contact_id=self.fresh("k"), email="a@b.example"))

    @rule()
    def details(self) -> None:
        self.give(c.SetDetails(values={"order": "7"}))

    @rule()
    def note(self) -> None:
        assert self.give(c.PostNote(note_id=self.fresh("n"), member_id="ann", text="remember"))

    @precondition(lambda self: self.late)
    @rule(reason=st.sampled_from(("visitor", "agent", "api")))
    def close(self, reason: Literal["visitor", "agent", "api"]) -> None:
        was_open = self.state.status == "open"
        assert self.give(c.Close(reason=reason, by="x")) == was_open
        assert self.state.status == "closed"

    @rule(by=st.sampled_from((1, 1, 1, 30, 61)))
    def time_passes(self, by: int) -> None:
        self.now += by
        self.fire_due()

    @precondition(lambda self: self.late)
    @rule(by=st.sampled_from((301, 901, 7_201)))
    def much_time_passes(self, by: int) -> None:
        self.time_passes(by)

    @rule()
    def snapshot(self) -> None:
        stored = msgspec.json.encode(self.state)
        self.snapshots.append((len(self.stream), msgspec.json.decode(stored, type=ConversationState)))

    # -- what always holds ---------------------------------------------------------------------------------------

    @invariant()
    def one_owner_while_open(self) -> None:
        state = self.state
        assert (state.owner == "nobody") == (state.status != "open")
        assert (state.owner == "desk") == (state.handover is not None)
        if state.handover is not None:
            assert 0 <= state.handover.rung < len(state.handover.ladder)

    @invariant()
    def no_wait_without_a_deadline(self) -> None:
        state = self.state
        due = deadlines(state)
        assert bool(due) == (state.status == "open"), "an open conversation ends some day by itself"
        held = state.handover
        if held is not None and held.stage != "connected":
            assert due["connect"] <= held.since + held.step.connect_within
        if held is not None and held.stage == "connected":
            assert "idle" in due
        if state.owner == "bot" and state.turn_seq:
            assert "bot_turn" in due

    @invariant()
    def the_stream_is_the_truth(self) -> None:
        assert [moment.seq for _, moment in self.stream] == list(range(1, len(self.stream) + 1))
        assert msgspec.json.decode(msgspec.json.encode(self.state), type=ConversationState) == self.state
        upto, snapshot = self.snapshots[-1]
        assert fold(snapshot, self.stream[upto:]) == self.state

    @invariant()
    def no_visitor_message_is_lost(self) -> None:
        stored = [b.message_id for b, _ in self.stream if isinstance(b, e.MessagePosted) and b.author == "visitor"]
        assert stored == self.accepted

    def teardown(self) -> None:
        for upto, snapshot in self.snapshots:
            assert fold(snapshot, self.stream[upto:]) == self.state
        self._time_alone_ends_the_handover()
        self._time_alone_ends_the_conversation()

    def _time_alone_ends_the_handover(self) -> None:
        held = self.state.handover
        if held is None:
            return
        bound = len(held.ladder) - held.rung
        for _ in range(bound):
            if self.state.handover is None:
                return
            self.now = max(self.now, min(deadlines(self.state).values()))
            self.fire_due()
        assert self.state.handover is None or self.state.handover.id != held.id, "a handover outlived its deadlines"

    def _time_alone_ends_the_conversation(self) -> None:
        for _ in range(20):
            if self.state.status != "open":
                break
            self.now = max(self.now, min(deadlines(self.state).values()))
            self.fire_due()
        assert self.state.status in {"closed", "new"}
        assert deadlines(self.state) == {}


ConversationMachine.TestCase.settings = settings(
    max_examples=250, stateful_step_count=50, deadline=None, derandomize=True
)
TestConversation = ConversationMachine.TestCase
