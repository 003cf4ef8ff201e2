"""What a poll of Oracle's chat says.  Pure.

Documented: the fields of a changed activity and of a conclusion, ``createdTime`` and ``sequenceNumber`` everywhere, a text
twin of every long number.  From Oracle's published sample: the other names and fields.  Assumed: that ``sequenceNumber``
tells messages of one chat apart, that a changed role names ``clientId`` and ``role``, a new pool ``pool`` or ``poolId``, and
that some field of a file holds its address.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from warmline.desks.shared.plain_text import plain_text
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
    VendorFile,
)
from warmline.kernel.clock import from_rfc3339

Message = Mapping[str, Any]
_LEAD = "LEAD"
_NOBODY_CAME = ("QUEUE_TIMEOUT", "NO_AGENTS", "FAIL_", "ENDED_USER_DEFLECTED")
_BY_AGENT = ("AGENT_", "EJECTED")
_ENDS = (("END_USER", EndReason.VISITOR_LEFT), ("ENDED_USER", EndReason.VISITOR_LEFT), ("IDLE_", EndReason.IDLE))
"""What a conclusion's reason begins with → how it is over; the lists may not be complete, any other is an end."""


class Remembered(msgspec.Struct, frozen=True):
    """What is known of a chat besides where it is: kept in the thread's state.

    ``client`` is the visitor's own number, ``people`` the agents' names by theirs, ``lead`` the number of the one who has it
    ("" for nobody), ``joined`` whether anybody ever had it.
    """

    client: str
    people: dict[str, str] = {}
    lead: str = ""
    joined: bool = False


@dataclass
class Reading:
    """One poll's messages, read in their order: ``events``, a new ``pool`` if there is one, and whether it is ``over``."""

    thread_ref: str
    known: Remembered
    events: list[DeskEvent] = field(default_factory=list)
    pool: str = ""
    over: bool = False

    def take(self, messages: Sequence[Message]) -> None:
        """Read messages."""
        for message in sorted(messages, key=_order):
            name = str(message.get("messageName", ""))
            read = _MESSAGES.get(name)
            found: list[_Made] = list(read(self, message)) if read else [_Strange(name)]
            for place, made in enumerate(found):
                self._add(made, message, place)

    def take_errors(self, errors: Sequence[Any]) -> None:
        """Errors that stand beside the messages: nothing says which there are."""
        for error in errors:
            self._add(_Strange("errorMessages"), {"error": error}, 0)

    def _add(self, made: _Made, message: Message, place: int) -> None:
        number = _id(message, "sequenceNumber") or hashlib.sha256(repr(message).encode()).hexdigest()[:24]
        common: dict[str, Any] = {
            "thread_ref": self.thread_ref,
            "vendor_event_id": f"{number}.{place}" if place else number,
            "occurred_at": _moment(message.get("createdTime")),
            "raw": message,
        }
        self.events.append(made(common))

    def _know(self, **more: Any) -> None:
        self.known = msgspec.structs.replace(self.known, **more)

    # -- by kind of message --------------------------------------------------------------------------------------

    def waits(self, message: Message) -> Iterator[_Made]:
        """The place in the queue, or the expected wait, has changed."""
        position, seconds = _number(message, "position"), _number(message, "expectedWaitTimeSeconds")
        minutes = None if seconds is None else math.ceil(seconds / 60)
        yield lambda common: QueueMoved(position=position, wait_minutes=minutes, **common)

    def added(self, message: Message) -> Iterator[_Made]:
        """Somebody came in; only the lead agent is the one who joins, others help."""
        who = _id(message, "clientId")
        if who == self.known.client:
            return
        name = str(message.get("name") or "")
        self._know(people={**self.known.people, who: name})
        if message.get("role", _LEAD) == _LEAD:
            yield self._leads(who)
        if greeting := plain_text(str(message.get("greeting") or "")):
            yield lambda common: AgentReplied(text=greeting, name=name, **common)

    def role_changed(self, message: Message) -> Iterator[_Made]:
        """Another agent leads."""
        who = _id(message, "clientId")
        if message.get("role") == _LEAD and who in self.known.people:
            if who != self.known.lead:
                yield self._leads(who)
        elif message.get("role") != _LEAD and who and who == self.known.lead:
            self._know(lead="")
        elif who not in self.known.people:
            yield _Strange("RNEngagementRoleChangedMessage")

    def _leads(self, who: str) -> _Made:
        self._know(lead=who, joined=True)
        name = self.known.people.get(who, "")
        return lambda common: AgentJoined(name=name, **common)

    def posted(self, message: Message) -> Iterator[_Made]:
        """A line, as HTML.  What the visitor wrote himself is no news; what nobody wrote is a notice of the system."""
        who = _id(message, "clientId")
        text = plain_text(str(message.get("body") or ""))
        if who and who == self.known.client:
            return
        if not text:
            yield _Strange("RNEngagementMessagePostedMessage without a text")
            return
        name = self.known.people.get(who, "")
        yield lambda common: AgentReplied(text=text, name=name, **common)

    def acts(self, message: Message) -> Iterator[_Made]:
        """The agent types, or does not."""
        if _id(message, "clientId") != self.known.client:
            on = message.get("mode") == "RESPONDING"
            yield lambda common: AgentTyping(on=on, **common)

    def left(self, message: Message) -> Iterator[_Made]:
        """Somebody went.  That ends nothing: a transfer looks like this, and an end is told by itself."""
        who = _id(message, "clientId")
        lead = who == self.known.lead if who and self.known.lead else message.get("role") == _LEAD
        if lead and self.known.joined:
            self._know(lead="")
            yield lambda common: ThreadTransferred(**common)

    def concluded(self, message: Message) -> Iterator[_Made]:
        """It is over, for a reason of which the published lists may not be complete."""
        reason = str(message.get("reason") or "")
        self.over = True
        if reason.startswith(_NOBODY_CAME) or not (self.known.joined or reason.startswith("END_USER")):
            yield lambda common: OpenFailed(detail=f"Oracle ended the chat: {reason or 'no reason'}.", **common)
        elif reason.startswith(_BY_AGENT):
            yield lambda common: AgentLeft(**common)
        else:
            how = next((how for start, how in _ENDS if reason.startswith(start)), EndReason.AGENT_LEFT)
            yield lambda common: ThreadEnded(reason=how, **common)

    def configured(self, message: Message) -> Iterator[_Made]:
        """The session has moved: every later call names the new pool."""
        pool = message.get("pool") or message.get("poolId")
        if isinstance(pool, str) and pool:
            self.pool = pool
        else:
            yield _Strange("RNEngagementConfigurationChangedMessage without a pool")

    def file(self, message: Message) -> Iterator[_Made]:
        """A file of the agent, wherever its address stands."""
        urls = [
            value for value in message.values() if isinstance(value, str) and value.startswith(("https://", "http://"))
        ]
        if not urls:
            yield _Strange("RNEngagementFileAttachmentMessage without an address")
            return
        name = str(message.get("fileName") or message.get("name") or "")
        kind = str(message.get("contentType") or "")
        who = self.known.people.get(_id(message, "clientId"), "")
        files = (VendorFile(url=urls[0], name=name, media_type=kind),)
        yield lambda common: AgentReplied(text="", name=who, files=files, **common)


_Made = Callable[[dict[str, Any]], DeskEvent]


class _Strange:
    """An event this adapter has no word for."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def __call__(self, common: dict[str, Any]) -> DeskEvent:
        return Unknown(kind=self._kind, **common)


_MESSAGES: Mapping[str, Callable[[Reading, Message], Iterator[_Made]]] = {
    "RNEngagementWaitInformationChangedMessage": Reading.waits,
    "RNEngagementParticipantAddedMessage": Reading.added,
    "RNEngagementRoleChangedMessage": Reading.role_changed,
    "RNEngagementMessagePostedMessage": Reading.posted,
    "RNEngagementActivityChangedMessage": Reading.acts,
    "RNEngagementParticipantLeftMessage": Reading.left,
    "RNEngagementConcludedMessage": Reading.concluded,
    "RNEngagementConfigurationChangedMessage": Reading.configured,
    "RNEngagementFileAttachmentMessage": Reading.file,
}


def _id(message: Message, name: str) -> str:
    """A long number as text; its text twin is exact where other readers of JSON round."""
    value = message.get(f"{name}String", message.get(name))
    return "" if value is None else str(value)


def _number(message: Message, name: str) -> int | None:
    text = _id(message, name)
    return int(text) if text.isdecimal() else None


def _order(message: Message) -> int:
    return _number(message, "sequenceNumber") or 0


def _moment(stamp: Any) -> int | None:
    if isinstance(stamp, int):
        return stamp
    try:
        return int(stamp) if str(stamp).isdecimal() else from_rfc3339(str(stamp))
    except ValueError:
        return None
