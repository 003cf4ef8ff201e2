"""Wake-ups, live fan-out and typing between the parts of one process, or of many.

The bus may lose messages (DESIGN §2): whoever listens repairs itself from the journal by ``seq``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from warmline.platform.bus.memory import MemoryBus
from warmline.platform.bus.port import Bus, Handler, Subscription, check_pattern, check_subject, matches

if TYPE_CHECKING:
    from warmline.platform.bus.nats import NatsBus

__all__ = ["Bus", "Handler", "MemoryBus", "NatsBus", "Subscription", "check_pattern", "check_subject", "matches"]


def __getattr__(name: str) -> Any:
    """The NATS client is loaded by those who use it: a start on one node need not wait for it."""
    if name == "NatsBus":
        from warmline.platform.bus.nats import NatsBus  # noqa: PLC0415

        return NatsBus
    raise AttributeError(name)
