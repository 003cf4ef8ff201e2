"""Kustomer, for the kit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Self

from warmline.conformance.rig import SCRIPT, NotAtThisVendor, SeenFile, Step
from warmline.conformance.simulated import SimulatedRig
from warmline.simulators.kustomer import Assumptions, KustomerSimulator
from warmline.simulators.kustomer.state import Conversation
from warmline.simulators.samples import PICTURE_NAME, picture

_OPERATIONS = {Step.OPEN: "chat.handoff", Step.SEND: "chat.message", Step.CLOSE: "conversations.change"}
_ROLES = tuple(
    f"org.permission.{role}"
    for role in (
        "customer.read",
        "customer.create",
        "conversation.read",
        "conversation.create",
        "conversation.update",
        "message.read",
        "message.create",
        "attachment.read",
        "note.create",
        "user.read",
        "queue.read",
    )
)
"""What the guide tells an administrator to give the key, and no more."""


class KustomerRig(SimulatedRig[KustomerSimulator]):
    """A talk is a conversation's id."""

    key: ClassVar[str] = "kustomer"
    operations: ClassVar[Mapping[Step, str]] = _OPERATIONS
    inert: ClassVar[frozenset[Step]] = frozenset({Step.LISTEN})

    @classmethod
    @asynccontextmanager
    async def running(cls, **readings: Any) -> AsyncIterator[Self]:
        """The simulator with a key of the roles that the guide names; ``readings`` of its documentation as assumed."""
        assumptions = Assumptions(handoff_roles="both", **readings)
        async with KustomerSimulator.running(script=SCRIPT, assumptions=assumptions, held_roles=_ROLES) as kustomer:
            yield cls(kustomer)

    @property
    def wrong_credentials(self) -> Mapping[str, Any]:
        """Another key."""
        return {"api_key": "no-key-of-this-organisation"}

    @property
    def payload_without_queue(self) -> str:
        """The published one as it stands, ``"queue": null``."""
        return self.payload.replace(f'"queue": "{self.vendor.queues[1].id}"', '"queue": null')

    async def subscribe(self, address: str) -> None:
        """A webhook for conversations and messages."""
        self.vendor.subscribe(address)

    async def rotate_secret(self) -> Mapping[str, Any]:
        """Kustomer shows a new token when a webhook is added again."""
        (old,) = self.vendor.subscriptions
        self.vendor.unsubscribe(old.id)
        self.vendor.secret = "cd" * 32
        self.vendor.subscribe(old.url)
        return {"webhook_token": self.vendor.secret}

    # -- what the people there do --------------------------------------------------------------------------------

    async def says(self, talk: str, text: str, *, html: bool = False) -> None:
        """As text."""
        if html:
            raise NotAtThisVendor("chat lines have no markup")
        await self.vendor.agent_says(talk, text)

    async def sends_file(self, talk: str) -> tuple[str, bytes]:
        """Uploaded to Kustomer."""
        await self.vendor.agent_sends_sample(talk, "picture")
        return PICTURE_NAME, picture()

    async def transfers(self, talk: str) -> None:
        """To another queue."""
        await self.vendor.transfer_to_queue(talk, self.vendor.queues[-1])

    async def declines(self, talk: str) -> None:
        """It is done before anybody has taken it."""
        await self.vendor.close(talk)

    # -- what the people there see -------------------------------------------------------------------------------

    def heard(self, talk: str) -> Sequence[str]:
        """Inbound lines that were not handed off."""
        return [one.body for one in self._one(talk).messages if one.direction == "in" and one.imported_at is None]

    def context(self, talk: str) -> str:
        """Lines that were handed off, notes and tags."""
        one = self._one(talk)
        before = [line.body for line in one.messages if line.imported_at is not None]
        tags = [tag.name for tag in self.vendor.account.tags.values() if tag.id in one.tags]
        return "\n".join([*before, *(note.body for note in one.notes), *tags])

    def files(self, talk: str) -> Sequence[SeenFile]:
        """Those with the visitor's lines."""
        lines = [one for one in self._one(talk).messages if one.direction == "in"]
        held = [self.vendor.account.attachments[file] for line in lines for file in line.attachments]
        return [SeenFile(name=file.name, url=file.url, body=file.content or b"") for file in held]

    def is_over(self, talk: str) -> bool:
        """Done, or ended."""
        return not self._one(talk).open

    def _one(self, talk: str) -> Conversation:
        return self.vendor.account.conversations[talk]
