"""Bodies a caller of Kustomer writes, and the way to a waiting conversation."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
from collections.abc import AsyncIterator
from typing import Any

from tests.simulators.receiver import Received, Receiver, Stranger, receiving, stranger

from warmline.simulators.kustomer import KustomerSimulator
from warmline.simulators.script import Script

FREE = Script(rate=None)
"""No rate limit: for tests that are about something else."""
NOBODY = "0" * 24


@contextlib.asynccontextmanager
async def meeting(**options: Any) -> AsyncIterator[tuple[KustomerSimulator, Stranger, Receiver]]:
    """A simulator, a caller with its key, and a receiver of its webhooks."""
    async with (
        receiving() as hook,
        KustomerSimulator.running(webhook_url=hook.url, **options) as vendor,
        stranger(vendor.url, f"Bearer {vendor.token}") as me,
    ):
        yield vendor, me, hook


def handoff(vendor: KustomerSimulator, customer_id: str, **more: Any) -> dict[str, Any]:
    """A handoff with one line of the visitor and one of the bot, the later one first."""
    return {
        "customerId": customer_id,
        "from": vendor.bot.id,
        "active": True,
        "messages": [
            {"direction": "out", "body": "I will ask somebody.", "date": "2026-11-21T10:00:02.000Z"},
            {"direction": "in", "body": "Where is my lamp?", "date": "2026-11-21T10:00:01.000Z"},
        ],
        **more,
    }


async def somebody(me: Stranger, email: str = "kim@example.com") -> str:
    """The id of a new customer."""
    made = await me.good("POST", "/v1/customers", {"name": "Kim", "emails": [{"type": "home", "email": email}]})
    return made["data"]["id"]


async def handed_over(vendor: KustomerSimulator, me: Stranger, **more: Any) -> tuple[str, str]:
    """The ids of a new customer and of the session that was handed over."""
    customer_id = await somebody(me)
    made = await me.good("POST", "/v2.1/chat/handoff", handoff(vendor, customer_id, **more))
    return customer_id, made["data"]["id"]


def visitor_line(customer_id: str, session: str, body: str, **more: Any) -> dict[str, Any]:
    return {"customerId": customer_id, "session": session, "body": body, **more}


def names(hook: Receiver) -> list[str]:
    """What was received, without what customers and creations raise."""
    return [one.json["name"].removeprefix("kustomer.") for one in hook.received]


async def events_of(hook: Receiver, name: str, count: int = 1) -> list[Any]:
    """The bodies of ``count`` events called ``kustomer.`` and ``name``."""
    await hook.until(lambda self: names(self).count(name) >= count)
    return [one.json for one in hook.received if one.json["name"] == f"kustomer.{name}"]


async def change_of(hook: Receiver, attribute: str, after: object) -> Any:
    """The update in which ``attribute`` (or a relationship's target) became ``after``."""

    def found(one: Received) -> bool:
        changes = one.json.get("changes", {})
        change = {**changes.get("attributes", {}), **changes.get("relationships", {})}.get(attribute)
        return change is not None and change["after"] == after

    await hook.until(lambda self: any(found(one) for one in self.received))
    return next(one.json for one in hook.received if found(one))


def signed(one: Received, token: str) -> bool:
    """Whether the documented signature fits."""
    expected = hmac.new(token.encode(), one.body, hashlib.sha256).hexdigest()
    return one.headers["X-Kustomer-Webhook-Signature"] == expected
