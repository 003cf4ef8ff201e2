"""What the agent page shows of a vendor; each vendor fills these in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import msgspec


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a transcript.  ``kind`` is what the vendor calls the content, where that matters (``Html``)."""

    side: Literal["visitor", "agent", "bot", "note"]
    name: str
    text: str
    at: int
    kind: str = ""
    files: tuple[tuple[str, str], ...] = ()


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation.  ``state`` is a colour: waiting, held or ended; ``state_text`` says it in the vendor's words."""

    id: str
    title: str
    state: Literal["waiting", "held", "idle", "ended"]
    state_text: str
    lines: tuple[Line, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    activity: tuple[tuple[int, str], ...] = ()


class Choice(msgspec.Struct, frozen=True):
    """Something to choose among, before a button: the field's name, its label, and pairs of value and text."""

    name: str
    label: str
    options: tuple[tuple[str, str], ...]


class Button(msgspec.Struct, frozen=True, kw_only=True):
    """One act.  ``when``: in which states of a card it makes sense."""

    act: str
    label: str
    when: frozenset[str]
    choice: Choice | None = None
    strong: bool = False


class Credential(msgspec.Struct, frozen=True):
    """Something to enter elsewhere: its label, its value, and the field of Warmline's form that it belongs into.

    Without a ``setting`` it is only good to know: the ids of queues, for example.
    """

    label: str
    value: str
    setting: str = ""


class ActRefused(Exception):
    """An act that is not possible now; the sentence is shown."""


class Board(Protocol):
    """The vendor's side of the page."""

    def cards(self) -> Sequence[Card]:
        """All conversations, newest first."""

    def buttons(self) -> Sequence[Button]:
        """What an agent can do besides writing."""

    async def do(self, act: str, conversation: str, fields: Mapping[str, str]) -> None:
        """One act of the page.  ``say`` has ``text``, ``sample`` has ``sample``.  Raises ActRefused."""

    def targets(self) -> Sequence[str]:
        """Where webhooks go."""

    def subscribe(self, url: str) -> None:
        """Send all webhooks to ``url``, and nowhere else.  Raises ActRefused."""

    def credentials(self) -> Sequence[Credential]:
        """What to enter when this vendor is connected."""

    def payload(self) -> str:
        """What a rung of a ladder can tell this vendor, as JSON with placeholders; "" when nothing."""
