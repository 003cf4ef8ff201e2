"""Salesforce's retired Live Agent, for the kit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Self

from warmline.conformance.rig import SCRIPT, NotAtThisVendor, SeenFile, Step
from warmline.conformance.simulated import SimulatedRig
from warmline.simulators.salesforce_legacy import Assumptions, SalesforceLegacySimulator
from warmline.simulators.salesforce_legacy.state import Chat

_OPERATIONS = {
    Step.OPEN: "chat.request",
    Step.SEND: "chat.message",
    Step.CLOSE: "chat.end",
    Step.LISTEN: "session.poll",
}


class SalesforceLegacyRig(SimulatedRig[SalesforceLegacySimulator]):
    """A talk is a session's id.  Agents send no files, and what they write is text."""

    key: ClassVar[str] = "salesforce_legacy"
    operations: ClassVar[Mapping[Step, str]] = _OPERATIONS

    @classmethod
    @asynccontextmanager
    async def running(cls, **readings: Any) -> AsyncIterator[Self]:
        """The simulator with its one deployment; ``readings`` of the guide instead of the usual ones."""
        assumptions = Assumptions(**readings)
        async with SalesforceLegacySimulator.running(script=SCRIPT, assumptions=assumptions) as salesforce:
            yield cls(salesforce)

    @property
    def wrong_credentials(self) -> Mapping[str, Any]:
        """An address where no chat lives: the protocol has no credentials but those of each session."""
        return {"chat_url": f"{self.vendor.url}/elsewhere"}

    @property
    def webhooks(self) -> None:
        """None: events have no ids, so what comes twice cannot be told from what is said twice."""

    # -- what the people there do --------------------------------------------------------------------------------

    async def says(self, talk: str, text: str, *, html: bool = False) -> None:
        """As plain text, which is all there is."""
        if html:
            raise NotAtThisVendor(talk)
        await self.vendor.agent_says(talk, text)

    async def types(self, talk: str) -> None:
        """An agent begins to type, each time anew."""
        await self.vendor.agent_types(talk, on=False)
        await self.vendor.agent_types(talk)

    async def moves_in_queue(self, talk: str, position: int, minutes: int) -> None:
        """In seconds."""
        await self.vendor.queue_moves(talk, position, minutes * 60)

    async def transfers(self, talk: str) -> None:
        """To another button."""
        await self.vendor.transfer_to_button(talk, self.vendor.buttons[1])

    async def declines(self, talk: str) -> None:
        """The request fails."""
        await self.vendor.fail(talk)

    # -- what the people there see -------------------------------------------------------------------------------

    def heard(self, talk: str) -> Sequence[str]:
        """What was said in the chat."""
        return [line.text for line in self._one(talk).said_by("Chasitor")]

    def context(self, talk: str) -> str:
        """The details that are shown to agents."""
        chat = self._one(talk)
        shown = [one for one in chat.init["prechatDetails"] if one["displayToAgent"]]
        return "\n".join([chat.visitor_name, *(f"{one['label']}: {one['value']}" for one in shown)])

    def files(self, talk: str) -> Sequence[SeenFile]:
        """Those that the agent asked for; others stand in lines, as links."""
        return [SeenFile(name=file.name, body=file.body) for file in self._one(talk).files]

    def is_over(self, talk: str) -> bool:
        """Ended."""
        return self._one(talk).state == "ended"

    def saw_typing(self, talk: str) -> bool:
        """Counted."""
        return self._one(talk).typed > 0

    def _one(self, talk: str) -> Chat:
        return self.vendor.org.chats[talk]
