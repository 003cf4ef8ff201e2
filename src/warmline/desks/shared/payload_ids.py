"""Ids in the payloads of rungs."""

from __future__ import annotations

import re

_ID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def is_id(value: str) -> bool:
    """Whether ``value`` has the form of a UUID, or a placeholder that will bring one."""
    return bool(_ID.fullmatch(value)) or "{{" in value
