"""Salesforce Enhanced Chat, for the kit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Self

from warmline.conformance.rig import SCRIPT, NotAtThisVendor, SeenFile, Step
from warmline.conformance.simulated import SimulatedRig
from warmline.simulators.base import FILES
from warmline.simulators.salesforce import Assumptions, SalesforceSimulator
from warmline.simulators.salesforce.state import Conversation, Entry
from warmline.simulators.samples import PICTURE_NAME, picture

_OPERATIONS = {
    Step.OPEN: "conversation.start",
    Step.SEND: "message.send",
    Step.CLOSE: "session.end",
    Step.LISTEN: "stream",
}


class SalesforceRig(SimulatedRig[SalesforceSimulator]):
    """A talk is a conversation's id.  The visitor's first message holds what was said before."""

    key: ClassVar[str] = "salesforce"
    operations: ClassVar[Mapping[Step, str]] = _OPERATIONS

    @classmethod
    @asynccontextmanager
    async def running(cls, assumptions: Assumptions | None = None) -> AsyncIterator[Self]:
        """The simulator with its one deployment."""
        async with SalesforceSimulator.running(script=SCRIPT, assumptions=assumptions) as salesforce:
            yield cls(salesforce)

    @property
    def wrong_credentials(self) -> Mapping[str, Any]:
        """Another org."""
        return {"org_id": "00D000000000000"}

    # -- what the people there do --------------------------------------------------------------------------------

    async def says(self, talk: str, text: str, *, html: bool = False) -> None:
        """As plain text, which is all there is."""
        if html:
            raise NotAtThisVendor(talk)
        await self.vendor.agent_says(talk, text)

    async def types(self, talk: str) -> None:
        """A rep begins to type."""
        await self.vendor.agent_types(talk)

    async def sends_file(self, talk: str) -> tuple[str, bytes]:
        """By its address."""
        files = [(f"{self.vendor.url}{FILES}/{PICTURE_NAME}", PICTURE_NAME)]
        await self.vendor.agent_says(talk, "", files=files)
        return PICTURE_NAME, picture()

    async def moves_in_queue(self, talk: str, position: int, minutes: int) -> None:
        """An org tells either the place or the time, never both (documented), and both is what is asked for here."""
        raise NotAtThisVendor(talk, position, minutes)

    async def transfers(self, talk: str) -> None:
        """To another queue."""
        await self.vendor.transfer_to_queue(talk, self.vendor.queues[1])

    async def declines(self, talk: str) -> None:
        """Routing fails."""
        await self.vendor.fail_routing(talk)

    # -- what the people there see -------------------------------------------------------------------------------

    def heard(self, talk: str) -> Sequence[str]:
        """The visitor's messages but for the first."""
        return [entry.text for entry in self._said(talk)[1:] if entry.text]

    def context(self, talk: str) -> str:
        """The first message, and the parameters."""
        values = [str(value) for value in self._one(talk).routing_attributes.values()]
        return "\n".join([*(entry.text for entry in self._said(talk)[:1]), *values])

    def files(self, talk: str) -> Sequence[SeenFile]:
        """Uploaded ones."""
        return [SeenFile(name=file.name, body=file.body) for entry in self._said(talk) for file in entry.files]

    def is_over(self, talk: str) -> bool:
        """Its session has ended."""
        return self._one(talk).over

    def saw_typing(self, talk: str) -> bool:
        """Counted."""
        return self._one(talk).typing > 0

    def _said(self, talk: str) -> list[Entry]:
        return self._one(talk).said_by("EndUser")

    def _one(self, talk: str) -> Conversation:
        return self.vendor.org.conversations[talk]
