"""What the kit asks of a vendor that it tries a desk against: an account, and the people who work there.

A rig knows its simulator, never the adapter: what it reports is what an agent would see at the vendor.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Protocol, Self

from warmline.app import Node
from warmline.simulators.script import Kind, Script, Waits

SCRIPT = Script(rate=None, waits=Waits(retry_ms=(50, 100, 200, 400, 800, 1_500, 2_000, 3_000, 4_000)))
"""How a vendor is started for the kit: without a rate limit, and with reports that come again for ten seconds."""


class Step(StrEnum):
    """Which of our calls meets a trouble; the rig names the vendor's operation for it."""

    OPEN = "open"
    SEND = "send"
    CLOSE = "close"
    LISTEN = "listen"


class NotAtThisVendor(Exception):
    """The vendor's people cannot do this; the case does not apply."""


@dataclass(frozen=True, slots=True)
class SeenFile:
    """A file as the agent sees it.  ``url`` is "" for one that was uploaded; ``body`` is empty for one that is a link."""

    name: str
    url: str = ""
    body: bytes = b""


class Habits(Protocol):
    """How reports are sent (a simulator's ``webhooks``)."""

    def set(self, **switches: Any) -> None:
        """Change switches by their names in ``Switches``."""


class Rig(ABC):
    """A vendor that runs here.  A ``talk`` is the vendor's own id of a conversation, as text.

    ``key`` is the desk's key.  ``inert`` names the steps at which this vendor cannot meet trouble.  ``repeats_reports``
    says that a report nobody took comes again (in the rig: for at least ten seconds, since the kit restarts Warmline).
    """

    key: ClassVar[str]
    inert: ClassVar[frozenset[Step]] = frozenset()
    repeats_reports: ClassVar[bool] = True

    @classmethod
    @asynccontextmanager
    @abstractmethod
    async def running(cls) -> AsyncIterator[Self]:
        """The vendor, started on a free loopback port, without a rate limit, and stopped at the end."""
        yield  # type: ignore[misc]  # an abstract generator has to yield something

    # -- setting up ----------------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def settings(self) -> Mapping[str, Any]:
        """The values of the connection's form, secrets too."""

    @property
    @abstractmethod
    def wrong_credentials(self) -> Mapping[str, Any]:
        """The values that make the same form be refused by the vendor."""

    @property
    def payload(self) -> str:
        """The rung's payload, "" for a desk that takes none."""
        return ""

    async def meet(self, node: Node) -> None:
        """The Warmline that is tried has started (for a desk whose people work in it); again after each restart."""
        del node

    async def subscribe(self, address: str) -> None:
        """Report to ``address`` from now on (nothing to do for a vendor that is listened to)."""
        del address

    @property
    def webhooks(self) -> Habits | None:
        """The habits of the vendor's reports, to be changed while it runs; None for a vendor that reports nothing."""
        return None

    async def rotate_secret(self) -> Mapping[str, Any] | None:
        """Sign with a new secret from now on: the form's values that are new; None where nothing is signed."""
        return None

    @abstractmethod
    def trouble(self, step: Step, kind: Kind, times: int = 1) -> None:
        """The next ``times`` calls of ``step`` meet ``kind``."""

    def keep_limits(self, on: bool) -> None:
        """Refuse calls beyond the vendor's documented limits from now on, or none any more (one without limits: nothing)."""
        del on

    # -- what the people there do --------------------------------------------------------------------------------

    @abstractmethod
    async def until_waiting(self, timeout_s: float = 15.0) -> str:
        """The newest talk that waits for an agent.  Raises TimeoutError."""

    @abstractmethod
    async def joins(self, talk: str, agent: int = 0) -> str:
        """An agent takes it; the name under which the visitor should see him, "" where the vendor tells none."""

    @abstractmethod
    async def says(self, talk: str, text: str, *, html: bool = False) -> None:
        """The agent who has it writes.  ``html``: ``text`` is markup, for vendors whose agents write some."""

    @abstractmethod
    async def ends(self, talk: str) -> None:
        """The agent ends it."""

    async def types(self, talk: str) -> None:
        """The agent begins to type."""
        raise NotAtThisVendor(talk)

    async def sends_file(self, talk: str) -> tuple[str, bytes]:
        """The agent sends a small picture; its name and its bytes."""
        raise NotAtThisVendor(talk)

    async def moves_in_queue(self, talk: str, position: int, minutes: int) -> None:
        """The vendor says where the visitor stands."""
        raise NotAtThisVendor(talk, position, minutes)

    async def transfers(self, talk: str) -> None:
        """The agent hands it to other people; ``joins(talk, 1)`` takes it there."""
        raise NotAtThisVendor(talk)

    async def declines(self, talk: str) -> None:
        """Nobody will come, and the vendor says so."""
        raise NotAtThisVendor(talk)

    async def vanishes(self, talk: str) -> None:
        """The agent is gone without a word (a lost line, a closed browser)."""
        raise NotAtThisVendor(talk)

    # -- what the people there see -------------------------------------------------------------------------------

    @abstractmethod
    def talks(self) -> Sequence[str]:
        """All talks there ever were, oldest first."""

    @abstractmethod
    def heard(self, talk: str) -> Sequence[str]:
        """The visitor's own lines that follow one by one, in the order in which they stand there."""

    @abstractmethod
    def context(self, talk: str) -> str:
        """All else an agent can read there: what was said before, notes, subject, fields."""

    @abstractmethod
    def files(self, talk: str) -> Sequence[SeenFile]:
        """The visitor's files."""

    @abstractmethod
    def is_over(self, talk: str) -> bool:
        """Whether it has ended for the people there."""

    def saw_typing(self, talk: str) -> bool:
        """Whether the agent was ever shown that the visitor types."""
        del talk
        return False
