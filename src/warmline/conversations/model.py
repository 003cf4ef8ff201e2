"""The conversation aggregate: its state, how events change it, and which deadlines follow from it.

Conversation, owner, epoch and handover are one aggregate, so that they change in one commit.  Pure: no I/O, no clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec.structs import replace

from warmline.conversations import events as e

EVOLVE_VERSION = 1
"""Raise when the state's meaning changes: older snapshots are then rebuilt from the stream."""

Stage = Literal["requested", "offered", "queued", "connected", "transferring"]
WAITING: frozenset[str] = frozenset({"requested", "offered", "queued"})
TALKING: frozenset[str] = frozenset({"connected", "transferring"})


class Moment(NamedTuple):
    """Where and when an event stands: its seq in the stream, its time in milliseconds, its actor."""

    seq: int
    at: int
    actor: str


class Handover(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The handover in progress.  Times in milliseconds."""

    id: str
    reason: str
    ladder: tuple[e.Rung, ...]
    requested_at: int
    requested_seq: int
    since: int
    """When the present wait (rung, put-back, transfer) began: its deadlines count from here."""
    active_at: int
    rung: int = 0
    stage: Stage = "requested"
    position: int | None = None
    wait_minutes: int | None = None
    agent: e.Agent | None = None
    stalled_since: int | None = None

    @property
    def step(self) -> e.Rung:
        """The rung that owns the conversation now."""
        return self.ladder[self.rung]


class ConversationState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a conversation is now, without its message texts."""

    id: str
    status: Literal["new", "open", "closed"] = "new"
    visitor_id: str = ""
    bot_id: str = ""
    widget_id: str | None = None
    channel: str = "widget"
    connection_id: str | None = None
    external_id: str | None = None
    language: str = "en"
    ladder: tuple[e.Rung, ...] = ()
    idle_after: int = 7_200_000
    bot_answers_within: int = 30_000
    owner_epoch: int = 0
    handover: Handover | None = None
    handovers: int = 0
    attempts: dict[str, int] = {}
    """Per connection, the epoch of the last attempt that its desk accepted."""
    parked: tuple[str, ...] = ()
    run: dict[str, Any] = {}
    turn_seq: int = 0
    """Seq of the event the bot still owes an answer to; 0 when it owes none."""
    turn_at: int = 0
    turn_asked: bool = False
    """Whether the owed answer is owed to words of the visitor (and not to a start or to the end of a handover)."""
    started_at: int = 0
    active_at: int = 0
    messages: int = 0
    files: tuple[str, ...] = ()
    """The ids of the files that messages have."""
    erased: bool = False

    @property
    def owner(self) -> Literal["bot", "desk", "nobody"]:
        """Who may speak: the bot, the desk of the current rung, or nobody (closed, or not yet begun)."""
        if self.status != "open":
            return "nobody"
        return "desk" if self.handover else "bot"


def initial(stream_id: str) -> ConversationState:
    """The state before the first event."""
    return ConversationState(id=stream_id)


def evolve(state: ConversationState, body: object, moment: Moment) -> ConversationState:
    """The state after ``body``.  Total: events it does not know leave the state as it is."""
    change = _CHANGES.get(type(body))
    return change(state, body, moment) if change else state


def deadlines(state: ConversationState) -> Mapping[str, int]:
    """Kind → due moment (ms) of everything that must not be waited for longer; a pure function of the state."""
    if state.status != "open":
        return {}
    held = state.handover
    if held is None:
        due = {"conversation_idle": state.active_at + state.idle_after}
        if state.turn_seq:
            due["bot_turn"] = state.turn_at + state.bot_answers_within
        return due
    step = held.step
    if held.stage == "connected":
        due = {"idle": held.active_at + step.idle_after}
        if held.stalled_since is not None:
            due["lost"] = held.stalled_since + step.lost_after
        return due
    due = {"connect": held.since + step.connect_within}
    if held.stage in {"requested", "offered"}:
        due["answer"] = held.since + step.answer_within
    return due


def conversation_of(stream_id: str, _state: ConversationState) -> str:
    """The conversation an event of this stream belongs to: the stream itself."""
    return stream_id


def epoch_of(state: ConversationState) -> int:
    """The ownership epoch, as stored on each event's row."""
    return state.owner_epoch


def _started(state: ConversationState, body: e.ConversationStarted, m: Moment) -> ConversationState:
    return replace(
        state,
        status="open",
        visitor_id=body.visitor_id,
        bot_id=body.bot_id,
        widget_id=body.widget_id,
        channel=body.channel,
        connection_id=body.connection_id,
        external_id=body.external_id,
        language=body.language,
        ladder=body.ladder,
        idle_after=body.idle_after,
        bot_answers_within=body.bot_answers_within,
        owner_epoch=1,
        turn_seq=m.seq if body.greet else 0,
        turn_at=m.at,
        started_at=m.at,
        active_at=m.at,
    )


def _message(state: ConversationState, body: e.MessagePosted, m: Moment) -> ConversationState:
    held = state.handover
    if body.attachments:
        state = replace(state, files=(*state.files, *(one.id for one in body.attachments)))
    if held is not None:
        held = replace(held, active_at=m.at)
        return replace(state, handover=held, active_at=m.at, messages=state.messages + 1)
    if body.author == "visitor":
        # An unanswered earlier message keeps its moment: the visitor has been waiting since then.
        turn_at = state.turn_at if state.turn_seq and state.turn_asked else m.at
        return replace(
            state, active_at=m.at, messages=state.messages + 1, turn_seq=m.seq, turn_at=turn_at, turn_asked=True
        )
    return replace(state, active_at=m.at, messages=state.messages + 1)


def _run(state: ConversationState, body: e.RunAdvanced, _m: Moment) -> ConversationState:
    answered = body.answers >= state.turn_seq
    return replace(state, run=body.run, turn_seq=0 if answered else state.turn_seq)


def _requested(state: ConversationState, body: e.HandoverRequested, m: Moment) -> ConversationState:
    held = Handover(
        id=body.handover_id,
        reason=body.reason,
        ladder=body.ladder,
        requested_at=m.at,
        requested_seq=m.seq,
        since=m.at,
        active_at=m.at,
    )
    return replace(
        state,
        handover=held,
        handovers=state.handovers + 1,
        owner_epoch=state.owner_epoch + 1,
        turn_seq=0,
        active_at=m.at,
    )


def _offered(state: ConversationState, body: e.HandoverOffered, _m: Moment) -> ConversationState:
    if state.handover is None:
        return state
    attempts = {**state.attempts, body.connection_id: state.owner_epoch}
    return replace(state, handover=replace(state.handover, stage="offered"), attempts=attempts)


def _queued(state: ConversationState, body: e.HandoverQueued, _m: Moment) -> ConversationState:
    held = state.handover
    if held is None:
        return state
    stage: Stage = "transferring" if held.stage == "transferring" else "queued"
    return replace(state, handover=replace(held, stage=stage, position=body.position, wait_minutes=body.wait_minutes))


def _connected(
    state: ConversationState, body: e.HandoverConnected | e.HandoverTransferred, m: Moment
) -> ConversationState:
    held = state.handover
    if held is None:
        return state
    held = replace(held, stage="connected", agent=body.agent, position=None, wait_minutes=None, active_at=m.at)
    return replace(state, handover=held, active_at=m.at)


def _transferring(state: ConversationState, body: e.HandoverTransferring, m: Moment) -> ConversationState:
    held = state.handover
    if held is None:
        return state
    held = replace(held, stage="transferring", position=body.position, wait_minutes=body.wait_minutes, since=m.at)
    return replace(state, handover=held)


def _put_back(state: ConversationState, _body: e.HandoverPutBack, m: Moment) -> ConversationState:
    held = state.handover
    if held is None:
        return state
    epoch = state.owner_epoch + 1
    attempts = {**state.attempts, held.step.connection_id: epoch}
    held = replace(held, stage="queued", agent=None, since=m.at, stalled_since=None)
    return replace(state, handover=held, owner_epoch=epoch, attempts=attempts)


def _rung_failed(state: ConversationState, body: e.HandoverRungFailed, m: Moment) -> ConversationState:
    held = state.handover
    if held is None or body.next_rung is None:
        return state
    held = replace(
        held,
        rung=body.next_rung,
        stage="requested",
        since=m.at,
        active_at=m.at,
        position=None,
        wait_minutes=None,
        agent=None,
        stalled_since=None,
    )
    return replace(state, handover=held, owner_epoch=state.owner_epoch + 1)


def _released(
    state: ConversationState, _body: e.HandoverFailed | e.HandoverCancelled | e.HandoverEnded, m: Moment
) -> ConversationState:
    if state.handover is None:
        return state
    return replace(
        state,
        handover=None,
        owner_epoch=state.owner_epoch + 1,
        active_at=m.at,
        turn_seq=m.seq,
        turn_at=m.at,
        turn_asked=False,
    )


def _bot_failed(state: ConversationState, _body: e.BotFailed, _m: Moment) -> ConversationState:
    return replace(state, turn_seq=0)


def _stalled(state: ConversationState, _body: e.DeliveryStalled, m: Moment) -> ConversationState:
    if state.handover is None:
        return state
    return replace(state, handover=replace(state.handover, stalled_since=m.at))


def _recovered(state: ConversationState, _body: e.DeliveryRecovered, _m: Moment) -> ConversationState:
    if state.handover is None:
        return state
    return replace(state, handover=replace(state.handover, stalled_since=None))


def _parked(state: ConversationState, body: e.DeliveryParked, _m: Moment) -> ConversationState:
    return replace(state, parked=(*state.parked, body.message_id))


def _resent(state: ConversationState, body: e.DeliveryResent, _m: Moment) -> ConversationState:
    return replace(state, parked=tuple(p for p in state.parked if p != body.message_id))


def _closed(state: ConversationState, _body: e.ConversationClosed, _m: Moment) -> ConversationState:
    return replace(state, status="closed", handover=None, owner_epoch=state.owner_epoch + 1, turn_seq=0)


def _erased(state: ConversationState, _body: e.VisitorErased, _m: Moment) -> ConversationState:
    held = state.handover
    if held is not None and held.agent is not None:
        held = replace(held, agent=e.Agent(id=held.agent.id))
    return replace(state, erased=True, run={}, files=(), visitor_id="", external_id=None, handover=held)


_CHANGES: dict[type, Callable[[ConversationState, Any, Moment], ConversationState]] = {
    e.ConversationStarted: _started,
    e.MessagePosted: _message,
    e.RunAdvanced: _run,
    e.BotFailed: _bot_failed,
    e.HandoverRequested: _requested,
    e.HandoverOffered: _offered,
    e.HandoverQueued: _queued,
    e.HandoverConnected: _connected,
    e.HandoverTransferring: _transferring,
    e.HandoverTransferred: _connected,
    e.HandoverPutBack: _put_back,
    e.HandoverRungFailed: _rung_failed,
    e.HandoverFailed: _released,
    e.HandoverCancelled: _released,
    e.HandoverEnded: _released,
    e.DeliveryStalled: _stalled,
    e.DeliveryRecovered: _recovered,
    e.DeliveryParked: _parked,
    e.DeliveryResent: _resent,
    e.ConversationClosed: _closed,
    e.VisitorErased: _erased,
}
