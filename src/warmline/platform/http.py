"""Calling other servers: the one client that every URL given by a person or a vendor goes through."""

from __future__ import annotations

from warmline.platform.outgoing.client import Outgoing, Target, prepare_headers
from warmline.platform.outgoing.errors import ReplyTooLarge, TargetRefused, TimedOut, Unreachable
from warmline.platform.outgoing.reply import Reply
from warmline.platform.outgoing.streaming import Stream

__all__ = [
    "Outgoing",
    "Reply",
    "ReplyTooLarge",
    "Stream",
    "Target",
    "TargetRefused",
    "TimedOut",
    "Unreachable",
    "prepare_headers",
]
