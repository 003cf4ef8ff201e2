"""The scripted agent: plays the steps of a script for every conversation that begins to wait."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Protocol

from warmline.simulators.script import Act, Step


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
