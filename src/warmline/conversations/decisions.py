"""Which events follow from a command, or why it is refused.  Pure; the writer calls this under the stream's lock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn, Protocol

from msgspec.structs import replace

from warmline.conversations import commands as c
from warmline.conversations import events as e
from warmline.conversations.binding import fresh
from warmline.conversations.desk_events import decide_desk
from warmline.conversations.ladder_steps import leave_rung, release
from warmline.conversations.model import TALKING, WAITING, ConversationState
from warmline.kernel.errors import Conflict


class Context(Protocol):
    """What the writer adds to a command: the store's time in milliseconds and who acts."""

    @property
    def at(self) -> int: ...

    @property
    def actor(self) -> str: ...


Decision = Sequence[e.Body]


def decide(state: ConversationState, command: object, context: Context) -> Decision:
    """The events that ``command`` causes.

    Raises Conflict (409) with a code that names the rule: ``closed``, ``stale_owner``, ``not_connected``,
    ``not_offered``, ``already_connected``, ``handover_active``, ``no_handover``, ``already_started``.
    """
    handler = _DECISIONS.get(type(command))
    if handler is None:
        msg = f"no decision for {type(command).__name__}"
        raise TypeError(msg)
    return _handed_back(state.channel, handler(state, command, context))


def _handed_back(channel: str, found: Decision) -> Decision:
    """A bot elsewhere has its conversation again when the handover is over: ours has nothing to say in it."""
    over = (e.HandoverFailed, e.HandoverCancelled, e.HandoverEnded)
    if channel != "api" or not any(isinstance(one, over) for one in found):
        return found
    if isinstance(found[-1], e.ConversationClosed):
        return found
    return [*found, e.ConversationClosed(reason="desk", by="handoff")]


def _refuse(code: str, detail: str) -> NoReturn:
    raise Conflict(detail, code=code)


def _require_open(state: ConversationState) -> None:
    if state.status == "closed":
        _refuse("closed", "The conversation is closed.")
    if state.status == "new":
        _refuse("not_started", "The conversation has not begun.")


def _require_epoch(state: ConversationState, epoch: int) -> None:
    if epoch != state.owner_epoch:
        raise Conflict(
            "The conversation has a new owner since then.", code="stale_owner", owner_epoch=state.owner_epoch
        )


def _start(state: ConversationState, command: c.Start, _context: Context) -> Decision:
    if state.status != "new":
        _refuse("already_started", "The conversation has begun already.")
    return [
        e.ConversationStarted(
            visitor_id=command.visitor_id,
            bot_id=command.bot_id,
            channel=command.channel,
            widget_id=command.widget_id,
            connection_id=command.connection_id,
            external_id=command.external_id,
            previous_id=command.previous_id,
            language=command.language,
            page=command.page,
            ladder=command.ladder,
            idle_after=command.idle_after,
            bot_answers_within=command.bot_answers_within,
            greet=command.greet,
        )
    ]


def _hand_in(state: ConversationState, command: c.HandIn, context: Context) -> Decision:
    found = [*_start(state, command.start, context)]
    if command.details:
        found.append(e.DetailsSet(values=command.details))
    found += [
        e.MessagePosted(message_id=line.message_id, author=line.author, text=line.text, name=line.name)
        for line in command.lines
    ]
    begun = replace(state, bot_id=command.start.bot_id)
    found += _request(begun, command.handover_id, "api", "api", command.start.ladder)
    return _handed_back(command.start.channel, found)


def _visitor_says(state: ConversationState, command: c.VisitorSays, _context: Context) -> Decision:
    _require_open(state)
    if state.channel == "converse" and state.handover is not None and state.handover.stage in TALKING:
        _refuse("owned_by_desk", "The CRM has taken this conversation; it shows its agents' words itself.")
    return [
        e.MessagePosted(
            message_id=command.message_id,
            author="visitor",
            text=command.text,
            client_id=command.client_id,
            reply_to=command.reply_to,
            card_index=command.card_index,
            attachments=fresh(state, command.attachments),
        )
    ]


def _bot_turn(state: ConversationState, command: c.BotTurn, _context: Context) -> Decision:
    _require_open(state)
    _require_epoch(state, command.epoch)
    if state.owner != "bot":
        _refuse("stale_owner", "A person owns the conversation.")
    found: list[e.Body] = [
        e.MessagePosted(
            message_id=line.message_id,
            author="bot",
            name=command.name or None,
            text=line.text,
            buttons=line.buttons,
        )
        for line in command.lines
    ]
    found.append(e.RunAdvanced(run=state.run if command.run is None else command.run, answers=command.answers))
    wish = command.handover
    if wish is not None:
        found += _request(state, wish.handover_id, wish.reason, "bot", wish.ladder)
    elif command.close:
        found.append(e.ConversationClosed(reason="card", by="bot"))
    return found


def _bot_fails(state: ConversationState, command: c.BotFails, _context: Context) -> Decision:
    _require_open(state)
    _require_epoch(state, command.epoch)
    if state.owner != "bot":
        _refuse("stale_owner", "A person owns the conversation.")
    return _bot_failed(state, command.error, command.handover_id)


def _bot_failed(state: ConversationState, error: str, handover_id: str) -> Decision:
    failed = e.BotFailed(error=error)
    # Without words of the visitor there is nothing a person could answer; handing over then could go in circles.
    if not state.turn_asked:
        return [failed]
    return [failed, *_request(state, handover_id, "bot_failed", "bot", state.ladder)]


def _request(
    state: ConversationState, handover_id: str, reason: e.Reason, by: str, ladder: tuple[e.Rung, ...]
) -> list[e.Body]:
    requested = e.HandoverRequested(
        handover_id=handover_id,
        reason=reason,
        by=by,
        ladder=ladder,
        bot_id=state.bot_id,
        text=ladder[0].text if ladder else "",
    )
    if ladder:
        return [requested]
    return [requested, e.HandoverFailed(handover_id=handover_id, reason="no_agent")]


def _request_handover(state: ConversationState, command: c.RequestHandover, _context: Context) -> Decision:
    _require_open(state)
    if state.handover is not None:
        _refuse("handover_active", "A handover is in progress.")
    return _request(state, command.handover_id, command.reason, command.by, command.ladder)


def _accept_offer(state: ConversationState, command: c.AcceptOffer, _context: Context) -> Decision:
    _require_open(state)
    _require_epoch(state, command.epoch)
    held = state.handover
    if held is None or held.stage != "requested":
        return []
    return [
        e.HandoverOffered(
            handover_id=held.id,
            rung=held.rung,
            connection_id=held.step.connection_id,
            thread_ref=command.thread_ref,
        )
    ]


def _fail_rung(state: ConversationState, command: c.FailRung, _context: Context) -> Decision:
    _require_open(state)
    _require_epoch(state, command.epoch)
    if state.handover is None:
        _refuse("stale_owner", "The handover is over.")
    return leave_rung(state, command.reason)


def _put_back(state: ConversationState, command: c.PutBack, _context: Context) -> Decision:
    _require_open(state)
    _require_epoch(state, command.epoch)
    held = state.handover
    if held is None or held.stage not in TALKING:
        _refuse("not_connected", "Nobody is connected to this conversation.")
    return [e.HandoverPutBack(handover_id=held.id, rung=held.rung, by=command.by)]


def _cancel(state: ConversationState, command: c.CancelHandover, _context: Context) -> Decision:
    _require_open(state)
    held = state.handover
    if held is None:
        _refuse("no_handover", "No handover is in progress.")
    if held.stage not in WAITING:
        _refuse("already_connected", "A person has joined; the handover can be ended, not cancelled.")
    return [e.HandoverCancelled(handover_id=held.id, by=command.by)]


def _end(state: ConversationState, command: c.EndHandover, _context: Context) -> Decision:
    _require_open(state)
    if command.epoch is not None:
        _require_epoch(state, command.epoch)
    held = state.handover
    if held is None:
        _refuse("no_handover", "No handover is in progress.")
    return release(held, command.reason)


def _close(state: ConversationState, command: c.Close, _context: Context) -> Decision:
    _require_open(state)
    if command.epoch is not None:
        _require_epoch(state, command.epoch)
    found: list[e.Body] = []
    if state.handover is not None:
        reason: e.Reason = "visitor_left" if command.reason == "visitor" else "closed"
        found += release(state.handover, reason)
    return [*found, e.ConversationClosed(reason=command.reason, by=command.by)]


def _park(state: ConversationState, command: c.Park, _context: Context) -> Decision:
    # A closed conversation takes no further facts; the relay's own list still holds the item.
    if state.status != "open" or command.message_id in state.parked:
        return []
    return [e.DeliveryParked(message_id=command.message_id, connection_id=command.connection_id, reason=command.reason)]


def _resent(state: ConversationState, command: c.Resent, _context: Context) -> Decision:
    if state.status != "open" or command.message_id not in state.parked:
        return []
    return [e.DeliveryResent(message_id=command.message_id)]


def _stall(state: ConversationState, command: c.Stall, _context: Context) -> Decision:
    _require_epoch(state, command.epoch)
    held = state.handover
    if held is None or held.stage not in TALKING or held.stalled_since is not None:
        return []
    return [e.DeliveryStalled(connection_id=command.connection_id)]


def _recover(state: ConversationState, command: c.Recover, _context: Context) -> Decision:
    held = state.handover
    if held is None or held.stalled_since is None or command.epoch != state.owner_epoch:
        return []
    return [e.DeliveryRecovered(connection_id=command.connection_id)]


def _leave_contact(state: ConversationState, command: c.LeaveContact, _context: Context) -> Decision:
    _require_open(state)
    return [
        e.ContactLeft(
            contact_id=command.contact_id,
            name=command.name,
            email=command.email,
            phone=command.phone,
            text=command.text,
        )
    ]


def _note(state: ConversationState, command: c.PostNote, _context: Context) -> Decision:
    if state.status == "new":
        _refuse("not_started", "The conversation has not begun.")
    return [e.NotePosted(note_id=command.note_id, member_id=command.member_id, text=command.text)]


def _set_details(state: ConversationState, command: c.SetDetails, _context: Context) -> Decision:
    _require_open(state)
    return [e.DetailsSet(values=command.values, sensitive=command.sensitive)]


def _post_as(state: ConversationState, command: c.PostAs, _context: Context) -> Decision:
    _require_open(state)
    _require_epoch(state, command.epoch)
    if command.author == "bot" and state.owner != "bot":
        _refuse("stale_owner", "A person owns the conversation.")
    if command.author == "agent" and (state.handover is None or state.handover.stage not in TALKING):
        _refuse("not_connected", "No agent is connected to this conversation.")
    return [
        e.MessagePosted(
            message_id=command.message_id,
            author=command.author,
            text=command.text,
            name=command.name,
            author_id=command.author_id,
            attachments=fresh(state, command.attachments),
        )
    ]


def _deadline(state: ConversationState, command: c.DeadlineReached, _context: Context) -> Decision:
    """The writer has checked that this deadline exists and is due."""
    held = state.handover
    if command.kind == "conversation_idle":
        return [e.ConversationClosed(reason="idle", by="system")]
    if command.kind == "bot_turn":
        # The id is derived, not drawn: decisions know no randomness, and the seq makes it unique in the stream.
        return _bot_failed(state, "no_answer", f"{state.id}:{state.turn_seq}")
    if held is None:
        return []
    if command.kind == "idle":
        return [e.HandoverEnded(handover_id=held.id, reason="idle")]
    reasons: dict[str, e.Reason] = {"answer": "no_answer", "connect": "no_agent", "lost": "desk_lost"}
    return leave_rung(state, reasons[command.kind])


_DECISIONS: dict[type, Callable[[ConversationState, Any, Context], Decision]] = {
    c.Start: _start,
    c.HandIn: _hand_in,
    c.VisitorSays: _visitor_says,
    c.BotTurn: _bot_turn,
    c.BotFails: _bot_fails,
    c.RequestHandover: _request_handover,
    c.AcceptOffer: _accept_offer,
    c.FailRung: _fail_rung,
    c.DeskSays: lambda state, command, _context: decide_desk(state, command),
    c.PutBack: _put_back,
    c.CancelHandover: _cancel,
    c.EndHandover: _end,
    c.Close: _close,
    c.Park: _park,
    c.Resent: _resent,
    c.Stall: _stall,
    c.Recover: _recover,
    c.LeaveContact: _leave_contact,
    c.PostNote: _note,
    c.SetDetails: _set_details,
    c.PostAs: _post_as,
    c.DeadlineReached: _deadline,
}
