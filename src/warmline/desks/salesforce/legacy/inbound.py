"""What a poll of Live Agent says (Chat REST API guide, “Messages Response Objects”).  Pure.

Documented: the types and their members.  Told by an integrator only: that a position of 0 means nothing in queues and
Omni-Channel, and that “Unavailable” comes in the middle of a chat when its only agent went offline.  Inferred: that a
reconnected session is sent the events since its offset; lines that are only in the session's data are told from there.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from warmline.desks.salesforce.legacy.chat import ChatState, Line
from warmline.desks.salesforce.legacy.client import Batch, Message
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

_MOST_HEARD = 500


@dataclass(frozen=True, slots=True)
class Reading:
    """A batch: its events, the state after it, the session's lines where it has them, and whether the chat is over."""

    events: tuple[DeskEvent, ...]
    state: ChatState
    lines: tuple[Line, ...] | None = None
    over: bool = False


def read_batch(batch: Batch, state: ChatState) -> Reading:
    """The events of a poll's answer.  Every one is named by session, server, sequence and place."""
    events: list[DeskEvent] = []
    reader = _Reader(state)
    lines: tuple[Line, ...] | None = None
    over = False
    for place, message in enumerate(batch.messages):
        sequence = "-" if batch.sequence is None else batch.sequence
        name = f"{state.session_id}:{state.round}.{sequence}.{place}"
        if message.type == "ChasitorSessionData":
            lines = _lines(message)
            events += reader.missed(lines, name)
            continue
        event = reader.read(message, name)
        if event is not None:
            events.append(event)
        over |= isinstance(event, OpenFailed | ThreadEnded | AgentLeft)
    after = msgspec.structs.replace(
        state,
        ack=state.ack if batch.sequence is None else batch.sequence,
        offset=state.offset if batch.offset is None else batch.offset,
        joined=reader.joined,
        heard=tuple(reader.heard[-_MOST_HEARD:]),
        early=tuple(reader.early.elements()),
    )
    return Reading(tuple(events), after, lines, over)


def session_gone(state: ChatState, detail: str) -> DeskEvent:
    """The event for a session the server has no more."""
    named: dict[str, Any] = {"thread_ref": state.session_id, "vendor_event_id": f"{state.session_id}:gone"}
    if state.joined:
        return ThreadEnded(reason=EndReason.DESK_LOST, **named)
    return OpenFailed(detail=detail, **named)


class _Reader:
    """Reads messages in order: what some of them mean depends on those before."""

    def __init__(self, state: ChatState) -> None:
        self._ref = state.session_id
        self.joined = state.joined
        self.heard = list(state.heard)
        self.early = Counter(state.early)

    def read(self, message: Message, name: str) -> DeskEvent | None:
        """The event of a message; None for a line that was told before."""
        told = message.message or {}
        if message.type == "FileTransfer":
            told = {"type": told.get("type")}  # The rest are the keys for one upload.
        raw = {"type": message.type, "message": told}
        common: dict[str, Any] = {"thread_ref": self._ref, "vendor_event_id": name, "raw": raw}
        match message.type:
            case "ChatMessage":
                return self._said(told, common)
            case "ChatEstablished":
                self.joined = True
                return AgentJoined(name=_text(told, "name"), **common)
            case "ChatRequestFail":
                if self.joined:
                    return AgentLeft(**common)
                return OpenFailed(detail=f"Salesforce: {_text(told, 'reason') or 'no reason told'}", **common)
            case "ChatEnded":
                if not self.joined:
                    return OpenFailed(detail="The chat ended before an agent took it.", **common)
                why = _text(told, "reason")
                return AgentLeft(**common) if why == "agent" else ThreadEnded(reason=_ended_by(why), **common)
        made = _EVENTS.get(message.type)
        return made(told, common) if made else Unknown(kind=message.type, **common)

    def missed(self, lines: tuple[Line, ...], name: str) -> list[DeskEvent]:
        """Agents' lines in the session's data that no event has told; remembered, in case one still does."""
        known = Counter(self.heard)
        events: list[DeskEvent] = []
        for place, line in enumerate(lines):
            if line.type != "Agent" or not line.content:
                continue
            digest = _digest(line.content)
            if known[digest]:
                known[digest] -= 1
                continue
            self.heard.append(digest)
            self.early[digest] += 1
            events.append(
                AgentReplied(
                    text=line.content,
                    name=line.name,
                    thread_ref=self._ref,
                    vendor_event_id=f"{name}.{place}",
                    occurred_at=line.timestamp or None,
                    raw=msgspec.to_builtins(line),
                )
            )
        return events

    def _said(self, told: dict[str, Any], common: dict[str, Any]) -> DeskEvent | None:
        text = _text(told, "text")
        if not text:
            return Unknown(kind="ChatMessage without text", **common)
        digest = _digest(text)
        if self.early[digest]:
            self.early[digest] -= 1
            return None
        self.heard.append(digest)
        return AgentReplied(text=text, name=_text(told, "name"), **common)


def _ended_by(why: str) -> EndReason:
    """How a chat is over.  That there is a reason is documented, its words are not: these were seen."""
    if why.startswith("client"):
        return EndReason.IDLE if "timeout" in why.lower() else EndReason.VISITOR_LEFT
    return EndReason.AGENT_LEFT


def _queue(told: dict[str, Any], common: dict[str, Any]) -> DeskEvent:
    position = told.get("queuePosition", told.get("position"))
    seconds = told.get("estimatedWaitTime")
    return QueueMoved(
        position=position if isinstance(position, int) and position > 0 else None,
        wait_minutes=math.ceil(seconds / 60) if isinstance(seconds, int | float) and seconds >= 0 else None,
        **common,
    )


_EVENTS: dict[str, Callable[[dict[str, Any], dict[str, Any]], DeskEvent]] = {
    "ChatRequestSuccess": _queue,
    "QueueUpdate": _queue,
    "AgentTyping": lambda _told, common: AgentTyping(on=True, **common),
    "AgentNotTyping": lambda _told, common: AgentTyping(on=False, **common),
    # The event comes when the other agent has it; its name is his.
    "ChatTransferred": lambda told, common: (
        AgentJoined(name=_text(told, "name"), **common) if _text(told, "name") else ThreadTransferred(**common)
    ),
    # Documented: the chat is still there, and a new agent may accept it.
    "AgentDisconnect": lambda _told, common: ThreadTransferred(**common),
}


def _lines(message: Message) -> tuple[Line, ...]:
    found: list[Line] = []
    for entry in (message.message or {}).get("chatMessages") or ():
        try:
            found.append(msgspec.convert(entry, Line, strict=False))
        except msgspec.ValidationError:
            continue
    return tuple(found)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _text(told: dict[str, Any], name: str) -> str:
    value = told.get(name)
    return value if isinstance(value, str) else ""
