"""What a simulator is told to do: troubles, webhook habits, waits, and the agent's part.

Everything here is plain data, so that a test, a page and the command line say it the same way.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec


class Kind(StrEnum):
    """What goes wrong with a call."""

    TOO_MANY = "429"
    """Refused as by the vendor's rate limit; nothing is done."""
    FAILING = "500"
    """An internal error; nothing is done."""
    SILENT = "timeout"
    """No answer until the connection is cut; nothing is done."""
    LOST = "lost"
    """The call is carried out, but the connection is cut instead of an answer."""
    LATE = "late"
    """The call is carried out, and answered after ``Waits.late_ms``."""


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """The next ``times`` calls of ``operation`` (``*`` for any) meet ``kind``."""

    operation: str
    kind: Kind
    times: int = 1


class Act(StrEnum):
    """What an agent does."""

    JOINS = "joins"
    SAYS = "says"
    TYPES = "types"
    DECLINES = "declines"
    TO_QUEUE = "transfers to queue"
    TO_AGENT = "transfers to agent"
    UNASSIGNS = "unassigns"
    DISAPPEARS = "disappears"
    CLOSES = "closes"


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One act of the scripted agent, ``after_ms`` milliseconds after the step before.

    ``text`` is what is said, or the name of a sample: ``sample:emoji`` (see ``samples.py``).  ``agent`` and ``queue``
    are places in the simulator's lists.  With ``after_visitor`` the step waits for the visitor's next message first.
    """

    act: Act
    after_ms: int = 0
    text: str = ""
    agent: int = 0
    queue: int = 0
    after_visitor: bool = False


class Switches(msgspec.Struct, kw_only=True):
    """The habits of webhooks; may be changed while the simulator runs."""

    duplicates: int = 0
    """So many more copies of every event, under the same event id."""
    reorder: bool = False
    """Events of ``Waits.reorder_ms`` are collected and delivered last one first."""
    echo: bool = True
    """The caller's own messages come back as events."""
    unknown_events: bool = False
    """Each event is preceded by one of a kind that no documentation names."""
    wrong_signature: bool = False
    lose: bool = False
    """Events are not delivered at all, and never again."""
    paused: bool = False
    """Events are kept, and delivered when this ends."""
    stale_by_s: int = 0
    """The signature's moment lies so many seconds in the past."""


class Waits(msgspec.Struct, frozen=True, kw_only=True):
    """Every wait of a simulator, in milliseconds.  The defaults suit tests; ``PATIENT`` suits people."""

    latency_ms: int = 0
    hold_ms: int = 200
    late_ms: int = 200
    reorder_ms: int = 60
    retry_ms: tuple[int, ...] = (40, 80, 160)
    """Between the attempts of one webhook delivery; after the last one it is given up."""
    routing_ms: int = 100
    """Until the vendor's own routing puts a conversation into a queue that nobody has put into one."""
    background_ms: int = 20
    """What the vendor accepts now and does later."""
    webhook_timeout_ms: int = 10_000


PATIENT = Waits(
    hold_ms=20_000,
    late_ms=20_000,
    reorder_ms=1_500,
    retry_ms=(1_000, 5_000, 30_000),
    routing_ms=2_000,
    background_ms=300,
)


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """How often one credential may call."""

    per_second: float
    burst: int


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """All of it.  ``steps`` are played once for every conversation that begins to wait for an agent."""

    steps: tuple[Step, ...] = ()
    trouble: tuple[Trouble, ...] = ()
    webhooks: Switches = msgspec.field(default_factory=Switches)
    waits: Waits = Waits()
    rate: Rate | Literal["vendor"] | None = "vendor"
    """``vendor``: the numbers of the documentation; None: no limit."""
