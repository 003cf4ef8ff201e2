"""The port to a desk: what Warmline asks of a place where people answer, and what it hears from it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

import msgspec

from warmline.handover.port_errors import (
    AuthRejected,
    DeskError,
    RateLimited,
    Refused,
    SignatureRejected,
    Unreachable,
    Unsupported,
)
from warmline.handover.port_events import (
    AgentJoined,
    AgentLeft,
    AgentReplied,
    AgentTyping,
    DeskEvent,
    InboundDelivery,
    InboundReply,
    OpenFailed,
    QueueMoved,
    SendFailed,
    ThreadEnded,
    ThreadTransferred,
    Unknown,
)

__all__ = [
    "AgentJoined",
    "AgentLeft",
    "AgentReplied",
    "AgentTyping",
    "Answers",
    "AuthRejected",
    "AuthorKind",
    "Availability",
    "Capabilities",
    "Desk",
    "DeskError",
    "DeskEvent",
    "EndReason",
    "Enriches",
    "File",
    "Grade",
    "HandoverRequest",
    "Health",
    "InboundDelivery",
    "InboundReply",
    "Join",
    "Listens",
    "ListsQueues",
    "Manifest",
    "OpenFailed",
    "Outbound",
    "OutboundMessage",
    "OutboundNote",
    "OutboundTyping",
    "Polled",
    "Polls",
    "QueueMoved",
    "QueueRef",
    "RateLimited",
    "ReadsBack",
    "Receipt",
    "Refused",
    "SendFailed",
    "SignatureRejected",
    "Thread",
    "ThreadEnded",
    "ThreadTransferred",
    "TranscriptLine",
    "Unknown",
    "Unreachable",
    "Unsupported",
    "VisitorCard",
]


# What a desk says about itself ------------------------------------------------------------------------------------


class Grade(StrEnum):
    """How much of the conformance kit a desk has proven (DESIGN: bronze, silver, gold)."""

    BRONZE = "bronze"
    SILVER = "silver"
    GOLD = "gold"


class Join(StrEnum):
    """Whether the vendor says that an agent joined, or the first reply has to be taken for it."""

    EXPLICIT = "explicit"
    INFERRED = "inferred"


class Capabilities(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the wire of a desk can carry.  Declared, never faked: what is False is not shown to the visitor."""

    agent_typing: bool = False
    """The desk tells when its agent is typing."""
    visitor_typing: bool = False
    """``OutboundTyping`` reaches the agent; when False the relay does not send it."""
    queue_position: bool = False
    waiting_time: bool = False
    attachments: bool = False
    """Files from the visitor; when False the platform sends their links as text."""
    notes: bool = False
    """``OutboundNote`` reaches the agent out of the visitor's sight."""
    transfer: bool = False
    availability: bool = False
    """``availability`` can answer something else than UNKNOWN."""
    context: bool = False
    """``open`` carries the transcript and the visitor's card."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``manifest.toml`` of one desk."""

    key: str
    title: str
    docs: str
    contract_version: str
    join: Join
    grade: Grade
    grade_reasons: tuple[str, ...]
    capabilities: Capabilities = Capabilities()
    text_limit: int | None = None
    """Longest message text in characters that the vendor documents; None when it documents none."""

    @classmethod
    def load(cls, path: Path) -> Manifest:
        """Read a manifest.  Raises msgspec.ValidationError (naming the field) or tomllib.TOMLDecodeError."""
        return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), cls)


@dataclass(frozen=True, slots=True)
class Health:
    """Result of a connection check: one sentence an administrator understands."""

    ok: bool
    sentence: str


class Availability(StrEnum):
    """Whether people are there.  UNKNOWN is offered like AVAILABLE; the ladder skips AWAY."""

    AVAILABLE = "available"
    AWAY = "away"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class QueueRef:
    """A routing target of a desk in the desk's own words; ``None`` is the desk's default target."""

    ref: str | None
    bot_id: str
    name: str = ""


# What Warmline hands over -----------------------------------------------------------------------------------------


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
    """

    id: str
    conversation_id: str
    handover_id: str
    rung: int
    owner_epoch: int
    bot_id: str
    reason: EndReason
    language: str = "en"
    escalate_to: str | None = None
    visitor: VisitorCard = VisitorCard()
    page: Mapping[str, Any] = field(default_factory=dict)
    transcript: tuple[TranscriptLine, ...] = ()
    transcript_url: str | None = None
    reply_to: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """The vendor-side conversation; ``ref`` is the vendor's own id for it.  Stored by the relay as it is."""

    ref: str
    connection_id: str
    conversation_id: str
    request_id: str
    bot_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file the visitor sent; ``url`` is a signed link that expires.  ``size`` is in bytes."""

    name: str
    media_type: str
    size: int
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundMessage:
    """A line of the visitor for the agent.  ``id`` (the message id) is stable over retries."""

    id: str
    seq: int
    text: str
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


Outbound = OutboundMessage | OutboundTyping | OutboundNote


@dataclass(frozen=True, slots=True)
class Receipt:
    """The desk took it.  ``vendor_id`` is the id the vendor gave it, when it gives one."""

    vendor_id: str | None = None


# The protocols ----------------------------------------------------------------------------------------------------


class Desk(Protocol):
    """A place where people answer: a helpdesk, a contact centre, a custom CRM, or our own console.

    Every coroutine may raise a DeskError; ``retryable`` tells whether the same call may be tried again.
    """

    manifest: ClassVar[Manifest]

    async def check(self) -> Health:
        """Try the connection without leaving a trace.  Does not raise: a failure is a Health with its sentence."""

    async def availability(self, queue: QueueRef) -> Availability:
        """Whether people are there.  Does not raise: trouble is UNKNOWN."""

    async def open(self, request: HandoverRequest) -> Thread:
        """Ask for a person.  Idempotent on ``request.id``."""

    async def send(self, thread: Thread, item: Outbound) -> Receipt:
        """Bring one item to the agent.  Safe to repeat: the item's id goes with it where the wire allows."""

    async def close(self, thread: Thread, reason: EndReason) -> None:
        """Tell the desk that this rung is over.  Safe to repeat."""

    def parse(self, delivery: InboundDelivery) -> Sequence[DeskEvent]:
        """What a delivery says.  Pure.  Raises SignatureRejected, or kernel.errors.Invalid with the path."""


@runtime_checkable
class Listens(Protocol):
    """A desk that is listened to over a stream of its own."""

    async def prepare(self, request: HandoverRequest) -> None:
        """Open the stream before ``open`` is called, so that nothing said in between is lost."""


@dataclass(frozen=True, slots=True)
class Polled:
    """What one poll brought, and the thread state (opaque JSON) to store together with it."""

    events: tuple[DeskEvent, ...]
    state: Any


@runtime_checkable
class Polls(Protocol):
    """A desk that has to be asked for news."""

    async def poll(self, thread: Thread, state: Any) -> Polled:
        """News since ``state`` (None at first)."""


@runtime_checkable
class ReadsBack(Protocol):
    """A desk whose thread can be read, to find out whether an unanswered send arrived."""

    async def history(self, thread: Thread, since: int) -> Sequence[DeskEvent]:
        """Everything in the thread since a moment in milliseconds, our own items included."""


@runtime_checkable
class Enriches(Protocol):
    """A desk whose events lack names or avatars that a further call can tell."""

    async def enrich(self, event: DeskEvent) -> DeskEvent:
        """The same event with what could be found out; unchanged when nothing could."""


@runtime_checkable
class Answers(Protocol):
    """A desk whose webhooks expect a particular answer (challenges, status codes)."""

    def reply(self, delivery: InboundDelivery) -> InboundReply | None:
        """The answer, or None for the usual one."""


@runtime_checkable
class ListsQueues(Protocol):
    """A desk that can name its routing targets."""

    async def queues(self) -> Sequence[QueueRef]:
        """The targets an administrator may choose from."""
