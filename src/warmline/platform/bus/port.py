"""What a bus promises, and the grammar of its subjects (NATS')."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

Handler = Callable[[str, bytes], None]
"""Called on the event loop with subject and data; must not block.  What it raises is logged, never passed on."""


class Subscription(Protocol):
    """One interest in a pattern of subjects."""

    async def unsubscribe(self) -> None:
        """No further call of the handler after this returned; repeating is harmless."""


class Bus(Protocol):
    """Publish and subscribe by dotted subject.  At most once: a message may be lost, never doubled by the bus.

    One publisher's messages reach one subscription in the order they were published.  A publisher's own
    subscriptions hear it too.
    """

    @property
    def connected(self) -> bool:
        """Whether messages flow now."""

    async def start(self) -> None:
        """Begin to carry messages; a server that is down does not stop the start."""

    async def stop(self) -> None:
        """Let go of everything; no handler is called after this returned."""

    async def publish(self, subject: str, data: bytes) -> None:
        """Send; never fails because of the network.  Raises ValueError for a subject with wildcards or spaces."""

    async def subscribe(self, subject: str, handler: Handler) -> Subscription:
        """Listen; ``*`` stands for one token, a last ``>`` for one or more.  Raises ValueError for a bad pattern."""

    def on_reconnect(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` on the loop after each gap in the connection: messages may be missing, catch up."""


def _tokens(subject: str) -> list[str]:
    tokens = subject.split(".")
    if not all(tokens) or any(character.isspace() or character == "\x00" for character in subject):
        msg = f"not a bus subject: {subject!r}"
        raise ValueError(msg)
    return tokens


def check_subject(subject: str) -> None:
    """Raise ValueError unless ``subject`` can be published to."""
    if any(mark in token for token in _tokens(subject) for mark in "*>"):
        msg = f"a published subject has no wildcards: {subject!r}"
        raise ValueError(msg)


def check_pattern(pattern: str) -> None:
    """Raise ValueError unless ``pattern`` can be subscribed to."""
    parts = _tokens(pattern)
    for number, part in enumerate(parts, start=1):
        if ("*" in part and part != "*") or (">" in part and (part != ">" or number != len(parts))):
            msg = f"a wildcard stands alone, and '>' last: {pattern!r}"
            raise ValueError(msg)


def matches(pattern: str, subject: str) -> bool:
    """Whether a subscription to ``pattern`` hears ``subject``; both must be well formed."""
    wanted, given = pattern.split("."), subject.split(".")
    for index, part in enumerate(wanted):
        if part == ">":
            return len(given) > index
        if index >= len(given) or part not in ("*", given[index]):
            return False
    return len(wanted) == len(given)
