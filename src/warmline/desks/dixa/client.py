"""Calls of the Dixa API (docs.dixa.io, read 2026-11).  Vendor words only."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec

from warmline.desks.shared.json_api import JsonApi
from warmline.desks.shared.pace import Pace
from warmline.kernel.clock import Clock
from warmline.platform.http import Outgoing

DESK = "dixa"
CHANNEL = "genericapimessaging"
_PER_MINUTE, _AT_ONCE = 600, 3
"""Ten calls a second, four at once (documented).  One of the four is kept back: calls may arrive closer together than they
left, and another node may call as well."""


class EndUser(msgspec.Struct, frozen=True):
    """A person in Dixa."""

    id: str


class Queue(msgspec.Struct, frozen=True):
    """A queue."""

    id: str
    name: str = ""


class ConversationRef(msgspec.Struct, frozen=True, rename="camel"):
    """A conversation in a list.  ``state``: Open, Pending, AwaitingPending, Closed."""

    id: int
    state: str = ""
    created_at: str = ""


class Content(msgspec.Struct, frozen=True):
    """What a message says."""

    value: str = ""


class Attributes(msgspec.Struct, frozen=True, rename="camel"):
    """What a listed message says, and in which direction (Inbound, Outbound)."""

    direction: str = ""
    content: Content | None = None


class Message(msgspec.Struct, frozen=True, rename="camel"):
    """A listed message.  ``external_id`` is the id that whoever added it gave it."""

    id: str = ""
    external_id: str | None = None
    created_at: str = ""
    attributes: Attributes = Attributes()


class Added(msgspec.Struct, frozen=True, rename="camel"):
    """The answer to an added message."""

    message_id: str = ""


class Note(msgspec.Struct, frozen=True):
    """An internal note."""

    message: str = ""


class ChannelAvailability(msgspec.Struct, frozen=True, rename="camel"):
    """Whether a queue takes conversations of one channel: ``Available`` or ``NotAvailable``."""

    generic_channel_name: str = ""
    availability: str = ""


class QueueAvailability(msgspec.Struct, frozen=True, rename="camel"):
    """One entry of a queue's availability."""

    channel_availability: ChannelAvailability | None = None


class DixaClient:
    """One account.  Every method raises a DeskError."""

    def __init__(self, outgoing: Outgoing, clock: Clock, *, api_url: str, token: str) -> None:
        self._api = JsonApi(
            outgoing,
            clock,
            desk=DESK,
            title="Dixa",
            base=api_url,
            headers={"Authorization": token},
            pace=Pace(clock, per_minute=_PER_MINUTE, burst=_AT_ONCE),
        )

    async def find_end_users(self, *, operation: str, **by: str) -> list[EndUser]:
        """People by ``email``, ``phone`` or ``externalId``."""
        return await self._api.ask(operation, "GET", "/v1/endusers", list[EndUser], query=by)

    async def create_end_user(self, body: dict[str, Any], *, operation: str) -> EndUser:
        """A new person."""
        return await self._api.ask(operation, "POST", "/v1/endusers", EndUser, body=body)

    async def conversations_of(self, user_id: str, *, operation: str) -> list[ConversationRef]:
        """A person's conversations."""
        return await self._api.ask(
            operation, "GET", f"/v1/endusers/{quote(user_id, safe='')}/conversations", list[ConversationRef]
        )

    async def import_conversation(self, body: dict[str, Any]) -> ConversationRef:
        """A new conversation with what was said so far."""
        return await self._api.ask("open", "POST", "/v1/conversations/import", ConversationRef, body=body)

    async def transfer_to_queue(self, conversation: str, queue_id: str) -> None:
        """Hand a conversation to a queue."""
        body = {"queueId": queue_id}
        await self._api.tell("open", "PUT", f"/v1/conversations/{conversation}/transfer/queue", body=body)

    async def add_tags(self, conversation: str, names: tuple[str, ...]) -> None:
        """Tag a conversation; tags that do not exist are made."""
        body = {"data": [{"name": name} for name in names]}
        await self._api.tell("open", "POST", f"/v1/conversations/{conversation}/tags/bulk", body=body)

    async def add_note(self, conversation: str, text: str, *, operation: str) -> None:
        """An internal note."""
        await self._api.tell(operation, "POST", f"/v1/conversations/{conversation}/notes", body={"message": text})

    async def notes(self, conversation: str, *, operation: str) -> list[Note]:
        """The internal notes of a conversation."""
        return await self._api.ask(operation, "GET", f"/v1/conversations/{conversation}/notes", list[Note])

    async def add_message(self, conversation: str, body: dict[str, Any]) -> Added:
        """A message of the visitor."""
        return await self._api.ask("send", "POST", f"/v1/conversations/{conversation}/messages", Added, body=body)

    async def messages(self, conversation: str, *, operation: str) -> list[Message]:
        """Everything said in a conversation."""
        return await self._api.ask(operation, "GET", f"/v1/conversations/{conversation}/messages", list[Message])

    async def close(self, conversation: str) -> None:
        """Close a conversation."""
        await self._api.tell("close", "PUT", f"/v1/conversations/{conversation}/close", body={})

    async def queues(self, *, operation: str) -> list[Queue]:
        """Every queue."""
        return await self._api.ask(operation, "GET", "/v1/queues", list[Queue])

    async def availability(self, queue_id: str) -> list[QueueAvailability]:
        """Which channels a queue takes now (a beta operation of Dixa)."""
        return await self._api.ask(
            "availability",
            "GET",
            f"/beta/queues/{quote(queue_id, safe='')}/availability",
            list[QueueAvailability],
            timeout_s=3.0,
        )
