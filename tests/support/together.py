"""A stage with a vendor's desk as its first rung, and the vendor behind it: where stories about one vendor begin."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from tests.support.journey import connect, until_equal
from tests.support.node import Stage, guest
from warmline.conformance.rig import Rig
from warmline.conversations.events import HandoverEnded

R = TypeVar("R", bound=Rig)


@dataclass
class Together(Generic[R]):
    """``stages`` are those in which a visitor waits at this vendor."""

    stage: Stage
    rig: R
    connection_id: str
    stages: ClassVar[frozenset[str]] = frozenset({"offered", "queued"})

    def seen(self, talk: str) -> Any:
        """What a story has in its hands of the vendor's conversation; its id, unless it wants more."""
        return talk

    async def asks(self, first: str = "Where is my lamp?") -> tuple[str, str]:
        """A visitor who waits for a person: our conversation and the vendor's id of it."""
        conversation = await self.stage.visit()
        await self.stage.say(conversation, first)
        await self.stage.say(conversation, "talk to a person")
        talk = await self.rig.until_waiting()
        await self.stage.until(
            conversation, lambda s: s.handover and s.handover.stage in self.stages and not s.handover.rung
        )
        return conversation, talk

    async def asked(self, first: str = "Where is my lamp?") -> tuple[str, Any]:
        """The same with what is seen of the vendor's conversation."""
        conversation, talk = await self.asks(first)
        return conversation, self.seen(talk)

    async def connected(self) -> tuple[str, Any]:
        """A visitor who talks with an agent."""
        conversation, talk = await self.asks()
        await self.rig.joins(talk)
        await self.stage.until_stage(conversation, "connected")
        return conversation, self.seen(talk)

    async def told_of_end(self, conversation: str) -> str:
        """Why the one handover that has ended is over, as the events say."""
        bodies = [event.body for event in await self.stage.events(conversation)]
        (ended,) = (body for body in bodies if isinstance(body, HandoverEnded))
        return ended.reason

    async def heard(self, talk: str, *wanted: str) -> None:
        """Wait until the agent has read exactly this of the visitor since he asked."""
        await until_equal(lambda: self.rig.heard(talk), wanted)


@contextlib.asynccontextmanager
async def beside(
    house: Stage,
    running: AbstractAsyncContextManager[R],
    *,
    settings: Mapping[str, object] | None = None,
    payload: Callable[[R], str] = lambda rig: rig.payload,
) -> AsyncIterator[tuple[Stage, R, str]]:
    """A guest of the house, the vendor, and the id of the connection between them.

    ``settings`` change what the rig would enter; ``payload`` is asked for the rung's.
    """
    async with guest(house) as stage:
        # It outlives the guest, as the CRMs do: what the node still has to tell it is taken.
        assert house.crms is not None
        rig = await house.crms.enter_async_context(running)
        entered = {**rig.settings, **(settings or {})}
        connection_id = await connect(stage, rig.key, entered, payload(rig))
        await rig.meet(stage.node)
        await rig.subscribe(f"{stage.base}/in/{connection_id}")
        yield stage, rig, connection_id
