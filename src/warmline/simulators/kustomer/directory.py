"""Finding what a caller names."""

from __future__ import annotations

from collections.abc import Sequence

from warmline.simulators.base import VendorRefusal
from warmline.simulators.kustomer import bodies
from warmline.simulators.kustomer.state import Account, Conversation, Customer, Queue, User

NOT_FOUND = "Not found"


class Directory:
    """Looks things up, and refuses as Kustomer does."""

    def __init__(self, account: Account) -> None:
        self.account = account

    def conversation(self, conversation_id: str) -> Conversation:
        """Raises VendorRefusal 404."""
        found = self.account.conversations.get(conversation_id)
        if found is None:
            raise VendorRefusal(404, NOT_FOUND, note=f"there is no conversation {conversation_id}")
        return found

    def customer(self, customer_id: str) -> Customer:
        """Raises VendorRefusal 404."""
        found = self.account.customers.get(customer_id)
        if found is None:
            raise VendorRefusal(404, NOT_FOUND, note=f"there is no customer {customer_id}")
        return found

    def session(self, session_id: str, customer_id: str) -> Conversation:
        """The chat of a customer.  Raises VendorRefusal 404; that it is 404 for somebody else's is assumed."""
        self.customer(customer_id)
        found = self.conversation(session_id)
        if not found.session or found.customer_id != customer_id:
            raise VendorRefusal(404, NOT_FOUND, note=f"{session_id} is no chat session of customer {customer_id}")
        return found

    def user(self, user_id: str) -> User:
        """Raises VendorRefusal 400; the status is assumed."""
        found = self.account.user(user_id)
        if found is None:
            raise VendorRefusal(400, bodies.INVALID, note=f"there is no user {user_id}")
        return found

    def queue(self, queue_id: str) -> Queue:
        """Raises VendorRefusal 400; the status is assumed."""
        found = self.account.queue(queue_id)
        if found is None:
            raise VendorRefusal(400, bodies.INVALID, note=f"there is no queue {queue_id}")
        return found

    def files(self, ids: Sequence[str]) -> tuple[str, ...]:
        """Attachments by their ids.  Raises VendorRefusal 400; the status is assumed."""
        for one in ids:
            if one not in self.account.attachments:
                raise VendorRefusal(400, bodies.INVALID, note=f"there is no attachment {one}")
        return tuple(ids)
