"""Gorgias, for the kit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Self

from warmline.conformance.rig import SCRIPT, SeenFile, Step
from warmline.conformance.simulated import SimulatedRig
from warmline.desks.gorgias.inbound import TEMPLATE, TRIGGERS
from warmline.desks.gorgias.settings import SECRET_HEADER
from warmline.simulators.gorgias import Assumptions, GorgiasSimulator
from warmline.simulators.gorgias.state import Message, Ticket
from warmline.simulators.samples import PICTURE_NAME, picture

_OPERATIONS = {Step.OPEN: "tickets.create", Step.SEND: "messages.create", Step.CLOSE: "tickets.change"}


class GorgiasRig(SimulatedRig[GorgiasSimulator]):
    """A talk is a ticket's number.  The account merges tickets, but for the tag that the guide's rule excludes."""

    key: ClassVar[str] = "gorgias"
    operations: ClassVar[Mapping[Step, str]] = _OPERATIONS
    inert: ClassVar[frozenset[Step]] = frozenset({Step.LISTEN})
    repeats_reports: ClassVar[bool] = False

    @classmethod
    @asynccontextmanager
    async def running(cls, **readings: Any) -> AsyncIterator[Self]:
        """The simulator with one user's key; ``readings`` of its documentation as assumed.

        That a failed webhook comes again is one of the readings, so no case may be passed by it (``repeats_reports``).
        """
        assumptions = Assumptions(**readings)
        running = GorgiasSimulator.running(script=SCRIPT, assumptions=assumptions, auto_merge=True)
        async with running as gorgias:
            yield cls(gorgias)

    def theirs(self, talk: str) -> int:
        """A number."""
        return int(talk)

    @property
    def wrong_credentials(self) -> Mapping[str, Any]:
        """Another key."""
        return {"api_key": "no-key-of-this-account"}

    async def subscribe(self, address: str) -> None:
        """The HTTP integration as the guide shows it."""
        headers = {SECRET_HEADER: self.vendor.secret}
        self.vendor.subscribe(address, TRIGGERS, form=dict(TEMPLATE), headers=headers)

    async def rotate_secret(self) -> Mapping[str, Any]:
        """An administrator enters another one on both sides."""
        (old,) = self.vendor.integrations
        self.vendor.secret = "ef" * 32
        self.vendor.unsubscribe(old.id)
        await self.subscribe(old.http.url)
        return {"webhook_secret": self.vendor.secret}

    # -- what the people there do --------------------------------------------------------------------------------

    async def says(self, talk: str, text: str, *, html: bool = False) -> None:
        """A public reply."""
        await self.vendor.agent_says(int(talk), text, html=text if html else "")

    async def sends_file(self, talk: str) -> tuple[str, bytes]:
        """Attached to a reply."""
        await self.vendor.agent_sends_sample(int(talk), "picture")
        return PICTURE_NAME, picture()

    async def transfers(self, talk: str) -> None:
        """To another team, where nobody has it yet."""
        await self.vendor.transfer_to_team(int(talk), self.vendor.teams[1])

    async def declines(self, talk: str) -> None:
        """It is closed without an answer."""
        await self.vendor.close(int(talk))

    # -- what the people there see -------------------------------------------------------------------------------

    def heard(self, talk: str) -> Sequence[str]:
        """The customer's messages that came after the ticket."""
        return [line.body_text or "" for line in self._customers(talk) if line.created_at > self._one(talk).created_at]

    def context(self, talk: str) -> str:
        """Subject, tags, notes, and messages that came with the ticket."""
        one = self._one(talk)
        before = [line.body_text or "" for line in one.messages if line.created_at <= one.created_at]
        return "\n".join([one.subject or "", *one.tags, *before])

    def files(self, talk: str) -> Sequence[SeenFile]:
        """Uploaded, and attached to the customer's messages."""
        held = {stored.file.url: stored.content for stored in self.vendor.account.files.values()}
        files = [file for line in self._customers(talk) for file in line.attachments]
        return [
            SeenFile(name=file.name, url="" if file.url in held else file.url, body=held.get(file.url, b""))
            for file in files
        ]

    def is_over(self, talk: str) -> bool:
        """Closed."""
        return self._one(talk).status == "closed"

    def _customers(self, talk: str) -> list[Message]:
        return [line for line in self._one(talk).messages if not line.from_agent]

    def _one(self, talk: str) -> Ticket:
        return self.vendor.account.tickets[int(talk)]
