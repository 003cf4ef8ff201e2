"""What rigs over a simulator have alike; a vendor's own rig says the rest."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from warmline.conformance.rig import Habits, Rig, Step
from warmline.simulators.board import Board
from warmline.simulators.script import Kind
from warmline.simulators.trouble import Switchboard


class Vendor(Protocol):
    """A simulator, with the acts that all of them have.  A conversation is named as the vendor names it."""

    trouble: Switchboard

    @property
    def webhooks(self) -> Habits:
        """The habits of its reports."""

    @property
    def conversations(self) -> Sequence[Any]:
        """All of them, oldest first; each has an ``id``."""

    @property
    def agents(self) -> Sequence[Any]:
        """The people; each has a ``name``."""

    def form(self) -> dict[str, str]:
        """What is entered when it is connected."""

    def keep_limits(self, on: bool) -> None:
        """Hold callers to the documented limits, or to none."""

    def board(self) -> Board:
        """Its page."""

    def waiting(self, *, timeout_s: float) -> Coroutine[Any, Any, Any]:
        """The newest conversation that waits."""

    def agent_joins(self, conversation: Any, agent: Any, /) -> Coroutine[Any, Any, object]:
        """An agent takes it."""

    def close(self, conversation: Any, /) -> Coroutine[Any, Any, object]:
        """Its agent ends it."""

    def disappear(self, conversation: Any, /) -> Coroutine[Any, Any, object]:
        """Its agent goes away without a word."""


V = TypeVar("V", bound=Vendor)


class SimulatedRig(Rig, Generic[V]):
    """``operations`` names the vendor's operation of each step at which something can go wrong."""

    operations: ClassVar[Mapping[Step, str]]

    def __init__(self, vendor: V) -> None:
        self.vendor = vendor

    def theirs(self, talk: str) -> Any:
        """The vendor's own name of a talk, where that is no text."""
        return talk

    @property
    def settings(self) -> Mapping[str, Any]:
        """As the guide says."""
        return self.vendor.form()

    @property
    def payload(self) -> str:
        """The published one, where one was published."""
        return self.vendor.board().payload()

    @property
    def webhooks(self) -> Habits | None:
        """The simulator's."""
        return self.vendor.webhooks

    def trouble(self, step: Step, kind: Kind, times: int = 1) -> None:
        """By the vendor's operations."""
        self.vendor.trouble.next(self.operations[step], kind, times)

    def keep_limits(self, on: bool) -> None:
        """The simulator's."""
        self.vendor.keep_limits(on)

    async def until_waiting(self, timeout_s: float = 15.0) -> str:
        """As the simulator has it."""
        return str((await self.vendor.waiting(timeout_s=timeout_s)).id)

    async def joins(self, talk: str, agent: int = 0) -> str:
        """It is given to an agent."""
        who = self.vendor.agents[agent]
        await self.vendor.agent_joins(self.theirs(talk), who)
        return str(who.name)

    async def ends(self, talk: str) -> None:
        """The agent closes it."""
        await self.vendor.close(self.theirs(talk))

    async def vanishes(self, talk: str) -> None:
        """No event tells of it."""
        await self.vendor.disappear(self.theirs(talk))

    def talks(self) -> Sequence[str]:
        """Conversations."""
        return [str(one.id) for one in self.vendor.conversations]
