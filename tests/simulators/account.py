"""Bodies a caller of Dixa writes, and the way to a waiting conversation."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from tests.simulators.receiver import Receiver, Stranger, receiving, stranger

from warmline.simulators.dixa import DixaSimulator
from warmline.simulators.script import Script

FREE = Script(rate=None)
"""No rate limit: for tests that are about something else."""


@contextlib.asynccontextmanager
async def meeting(**options: Any) -> AsyncIterator[tuple[DixaSimulator, Stranger, Receiver]]:
    """A simulator, a caller with its token, and a receiver of all its webhooks."""
    async with (
        receiving() as hook,
        DixaSimulator.running(webhook_url=hook.url, **options) as vendor,
        stranger(vendor.url, vendor.token) as me,
    ):
        yield vendor, me, hook


def text(value: str) -> dict[str, Any]:
    return {"_type": "Text", "value": value}


def inbound(value: str, **more: Any) -> dict[str, Any]:
    return {"_type": "Inbound", "content": text(value), **more}


def imported(vendor: DixaSimulator, requester_id: str, **more: Any) -> dict[str, Any]:
    """An import with one line of the visitor and one of the bot."""
    return {
        "_type": "GenericConversationImport",
        "genericChannelName": "genericapimessaging",
        "requesterId": requester_id,
        "requesterConnectionStatus": "Connected",
        "direction": "Inbound",
        "createdAt": "2026-11-21T10:00:00.000Z",
        "messages": [
            {
                "_type": "InboundImport",
                "content": text("Where is my lamp?"),
                "attachments": [],
                "createdAt": "2026-11-21T10:00:01.000Z",
            },
            {
                "_type": "OutboundImport",
                "agentId": vendor.bot.id,
                "content": text("I will ask somebody."),
                "attachments": [],
                "createdAt": "2026-11-21T10:00:02.000Z",
            },
        ],
        **more,
    }


async def somebody(me: Stranger, email: str = "kim@example.com") -> str:
    """The id of a new end user."""
    made = await me.good("POST", "/v1/endusers", {"displayName": "Kim", "email": email})
    return made["data"]["id"]


async def handed_over(vendor: DixaSimulator, me: Stranger, *, queue: int = 0, email: str = "kim@example.com") -> int:
    """The number of a conversation that was imported and sent to a queue."""
    made = await me.good("POST", "/v1/conversations/import", imported(vendor, await somebody(me, email)))
    number = made["data"]["id"]
    await me.good("PUT", f"/v1/conversations/{number}/transfer/queue", {"queueId": vendor.queues[queue].id})
    return number
