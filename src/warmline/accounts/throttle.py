"""How often somebody may try to sign in.

Kept in the memory of each process: with N web processes an attacker gets at most N times the tries.  An attempt counts
when it starts (many at once gain nothing) and is forgiven when it succeeds.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict, deque

import msgspec

from warmline.kernel.clock import MINUTE, Clock
from warmline.kernel.errors import RateLimited

_REMEMBERED = 20_000


class Limit(msgspec.Struct, frozen=True):
    """At most ``tries`` within ``window`` milliseconds."""

    tries: int
    window: int


PER_PAIR = Limit(5, 15 * MINUTE)
PER_ADDRESS = Limit(30, 15 * MINUTE)
# Wide, because a stranger who knows an address must not be able to lock its owner out cheaply.
PER_EMAIL = Limit(60, 15 * MINUTE)


class SignInThrottle:
    """Sliding windows per (e-mail, network), per network and per e-mail."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tries: OrderedDict[tuple[str, ...], deque[int]] = OrderedDict()

    def attempt(self, email: str, address: str) -> None:
        """Count one attempt.  Raises RateLimited (``retry_after`` in seconds) when any window is full."""
        now = self._clock.now()
        windows = [(self._window(key, limit, now), limit) for key, limit in self._keys(email, address)]
        waits = [tries[0] + limit.window - now for tries, limit in windows if len(tries) >= limit.tries]
        if waits:
            raise RateLimited(
                "Too many attempts to sign in. Please wait a little.",
                retry_after=max(1.0, max(waits) / 1000),
                code="sign_in_throttled",
            )
        for tries, _ in windows:
            tries.append(now)
        while len(self._tries) > _REMEMBERED:
            self._tries.popitem(last=False)

    def forgive(self, email: str, address: str) -> None:
        """Take back the latest attempt, because it succeeded; the pair starts afresh."""
        pair, network, mail = (key for key, _ in self._keys(email, address))
        self._tries.pop(pair, None)
        for key in (network, mail):
            tries = self._tries.get(key)
            if tries:
                tries.pop()

    def _window(self, key: tuple[str, ...], limit: Limit, now: int) -> deque[int]:
        tries = self._tries.setdefault(key, deque())
        self._tries.move_to_end(key)
        while tries and tries[0] <= now - limit.window:
            tries.popleft()
        return tries

    @staticmethod
    def _keys(email: str, address: str) -> tuple[tuple[tuple[str, ...], Limit], ...]:
        network = _network(address)
        return (
            (("pair", email, network), PER_PAIR),
            (("network", network), PER_ADDRESS),
            (("email", email), PER_EMAIL),
        )


def _network(address: str) -> str:
    # One household has a whole IPv6 /64: counting single addresses would count nothing.
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return str(parsed)
    mapped = parsed.ipv4_mapped
    return str(mapped) if mapped else str(ipaddress.ip_network((parsed, 64), strict=False))
