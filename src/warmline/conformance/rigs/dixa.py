"""Dixa, for the kit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Self

from warmline.conformance.rig import SCRIPT, SeenFile, Step
from warmline.conformance.simulated import SimulatedRig
from warmline.simulators.base import FILES
from warmline.simulators.dixa import DixaSimulator
from warmline.simulators.dixa.state import Conversation
from warmline.simulators.samples import PICTURE_NAME, picture

_OPERATIONS = {Step.OPEN: "conversations.import", Step.SEND: "messages.add", Step.CLOSE: "conversations.close"}


class DixaRig(SimulatedRig[DixaSimulator]):
    """A talk is a conversation's number."""

    key: ClassVar[str] = "dixa"
    operations: ClassVar[Mapping[Step, str]] = _OPERATIONS
    inert: ClassVar[frozenset[Step]] = frozenset({Step.LISTEN})

    @classmethod
    @asynccontextmanager
    async def running(cls) -> AsyncIterator[Self]:
        """The simulator with one administrator's token."""
        async with DixaSimulator.running(script=SCRIPT) as dixa:
            yield cls(dixa)

    def theirs(self, talk: str) -> int:
        """A number."""
        return int(talk)

    @property
    def wrong_credentials(self) -> Mapping[str, Any]:
        """Another token."""
        return {"api_token": "no-token-of-this-account"}

    async def subscribe(self, address: str) -> None:
        """A webhook for all events."""
        self.vendor.subscribe(address)

    async def rotate_secret(self) -> Mapping[str, Any]:
        """Dixa shows a new one when a webhook is added again."""
        (old,) = self.vendor.subscriptions
        self.vendor.unsubscribe(old.id)
        self.vendor.secret = "ab" * 32
        self.vendor.subscribe(old.url)
        return {"webhook_secret": self.vendor.secret}

    # -- what the people there do --------------------------------------------------------------------------------

    async def says(self, talk: str, text: str, *, html: bool = False) -> None:
        """As text or as HTML."""
        await self.vendor.agent_says(int(talk), text, content_type="Html" if html else "Text")

    async def types(self, talk: str) -> None:
        """Dixa tells the beginning."""
        await self.vendor.agent_types(int(talk))

    async def sends_file(self, talk: str) -> tuple[str, bytes]:
        """By its address."""
        files = [(f"{self.vendor.url}{FILES}/{PICTURE_NAME}", PICTURE_NAME)]
        await self.vendor.agent_says(int(talk), "", files=files)
        return PICTURE_NAME, picture()

    async def transfers(self, talk: str) -> None:
        """To another queue."""
        await self.vendor.transfer_to_queue(int(talk), self.vendor.queues[1])

    async def declines(self, talk: str) -> None:
        """Closed before anybody has taken it: abandoned."""
        await self.vendor.close(int(talk))

    # -- what the people there see -------------------------------------------------------------------------------

    def heard(self, talk: str) -> Sequence[str]:
        """Inbound lines that were not imported."""
        lines = [one for one in self._one(talk).messages if one.direction == "Inbound" and not one.imported]
        return [one.text for one in lines]

    def context(self, talk: str) -> str:
        """Imported lines, notes and tags."""
        one = self._one(talk)
        lines = [line.text for line in one.messages if line.imported]
        return "\n".join([*lines, *(note.message for note in one.notes), *sorted(one.tags)])

    def files(self, talk: str) -> Sequence[SeenFile]:
        """By address."""
        lines = [one for one in self._one(talk).messages if one.direction == "Inbound"]
        return [SeenFile(name=file.name or "", url=file.url) for line in lines for file in line.attachments]

    def is_over(self, talk: str) -> bool:
        """Closed."""
        return self._one(talk).state == "Closed"

    def _one(self, talk: str) -> Conversation:
        return self.vendor.account.conversations[int(talk)]
