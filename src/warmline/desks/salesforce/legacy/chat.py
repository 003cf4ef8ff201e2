"""One chat's session: what is stored of it, and how its requests are numbered.

Every POST of a session has the next number; one that is repeated has its old one, so that the server drops what it
already has.  Both sides must agree on that number, and the visitor's lines, his typing and his leaving share it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from warmline.desks.salesforce.legacy.client import DESK, AffinityLost, Keys, OutOfStep
from warmline.handover.port import DeskError, Unreachable

TYPING = "typing"
_APART_S = 0.015
"""Lines that follow each other faster may vanish although they were answered 200 [reported by an integrator]."""
_FAR_AHEAD = 1_000_000
"""A number no chat reaches: the server's refusal tells the number it has, when we have forgotten ours."""

Post = Callable[[Keys, int], Awaitable[None]]


class ChatState(msgspec.Struct, frozen=True, kw_only=True):
    """What the thread remembers.  ``round`` counts the servers the session has been on; ``wait_s`` bounds a poll.

    ``heard`` are digests of the agents' lines of the chat, ``early`` of those that were told from the session's data,
    whose events may still come.
    """

    session_id: str
    key: str
    affinity: str
    organization_id: str
    wait_s: float
    ack: int = -1
    offset: int | None = None
    round: int = 0
    joined: bool = False
    moving: bool = False
    heard: tuple[str, ...] = ()
    early: tuple[str, ...] = ()


class Line(msgspec.Struct, frozen=True):
    """A line in the session's data; ``type`` is Agent, Chasitor or OperatorTransferred, ``timestamp`` in milliseconds."""

    type: str = ""
    name: str = ""
    content: str = ""
    timestamp: int = 0
    sequence: int | None = None


class Chat:
    """A session in this process.  ``last`` is the number of the newest POST the server has, None when not known."""

    def __init__(self, key: str, affinity: str, *, last: int | None) -> None:
        self._key = key
        self.affinity = affinity
        self.lost = asyncio.Event()
        """Set while the session is between two servers: nothing may be sent."""
        self.leaving = False
        self.lines: tuple[Line, ...] = ()
        self._last = last
        self._unanswered: tuple[str, int] | None = None
        self._lock = asyncio.Lock()
        self._answered_at = 0.0

    @property
    def keys(self) -> Keys:
        """What opens the session at the server it is on."""
        return Keys(self._key, self.affinity)

    async def post(self, item: str, post: Post, *, operation: str) -> None:
        """Send one thing, named ``item`` so that its repetition is recognised.  Raises DeskError."""
        async with self._lock:
            if self.lost.is_set():
                raise AffinityLost("The session is being moved to another server.", desk=DESK, operation=operation)
            number, again = self._number(item)
            if item == TYPING and self._unanswered:
                return  # What may be lost must not take a number while another's fate is not known.
            await self._keep_apart()
            try:
                await self._post(item, number, again, post, operation)
            finally:
                # From the answer on: on its way here one request may gain on the one before.
                self._answered_at = asyncio.get_running_loop().time()

    async def _post(self, item: str, number: int, again: bool, post: Post, operation: str) -> None:
        for _try in range(2):
            self._unanswered = (item, number)
            try:
                await post(self.keys, number)
            except OutOfStep as error:
                self._last, self._unanswered = error.last, None
                if again and error.last == number:
                    return  # It had arrived: only its answer was lost.
                number, again = error.last + 1, False
            except AffinityLost:
                self.lost.set()
                raise
            except DeskError as error:
                if not error.retryable:
                    # Whether a refused request was counted is not documented; a number too high is told, one too low not.
                    self._last, self._unanswered = number, None
                raise
            else:
                self._last, self._unanswered = number, None
                return
        raise Unreachable("Salesforce does not agree on the number of our request.", desk=DESK, operation=operation)

    def reconnected(self, affinity: str) -> None:
        """The session is on another server, where numbers begin again; it may be used after ``resume``."""
        self.lost.set()
        self.affinity = affinity
        self._last, self._unanswered = 0, None

    def resume(self, lines: tuple[Line, ...]) -> None:
        """The server's view of the chat has been read: sending goes on.  ``lines`` are all it has."""
        self.lines = lines
        self.lost.clear()

    def _number(self, item: str) -> tuple[int, bool]:
        if self._unanswered is not None:
            named, number = self._unanswered
            return (number, True) if named == item else (number + 1, False)
        return (_FAR_AHEAD if self._last is None else self._last + 1), False

    async def _keep_apart(self) -> None:
        await asyncio.sleep(max(0.0, self._answered_at + _APART_S - asyncio.get_running_loop().time()))
