"""API keys: an id and a secret, for the whole app or for one integration, by Basic authentication.

Documented: the scopes and what each may do.  Not there: keys of an account, and tokens signed with a key.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping

import msgspec

from warmline.simulators.base import VendorRefusal

APP_ONLY = frozenset(
    {
        "app.get",
        "integrations.create",
        "integrations.list",
        "integrations.get",
        "integrations.delete",
        "switchboards.list",
        "switchboards.create",
        "switchboards.change",
        "switchboard_integrations.list",
        "switchboard_integrations.create",
        "switchboard_integrations.change",
        "switchboard_integrations.delete",
    }
)
"""What an integration's own key may not do."""


class Key(msgspec.Struct, frozen=True):
    """A key; without ``integration_id`` it is the app's."""

    id: str
    secret: str
    integration_id: str = ""


class Keys:
    """Who is calling."""

    def __init__(self, *keys: Key) -> None:
        self._keys = keys

    def of(self, headers: Mapping[str, str]) -> Key:
        """The key of a call.  Raises VendorRefusal 401."""
        kind, _, encoded = headers.get("Authorization", "").partition(" ")
        note = "no Basic credentials"
        if kind == "Basic":
            note = "another key, or another secret"
            try:
                name, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                name = secret = ""
            for key in self._keys:
                if hmac.compare_digest(f"{key.id}:{key.secret}".encode(), f"{name}:{secret}".encode()):
                    return key
        raise VendorRefusal(401, "Authorization is required", note=note)
