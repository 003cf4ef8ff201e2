"""What the visitor may see of a conversation: events without notes, ids of desks, or anything internal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from warmline.conversations import events as e
from warmline.conversations.model import ConversationState
from warmline.kernel.clock import to_rfc3339
from warmline.kernel.envelope import Recorded


def visitor_item(event: Recorded) -> dict[str, Any]:
    """The visitor's form of one event: ``{seq, type, at, owner_epoch, data}``.

    Events a visitor may not see, erased ones and unknown types give ``{seq, type: "skip", to}``, so that the
    visitor's numbers have no holes.
    """
    render = _VISIBLE.get(type(event.body))
    if render is None:
        return {"seq": event.seq, "type": "skip", "to": event.seq}
    return {
        "seq": event.seq,
        "type": event.type,
        "at": to_rfc3339(event.at),
        "owner_epoch": event.owner_epoch,
        "data": render(event.body),
    }


def visitor_state(state: ConversationState) -> dict[str, Any]:
    """The visitor's form of the state: status, owner and the handover in progress."""
    held = state.handover
    shown = None
    if held is not None:
        shown = {
            "state": held.stage,
            "position": held.position,
            "wait_minutes": held.wait_minutes,
            "agent": _agent(held.agent) if held.agent else None,
            "rung_text": held.step.text,
        }
    return {
        "status": "closed" if state.status == "closed" else "open",
        "owner": state.owner,
        "owner_epoch": state.owner_epoch,
        "handover": shown,
    }


def _agent(agent: e.Agent) -> dict[str, Any]:
    return {"name": agent.name, "avatar": agent.avatar}


def _message(body: e.MessagePosted) -> dict[str, Any]:
    return {
        "message_id": body.message_id,
        "client_id": body.client_id,
        "author": {"kind": body.author, "name": body.name, "avatar": body.avatar},
        "text": body.text,
        "buttons": [{"text": b.text, "kind": b.kind, "url": b.url} for b in body.buttons],
        "attachments": [
            {"id": one.id, "name": one.name, "media_type": one.media_type, "size": one.size} for one in body.attachments
        ],
    }


def _wait(body: e.HandoverQueued | e.HandoverTransferring) -> dict[str, Any]:
    return {"position": body.position, "wait_minutes": body.wait_minutes}


_VISIBLE: dict[type[e.Body], Callable[[Any], dict[str, Any]]] = {
    e.ConversationStarted: lambda _body: {},
    e.MessagePosted: _message,
    e.HandoverRequested: lambda body: {"text": body.text},
    e.HandoverQueued: _wait,
    e.HandoverConnected: lambda body: {"agent": _agent(body.agent)},
    e.HandoverTransferring: _wait,
    e.HandoverTransferred: lambda body: {"agent": _agent(body.agent)},
    e.HandoverPutBack: lambda _body: {},
    e.HandoverRungFailed: lambda body: {
        "reason": body.reason,
        "text": body.text,
        "more": body.next_rung is not None,
    },
    e.HandoverFailed: lambda body: {"reason": body.reason, "text": ""},
    e.HandoverCancelled: lambda body: {"by": body.by if body.by in {"visitor", "system"} else "team"},
    e.HandoverEnded: lambda body: {"reason": body.reason},
    e.DeliveryParked: lambda body: {"message_id": body.message_id},
    e.DeliveryResent: lambda body: {"message_id": body.message_id},
    e.ContactLeft: lambda _body: {},
    e.ConversationClosed: lambda body: {"reason": body.reason},
}


def visible_types() -> frozenset[str]:
    """The event types of which a visitor is told more than their number."""
    return frozenset(body.TYPE for body in _VISIBLE)
