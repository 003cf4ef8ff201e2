"""What the entries of a conversation mean (developer.salesforce.com, messaging-api, read 2026-11).  Pure.

Documented: the entries' types, the roles, the values of routing results and session statuses, that unknown events have to
be passed over.  Seen in clients only: routing work results.  Assumed: that ``identifier`` is the same in the stream and in
lists, and that a session which Ended or failed says no more.

What happens is told several times over (a transfer by a routing result, by a work result and by participants who come and
go), in no promised order; what was told already is remembered in ``Here``.  That the last agent goes says nothing by itself:
the end of the session, a transfer or another place in the queue may follow, or the conversation has to be asked about.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from warmline.desks.salesforce.client import Entry
from warmline.desks.salesforce.words import files_of, words_of
from warmline.handover.port import (
    AgentJoined,
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
from warmline.platform.sse import SseEvent

AGENT, VISITOR = "Agent", "EndUser"
_SPEAKERS = frozenset({AGENT, "Supervisor", "Chatbot", "System"})
_WITHOUT_USE = frozenset(
    {
        "DeliveryAcknowledgement",
        "ReadAcknowledgement",
        "ProgressIndicator",
        "StreamingToken",
        "ClientAction",
        "ClientMenu",
    }
)
_PASSING = ("TypingStartedIndicator", "TypingStoppedIndicator")
_REMEMBERED = 100
"""So many entries are known again when the stream, or a list after it, tells them once more."""
_PREFIX = re.compile(r"^CONVERSATION_")


class Here(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of a thread.  ``since`` (ms) is the moment of the newest entry that was heard.

    ``renew_at`` (ms) is when a new token is due.  ``agents`` are those who are in it, name by subject; ``moving`` while it
    goes to other people, and ``left`` names the entry by which the last of them went while nothing has said what for;
    ``seen`` are the newest entries; ``listened`` says that a stream stood once, ``figures`` that the
    visitor may hear his place in the queue.
    """

    token: str
    renew_at: int | None = None
    last_event_id: str = ""
    listened: bool = False
    since: int = 0
    agents: Mapping[str, str] = msgspec.field(default_factory=dict)
    moving: bool = False
    left: str = ""
    seen: tuple[str, ...] = ()
    figures: bool = True


class Heard(msgspec.Struct, frozen=True):
    """What an entry means, and what to remember after it; ``over`` when nothing will follow."""

    events: tuple[DeskEvent, ...]
    here: Here
    over: bool = False


class _Said(msgspec.Struct, frozen=True):
    """An entry on its way: its payload decoded, and what every event of it has."""

    payload: Mapping[str, Any]
    role: str
    subject: str
    name: str
    common: Mapping[str, Any]

    @property
    def number(self) -> str:
        """What the entry is called; never empty."""
        return str(self.common["vendor_event_id"] or "unnamed")

    def with_id(self, suffix: str) -> dict[str, Any]:
        """For a second event of the same entry."""
        return {**self.common, "vendor_event_id": f"{self.number}/{suffix}"}


def entry_type(event_name: str) -> str:
    """The type of the entry that an event of the stream tells: CONVERSATION_ROUTING_RESULT → RoutingResult."""
    return "".join(word.capitalize() for word in _PREFIX.sub("", event_name).split("_"))


def hear(entry: Entry, here: Here, *, ref: str, kind: str = "", event_id: str = "") -> Heard:
    """What ``entry`` means.  ``kind`` is the event's name in the stream, ``event_id`` its id there."""
    payload = _payload(entry.entry_payload)
    type_ = entry.entry_type or str(payload.get("entryType") or "") or entry_type(kind)
    sender = entry.sender if isinstance(entry.sender, dict) else {}
    at = entry.transcripted_timestamp or entry.client_timestamp
    said = _Said(
        payload=payload,
        role=str(sender.get("role") or ""),
        subject=str(sender.get("subject") or ""),
        name=entry.sender_display_name or "",
        common={
            "thread_ref": ref,
            "vendor_event_id": entry.identifier or event_id or None,
            "occurred_at": at,
            "raw": msgspec.to_builtins(entry),
        },
    )
    if type_ in _WITHOUT_USE or (said.role == VISITOR and type_ == "Message"):
        return Heard((), here)  # our own words come back
    if type_ in _PASSING:
        return Heard(_typing(said, on=type_ == _PASSING[0]), here)
    if entry.identifier and entry.identifier in here.seen:
        return Heard((), here)
    reader = _READERS.get(type_)
    heard = reader(said, here) if reader else Heard((Unknown(kind=type_ or kind, **said.common),), here)
    seen = (*heard.here.seen, entry.identifier)[-_REMEMBERED:] if entry.identifier else heard.here.seen
    after = msgspec.structs.replace(heard.here, seen=seen, since=max(at or 0, heard.here.since))
    return msgspec.structs.replace(heard, here=after)


class _Envelope(msgspec.Struct, frozen=True, rename="camel"):
    conversation_id: str = ""
    conversation_entry: Entry = Entry()


def hear_all(events: Sequence[SseEvent], here: Here, *, ref: str) -> Heard:
    """What a piece of the stream says.  Typing alone changes nothing that is worth storing."""
    heard = Heard((), here)
    for event in events:
        if heard.over or event.event == "ping":
            continue
        try:
            envelope = msgspec.json.decode(event.data, type=_Envelope)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            envelope = _Envelope()
        if envelope.conversation_id not in {"", ref}:
            continue
        one = hear(envelope.conversation_entry, heard.here, ref=ref, kind=event.event, event_id=event.id)
        after = one.here
        if any(not isinstance(told, AgentTyping) for told in one.events):
            after = msgspec.structs.replace(after, last_event_id=event.id)
        heard = Heard((*heard.events, *one.events), after, one.over)
    return heard


def _payload(given: Any) -> Mapping[str, Any]:
    try:
        found = msgspec.json.decode(given) if isinstance(given, str) else given
    except msgspec.DecodeError:
        found = None
    return found if isinstance(found, dict) else {}


# -- one reader per type of entry --------------------------------------------------------------------------------------


def _message(said: _Said, here: Here) -> Heard:
    message = said.payload.get("abstractMessage")
    if said.role not in _SPEAKERS or not isinstance(message, dict):
        return Heard((Unknown(kind=f"Message of {said.role or 'nobody'}", **said.common),), here)
    text, files = words_of(message), files_of(message)
    if not text and not files:
        return Heard((Unknown(kind="Message without content", **said.common),), here)
    number = message.get("id")
    reply = AgentReplied(
        text=text, message_id=str(number) if number else None, name=said.name, files=files, **said.common
    )
    if said.role == AGENT and not here.agents and not here.moving:
        # He speaks, so he is there: his coming was missed.
        joined = AgentJoined(name=said.name, **said.with_id("join"))
        agents = {said.subject or said.name: said.name}
        return Heard((joined, reply), msgspec.structs.replace(here, agents=agents, left=""))
    return Heard((reply,), here)


def _participants(said: _Said, here: Here) -> Heard:
    events: list[DeskEvent] = []
    agents, moving, gone = dict(here.agents), here.moving, here.left
    changes = said.payload.get("entries")
    for place, change in enumerate(changes if isinstance(changes, list) else ()):
        person = change.get("participant") if isinstance(change, dict) else None
        if not isinstance(person, dict) or person.get("role") != AGENT:
            continue
        name = str(change.get("displayName") or "")
        subject = str(person.get("subject") or name)
        common = said.with_id(str(place)) if place else dict(said.common)
        if change.get("operation") == "add":
            agents[subject], moving, gone = name, False, ""
            events.append(AgentJoined(name=name, **common))
        elif change.get("operation") == "remove":
            left = agents.pop(subject, None) is not None
            if left and not agents and not moving:
                gone = said.number
    return Heard(tuple(events), msgspec.structs.replace(here, agents=agents, moving=moving, left=gone))


def _moves(said: _Said, here: Here) -> Heard:
    """It goes to other people; told once, however often it is said."""
    if here.moving or not (here.agents or here.left):
        return Heard((), here)
    return Heard((ThreadTransferred(**said.common),), msgspec.structs.replace(here, moving=True, left=""))


def asked_about(status: str, here: Here, *, ref: str) -> Heard:
    """What a conversation's routing status says of an agent who went, and after whom nothing came.

    Documented: the words.  Assumed: that they speak of the present; seen in a client: what they mean here.
    """
    common: dict[str, Any] = {
        "thread_ref": ref,
        "vendor_event_id": f"{here.left}/asked",
        "raw": {"routingStatus": status},
    }
    after = msgspec.structs.replace(here, moving=True, left="")
    if status == "TRANSFER":
        return Heard((ThreadTransferred(**common),), after)
    return Heard((QueueMoved(**common),), after) if status == "NEEDS_ROUTING" else Heard((), here)


def _stays(said: _Said, here: Here) -> Heard:
    """It was to go to other people, and nobody took it: who had it still has it."""
    if not here.moving or not here.agents:
        return Heard((), here)
    name = list(here.agents.values())[-1]
    return Heard((AgentJoined(name=name, **said.common),), msgspec.structs.replace(here, moving=False))


def _routed(said: _Said, here: Here) -> Heard:
    kind = said.payload.get("routingType")
    failure = said.payload.get("failureType")
    if failure not in (None, "", "None"):
        if kind != "Initial" and here.agents:
            return _stays(said, here)
        why = said.payload.get("failureReason") or said.payload.get("cancelReason") or ""
        failed = OpenFailed(detail=f"{failure}: {why}".rstrip(": "), **said.common)
        # Who was with somebody waits again before nobody comes: that leads on to the next rung.
        again = (QueueMoved(**said.with_id("again")),) if here.left else ()
        return Heard((*again, failed), here, over=True)
    if kind == "Transfer":
        return _moves(said, here)
    if kind == "Conference" or here.agents:
        return Heard((), here)
    return Heard((QueueMoved(wait_minutes=_minutes(said, here), **said.common),), _waiting(here))


def _waiting(here: Here) -> Here:
    """He waits; if his agent has gone, for another one."""
    return msgspec.structs.replace(here, moving=True, left="") if here.left else here


def _minutes(said: _Said, here: Here) -> int | None:
    told = said.payload.get("estimatedWaitTime")
    seconds = told.get("estimatedWaitTimeInSeconds") if isinstance(told, dict) else None
    asked = isinstance(told, dict) and told.get("isEWTRequested") is not False
    if not here.figures or not asked or not isinstance(seconds, int | float) or seconds < 0:
        return None
    return math.ceil(seconds / 60)


def _worked(said: _Said, here: Here) -> Heard:
    # Who accepted is told by the participants, with his name; the rest concerns agents only.
    known: Mapping[str, Callable[[_Said, Here], Heard]] = {"Transferred": _moves, "TransferError": _stays}
    reader = known.get(str(said.payload.get("workType")))
    return reader(said, here) if reader else Heard((), here)


def _position(said: _Said, here: Here) -> Heard:
    position = said.payload.get("position")
    if here.agents and not here.moving:
        return Heard((), here)
    figure = position if here.figures and isinstance(position, int) and position >= 0 else None
    return Heard((QueueMoved(position=figure, **said.common),), _waiting(here))


def _typing(said: _Said, *, on: bool) -> tuple[DeskEvent, ...]:
    return (AgentTyping(on=on, **said.common),) if said.role in _SPEAKERS else ()


def _session(said: _Said, here: Here) -> Heard:
    status = said.payload.get("sessionStatus")
    if status == "Ended":
        return _ended(said, here)
    if status == "Error":
        if here.agents or here.moving or here.left:
            return Heard((ThreadEnded(reason=EndReason.DESK_LOST, **said.common),), here, over=True)
        return Heard((OpenFailed(**said.common),), here, over=True)
    return Heard((), here)


def _ended(said: _Said, here: Here) -> Heard:
    """Over.  Documented: who ended it is told, and that inactive sessions end by themselves (assumed: by "System").

    "EndUser" is told too when an agent ended it (seen).  Our visitor ends it only through us, when nobody waits for this.
    """
    role, before = said.payload.get("sessionEndedByRole"), said.payload.get("sessionStatusPrev")
    by_itself = role == "System" or (before == "Inactive" and role not in {AGENT, "Supervisor"})
    reason = EndReason.IDLE if by_itself else EndReason.AGENT_LEFT
    return Heard((ThreadEnded(reason=reason, **said.common),), here, over=True)


def _closed(said: _Said, here: Here) -> Heard:
    """Documented: told only when the visitor's side closed it."""
    return Heard((ThreadEnded(reason=EndReason.VISITOR_LEFT, **said.common),), here, over=True)


_READERS: Mapping[str, Callable[[_Said, Here], Heard]] = {
    "Message": _message,
    "ParticipantChanged": _participants,
    "RoutingResult": _routed,
    "RoutingWorkResult": _worked,
    "QueuePosition": _position,
    "SessionStatusChanged": _session,
    "CloseConversation": _closed,
}
