"""Following one conversation's stream: by the writer's hand-offs, and by the journal where those left a gap."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from warmline.conversations.kind import CONVERSATION
from warmline.handover.thread_store import ThreadRow
from warmline.journal.journal import Journal
from warmline.kernel.envelope import Recorded

_READ = 200


class Follower:
    """Takes every event of the thread's conversation once, in order, beginning behind the row's cursor."""

    def __init__(self, journal: Journal, row: ThreadRow) -> None:
        self._journal = journal
        self.row = row
        self._seen = row.cursor
        self._behind = True
        self._heard = 0
        self._wake = asyncio.Event()

    def hand_off(self, events: Sequence[Recorded]) -> None:
        """New events of the conversation, from the writer's hand-off.  A gap is repaired from the journal."""
        for event in events:
            if event.seq == self._seen + 1 and not self._behind:
                self._take(event)
            elif event.seq > self._seen:
                self._behind = True
                self._heard = event.seq
        # An agent's words, above all, give a worker nothing to do: waking it for each costs more than they do.
        if self._behind or self._has_work():
            self._wake.set()

    def look_up_to(self, seq: int) -> None:
        """The conversation is committed up to ``seq``; whatever no hand-off told of is read from the journal."""
        if seq > self._seen:
            self._behind = True
            self._heard = max(self._heard, seq)
            self._wake.set()

    async def _catch_up(self) -> None:
        while True:
            page = await self._journal.events(CONVERSATION, self.row.conversation_id, after=self._seen, limit=_READ)
            for event in page:
                if event.seq == self._seen + 1:
                    self._take(event)
            if len(page) < _READ:
                # A hand-off may have come while reading, of an event that the reading was too early to find.
                self._behind = self._seen < self._heard
                return

    def _take(self, event: Recorded) -> None:
        """The next event: note its seq, and what it means for this thread."""
        raise NotImplementedError

    def _has_work(self) -> bool:
        """Whether there is something to do besides reading."""
        raise NotImplementedError
