"""The scripted agent: plays the steps of a script for every conversation that begins to wait."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from warmline.simulators.changes import Changes
from warmline.simulators.samples import sample
from warmline.simulators.script import Act, Step

Done = Coroutine[Any, Any, object]


class Staff(Protocol):
    """The acts that agents have at every vendor.  A conversation is named as the vendor names it."""

    @property
    def agents(self) -> Sequence[Any]:
        """The people."""

    def agent_joins(self, conversation: Any, agent: Any, /) -> Done:
        """``agent`` takes it."""

    def agent_says(self, conversation: Any, text: str, /) -> Done:
        """Whoever has it writes."""

    def agent_sends_sample(self, conversation: Any, name: str, /) -> Done:
        """Whoever has it sends one of the samples."""

    def transfer_to_agent(self, conversation: Any, agent: Any, /) -> Done:
        """``agent`` has it now."""

    def decline(self, conversation: Any, agent: Any, /) -> Done:
        """``agent`` does not want it."""

    def disappear(self, conversation: Any, /) -> Done:
        """Whoever has it goes away without a word."""

    def close(self, conversation: Any, /) -> Done:
        """It is over."""


async def play_step(
    staff: Staff, conversation: Any, step: Step, own: Mapping[Act, Callable[[], Awaitable[object]]]
) -> None:
    """One act of a script; ``own`` are those that the vendors do not all have alike: typing, letting go, queues."""
    agent = staff.agents[step.agent]
    text, kind = sample(step.text)
    acts: Mapping[Act, Callable[[], Awaitable[object]]] = {
        Act.JOINS: lambda: staff.agent_joins(conversation, agent),
        Act.SAYS: lambda: (
            staff.agent_sends_sample(conversation, kind) if kind else staff.agent_says(conversation, text)
        ),
        Act.DECLINES: lambda: staff.decline(conversation, agent),
        Act.TO_AGENT: lambda: staff.transfer_to_agent(conversation, agent),
        Act.DISAPPEARS: lambda: staff.disappear(conversation),
        Act.CLOSES: lambda: staff.close(conversation),
        **own,
    }
    await acts[step.act]()


class Waiting(Protocol):
    """A conversation."""

    @property
    def waiting(self) -> bool:
        """Whether it waits for an agent."""


C = TypeVar("C", bound=Waiting)


async def newest_waiting(changes: Changes, conversations: Callable[[], Sequence[C]], timeout_s: float) -> C:
    """The newest conversation that waits for an agent, as soon as there is one.  Raises TimeoutError."""
    found = await changes.until(lambda: [one for one in conversations() if one.waiting], timeout_s=timeout_s)
    return found[-1]


class Desk(Protocol):
    """What an agent can do at a vendor.  ``agent`` and ``queue`` are places in the vendor's lists."""

    async def perform(self, conversation: str, step: Step) -> None:
        """One act."""


class ScriptedAgent:
    """Plays ``steps``, once per conversation."""

    def __init__(self, desk: Desk, steps: tuple[Step, ...]) -> None:
        self._desk = desk
        self._steps = steps
        self._played: set[str] = set()
        self._spoken: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(0))

    def visitor_spoke(self, conversation: str) -> None:
        """A message of the visitor arrived."""
        self._spoken[conversation].release()

    def wants(self, conversation: str) -> bool:
        """Whether there is something to play for a conversation that begins to wait."""
        if not self._steps or conversation in self._played:
            return False
        self._played.add(conversation)
        return True

    async def play(self, conversation: str) -> None:
        """All steps, until the agent disappears."""
        for step in self._steps:
            if step.after_visitor:
                await self._spoken[conversation].acquire()
            await asyncio.sleep(step.after_ms / 1000)
            await self._desk.perform(conversation, step)
            if step.act is Act.DISAPPEARS:
                return
