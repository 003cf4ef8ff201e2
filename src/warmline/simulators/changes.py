"""One signal for everything that changes in a simulator: pages redraw on it, tests wait on it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Changes:
    """Counts changes and wakes whoever waits for one."""

    def __init__(self) -> None:
        self.version = 0
        self._waiting: set[asyncio.Future[None]] = set()

    def tell(self) -> None:
        """Something changed."""
        self.version += 1
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
        self._waiting.clear()

    async def after(self, version: int) -> int:
        """Wait until there was a change since ``version``; returns the newest version."""
        while self.version == version:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.add(future)
            try:
                await future
            finally:
                self._waiting.discard(future)
        return self.version

    async def until(self, look: Callable[[], T], *, timeout_s: float = 5.0) -> T:
        """Look again after each change until ``look`` gives something true, and return that.

        Raises TimeoutError after ``timeout_s`` seconds.
        """
        async with asyncio.timeout(timeout_s):
            while True:
                version = self.version
                if found := look():
                    return found
                await self.after(version)
