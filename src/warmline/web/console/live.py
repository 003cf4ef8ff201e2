"""Live pages: one event stream that carries HTML fragments for the topics a page watches.

A topic is ``name`` or ``name/id``.  Fragments come from the same macros as the page.  A stream that opens, also after a
break, first gets the topic's current fragments, so nothing that was missed stays missing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import msgspec
import structlog

from warmline.accounts.access import Principal, Scope, require
from warmline.kernel.errors import Invalid, NotFound, Unavailable

log = structlog.get_logger(__name__)

HEARTBEAT_S = 15.0
_WAITING = 256
_MAX_TOPICS = 8


class Fragment(msgspec.Struct, frozen=True):
    """``event`` is what ``sse-swap`` names on the page; ``html`` replaces or extends its content."""

    event: str
    html: str


First = Callable[[Principal, str], Awaitable[Sequence[Fragment]]]
"""Gives the current fragments of a topic's id for somebody.  Raises NotFound when it is not theirs to see."""


class _Topic(msgspec.Struct, frozen=True):
    scope: Scope
    first: First


class Watcher:
    """One open stream.  When it falls ``_WAITING`` fragments behind, it is ended and the page starts afresh."""

    def __init__(self, topics: Sequence[str]) -> None:
        self.topics = tuple(topics)
        self._waiting: asyncio.Queue[Fragment | None] = asyncio.Queue(_WAITING)
        self._ended = False

    def push(self, fragment: Fragment) -> None:
        """Hand over a fragment; never waits."""
        try:
            self._waiting.put_nowait(fragment)
        except asyncio.QueueFull:
            self.end()

    def end(self) -> None:
        """Let the stream stop; what still waits is dropped."""
        self._ended = True
        if self._waiting.empty():
            self._waiting.put_nowait(None)

    async def next(self, patience_s: float) -> Fragment | None:
        """The next fragment, or None when there was none for ``patience_s``.  Raises StopAsyncIteration at the end."""
        if self._ended:
            raise StopAsyncIteration
        try:
            fragment = await asyncio.wait_for(self._waiting.get(), patience_s)
        except TimeoutError:
            return None
        if fragment is None:
            raise StopAsyncIteration
        return fragment


class Live:
    """Topics, and who watches them in this process.  Call everything from the event loop."""

    def __init__(self) -> None:
        self._topics: dict[str, _Topic] = {}
        self._watchers: dict[str, set[Watcher]] = {}
        self._draining = False

    def topic(self, name: str, *, scope: Scope, first: First) -> None:
        """Declare a topic.  ``first`` is called with the part after the slash (may be empty)."""
        self._topics[name] = _Topic(scope, first)

    def is_watched(self, topic: str) -> bool:
        """Whether anybody would see a fragment: ask before rendering one."""
        return topic in self._watchers

    def publish(self, topic: str, fragment: Fragment) -> None:
        """Show a fragment to everybody who watches the topic."""
        for watcher in self._watchers.get(topic, ()):
            watcher.push(fragment)

    def drain(self) -> None:
        """End every stream and refuse new ones; the pages reconnect elsewhere or later."""
        self._draining = True
        for watcher in {watcher for watchers in self._watchers.values() for watcher in watchers}:
            watcher.end()

    def watch(self, who: Principal, topics: Sequence[str]) -> Watcher:
        """Begin to follow.  Raises Forbidden, NotFound, Invalid for too many, Unavailable when draining."""
        if self._draining:
            raise Unavailable
        if not 1 <= len(topics) <= _MAX_TOPICS:
            raise Invalid(f"Name 1 to {_MAX_TOPICS} topics.", path="$.topic")
        for topic in topics:
            require(who, self._declared(topic).scope)
        watcher = Watcher(topics)
        for topic in watcher.topics:
            self._watchers.setdefault(topic, set()).add(watcher)
        return watcher

    def leave(self, watcher: Watcher) -> None:
        """Stop following."""
        for topic in watcher.topics:
            watchers = self._watchers.get(topic)
            if watchers is not None:
                watchers.discard(watcher)
                if not watchers:
                    del self._watchers[topic]

    async def first(self, who: Principal, topics: Sequence[str]) -> list[Fragment]:
        """What the topics show now.  Raises NotFound."""
        fragments: list[Fragment] = []
        for topic in topics:
            fragments += await self._declared(topic).first(who, topic.partition("/")[2])
        return fragments

    def _declared(self, topic: str) -> _Topic:
        declared = self._topics.get(topic.partition("/")[0])
        if declared is None:
            raise NotFound
        return declared


async def events_of(
    live: Live, watcher: Watcher, first: Sequence[Fragment], is_welcome: Callable[[], Awaitable[bool]]
) -> AsyncIterator[bytes]:
    """The bytes of a stream: the current fragments, then what is published, until it ends or is not welcome."""
    try:
        yield b"retry: 2000\n\n"
        for shown in first:
            yield encode(shown)
        loop = asyncio.get_running_loop()
        check_at = loop.time() + HEARTBEAT_S
        while True:
            try:
                fragment = await watcher.next(max(0.0, check_at - loop.time()))
            except StopAsyncIteration:
                return
            if fragment is not None:
                yield encode(fragment)
            if loop.time() >= check_at:
                # Signing out, being disabled or losing the role ends the stream as well.
                if not await is_welcome():
                    return
                check_at = loop.time() + HEARTBEAT_S
                yield b": here\n\n"
    finally:
        live.leave(watcher)


def encode(fragment: Fragment) -> bytes:
    """The fragment as one server-sent event.  Every kind of line end in the HTML is respected."""
    lines = fragment.html.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return (f"event: {fragment.event}\n" + "".join(f"data: {line}\n" for line in lines) + "\n").encode()
