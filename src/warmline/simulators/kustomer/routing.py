"""Work items: routing's record of a conversation that needs an agent.

Documented: a conversation has at most one that is not completed, and a completed one is followed by a new one.
"""

from __future__ import annotations

from warmline.kernel.clock import Clock
from warmline.simulators.kustomer.state import Conversation, WorkItem, object_id


class Routing:
    """Moves work items along."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def item(self, conversation: Conversation) -> WorkItem:
        """The one that is not completed, made where there is none."""
        if not conversation.work_items or conversation.work_items[-1].status == "completed":
            now = self._clock.now()
            conversation.work_items.append(WorkItem(id=object_id(now), created_at=now))
        return conversation.work_items[-1]

    def queue(self, conversation: Conversation) -> None:
        """It waits in the conversation's queue."""
        item = self.item(conversation)
        item.status, item.queue_id, item.user_id = "queued", conversation.queue_id, None
        item.queued_count, item.queued_at = item.queued_count + 1, self._clock.now()

    def offer(self, conversation: Conversation, user_id: str) -> None:
        """A user is asked."""
        item = self.item(conversation)
        item.status, item.user_id = "routed", user_id

    def accept(self, conversation: Conversation, user_id: str) -> None:
        """A user takes it."""
        item = self.item(conversation)
        item.status, item.user_id, item.accepted_at = "accepted", user_id, self._clock.now()

    def complete(self, conversation: Conversation) -> None:
        """The work is done."""
        if conversation.work_items and conversation.work_items[-1].status != "completed":
            item = conversation.work_items[-1]
            item.status, item.completed_at = "completed", self._clock.now()
