"""What the relay lends the workers of its threads."""

from __future__ import annotations

from typing import Protocol

from warmline.handover import thread_store as store
from warmline.handover.inbound import Inbound
from warmline.handover.outbound import FilesOut
from warmline.handover.port import Desk, DeskError, HandoverRequest
from warmline.handover.thread_states import ThreadStates
from warmline.journal.journal import Journal
from warmline.kernel.clock import Clock
from warmline.platform.breaker import Breaker


class Surroundings(Protocol):
    """What the relay lends its workers."""

    journal: Journal
    clock: Clock
    inbound: Inbound
    states: ThreadStates
    files: FilesOut

    def desk(self, connection_id: str) -> Desk:
        """The desk behind a connection.  Raises NotFound."""

    def breaker(self, connection_id: str) -> Breaker:
        """The connection's breaker, shared by all its threads."""

    def answered(self, connection_id: str, refusal: DeskError | None = None) -> None:
        """The desk can be reached; ``refusal`` is what it said no with, if it did."""

    def unanswered(self, connection_id: str, error: DeskError) -> None:
        """The desk did not take something for now."""

    def fence(self) -> int | None:
        """The fencing token, or None when the lease does not outlast another send."""

    def note_cursor(self, thread_id: str, seq: int) -> None:
        """The thread's desk has everything up to ``seq``; written soon."""

    async def request(self, thread: store.ThreadRow) -> HandoverRequest:
        """The request to offer for a thread."""
