"""What every side was told was accepted, written down by those who were told."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Ledger:
    """``acked``: conversation → client id → (text, seq).  ``said``: conversation → texts of the agent that got 200.

    ``delivered``: conversation → (webhook id, event, text) of calls that the CRM answered with 2xx, in order.
    """

    acked: dict[str, dict[str, tuple[str, int]]] = field(default_factory=lambda: defaultdict(dict))
    said: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    delivered: dict[str, list[tuple[str, str, str]]] = field(default_factory=lambda: defaultdict(list))
    count: int = 0
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    unexpected: list[Any] = field(default_factory=list)

    async def accepted(self) -> None:
        """Somebody was told that something was accepted."""
        async with self.changed:
            self.count += 1
            self.changed.notify_all()

    async def until(self, count: int) -> None:
        """Wait until so many acceptances were told."""
        async with self.changed:
            await self.changed.wait_for(lambda: self.count >= count)
