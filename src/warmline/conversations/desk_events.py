"""What a desk's event does in each state: the table of the widget-escalation wire, as data and small functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NoReturn

from warmline.conversations import events as e
from warmline.conversations.binding import fresh
from warmline.conversations.commands import DeskSays
from warmline.conversations.ladder_steps import leave_rung
from warmline.conversations.model import ConversationState, Handover
from warmline.kernel.errors import Conflict, NotFound


def decide_desk(state: ConversationState, command: DeskSays) -> Sequence[e.Body]:
    """Events for what a desk says.  Raises Conflict: closed · not_offered · not_connected · stale_owner · already_connected."""
    if command.bot_id is not None and command.bot_id != state.bot_id:
        raise NotFound("There is no such conversation.")
    if state.status != "open":
        _refuse("closed", "The conversation is closed.")
    epoch = command.epoch if command.epoch is not None else state.attempts.get(command.connection_id)
    if epoch is None:
        code = "not_connected" if command.verb == "replied" else "not_offered"
        _refuse(code, "This conversation has not been offered to this connection.")
    held = state.handover
    # A known epoch opens nothing to another connection than the one that owns it.
    if epoch != state.owner_epoch or held is None or held.step.connection_id != command.connection_id:
        raise Conflict(
            "The conversation has a new owner since then.", code="stale_owner", owner_epoch=state.owner_epoch
        )
    stage = "waiting" if held.stage in {"offered", "queued"} else held.stage
    return _TABLE[stage, command.verb](state, held, command)


def _refuse(code: str, detail: str) -> NoReturn:
    raise Conflict(detail, code=code)


def _queue(_state: ConversationState, held: Handover, command: DeskSays) -> Sequence[e.Body]:
    return [
        e.HandoverQueued(
            handover_id=held.id, rung=held.rung, position=command.position, wait_minutes=command.wait_minutes
        )
    ]


def _connect(_state: ConversationState, held: Handover, command: DeskSays) -> Sequence[e.Body]:
    return [e.HandoverConnected(handover_id=held.id, rung=held.rung, agent=command.agent)]


def _connect_again(state: ConversationState, held: Handover, command: DeskSays) -> Sequence[e.Body]:
    """The same agent again (or one without a name) changes nothing; another one is a transfer."""
    present = held.agent or e.Agent()
    if command.only_waiting:
        if command.agent.id is not None and command.agent.id == present.id:
            return []
        _refuse("already_connected", "Another agent has taken this conversation.")
    if command.agent.name is None or command.agent.name == present.name:
        return []
    return _transfer(state, held, command)


def _transfer(_state: ConversationState, held: Handover, command: DeskSays) -> Sequence[e.Body]:
    if command.only_waiting:
        _refuse("already_connected", "This conversation is being transferred.")
    return [e.HandoverTransferred(handover_id=held.id, rung=held.rung, agent=command.agent)]


def _begin_transfer(_state: ConversationState, held: Handover, command: DeskSays) -> Sequence[e.Body]:
    if command.only_waiting:
        _refuse("already_connected", "An agent has taken this conversation meanwhile.")
    return [
        e.HandoverTransferring(
            handover_id=held.id, rung=held.rung, position=command.position, wait_minutes=command.wait_minutes
        )
    ]


def _reply(state: ConversationState, held: Handover, command: DeskSays) -> Sequence[e.Body]:
    agent = command.agent if command.agent.name else (held.agent or e.Agent())
    return [
        e.MessagePosted(
            message_id=command.message_id,
            author="agent",
            text=command.text,
            name=agent.name,
            avatar=agent.avatar,
            author_id=agent.id,
            attachments=fresh(state, command.attachments),
        )
    ]


def _too_early(_state: ConversationState, _held: Handover, _command: DeskSays) -> Sequence[e.Body]:
    _refuse("not_connected", "No agent has joined yet: report escalationSuccess first.")


def _too_late(_state: ConversationState, _held: Handover, _command: DeskSays) -> Sequence[e.Body]:
    _refuse("already_connected", "An agent has joined already; report agentDisconnect to end.")


def _not_offered(_state: ConversationState, _held: Handover, _command: DeskSays) -> Sequence[e.Body]:
    _refuse("not_offered", "The request has not been acknowledged with a 2xx answer yet.")


def _fail(state: ConversationState, _held: Handover, _command: DeskSays) -> Sequence[e.Body]:
    return leave_rung(state, "refused")


def _vanish(state: ConversationState, _held: Handover, command: DeskSays) -> Sequence[e.Body]:
    return leave_rung(state, command.reason)


def _end(_state: ConversationState, held: Handover, command: DeskSays) -> Sequence[e.Body]:
    return [e.HandoverEnded(handover_id=held.id, reason=command.reason)]


_Row = Callable[[ConversationState, Handover, DeskSays], Sequence[e.Body]]

_TABLE: dict[tuple[str, str], _Row] = (
    {
        ("waiting", "queued"): _queue,
        ("waiting", "joined"): _connect,
        ("waiting", "replied"): _too_early,
        ("waiting", "transferring"): _queue,
        ("waiting", "failed"): _fail,
        ("waiting", "left"): _vanish,
        ("connected", "queued"): _begin_transfer,
        ("connected", "joined"): _connect_again,
        ("connected", "replied"): _reply,
        ("connected", "transferring"): _begin_transfer,
        ("connected", "failed"): _too_late,
        ("connected", "left"): _end,
        ("transferring", "queued"): _queue,
        ("transferring", "joined"): _transfer,
        ("transferring", "replied"): _reply,
        ("transferring", "transferring"): _queue,
        ("transferring", "failed"): _fail,
        ("transferring", "left"): _end,
    }
    | {("requested", verb): _not_offered for verb in ("queued", "joined", "transferring", "failed", "left")}
    | {("requested", "replied"): _too_early}
)
