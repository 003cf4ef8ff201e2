"""Oracle B2C Service chat, for the kit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from html import unescape
from typing import Any, ClassVar, Self

import msgspec

from warmline.conformance.case import NotApplicable
from warmline.conformance.rig import SCRIPT, SeenFile, Step
from warmline.conformance.simulated import SimulatedRig
from warmline.simulators.oracle import Assumptions, OracleSimulator
from warmline.simulators.oracle.state import Engagement
from warmline.simulators.samples import PICTURE_NAME, picture
from warmline.simulators.script import Kind

_OPERATIONS = {
    Step.OPEN: "chat.request",
    Step.SEND: "chat.post",
    Step.CLOSE: "chat.conclude",
    Step.LISTEN: "chat.poll",
}
_READING = Assumptions(greeting=False, lost_answer="again")
"""No greeting, since the kit counts what agents say.  Whether what a lost answer held is told again is not documented:
here it is, and the adapter's own story tells the other reading."""


class OracleRig(SimulatedRig[OracleSimulator]):
    """A talk is an engagement's number."""

    key: ClassVar[str] = "oracle"
    operations: ClassVar[Mapping[Step, str]] = _OPERATIONS

    @classmethod
    @asynccontextmanager
    async def running(cls, **readings: Any) -> AsyncIterator[Self]:
        """The simulator with one service account; ``readings`` of its documentation instead of those above."""
        assumptions = msgspec.structs.replace(_READING, **readings)
        async with OracleSimulator.running(script=SCRIPT, assumptions=assumptions) as oracle:
            yield cls(oracle)

    def theirs(self, talk: str) -> int:
        """A number."""
        return int(talk)

    @property
    def wrong_credentials(self) -> Mapping[str, Any]:
        """Another password."""
        return {"password": "not-the-password"}

    @property
    def webhooks(self) -> None:
        """Oracle calls nobody."""

    def trouble(self, step: Step, kind: Kind, times: int = 1) -> None:
        """By the operations of the chat.  A beginning or a line whose answer is lost stands there twice: the guide says so."""
        if kind is Kind.LOST and step in {Step.OPEN, Step.SEND}:
            raise NotApplicable("Oracle recognises no repetition, and cannot be asked what it has")
        super().trouble(step, kind, times)

    # -- what the people there do --------------------------------------------------------------------------------

    async def says(self, talk: str, text: str, *, html: bool = False) -> None:
        """What is text goes out as HTML all the same: the console does that."""
        await self.vendor.agent_says(int(talk), text, html=html)

    async def types(self, talk: str) -> None:
        """RESPONDING, each time anew."""
        await self.vendor.agent_types(int(talk), on=False)
        await self.vendor.agent_types(int(talk))

    async def sends_file(self, talk: str) -> tuple[str, bytes]:
        """By its address."""
        await self.vendor.agent_sends_sample(int(talk), "picture")
        return PICTURE_NAME, picture()

    async def moves_in_queue(self, talk: str, position: int, minutes: int) -> None:
        """In seconds."""
        await self.vendor.queue_moves(int(talk), position, minutes * 60)

    async def transfers(self, talk: str) -> None:
        """To another queue."""
        await self.vendor.transfer_to_queue(int(talk), self.vendor.queues[1])

    async def declines(self, talk: str) -> None:
        """The queue has waited long enough."""
        await self.vendor.conclude(int(talk), "QUEUE_TIMEOUT")

    # -- what the people there see -------------------------------------------------------------------------------

    def heard(self, talk: str) -> Sequence[str]:
        """What was posted as text: the transcript comes as HTML."""
        return [one.body for one in self._one(talk).lines if one.side == "visitor" and not one.rich]

    def context(self, talk: str) -> str:
        """Who it is, and what was posted as HTML."""
        one = self._one(talk)
        posts = [plain.body for plain in one.lines if plain.side == "visitor" and plain.rich]
        return "\n".join([*map(str, one.information.values()), *map(unescape, posts)])

    def files(self, talk: str) -> Sequence[SeenFile]:
        """None: they stand in lines, as links."""
        del talk
        return []

    def is_over(self, talk: str) -> bool:
        """Concluded."""
        return self._one(talk).state == "ended"

    def saw_typing(self, talk: str) -> bool:
        """Whether it is shown now."""
        return self._one(talk).typing

    def _one(self, talk: str) -> Engagement:
        return self.vendor.site.engagements[int(talk)]
