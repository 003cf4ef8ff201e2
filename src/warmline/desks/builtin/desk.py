"""The built-in desk.  Agents read and write the conversation's own stream, so there is nothing to carry anywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from warmline.handover.connection_forms import FieldKind, FormField
from warmline.handover.desk_kinds import DeskKind, Linked
from warmline.handover.port import (
    Availability,
    DeskEvent,
    EndReason,
    HandoverRequest,
    Health,
    InboundDelivery,
    Manifest,
    Outbound,
    QueueRef,
    Receipt,
    Thread,
    Unsupported,
)

_MANIFEST = Manifest.load(Path(__file__).with_name("manifest.toml"))

AgentsOnline = Callable[[str], int | None]
"""Connection id → how many agents take conversations of it now; None when that is not known."""

FORM = (
    FormField(
        name="only_when_staffed",
        label="Skip when nobody is there",
        help="When no agent is signed in, visitors are not offered this desk. Otherwise they wait until somebody comes.",
        kind=FieldKind.BOOLEAN,
        default=False,
    ),
)


class BuiltinDesk:
    """The console.  What is sent to it is already where its agents read; ``Thread.ref`` is the conversation's id."""

    manifest: ClassVar[Manifest] = _MANIFEST

    def __init__(self, linked: Linked, agents_online: AgentsOnline) -> None:
        self._linked = linked
        self._agents_online = agents_online
        self._only_when_staffed = linked.settings.get("only_when_staffed") is True

    async def check(self) -> Health:
        """Always there; says how many agents are."""
        online = self._agents_online(self._linked.connection_id)
        if online is None:
            return Health(ok=True, sentence="The built-in desk is ready.")
        if online == 0:
            return Health(ok=True, sentence="The built-in desk is ready; nobody is signed in now.")
        return Health(ok=True, sentence=f"The built-in desk is ready; agents online: {online}.")

    async def availability(self, queue: QueueRef) -> Availability:  # noqa: ARG002 - one queue per connection
        """AWAY only where the connection says that an empty desk is to be skipped."""
        online = self._agents_online(self._linked.connection_id)
        if online is None:
            return Availability.UNKNOWN
        if online == 0:
            return Availability.AWAY if self._only_when_staffed else Availability.UNKNOWN
        return Availability.AVAILABLE

    async def open(self, request: HandoverRequest) -> Thread:
        """The queue of the console is read from the conversations themselves, so a thread is only a name."""
        return self._linked.thread(request, request.conversation_id)

    async def send(self, thread: Thread, item: Outbound) -> Receipt:  # noqa: ARG002 - the agent reads the stream
        """A receipt without work."""
        return Receipt()

    async def close(self, thread: Thread, reason: EndReason) -> None:
        """Nothing to tell: the console sees the same stream."""

    def parse(self, delivery: InboundDelivery) -> Sequence[DeskEvent]:  # noqa: ARG002 - never legitimate
        """Nobody delivers to this desk from outside.  Raises Unsupported."""
        raise Unsupported("The built-in desk takes no deliveries.", desk=_MANIFEST.key, operation="parse")


def builtin_kind(agents_online: AgentsOnline) -> DeskKind:
    """The kind to register."""
    return DeskKind(
        manifest=_MANIFEST,
        form=FORM,
        make=lambda linked: BuiltinDesk(linked, agents_online),
        summary="Agents answer here, in this console",
    )
