"""Identifiers: UUIDv7 texts, one type per noun, and random tokens."""

from __future__ import annotations

import os
import secrets
import threading
import time
from typing import NewType

ConversationId = NewType("ConversationId", str)
VisitorId = NewType("VisitorId", str)
MessageId = NewType("MessageId", str)
HandoverId = NewType("HandoverId", str)
ThreadId = NewType("ThreadId", str)
ConnectionId = NewType("ConnectionId", str)
WidgetId = NewType("WidgetId", str)
MemberId = NewType("MemberId", str)
ApiKeyId = NewType("ApiKeyId", str)
BotId = NewType("BotId", str)
"""24 lower-case hexadecimal digits, as the wire of the widget escalation prescribes."""

_COUNTER_BITS = 12
_lock = threading.Lock()
_last_ms = 0
_counter = 0


def uuid7() -> str:
    """A new UUIDv7 as lower-case text (RFC 9562); ids made by one process sort in the order of making."""
    global _last_ms, _counter  # noqa: PLW0603 - monotonic within the process
    with _lock:
        ms = time.time_ns() // 1_000_000
        if ms > _last_ms:
            _last_ms = ms
            _counter = int.from_bytes(os.urandom(1), "big")
        else:
            _counter += 1
            if _counter >> _COUNTER_BITS:
                _last_ms += 1
                _counter = 0
        ms, count = _last_ms, _counter
    tail = int.from_bytes(os.urandom(8), "big") & ((1 << 62) - 1)
    value = (ms << 80) | (0x7 << 76) | (count << 64) | (0b10 << 62) | tail
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def is_uuid(text: str) -> bool:
    """Whether ``text`` has the shape of a lower-case UUID."""
    if len(text) != 36 or text[8] != "-" or text[13] != "-" or text[18] != "-" or text[23] != "-":
        return False
    digits = text.replace("-", "")
    return len(digits) == 32 and all(c in "0123456789abcdef" for c in digits)


def new_bot_id() -> BotId:
    """A new bot id: time first (like the wire's own ids), then randomness."""
    return BotId(f"{int(time.time()):08x}{secrets.token_hex(8)}")


def new_token(prefix: str, size: int = 32) -> str:
    """A secret for people or programs to carry: ``prefix_`` and ``size`` random bytes (≥ 16) in URL-safe base64."""
    return f"{prefix}_{secrets.token_urlsafe(size)}"
