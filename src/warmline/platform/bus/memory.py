"""The bus of a single process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from warmline.platform.bus.port import Handler, check_pattern, check_subject, matches

_log = structlog.get_logger(__name__)


class _Interest:
    def __init__(self, pattern: str, handler: Handler, forget: Callable[[_Interest], None]) -> None:
        self.pattern = pattern
        self.active = True
        self._handler = handler
        self._forget = forget

    def call(self, subject: str, data: bytes) -> None:
        if not self.active:
            return
        try:
            self._handler(subject, data)
        except Exception:  # noqa: BLE001 - a handler must not take the bus down
            _log.exception("bus handler failed", subject=subject)

    async def unsubscribe(self) -> None:
        self._forget(self)


class MemoryBus:
    """Carries messages within one event loop; each handler call is its own turn of the loop."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._exact: dict[str, list[_Interest]] = {}
        self._wild: list[_Interest] = []

    @property
    def connected(self) -> bool:
        return self._loop is not None

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()

    async def stop(self) -> None:
        self._loop = None
        for interest in [*self._wild, *(one for group in self._exact.values() for one in group)]:
            interest.active = False
        self._exact.clear()
        self._wild.clear()

    async def publish(self, subject: str, data: bytes) -> None:
        check_subject(subject)
        if self._loop is None:
            return
        for interest in self._exact.get(subject, ()):
            self._loop.call_soon(interest.call, subject, data)
        for interest in self._wild:
            if matches(interest.pattern, subject):
                self._loop.call_soon(interest.call, subject, data)

    async def subscribe(self, subject: str, handler: Handler) -> _Interest:
        check_pattern(subject)
        interest = _Interest(subject, handler, self._forget)
        group = self._wild if "*" in subject or ">" in subject else self._exact.setdefault(subject, [])
        group.append(interest)
        return interest

    def on_reconnect(self, callback: Callable[[], None]) -> None:
        """Accepted for the Protocol's sake: memory has no gaps."""

    def _forget(self, interest: _Interest) -> None:
        if not interest.active:
            return
        interest.active = False
        group = self._exact.get(interest.pattern)
        if group is None:
            self._wild.remove(interest)
            return
        group.remove(interest)
        if not group:
            del self._exact[interest.pattern]
