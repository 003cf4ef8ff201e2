"""The envelope in which every event of the journal travels."""

from __future__ import annotations

from typing import Any, NewType, Protocol

import msgspec

Seq = NewType("Seq", int)
"""Number of an event within its stream: 1, 2, 3 … without a gap."""


class EventBody(Protocol):
    """What every event body type carries: a stable ``noun.past_verb`` name and a version."""

    TYPE: str
    VERSION: int


class Recorded(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One committed event.

    ``body`` is the decoded JSON object of the event; for an erased event it is ``{"erased": true}``.
    ``position`` is the store's global order (0 when the writer did not read it back).
    """

    stream_kind: str
    stream_id: str
    seq: int
    type: str
    version: int
    at: int
    actor: str
    owner_epoch: int
    body: dict[str, Any]
    conversation_id: str | None = None
    position: int = 0
