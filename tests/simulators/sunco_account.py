"""Bodies a caller of Sunshine Conversations writes, and the way to a waiting ticket."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from tests.simulators.receiver import Receiver, Stranger, receiving, stranger

from warmline.simulators.sunco import SuncoSimulator

KIM = {"externalId": "kim-1", "profile": {"givenName": "Kim", "surname": "Berg", "email": "kim@example.com"}}
NOBODY = "0" * 24


def basic(vendor: SuncoSimulator) -> str:
    return "Basic " + base64.b64encode(f"{vendor.key.id}:{vendor.key.secret}".encode()).decode()


def app(vendor: SuncoSimulator) -> str:
    """Where the app's operations are."""
    return f"/sc/v2/apps/{vendor.account.app_id}"


@contextlib.asynccontextmanager
async def calling(vendor: SuncoSimulator) -> AsyncIterator[Stranger]:
    """A caller with the app's key, whose paths begin below the app."""
    async with stranger(f"{vendor.url}{app(vendor)}", basic(vendor)) as me:
        yield me


@contextlib.asynccontextmanager
async def meeting(**options: Any) -> AsyncIterator[tuple[SuncoSimulator, Stranger, Receiver]]:
    """A simulator, a caller with its key, and a receiver of all its webhooks."""
    async with (
        receiving() as hook,
        SuncoSimulator.running(webhook_url=hook.url, **options) as vendor,
        calling(vendor) as me,
    ):
        yield vendor, me, hook


def by_user(text: str, **more: Any) -> dict[str, Any]:
    return {"author": {"type": "user", "userExternalId": "kim-1"}, "content": {"type": "text", "text": text}, **more}


def by_business(text: str, **more: Any) -> dict[str, Any]:
    return {"author": {"type": "business", "displayName": "Bot"}, "content": {"type": "text", "text": text}, **more}


async def conversation(me: Stranger) -> str:
    """The id of a conversation of Kim's, who is made when new."""
    status, _made = await me.ask("POST", "/users", KIM)
    assert status in {201, 409}
    body = {"type": "personal", "participants": [{"userExternalId": "kim-1", "subscribeSDKClient": False}]}
    return (await me.good("POST", "/conversations", body))["conversation"]["id"]


async def handed_over(me: Stranger, **metadata: Any) -> str:
    """The id of a conversation with two lines that agents have, and that was offered to us."""
    one = await conversation(me)
    path = f"/conversations/{one}"
    await me.good("POST", f"{path}/passControl", {"switchboardIntegration": "warmline"})
    await me.good("POST", f"{path}/messages", by_user("Where is my lamp?"))
    await me.good("POST", f"{path}/messages", by_business("I will ask somebody."))
    to_agents = {"switchboardIntegration": "zd:agentWorkspace", "metadata": metadata}
    await me.good("POST", f"{path}/passControl", to_agents)
    await me.good("POST", f"{path}/offerControl", {"switchboardIntegration": "warmline"})
    return one


def events(hook: Receiver) -> list[Any]:
    """What was told, one after the other, whatever requests it came in."""
    return [event for one in hook.received for event in one.json["events"]]


def names(hook: Receiver) -> list[str]:
    return [event["type"] for event in events(hook)]


async def told(hook: Receiver, name: str, count: int = 1) -> list[Any]:
    """The payloads of ``count`` events called ``name``."""
    await hook.until(lambda self: names(self).count(name) >= count)
    return [event["payload"] for event in events(hook) if event["type"] == name]
