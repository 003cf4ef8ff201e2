"""How much one visitor and one address may do: the rules of the widget in one table."""

from __future__ import annotations

from warmline.kernel.clock import Clock
from warmline.platform.limits import RateLimiter

RULES: dict[str, tuple[float, int]] = {
    # rule: (per second on average, at once)
    "visitor.message": (1.0, 20),
    "visitor.typing": (2.0, 10),
    "visitor.start": (1 / 60, 5),
    # Many visitors share one address (an office, a mobile network).
    "address.message": (20.0, 200),
    "address.start": (0.5, 60),
    "address.session": (5.0, 200),
}


class WidgetLimits:
    """Token buckets for every rule.  ``rules`` overrides the table, in the same shape."""

    def __init__(self, clock: Clock, rules: dict[str, tuple[float, int]] | None = None) -> None:
        table = RULES | (rules or {})
        self._buckets = {
            rule: RateLimiter(clock, per_second=per_second, burst=burst) for rule, (per_second, burst) in table.items()
        }

    def take(self, rule: str, key: str) -> float:
        """0.0 when allowed, else the seconds until it would be."""
        return self._buckets[rule].take(key)
