"""Sunshine Conversations with Zendesk's agents, for the kit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Self

from warmline.conformance.rig import SCRIPT, SeenFile, Step
from warmline.conformance.simulated import SimulatedRig
from warmline.simulators.samples import PICTURE_NAME, picture
from warmline.simulators.sunco import SuncoSimulator
from warmline.simulators.sunco.state import Conversation, Message

_OPERATIONS = {Step.OPEN: "conversations.create", Step.SEND: "messages.post", Step.CLOSE: "control.release"}


class SuncoRig(SimulatedRig[SuncoSimulator]):
    """A talk is a conversation's id."""

    key: ClassVar[str] = "sunco"
    operations: ClassVar[Mapping[Step, str]] = _OPERATIONS
    inert: ClassVar[frozenset[Step]] = frozenset({Step.LISTEN})

    @classmethod
    @asynccontextmanager
    async def running(cls, **options: Any) -> AsyncIterator[Self]:
        """The simulator with an app's key, unless ``options`` for it say otherwise."""
        async with SuncoSimulator.running(script=SCRIPT, **options) as vendor:
            yield cls(vendor)

    @property
    def wrong_credentials(self) -> Mapping[str, Any]:
        """Another secret of the key."""
        return {"key_secret": "no-secret-of-this-app"}

    async def subscribe(self, address: str) -> None:
        """A webhook of the custom integration."""
        self.vendor.subscribe(address)

    async def rotate_secret(self) -> Mapping[str, Any]:
        """A webhook that is added again has another secret."""
        (old,) = self.vendor.subscriptions
        self.vendor.unsubscribe(old.id)
        self.vendor.secret = "ef" * 16
        self.vendor.subscribe(old.target)
        return {"webhook_secret": self.vendor.secret}

    # -- what the people there do --------------------------------------------------------------------------------

    async def says(self, talk: str, text: str, *, html: bool = False) -> None:
        """As text, or with a formatted form besides a plain one."""
        plain, formatted = ("Formatted: the lamp", text) if html else (text, "")
        await self.vendor.agent_says(talk, plain, html=formatted)

    async def sends_file(self, talk: str) -> tuple[str, bytes]:
        """A picture with its address."""
        await self.vendor.agent_sends_file(talk, PICTURE_NAME, picture(), "image/png")
        return PICTURE_NAME, picture()

    async def transfers(self, talk: str) -> None:
        """To the other group, of which nobody hears."""
        await self.vendor.transfer_to_group(talk, self.vendor.groups[0])

    async def declines(self, talk: str) -> None:
        """The ticket is closed before anybody has taken it."""
        await self.vendor.close(talk)

    # -- what the people there see -------------------------------------------------------------------------------

    def heard(self, talk: str) -> Sequence[str]:
        """What the user said, files apart."""
        return [str(one.content["text"]) for one in self._of_user(talk) if one.content.get("text")]

    def context(self, talk: str) -> str:
        """What was said on behalf of the business but by no agent, and the ticket."""
        one = self.conversation(talk)
        told = [str(line.content.get("text", "")) for line in one.messages if line.side == "business"]
        fields = [f"{name}: {value}" for name, value in (one.ticket.fields if one.ticket else {}).items()]
        return "\n".join([*told, *fields, *(one.ticket.tags if one.ticket else ())])

    def files(self, talk: str) -> Sequence[SeenFile]:
        """Uploads, which the agent reads here."""
        uploads = self.vendor.account.attachments.values()
        urls = [str(one.content.get("mediaUrl", "")) for one in self._of_user(talk)]
        return [SeenFile(name=file.name, body=file.content) for url in urls for file in uploads if file.id in url]

    def is_over(self, talk: str) -> bool:
        """The ticket is closed, or control was taken from the agents."""
        ticket = self.conversation(talk).ticket
        return ticket is None or ticket.status == "closed" or not ticket.connected

    def conversation(self, talk: str) -> Conversation:
        """Everything of a talk."""
        return self.vendor.account.conversations[talk]

    def _of_user(self, talk: str) -> list[Message]:
        return [one for one in self.conversation(talk).messages if one.side == "user"]
