"""Ids that Salesforce lets its clients make: the same question has the same id each time, so that a repetition is known.

It asks for lower-case UUIDs of version 4.  Our messages have ones of version 7, which differ in one digit: that is turned,
so that a message in Salesforce leads back to ours.  Everything else gets an id from a digest.
"""

from __future__ import annotations

import hashlib
import re
import uuid

_VERSION_PLACE = 14
_OURS = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def derived_id(*words: str) -> str:
    """A UUID of version 4 in form, always the same for the same words."""
    digest = hashlib.sha256("\n".join(words).encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))


def message_id(item_id: str) -> str:
    """The id in Salesforce of one of our items."""
    return _turned(item_id, "4") if _OURS.fullmatch(item_id) else derived_id("item", item_id)


def item_id(message: str) -> str:
    """Our id of a message, where it has one that was turned; else something no item of ours is called."""
    return _turned(message, "7")


def _turned(text: str, digit: str) -> str:
    return f"{text[:_VERSION_PLACE]}{digit}{text[_VERSION_PLACE + 1 :]}"
