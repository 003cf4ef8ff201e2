"""How much one visitor and one address may do: the rules of the widget in one table."""

from __future__ import annotations

from warmline.kernel.clock import Clock
from warmline.platform.limits import RateLimiter

RULES: dict[str, tuple[float, int]] = {
    # rule: (per second on average, at once)
    "visitor.message": (2.0, 30),
    "visitor.typing": (2.0, 10),
    "visitor.start": (1 / 20, 10),
    "visitor.file": (1 / 5, 20),
    # Many visitors share one address (an office, a mobile network).
    "address.message": (50.0, 500),
    "address.file": (2.0, 100),
    "address.start": (2.0, 200),
    "address.session": (10.0, 400),
}


class WidgetLimits:
    """Token buckets for every rule.  ``rules`` overrides the table, in the same shape; ``scale`` multiplies all."""

    def __init__(self, clock: Clock, rules: dict[str, tuple[float, int]] | None = None, *, scale: int = 1) -> None:
        table = RULES | (rules or {})
        self._buckets = {
            rule: RateLimiter(clock, per_second=per_second * scale, burst=burst * scale)
            for rule, (per_second, burst) in table.items()
        }

    def take(self, rule: str, key: str) -> float:
        """0.0 when allowed, else the seconds until it would be."""
        return self._buckets[rule].take(key)
