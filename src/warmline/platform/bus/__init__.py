"""Wake-ups, live fan-out and typing between the parts of one process, or of many.

The bus may lose messages (DESIGN §2): whoever listens repairs itself from the journal by ``seq``.
"""

from __future__ import annotations

from warmline.platform.bus.memory import MemoryBus
from warmline.platform.bus.nats import NatsBus
from warmline.platform.bus.port import Bus, Handler, Subscription, check_pattern, check_subject, matches

__all__ = ["Bus", "Handler", "MemoryBus", "NatsBus", "Subscription", "check_pattern", "check_subject", "matches"]
