"""Visitors' tokens: shaped like JSON Web Tokens, signed with a key of this run, good for a time.

Assumed: the names of their claims; a caller has no business with them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import Any

import msgspec

from warmline.kernel.clock import Clock
from warmline.simulators.salesforce.state import Org, segment

EXPIRED = "Jwt is expired"


class TokenRefused(Exception):
    """A token that opens nothing; ``expired`` for one that did."""

    def __init__(self, message: str, *, expired: bool = False) -> None:
        super().__init__(message)
        self.expired = expired


class Tokens:
    """Makes and reads them."""

    def __init__(self, org: Org, clock: Clock, life_s: int) -> None:
        self._org = org
        self._clock = clock
        self._life_s = life_s
        self._key = secrets.token_bytes(32)
        self._revoked_before: dict[str, int] = {}
        self._made = 0

    def make(self, visitor: str) -> str:
        """A new token of a visitor; older ones stay good."""
        self._made += 1
        now = self._clock.now() // 1000
        claims = {
            "sub": f"v2/iamessage/UNAUTH/NA/uid:{visitor}",
            "channelAddId": self._org.channel,
            "orgId": self._org.id,
            "iat": now,
            "exp": now + self._life_s,
            "jti": self._made,
        }
        head = f"{segment({'alg': 'HS256', 'typ': 'JWT'})}.{segment(claims)}"
        return f"{head}.{self._sign(head)}"

    def expire(self, visitor: str) -> None:
        """Every token that the visitor has so far is over."""
        self._revoked_before[visitor] = self._made

    def visitor(self, token: str) -> str:
        """Whose token it is.  Raises TokenRefused."""
        head, _, signature = token.rpartition(".")
        if not head or not hmac.compare_digest(signature.encode(), self._sign(head).encode()):
            raise TokenRefused("Jwt verification fails")
        claims: dict[str, Any] = msgspec.json.decode(_decoded(head.partition(".")[2]))
        visitor = str(claims["sub"]).rpartition("uid:")[2]
        if claims["exp"] <= self._clock.now() // 1000 or claims["jti"] <= self._revoked_before.get(visitor, 0):
            raise TokenRefused(EXPIRED, expired=True)
        return visitor

    def _sign(self, head: str) -> str:
        digest = hmac.new(self._key, head.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
