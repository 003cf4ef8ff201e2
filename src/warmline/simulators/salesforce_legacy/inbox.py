"""What a session has still to hear: batches with a number, which the next poll acknowledges.

Documented: ``ack`` begins at -1 and is then the ``sequence`` of the answer before; ``offset`` is an internal number for
``ReconnectSession``; an empty answer has neither.  Assumed: that numbers begin at 1, that an unacknowledged batch comes
again unchanged, and that a poll without ``ack`` acknowledges what came before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

FIRST_OFFSET = 54_647_000
TYPING, NOT_TYPING = "AgentTyping", "AgentNotTyping"
SESSION_DATA = "ChasitorSessionData"
UNKNOWN = "ChasitorMoodUpdate"
"""A type that no documentation names."""


class Event(msgspec.Struct, frozen=True):
    """One message of the server."""

    type: str
    message: Mapping[str, Any]
    offset: int

    @property
    def wire(self) -> dict[str, Any]:
        """As it stands in an answer."""
        return {"type": self.type, "message": dict(self.message)}


class Inbox:
    """The events of one session."""

    def __init__(self) -> None:
        self.told: list[Event] = []
        """Every one there was, whether it was fetched or not."""
        self.pending: list[Event] = []
        self.batch: list[Event] = []
        self.sequence = 0
        self._offset = FIRST_OFFSET

    def put(self, kind: str, message: Mapping[str, Any], copies: int = 1) -> None:
        """One more at the end, ``copies`` times."""
        self._offset += 1
        event = Event(kind, message, self._offset)
        self.told.append(event)
        self.pending.extend([event] * copies)

    @property
    def waiting(self) -> bool:
        """Whether there is something that was not acknowledged."""
        return bool(self.batch or self.pending)

    def acknowledge(self, ack: int | None) -> None:
        """The caller has all batches up to ``ack``."""
        if ack is None or ack >= self.sequence:
            self.batch = []

    def take(self, *, backwards: bool, swapped: bool) -> dict[str, Any]:
        """The answer: the batch that was not acknowledged, else all that is pending."""
        if not self.batch:
            self.sequence += 1
            self.batch, self.pending = _arranged(self.pending, backwards=backwards, swapped=swapped), []
        newest = max(event.offset for event in self.batch)
        return {"messages": [event.wire for event in self.batch], "sequence": self.sequence, "offset": newest}

    def moved(self, offset: int, data: Mapping[str, Any], *, replay: bool) -> None:
        """On another server: numbers begin again, the session's data come first, then what came after ``offset``."""
        missed = [event for event in self.told if event.offset > offset and event.type != SESSION_DATA]
        self.pending, self.batch, self.sequence = [], [], 0
        self.put(SESSION_DATA, data)
        if replay:
            self.pending.extend(missed)


def _arranged(events: list[Event], *, backwards: bool, swapped: bool) -> list[Event]:
    if backwards:
        return events[::-1]
    if not swapped:
        return events
    places = [place for place, event in enumerate(events) if event.type in {TYPING, NOT_TYPING}]
    arranged = list(events)
    for place, other in zip(places, reversed(places), strict=True):
        arranged[place] = events[other]
    return arranged
