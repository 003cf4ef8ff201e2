"""What a bot is to the rest of the program: a pure function from a run and a trigger to a turn.

The first engine answers from a list of questions (``faq``); a scenario engine takes its place behind the same words.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol

import msgspec

from warmline.conversations.events import Button, Page, Reason

MAX_TEXT = 2_000
"""Characters of a visitor's message that an engine reads: enough for any question, and it bounds the work of a turn."""

Run = dict[str, Any]
"""Where a conversation stands in its bot: positions and counters, never texts.  Starts empty."""


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """The visitor opened the chat."""

    language: str
    page: Page = Page()


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """The visitor wrote something, or tapped a quick reply."""

    text: str
    language: str


class HandoverOver(msgspec.Struct, frozen=True, kw_only=True):
    """The conversation is the bot's again: nobody came, somebody called it off, or the person has left."""

    outcome: Literal["failed", "cancelled", "ended"]
    reason: str
    language: str


Trigger = Started | Said | HandoverOver


class Say(msgspec.Struct, frozen=True, kw_only=True):
    """One message of the bot."""

    text: str
    buttons: tuple[Button, ...] = ()


class RequestHandover(msgspec.Struct, frozen=True, kw_only=True):
    """Hand the conversation to a person, in the same commit as the turn's last words."""

    reason: Reason


class OfferContact(msgspec.Struct, frozen=True, kw_only=True):
    """Offer to leave an address: a quick reply with this text leads those of the turn's last message."""

    text: str


class CloseConversation(msgspec.Struct, frozen=True, kw_only=True):
    """The conversation is over."""


Effect = RequestHandover | OfferContact | CloseConversation


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """All a bot does about one trigger."""

    says: tuple[Say, ...] = ()
    run: Run = {}
    effects: tuple[Effect, ...] = ()


class Engine(Protocol):
    """A bot's brain.  Pure: no I/O, no clock, no randomness; the same input gives the same turn."""

    def turn(self, run: Run, trigger: Trigger) -> Turn:
        """The answer to ``trigger``.  Whatever it raises hands the conversation to a person."""
