"""One case of the kit: what it is called, when it applies, and how it is tried."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from warmline.accounts.access import SYSTEM
from warmline.conformance.rig import NotAtThisVendor, Rig, Step
from warmline.conformance.stand import WITHIN_S, Stand
from warmline.handover.port import Capabilities, Desk, Grade, Manifest
from warmline.simulators.script import Kind

ASKS = "talk to a person"
_LOOK_EVERY_S = 0.02


class NotApplicable(Exception):
    """The case says nothing about this desk; the sentence tells why."""


@dataclass
class Tried:
    """What a case works with: the stand, and the vendor behind the desk."""

    stand: Stand
    rig: Rig
    manifest: Manifest

    @property
    def can(self) -> Capabilities:
        """What the desk says it can carry."""
        return self.manifest.capabilities

    @property
    def desk(self) -> Desk:
        """The desk itself."""
        return self.stand.node.connections.desk(self.stand.connection_id)

    # -- steps that many cases share ------------------------------------------------------------------------------

    def trouble(self, step: Step, kind: Kind, times: int = 1) -> None:
        """The next calls of a step meet trouble.  Raises NotApplicable where the vendor has no such step."""
        if step in self.rig.inert:
            raise NotApplicable(f"nothing can go wrong here at “{step}”")
        self.rig.trouble(step, kind, times)

    async def asks(self, *first: str) -> tuple[str, str]:
        """A visitor says ``first`` and asks for a person: our conversation and the vendor's talk."""
        conversation = await self.stand.visit()
        for text in first:
            await self.stand.say(conversation, text)
        known = len(self.rig.talks())
        await self.stand.say(conversation, ASKS)
        await until(lambda: len(self.rig.talks()) > known, "the vendor has a new talk")
        talk = await self.rig.until_waiting()
        state = await self.stand.until(conversation, lambda s: s.handover and s.handover.stage != "requested")
        assert state.handover.rung == 0, "the desk was left for the next rung"
        return conversation, talk

    async def talks(self, *first: str) -> tuple[str, str]:
        """The same with an agent who has taken it: the visitor is connected."""
        conversation, talk = await self.asks(*first)
        await self.joins(conversation, talk)
        return conversation, talk

    async def joins(self, conversation: str, talk: str, agent: int = 0) -> str:
        """An agent takes it, and says hello where only an agent's words tell that he is there; his name."""
        name = await self.rig.joins(talk, agent)
        if self.manifest.join == "inferred":
            await self.rig.says(talk, "Hello.")
        await self.stand.until_stage(conversation, "connected")
        return name

    async def heard(self, talk: str, *wanted: str) -> None:
        """Wait until the agent has read exactly this of the visitor since he asked, in this order."""
        await until_equal(lambda: self.rig.heard(talk), wanted)

    async def agents_said(self, conversation: str, *wanted: str) -> None:
        """Wait until the visitor has read exactly this of agents (besides the hello of an inferred joining)."""
        hello = ("Hello.",) if self.manifest.join == "inferred" else ()
        expected = [*hello, *wanted]
        try:
            await self.stand.until_said(conversation, "agent", lambda said: said == expected)
        except TimeoutError:
            found = await self.stand.lines(conversation, "agent")
            raise AssertionError(f"the visitor read {_short(found)} instead of {_short(expected)}") from None

    async def update(self, **values: Any) -> None:
        """Change the connection's form."""
        await self.stand.node.connections.update(SYSTEM, self.stand.connection_id, settings=values)


Play = Callable[[Tried], Awaitable[None]]


class Topic(StrEnum):
    """What a case is about, in the order of the report."""

    OPENING = "opening"
    TALKING = "talking"
    TROUBLE = "trouble"
    REPORTS = "reports"
    RESTART = "restart"
    ENDING = "ending"
    CONTENT = "content"
    SECRECY = "secrecy"


@dataclass(frozen=True, slots=True)
class Case:
    """``name`` is how it is called on the command line; ``title`` a sentence; ``grade`` the first that demands it."""

    name: str
    title: str
    topic: Topic
    grade: Grade
    play: Play


CASES: list[Case] = []


def case(topic: Topic, grade: Grade, title: str) -> Callable[[Play], Play]:
    """Register a case; its name is that of its function, with hyphens."""

    def register(play: Play) -> Play:
        name = getattr(play, "__name__", "").replace("_", "-")
        CASES.append(Case(name, title, topic, grade, play))
        return play

    return register


async def until(holds: Callable[[], bool], what: str) -> None:
    """Wait until something holds at the vendor.  Raises AssertionError saying what never did."""
    try:
        async with asyncio.timeout(WITHIN_S):
            while True:
                if holds():
                    return
                await asyncio.sleep(_LOOK_EVERY_S)
    except TimeoutError:
        raise AssertionError(f"it never came true that {what}") from None


async def until_equal(found: Callable[[], Sequence[str]], wanted: Sequence[str]) -> None:
    """Wait until a list at the vendor is the wanted one.  Raises AssertionError saying what it was instead."""
    try:
        async with asyncio.timeout(WITHIN_S):
            while True:
                if list(found()) == list(wanted):
                    return
                await asyncio.sleep(_LOOK_EVERY_S)
    except TimeoutError:
        raise AssertionError(f"the agent has {_short(found())} instead of {_short(wanted)}") from None


def _short(texts: Sequence[str]) -> str:
    return str([text if len(text) <= 60 else f"{text[:57]}… ({len(text)} characters)" for text in texts])


__all__ = [
    "ASKS",
    "CASES",
    "Case",
    "NotApplicable",
    "NotAtThisVendor",
    "Topic",
    "Tried",
    "case",
    "until",
    "until_equal",
]
