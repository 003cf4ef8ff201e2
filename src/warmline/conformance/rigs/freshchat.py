"""Freshchat, for the kit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Self

from warmline.conformance.rig import SCRIPT, NotAtThisVendor, SeenFile, Step
from warmline.conformance.simulated import SimulatedRig
from warmline.simulators.freshchat import Assumptions, FreshchatSimulator
from warmline.simulators.freshchat.state import RESOLVED, Conversation, Message
from warmline.simulators.samples import PICTURE_NAME, picture

_OPERATIONS = {Step.OPEN: "conversations.start", Step.SEND: "messages.send", Step.CLOSE: "conversations.change"}


class FreshchatRig(SimulatedRig[FreshchatSimulator]):
    """A talk is a conversation's GUID."""

    key: ClassVar[str] = "freshchat"
    operations: ClassVar[Mapping[Step, str]] = _OPERATIONS
    inert: ClassVar[frozenset[Step]] = frozenset({Step.LISTEN})

    @classmethod
    @asynccontextmanager
    async def running(cls, assumptions: Assumptions | None = None) -> AsyncIterator[Self]:
        """The simulator, under a reading of what is not documented."""
        async with FreshchatSimulator.running(script=SCRIPT, assumptions=assumptions) as freshchat:
            yield cls(freshchat)

    @property
    def wrong_credentials(self) -> Mapping[str, Any]:
        """Another token."""
        return {"api_token": "no-token-of-this-account"}

    async def subscribe(self, address: str) -> None:
        """The account's one webhook."""
        self.vendor.webhook_url = address

    async def rotate_secret(self) -> Mapping[str, Any]:
        """Another pair of keys."""
        self.vendor.rotate_key()
        return {"public_key": self.vendor.public_key_line}

    # -- what the people there do --------------------------------------------------------------------------------

    async def says(self, talk: str, text: str, *, html: bool = False) -> None:
        """Agents of Freshchat write plain text."""
        if html:
            raise NotAtThisVendor(talk)
        await self.vendor.agent_says(talk, text)

    async def sends_file(self, talk: str) -> tuple[str, bytes]:
        """A file part."""
        await self.vendor.agent_sends_file(talk)
        return PICTURE_NAME, picture()

    async def transfers(self, talk: str) -> None:
        """To another group."""
        await self.vendor.transfer_to_group(talk, self.vendor.groups[1])

    # -- what the people there see -------------------------------------------------------------------------------

    def heard(self, talk: str) -> Sequence[str]:
        """The user's lines behind the first one, which tells what was said before."""
        return [one.text for one in self._lines(talk)[1:]]

    def context(self, talk: str) -> str:
        """The first line, and who it is."""
        conversation = self._one(talk)
        user = self.vendor.account.users[conversation.user_id]
        return "\n".join([*(one.text for one in self._lines(talk)[:1]), user.name, user.email])

    def files(self, talk: str) -> Sequence[SeenFile]:
        """Uploaded ones with their bytes; a picture is shown from the address that its upload was given."""
        return [
            self._seen(part[kind])
            for line in self._lines(talk)
            for part in line.parts
            for kind in ("file", "image")
            if kind in part
        ]

    def is_over(self, talk: str) -> bool:
        """Resolved."""
        return self._one(talk).status == RESOLVED

    def _one(self, talk: str) -> Conversation:
        return self.vendor.account.conversations[talk]

    def _lines(self, talk: str) -> list[Message]:
        return [one for one in self._one(talk).messages if one.actor_type == "user" and not one.error]

    def _seen(self, part: Mapping[str, Any]) -> SeenFile:
        url = str(part.get("url", ""))
        named = str(part.get("file_hash") or part.get("file_id") or "")
        if url.startswith(f"{self.vendor.url}/files/"):
            named = url.split("/")[-2]
        upload = self.vendor.uploads.get(named)
        if upload is not None:
            return SeenFile(name=upload.name, body=upload.body)
        return SeenFile(name=str(part.get("name") or url.rsplit("/", 1)[-1]), url=url)
