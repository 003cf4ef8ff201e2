"""Bodies a caller of Gorgias writes, and the way to a waiting ticket."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from tests.simulators.receiver import Receiver, Stranger, receiving, stranger

from warmline.simulators.gorgias import GorgiasSimulator
from warmline.simulators.script import Script

FREE = Script(rate=None)
"""No rate limit: for tests that are about something else."""
SENT = "2026-11-21T10:00:00+00:00"


def basic(vendor: GorgiasSimulator) -> str:
    return "Basic " + base64.b64encode(f"{vendor.email}:{vendor.token}".encode()).decode()


@contextlib.asynccontextmanager
async def meeting(**options: Any) -> AsyncIterator[tuple[GorgiasSimulator, Stranger, Receiver]]:
    """A simulator, a caller with its key, and a receiver of all its webhooks."""
    async with (
        receiving() as hook,
        GorgiasSimulator.running(webhook_url=hook.url, **options) as vendor,
        stranger(f"{vendor.url}/api", basic(vendor)) as me,
    ):
        yield vendor, me, hook


def line(text: str, **more: Any) -> dict[str, Any]:
    """A message of the customer that was sent already."""
    return {"channel": "api", "via": "api", "from_agent": False, "body_text": text, "sent_datetime": SENT, **more}


def ticket(**more: Any) -> dict[str, Any]:
    """A ticket with one line of the visitor and one of the bot."""
    return {
        "customer": {"email": "kim@example.com"},
        "channel": "api",
        "via": "api",
        "subject": "A lamp",
        "tags": [{"name": "handover"}],
        "messages": [line("Where is my lamp?"), line("I will ask somebody.", from_agent=True)],
        **more,
    }


async def handed_over(me: Stranger, **more: Any) -> int:
    """The number of a new ticket."""
    made = await me.good("POST", "/tickets", ticket(**more))
    number: int = made["id"]
    return number


async def of(hook: Receiver, count: int, **wanted: Any) -> list[Any]:
    """``count`` contexts whose message has these values; the newest ones last."""

    def found(hook: Receiver) -> list[Any]:
        bodies = [one.json for one in hook.received]
        said = [one for one in bodies if one.get("message")]
        return [one for one in said if all(one["message"].get(name) == value for name, value in wanted.items())]

    await hook.until(lambda hook: len(found(hook)) >= count)
    return found(hook)
