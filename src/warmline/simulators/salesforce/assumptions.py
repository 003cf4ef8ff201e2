"""What Salesforce's documentation leaves open, as switches.  A default is our best reading, never a fact.

Sources read in November 2026: the Enhanced Chat (Messaging for In-App and Web) API guide and reference on
developer.salesforce.com, the help page on its rate limits, Salesforce's own sample web app, and public client code
("seen" below means: in such code, not in the reference).

Assumed without a switch: a body with a field that the reference does not name is refused with 400; errors look like
``{status, error, message}`` (seen for the stream); entries are listed as ``{conversationEntries: [...]}``; a good answer
without anything to say is 204, that of an acknowledgement 200; unverified visitors are called "Guest".
"""

from __future__ import annotations

from typing import Literal

import msgspec


class Assumptions(msgspec.Struct, frozen=True, kw_only=True):
    """Turn these to see how an adapter bears the other reading."""

    token_life_s: int = 21_600
    """How long a token of an unverified visitor is good.  Not documented."""
    repeated_conversation: Literal["accepted", "conflict"] = "accepted"
    """A second conversation with the id of an earlier one: the good answer again, or 409."""
    repeated_message: Literal["accepted", "conflict"] = "accepted"
    """A second message with the id of an earlier one: the good answer again (and one message), or 409."""
    entry_identifier: Literal["message", "own"] = "message"
    """Whether the entry of a message has the message's id as its ``identifier``, or one of its own."""
    expired_line: Literal["sentence", "json"] = "sentence"
    """The raw text with which a stream of an expired token ends: ``Jwt is expired``, or the 401 as JSON (both seen)."""
    replays: bool = True
    """A stream begins with what came after ``Last-Event-Id`` (documented only as "helps to establish connections")."""
    queue_updates: Literal["position", "wait", "none"] = "position"
    """The channel's setting: position or estimated wait, never both (documented)."""
    work_results: bool = True
    """Whether routing work results reach the visitor's stream: seen, not in the list of the reference."""
    participant_first: bool = False
    """Whether the agent's joining is told before the accepted work and the active session, or after."""
    removed_on_transfer: bool = True
    """Whether the first agent's leaving is told when a conversation is transferred."""
    routing_starts: Literal["with conversation", "with first message"] = "with conversation"
    """Seen with the conversation; an Omni-Channel flow may wait for words."""
    session_based: bool = False
    """A channel for "session-based chat": the conversation closes with its session (documented)."""
    ended_by: Literal["true", "EndUser"] = "true"
    """What ``sessionEndedByRole`` says when an agent ends the session: seen to be unreliable."""
    repeated_end: Literal["accepted", "refused"] = "accepted"
    """Ending what is over: 204 again, or 404."""
    delivery_receipts: bool = True
    """The visitor's messages are acknowledged by events while an agent is there."""
    text_limit_bytes: int | None = 8_192
    """A third party says 8 KB; Salesforce's own number was not found.  A longer text is refused with 400 (assumed)."""
    media_types: tuple[str, ...] = ("image/jpeg", "image/gif", "image/bmp", "image/png", "application/pdf")
    """What a visitor may send; anything else is 415 (documented).  The list is that of another Salesforce API."""
    retry_after_s: int | None = None
    """429 is documented, a Retry-After header is not."""
