"""Our own desk, for the kit: its people work in the node that is tried, by the use cases of the console."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from warmline.app import Node
from warmline.conformance.rig import NotAtThisVendor, Rig, SeenFile, Step
from warmline.conversations import events as e
from warmline.deskwork.service import DeskMember
from warmline.kernel.envelope import Recorded
from warmline.kernel.ids import uuid7
from warmline.simulators.samples import PICTURE_NAME, picture
from warmline.simulators.script import Kind

_ENDS = (e.HandoverEnded, e.HandoverFailed, e.HandoverCancelled, e.HandoverRungFailed, e.ConversationClosed)
_LOOK_EVERY_S = 0.02


@dataclass
class Talk:
    """A conversation as it stands before an agent.  ``requested`` is the seq at which a person was asked for."""

    id: str
    requested: int = 0
    lines: list[tuple[int, str, str]] = field(default_factory=list)
    files: list[e.Attachment] = field(default_factory=list)
    page: str = ""
    offered: bool = False
    over: bool = False
    typed: bool = False
    agent: str = ""


class BuiltinRig(Rig):
    """A talk is the conversation's id: the console shows the conversation itself, so no call can go wrong in between."""

    key: ClassVar[str] = "builtin"
    inert: ClassVar[frozenset[Step]] = frozenset(Step)
    repeats_reports: ClassVar[bool] = False

    def __init__(self) -> None:
        self._members = [DeskMember(id=uuid7(), name=name) for name in ("Astrid Holm", "Noah Vinter")]
        self._met: Node | None = None
        self._connection_id = ""
        self._all: dict[str, Talk] = {}
        self._deaf: Callable[[], None] = lambda: None

    @classmethod
    @asynccontextmanager
    async def running(cls) -> AsyncIterator[Self]:
        """Nothing runs before the node does."""
        yield cls()

    @property
    def settings(self) -> Mapping[str, Any]:
        """None is needed."""
        return {}

    @property
    def wrong_credentials(self) -> Mapping[str, Any]:
        """There are none."""
        return {}

    async def meet(self, node: Node) -> None:
        """The people sign in."""
        self._deaf()
        self._met = node
        self._deaf = node.journal.listen(self._follow)

    async def subscribe(self, address: str) -> None:
        """Nothing is reported; the address tells which connection is tried."""
        self._connection_id = address.rpartition("/")[2]

    def trouble(self, step: Step, kind: Kind, times: int = 1) -> None:
        """There is no wire on which there could be any."""
        raise NotAtThisVendor(step, kind, times)

    # -- what the people there do --------------------------------------------------------------------------------

    async def until_waiting(self, timeout_s: float = 15.0) -> str:
        """In the queue of the console."""
        async with asyncio.timeout(timeout_s):
            while True:
                rows = await self._node.deskwork.queue(self._connection_id)
                # Its rows follow the conversations, and may show one that has just ended.
                waiting = [row.conversation_id for row in rows if not self._all[row.conversation_id].over]
                if waiting:
                    return waiting[-1]
                await asyncio.sleep(_LOOK_EVERY_S)

    async def joins(self, talk: str, agent: int = 0) -> str:
        """Taken from the queue."""
        one = self._all[talk]
        await self._node.bus.subscribe(f"typing.{talk}", lambda _subject, data: _see_typing(one, data))
        await self._node.deskwork.take(talk, self._members[agent])
        return self._members[agent].name

    async def says(self, talk: str, text: str, *, html: bool = False) -> None:
        """By whoever has it."""
        if html:
            raise NotAtThisVendor("agents write text here")
        await self._node.deskwork.say(talk, self._who(talk), text=text, client_id=uuid7())

    async def ends(self, talk: str) -> None:
        """By whoever has it."""
        await self._node.deskwork.end(talk, self._who(talk))

    async def types(self, talk: str) -> None:
        """By whoever has it."""
        await self._node.deskwork.typing(talk, self._who(talk), on=True)

    async def sends_file(self, talk: str) -> tuple[str, bytes]:
        """Uploaded, and named in a line."""
        content = picture()
        kept = await self._node.attachments.receive(talk, PICTURE_NAME, _pieces(content))
        member = self._who(talk)
        await self._node.deskwork.say(talk, member, text="", client_id=uuid7(), attachments=(kept,))
        return PICTURE_NAME, content

    async def transfers(self, talk: str) -> None:
        """Put back into the queue."""
        await self._node.deskwork.put_back(talk, self._who(talk))

    async def vanishes(self, talk: str) -> None:
        """Nothing is said any more."""

    # -- what the people there see -------------------------------------------------------------------------------

    def talks(self) -> Sequence[str]:
        """Whatever was ever in the queue."""
        return [one.id for one in self._all.values() if one.offered]

    def heard(self, talk: str) -> Sequence[str]:
        """The visitor's lines since the wish for a person."""
        one = self._all[talk]
        return [text for seq, author, text in one.lines if author == "visitor" and seq > one.requested]

    def context(self, talk: str) -> str:
        """The page, and all lines before."""
        one = self._all[talk]
        return "\n".join([one.page, *(text for seq, _author, text in one.lines if seq <= one.requested)])

    def files(self, talk: str) -> Sequence[SeenFile]:
        """By the links that the console shows."""
        links = self._node.file_links
        return [SeenFile(name=file.name, url=links.shown(file)) for file in self._all[talk].files]

    def is_over(self, talk: str) -> bool:
        """Ended by either side."""
        return self._all[talk].over

    def saw_typing(self, talk: str) -> bool:
        """By the bus that the console listens to."""
        return self._all[talk].typed

    # -- inside --------------------------------------------------------------------------------------------------

    @property
    def _node(self) -> Node:
        assert self._met is not None, "the kit lets the rig meet the node first"
        return self._met

    def _who(self, talk: str) -> DeskMember:
        held_by = self._all[talk].agent
        return next((one for one in self._members if one.id == held_by), self._members[0])

    def _follow(self, events: Sequence[Recorded]) -> None:
        for event in events:
            if event.stream_kind == "conversation":
                self._note(self._all.setdefault(event.stream_id, Talk(event.stream_id)), event)

    def _note(self, talk: Talk, event: Recorded) -> None:
        match event.body:
            case e.ConversationStarted() as started:
                talk.page = started.page.url
            case e.MessagePosted() as line:
                talk.lines.append((event.seq, line.author, line.text))
                if line.author == "visitor":
                    talk.files += line.attachments
            case e.HandoverRequested():
                talk.requested, talk.over = event.seq, False
            case e.HandoverOffered() as offer:
                talk.offered |= offer.connection_id == self._connection_id
            case e.HandoverConnected() | e.HandoverTransferred() as taken:
                talk.agent = taken.agent.id or ""
            case body if isinstance(body, _ENDS):
                talk.over = True


def _see_typing(talk: Talk, data: bytes) -> None:
    talk.typed |= data == b"visitor 1"


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    yield content
