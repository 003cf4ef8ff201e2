"""How a rung is left and how a handover lets go of a conversation.  Pure."""

from __future__ import annotations

from warmline.conversations import events as e
from warmline.conversations.model import TALKING, ConversationState, Handover


def leave_rung(state: ConversationState, reason: e.Reason) -> list[e.Body]:
    """The events for leaving the current rung: on to the next one, or the handover has failed."""
    held = state.handover
    if held is None:
        return []
    following = held.rung + 1
    if following < len(held.ladder):
        return [
            e.HandoverRungFailed(
                handover_id=held.id,
                rung=held.rung,
                reason=reason,
                next_rung=following,
                next_connection_id=held.ladder[following].connection_id,
                requested_seq=held.requested_seq,
                bot_id=state.bot_id,
                text=held.ladder[following].text,
            )
        ]
    return [
        e.HandoverRungFailed(handover_id=held.id, rung=held.rung, reason=reason),
        e.HandoverFailed(handover_id=held.id, reason=reason),
    ]


def release(held: Handover, reason: e.Reason) -> list[e.Body]:
    """The events for letting go: ended when a person had joined, cancelled when none had."""
    if held.stage in TALKING:
        return [e.HandoverEnded(handover_id=held.id, reason=reason)]
    by = "visitor" if reason == "visitor_left" else "system"
    return [e.HandoverCancelled(handover_id=held.id, by=by)]
