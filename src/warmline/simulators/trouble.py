"""The switchboard that makes calls fail."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from warmline.simulators.changes import Changes
from warmline.simulators.script import Kind, Trouble

ANY = "*"


class Ordered(msgspec.Struct):
    """A trouble that is still to come."""

    operation: str
    kind: Kind
    left: int


class Switchboard:
    """Which calls meet which trouble.  The first order that fits a call is used up first."""

    def __init__(self, changes: Changes, orders: Iterable[Trouble] = ()) -> None:
        self._changes = changes
        self._orders = [Ordered(order.operation, order.kind, order.times) for order in orders]

    @property
    def orders(self) -> tuple[Ordered, ...]:
        """What is still to come."""
        return tuple(self._orders)

    def next(self, operation: str, kind: Kind, times: int = 1) -> None:
        """The next ``times`` calls of ``operation`` (``*`` for any) meet ``kind``."""
        self._orders.append(Ordered(operation, kind, times))
        self._changes.tell()

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        self._orders.clear()
        self._changes.tell()

    def take(self, operation: str) -> Kind | None:
        """What this call of ``operation`` meets."""
        for order in self._orders:
            if order.operation in {operation, ANY}:
                order.left -= 1
                if not order.left:
                    self._orders.remove(order)
                self._changes.tell()
                return order.kind
        return None
