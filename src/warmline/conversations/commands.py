"""What can be asked of a conversation.  A command carries everything its decision needs: no clock, no randomness."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from warmline.conversations.events import Agent, Attachment, AuthorKind, Button, Page, Reason, Rung

MAX_TEXT = 10_000
"""Characters of one message, whoever writes it: visitor, agent, another company's desk, a program."""
MAX_FILES = 10
"""Files of one message."""
MAX_FILES_IN_ALL = 200
"""Files of one conversation: their ids stand in its state."""


class Command(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Base of all commands."""


class Start(Command, frozen=True, kw_only=True):
    visitor_id: str
    bot_id: str
    channel: Literal["widget", "converse", "api"] = "widget"
    widget_id: str | None = None
    connection_id: str | None = None
    external_id: str | None = None
    previous_id: str | None = None
    language: str = "en"
    page: Page = Page()
    ladder: tuple[Rung, ...] = ()
    idle_after: int = 7_200_000
    bot_answers_within: int = 30_000
    greet: bool = True


class HandedLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message of the talk with a bot elsewhere, before it handed over."""

    message_id: str
    author: Literal["visitor", "bot"]
    text: str
    name: str | None = None


class HandIn(Command, frozen=True, kw_only=True):
    """A bot elsewhere hands its conversation over: the start, what was said, and the request are one commit."""

    start: Start
    handover_id: str
    lines: tuple[HandedLine, ...] = ()
    details: dict[str, str] = {}


class VisitorSays(Command, frozen=True, kw_only=True):
    message_id: str
    text: str
    client_id: str | None = None
    reply_to: str | None = None
    card_index: int | None = None
    attachments: tuple[Attachment, ...] = ()


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message of a bot's turn."""

    message_id: str
    text: str
    buttons: tuple[Button, ...] = ()


class HandoverWish(msgspec.Struct, frozen=True, kw_only=True):
    """A handover asked for within a bot's turn, so that its last words and the request are one commit."""

    handover_id: str
    reason: Reason
    ladder: tuple[Rung, ...]


class BotTurn(Command, frozen=True, kw_only=True):
    """Everything the bot answers to one event.  ``answers`` is that event's seq, ``epoch`` the bot's ownership."""

    epoch: int
    answers: int
    lines: tuple[Line, ...] = ()
    run: dict[str, Any] | None = None
    name: str = ""
    handover: HandoverWish | None = None
    close: bool = False


class BotFails(Command, frozen=True, kw_only=True):
    epoch: int
    error: str
    handover_id: str


class SetDetails(Command, frozen=True, kw_only=True):
    values: dict[str, str]
    sensitive: tuple[str, ...] = ()


class RequestHandover(Command, frozen=True, kw_only=True):
    handover_id: str
    reason: Reason
    by: str
    ladder: tuple[Rung, ...]


class AcceptOffer(Command, frozen=True, kw_only=True):
    """The relay reports that the desk took the request of this rung."""

    epoch: int
    thread_ref: str


class FailRung(Command, frozen=True, kw_only=True):
    """The relay reports that the rung cannot be used."""

    epoch: int
    reason: Reason


DeskVerb = Literal["queued", "joined", "replied", "transferring", "failed", "left"]


class DeskSays(Command, frozen=True, kw_only=True):
    """Something happened on the desk's side of a connection.

    ``epoch`` is given by desks whose threads carry one; otherwise the last attempt offered to that connection counts.
    """

    connection_id: str
    verb: DeskVerb
    bot_id: str | None = None
    """When given, the conversation must be this bot's; another's is not found."""
    epoch: int | None = None
    only_waiting: bool = False
    """``joined`` then takes from the queue, ``queued`` tells a place in it: refused once an agent has joined, and never
    a transfer."""
    position: int | None = None
    wait_minutes: int | None = None
    agent: Agent = Agent()
    message_id: str = ""
    text: str = ""
    attachments: tuple[Attachment, ...] = ()
    reason: Reason = "agent_left"
    """How it is over, with ``left``."""


class PutBack(Command, frozen=True, kw_only=True):
    epoch: int
    by: str


class CancelHandover(Command, frozen=True, kw_only=True):
    by: str


class EndHandover(Command, frozen=True, kw_only=True):
    reason: Reason
    epoch: int | None = None


class Park(Command, frozen=True, kw_only=True):
    message_id: str
    connection_id: str
    reason: str


class Resent(Command, frozen=True, kw_only=True):
    message_id: str


class Stall(Command, frozen=True, kw_only=True):
    epoch: int
    connection_id: str


class Recover(Command, frozen=True, kw_only=True):
    epoch: int
    connection_id: str


class LeaveContact(Command, frozen=True, kw_only=True):
    contact_id: str
    name: str = ""
    email: str = ""
    phone: str = ""
    text: str = ""


class PostNote(Command, frozen=True, kw_only=True):
    note_id: str
    member_id: str
    text: str


class PostAs(Command, frozen=True, kw_only=True):
    """Speak under an ownership, as bot or agent, through the API."""

    epoch: int
    author: AuthorKind
    message_id: str
    text: str
    name: str | None = None
    author_id: str | None = None
    attachments: tuple[Attachment, ...] = ()


class Close(Command, frozen=True, kw_only=True):
    reason: Literal["visitor", "agent", "card", "idle", "api", "desk"]
    by: str = ""
    epoch: int | None = None


class DeadlineReached(Command, frozen=True, kw_only=True):
    kind: str
