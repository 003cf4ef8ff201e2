"""Kustomer's limits (documented): one budget per organization and minute, and 120 of a kind per customer and minute."""

from __future__ import annotations

from typing import Literal

from warmline.kernel.clock import Clock
from warmline.simulators.base import VendorRefusal

Plan = Literal["professional", "business", "enterprise", "ultimate"]
BUDGETS: dict[Plan, int] = {"professional": 300, "business": 500, "enterprise": 1_000, "ultimate": 2_000}
PER_CUSTOMER = 120
TOO_MANY = "Too many requests."
_WINDOW_MS = 60_000


class Budget:
    """Counts calls in windows of a minute; one that is full opens again all at once."""

    def __init__(self, clock: Clock, plan: Plan | None) -> None:
        self.limit = BUDGETS[plan] if plan else None
        self._clock = clock
        self._started = clock.now()
        self._used = 0
        self._customers: dict[tuple[str, str], list[int]] = {}

    def hold_to(self, plan: Plan | None) -> None:
        """Another plan from now on, of which nothing is used; None: no limit."""
        self.limit = BUDGETS[plan] if plan else None
        self._started, self._used = self._clock.now(), 0
        self._customers.clear()

    def _turn(self) -> None:
        now = self._clock.now()
        if now - self._started >= _WINDOW_MS:
            self._started, self._used = now, 0

    @property
    def remaining(self) -> int:
        """Calls that are left."""
        self._turn()
        return max((self.limit or 0) - self._used, 0)

    @property
    def resets_at(self) -> int:
        """When the budget is full again, in milliseconds."""
        return self._started + _WINDOW_MS

    def spend(self) -> None:
        """One call.  Raises VendorRefusal 429."""
        if self.limit is None:
            return
        if not self.remaining:
            raise VendorRefusal(429, TOO_MANY, note=f"{self.limit} calls a minute; again at {self.resets_at}")
        self._used += 1

    def spend_on(self, kind: str, customer_id: str) -> None:
        """One message, note or conversation of a customer.  Raises VendorRefusal 429."""
        if self.limit is None:
            return
        now = self._clock.now()
        recent = [at for at in self._customers.get((kind, customer_id), []) if now - at < _WINDOW_MS]
        if len(recent) >= PER_CUSTOMER:
            raise VendorRefusal(429, TOO_MANY, note=f"{PER_CUSTOMER} {kind} a minute per customer")
        self._customers[kind, customer_id] = [*recent, now]
