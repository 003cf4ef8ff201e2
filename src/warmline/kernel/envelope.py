"""The envelope in which every event of the journal travels."""

from __future__ import annotations

from typing import Any, ClassVar, NewType, Protocol

import msgspec

Seq = NewType("Seq", int)
"""Number of an event within its stream: 1, 2, 3 … without a gap."""

TOMBSTONE = b'{"erased":true}'
"""What stands in the place of an erased body."""


class Body(Protocol):
    """What every event body type carries: a stable ``noun.past_verb`` name and a version.  A msgspec Struct."""

    TYPE: ClassVar[str]
    VERSION: ClassVar[int]


class Recorded(msgspec.Struct, frozen=True, gc=False):
    """One committed event.

    ``raw`` is the JSON text of the body; ``body`` is the same as a typed value, or None when this program does not
    know the type, cannot read it, or the body was erased.  ``at`` is in milliseconds by the store's clock.
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
    raw: bytes
    body: Any = None
    conversation_id: str | None = None
    position: int = 0

    @property
    def erased(self) -> bool:
        """Whether the body was replaced by a tombstone."""
        return self.raw == TOMBSTONE
