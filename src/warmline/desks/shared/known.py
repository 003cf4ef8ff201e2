"""What desks keep in memory of their threads, and what they make of news that is none."""

from __future__ import annotations

from typing import Any

from warmline.handover.port import DeskEvent, Unknown

_MOST = 5_000


def remember(table: dict[str, Any], key: str, value: Any) -> None:
    """Keep the latest ones only: what is forgotten is asked for again."""
    table.pop(key, None)
    table[key] = value
    if len(table) > _MOST:
        del table[next(iter(table))]


def unknown_instead(event: DeskEvent, kind: str) -> Unknown:
    """An event that says nothing to the conversation, kept and counted as ``kind``."""
    return Unknown(
        kind=kind,
        thread_ref=event.thread_ref,
        vendor_event_id=event.vendor_event_id,
        occurred_at=event.occurred_at,
        raw=event.raw,
    )
