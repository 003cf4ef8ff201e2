"""What Warmline hands over to a desk: frozen values."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class EndReason(StrEnum):
    """Why a handover, or one rung of it, is over (CORE §6)."""

    REQUESTED_BY_VISITOR = "requested_by_visitor"
    NOT_UNDERSTOOD = "not_understood"
    BOT_FAILED = "bot_failed"
    RULE = "rule"
    API = "api"
    NO_ANSWER = "no_answer"
    NO_AGENT = "no_agent"
    REFUSED = "refused"
    DESK_LOST = "desk_lost"
    IDLE = "idle"
    AGENT_LEFT = "agent_left"
    VISITOR_LEFT = "visitor_left"
    CLOSED = "closed"


class AuthorKind(StrEnum):
    """Who said a line."""

    VISITOR = "visitor"
    BOT = "bot"
    AGENT = "agent"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class TranscriptLine:
    """One message of the conversation so far.  ``at`` is in milliseconds since 1970."""

    seq: int
    at: int
    author: AuthorKind
    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitorCard:
    """What is known of the visitor; every field may be missing."""

    id: str | None = None
    name: str | None = None
    email: str | None = None
    phone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoverRequest:
    """One attempt of one rung to get a person.

    ``id`` is the same for every try of the same attempt (handover + rung), so a desk that was asked twice opens
    one thread; a later attempt has another id.  ``owner_epoch`` is the epoch under which the desk will speak.
    ``external_id`` is the desk's own id of the conversation when this desk is also its front end, else None.
    ``transcript_complete`` is False when older lines were left out.  ``payload`` is the rung's payload, filled for this
    conversation and of the type that the desk declares for it; ``details`` is what else is known of the visitor.
    What the visitor says after ``cursor`` (a seq) is sent by itself, whether or not it stands in the transcript.
    ``repeated`` says that an earlier try may have reached the desk without our hearing of it.
    ``prepared`` is what ``Listens.prepare`` made, with the newest state; None for desks that do not listen.
    """

    id: str
    conversation_id: str
    handover_id: str
    rung: int
    owner_epoch: int
    bot_id: str
    reason: EndReason
    language: str = "en"
    external_id: str | None = None
    escalate_to: str | None = None
    visitor: VisitorCard = VisitorCard()
    page: Mapping[str, Any] = field(default_factory=dict)
    transcript: tuple[TranscriptLine, ...] = ()
    transcript_complete: bool = True
    transcript_url: str | None = None
    reply_to: str | None = None
    cursor: int = 0
    repeated: bool = False
    prepared: Thread | None = None
    payload: Any = None
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """The vendor-side conversation; ``ref`` is the vendor's own id for it.  Stored by the relay as it is.

    ``state`` is what the desk has to remember of it (JSON; stored encrypted, so that a session's key may be in it);
    desks that are listened to change it with every ``Polled``.  It is forgotten when the thread is over: a parked message
    that people send again later comes with None, and is refused by a desk that cannot do without.
    """

    ref: str
    connection_id: str
    conversation_id: str
    request_id: str
    bot_id: str
    state: Any = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file the visitor sent; ``url`` is a signed link that expires.  ``size`` is in bytes.

    ``read`` fetches the bytes, for vendors to whom files are uploaded.
    """

    name: str
    media_type: str
    size: int
    url: str
    read: Callable[[], Awaitable[bytes]] = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundMessage:
    """A line of the visitor for the agent.  ``id`` (the message id) is stable over retries; ``at`` (ms) is when he said it."""

    id: str
    seq: int
    text: str
    at: int = 0
    language: str = "en"
    attachments: tuple[File, ...] = ()


@dataclass(frozen=True, slots=True)
class OutboundTyping:
    """The visitor is typing, or has stopped.  May be lost; sent only where ``visitor_typing`` is declared."""

    on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundNote:
    """A line for the agent only; sent only where ``notes`` is declared."""

    id: str
    seq: int
    text: str


@dataclass(frozen=True, slots=True)
class LineButton:
    """A button under a bot's line: ``url`` is None for one that is answered by its text."""

    text: str
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BotLine:
    """A line of the bot for a front end that is not ours.  ``id`` (the message id) is stable over retries.

    ``external_id`` is the front end's id of the conversation; ``confidence`` is in 0…1.
    """

    id: str
    bot_id: str
    external_id: str
    text: str
    buttons: tuple[LineButton, ...] = ()
    confidence: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoffLine:
    """What an agent says in a conversation that a bot elsewhere handed over; that bot knows it as ``external_id``.

    ``id`` is stable over retries, ``at`` in milliseconds, ``name`` the agent's or "".
    """

    id: str
    external_id: str
    at: int
    name: str
    text: str
    attachments: tuple[File, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoffStatus:
    """How such a handoff goes: ``accepted``, ``failed`` or ``completed``; ``message`` says more of a failed one."""

    id: str
    external_id: str
    at: int
    state: str
    message: str = ""


Outbound = OutboundMessage | OutboundTyping | OutboundNote


@dataclass(frozen=True, slots=True)
class Receipt:
    """The desk took it.  ``vendor_id`` is the id the vendor gave it, when it gives one."""

    vendor_id: str | None = None
