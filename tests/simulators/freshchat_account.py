"""Bodies a caller of Freshchat writes, and the way to a waiting conversation."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key
from tests.simulators.receiver import Received, Receiver, Stranger, receiving, stranger

from warmline.simulators.freshchat import FreshchatSimulator
from warmline.simulators.script import Script

FREE = Script(rate=None)


@contextlib.asynccontextmanager
async def meeting(**options: Any) -> AsyncIterator[tuple[FreshchatSimulator, Stranger, Receiver]]:
    """A simulator, a caller with its token, and the receiver of its webhook."""
    async with (
        receiving() as hook,
        FreshchatSimulator.running(webhook_url=hook.url, **options) as vendor,
        stranger(f"{vendor.url}/v2", f"Bearer {vendor.token}") as me,
    ):
        yield vendor, me, hook


def line(user_id: str, text: str, **more: Any) -> dict[str, Any]:
    """A message of a user."""
    return {
        "message_parts": [{"text": {"content": text}}],
        "message_type": "normal",
        "actor_type": "user",
        "actor_id": user_id,
        **more,
    }


async def somebody(me: Stranger, **fields: Any) -> str:
    """The id of a new user."""
    made = await me.good("POST", "/users", {"first_name": "Kim", "email": "kim@example.com", **fields})
    return made["id"]


def conversation(vendor: FreshchatSimulator, user_id: str, **more: Any) -> dict[str, Any]:
    """A conversation to start, with one line of the user."""
    channel = vendor.channels[0].id
    return {
        "channel_id": channel,
        "status": "new",
        "users": [{"id": user_id}],
        "messages": [line(user_id, "Where is my lamp?", channel_id=channel)],
        **more,
    }


async def handed_over(vendor: FreshchatSimulator, me: Stranger, **more: Any) -> tuple[str, str]:
    """User and conversation."""
    user_id = await somebody(me)
    made = await me.good("POST", "/conversations", conversation(vendor, user_id, **more))
    return user_id, made["conversation_id"]


def actions(hook: Receiver) -> list[str]:
    """What the webhooks said, in the order of their arrival."""
    return [one.json["action"] for one in hook.received]


async def told(hook: Receiver, action: str, count: int = 1) -> list[Any]:
    """The bodies of ``count`` webhooks of one action."""
    await hook.until(lambda self: actions(self).count(action) >= count)
    return [one.json for one in hook.received if one.json["action"] == action]


def is_signed(received: Received, shown: str) -> bool:
    """Whether the signature fits the public key as the settings page shows it."""
    content = shown.replace("-----BEGIN RSA PUBLIC KEY-----", "").replace("-----END RSA PUBLIC KEY-----", "")
    key = load_der_public_key(base64.b64decode("".join(content.split())))
    assert isinstance(key, rsa.RSAPublicKey)
    given = base64.b64decode(received.headers["X-Freshchat-Signature"], validate=True)
    try:
        key.verify(given, received.body, padding.PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True
