"""Dixa, for the kit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Self

from warmline.conformance.rig import SCRIPT, Rig, SeenFile, Step
from warmline.simulators.base import FILES
from warmline.simulators.deliveries import Deliveries
from warmline.simulators.dixa import DixaSimulator
from warmline.simulators.dixa.state import Conversation
from warmline.simulators.samples import PICTURE_NAME, picture
from warmline.simulators.script import Kind

_OPERATIONS = {Step.OPEN: "conversations.import", Step.SEND: "messages.add", Step.CLOSE: "conversations.close"}


class DixaRig(Rig):
    """A talk is a conversation's number."""

    key: ClassVar[str] = "dixa"
    inert: ClassVar[frozenset[Step]] = frozenset({Step.LISTEN})

    def __init__(self, dixa: DixaSimulator) -> None:
        self.vendor = dixa

    @classmethod
    @asynccontextmanager
    async def running(cls) -> AsyncIterator[Self]:
        """The simulator with one administrator's token."""
        async with DixaSimulator.running(script=SCRIPT) as dixa:
            yield cls(dixa)

    @property
    def settings(self) -> Mapping[str, Any]:
        """As the guide says."""
        return self.vendor.form()

    @property
    def wrong_credentials(self) -> Mapping[str, Any]:
        """Another token."""
        return {"api_token": "no-token-of-this-account"}

    @property
    def payload(self) -> str:
        """The published one."""
        return self.vendor.board().payload()

    async def subscribe(self, address: str) -> None:
        """A webhook for all events."""
        self.vendor.subscribe(address)

    @property
    def webhooks(self) -> Deliveries:
        """The simulator's."""
        return self.vendor.webhooks

    async def rotate_secret(self) -> Mapping[str, Any]:
        """Dixa shows a new one when a webhook is added again."""
        (old,) = self.vendor.subscriptions
        self.vendor.unsubscribe(old.id)
        self.vendor.secret = "ab" * 32
        self.vendor.subscribe(old.url)
        return {"webhook_secret": self.vendor.secret}

    def trouble(self, step: Step, kind: Kind, times: int = 1) -> None:
        """By the operations of the API."""
        self.vendor.trouble.next(_OPERATIONS[step], kind, times)

    # -- what the people there do --------------------------------------------------------------------------------

    async def until_waiting(self, timeout_s: float = 15.0) -> str:
        """In a queue."""
        return str((await self.vendor.waiting(timeout_s=timeout_s)).id)

    async def joins(self, talk: str, agent: int = 0) -> str:
        """It is assigned."""
        await self.vendor.agent_joins(int(talk), self.vendor.agents[agent])
        return self.vendor.agents[agent].name

    async def says(self, talk: str, text: str, *, html: bool = False) -> None:
        """As text or as HTML."""
        await self.vendor.agent_says(int(talk), text, content_type="Html" if html else "Text")

    async def ends(self, talk: str) -> None:
        """It is closed."""
        await self.vendor.close(int(talk))

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

    async def vanishes(self, talk: str) -> None:
        """No event tells of it."""
        await self.vendor.disappear(int(talk))

    # -- what the people there see -------------------------------------------------------------------------------

    def talks(self) -> Sequence[str]:
        """Conversations."""
        return [str(one.id) for one in self.vendor.conversations]

    def heard(self, talk: str) -> Sequence[str]:
        """Inbound lines that were not imported."""
        lines = [one for one in self._one(talk).messages if one.direction == "Inbound" and not one.imported]
        return [one.text for one in lines]

    def context(self, talk: str) -> str:
        """Imported lines and notes."""
        one = self._one(talk)
        return "\n".join(
            [*(line.text for line in one.messages if line.imported), *(note.message for note in one.notes)]
        )

    def files(self, talk: str) -> Sequence[SeenFile]:
        """By address."""
        lines = [one for one in self._one(talk).messages if one.direction == "Inbound"]
        return [SeenFile(name=file.name or "", url=file.url) for line in lines for file in line.attachments]

    def is_over(self, talk: str) -> bool:
        """Closed."""
        return self._one(talk).state == "Closed"

    def _one(self, talk: str) -> Conversation:
        return self.vendor.account.conversations[int(talk)]
