"""The port to a desk: what Warmline asks of a place where people answer, and what it hears from it."""

from __future__ import annotations

import tomllib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
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
    VendorFile,
    VisitorLine,
)
from warmline.handover.port_values import (
    AuthorKind,
    BotLine,
    EndReason,
    File,
    HandoffLine,
    HandoffStatus,
    HandoverRequest,
    LineButton,
    Outbound,
    OutboundMessage,
    OutboundNote,
    OutboundTyping,
    Receipt,
    Thread,
    TranscriptLine,
    VisitorCard,
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
    "BotLine",
    "Capabilities",
    "Desk",
    "DeskError",
    "DeskEvent",
    "EndReason",
    "Enriches",
    "FetchesFiles",
    "File",
    "FrontEnd",
    "Grade",
    "HandoffLine",
    "HandoffStatus",
    "HandoverRequest",
    "Health",
    "HearsHandoffs",
    "InboundDelivery",
    "InboundReply",
    "Join",
    "LineButton",
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
    "Repeats",
    "SendFailed",
    "SignatureRejected",
    "Thread",
    "ThreadEnded",
    "ThreadTransferred",
    "TranscriptLine",
    "Unknown",
    "Unreachable",
    "Unsupported",
    "VendorFile",
    "VisitorCard",
    "VisitorLine",
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


class Repeats(StrEnum):
    """What becomes of a line that is sent again because nobody knows whether it has arrived."""

    TAKEN_ONCE = "taken once"
    """The desk knows our id, and takes it once."""
    READ_BACK = "read back"
    """The desk ``ReadsBack``: whether it is there is found out before it is sent again."""
    DOUBLED = "doubled"
    """It stands there twice.  The relay writes down every line that was taken before it sends the next."""


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
    repeats: Repeats = Repeats.DOUBLED
    """Say something else only when it holds after a crash too, when all that was in memory is gone."""
    text_limit: int | None = None
    """Longest message text in characters that the vendor documents; None when it documents none."""
    contact: str = "whoever gave you this desk, for its manifest names nobody"
    """Who looks after this desk, and gets the diagnostics file when something is wrong with it: the end of a sentence."""
    setup: tuple[str, ...] = ()
    """What to do, in order, to connect it: the steps of its guide."""

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
    """A routing target of a desk in the desk's own words; ``None`` is the desk's default target.

    ``conversation_id`` is given when the question is asked for one conversation.
    """

    ref: str | None
    bot_id: str
    name: str = ""
    conversation_id: str = ""


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
        """What a delivery says.  Pure.  Raises SignatureRejected, or kernel.errors.Invalid with the path;
        Unsupported for a desk whose vendor reports nothing by itself.
        """


@dataclass(frozen=True, slots=True)
class Polled:
    """What one poll, or one stretch of a stream, brought, and the thread state (JSON) to store together with it.

    ``done`` says that nothing will follow: the session at the vendor is over (a ThreadEnded or OpenFailed is among the
    events, unless the end was ours).  ``again_in_s`` is how long the next poll should wait, 0 for one that the vendor holds.
    """

    events: tuple[DeskEvent, ...]
    state: Any
    done: bool = False
    again_in_s: float = 0.0


@runtime_checkable
class Polls(Protocol):
    """A desk that has to be asked for news.  Exactly one poll per thread is under way at a time."""

    async def poll(self, thread: Thread, state: Any) -> Polled:
        """News since ``state`` (at first the one that ``open`` gave the thread).

        May be held by the vendor (45 s at most).  Every event carries a ``vendor_event_id`` of its own, the same each
        time and unique within the thread: after a crash the same stretch may be read again.  The call may be cancelled
        at any moment.  Raises DeskError; retryable ones are tried again with growing pauses and the same state, after
        a permanent one the thread counts as lost.  A session that is over is Refused; AuthRejected says that the whole
        connection's credentials are.
        """


@runtime_checkable
class Listens(Protocol):
    """A desk that is listened to over a stream, one per thread, which stands before the conversation is opened."""

    async def prepare(self, request: HandoverRequest) -> Thread:
        """The thread that ``open`` will make: its ref, and the state to begin listening with.  Idempotent on request.id.

        It comes back to ``open`` as ``request.prepared``, with the state the stream has got to.  The thread that ``open``
        returns has the same ref; its state is not looked at.  Raises DeskError.
        """

    def listen(self, thread: Thread, state: Any) -> AsyncIterator[Polled]:
        """Stretches of the stream since ``state``, the first one (mostly without events) as soon as the stream stands.

        An async generator: it is closed by ``aclose``, or cancelled, at any moment.  Ends when the stream ends, with
        ``done`` or without; then it is called again with the last state stored.  Events as for ``Polls.poll``: they wait
        for ``open`` to have returned.  Raises DeskError: a retryable one is followed by a new stream, after a permanent
        one the thread counts as lost.
        """


@runtime_checkable
class FetchesFiles(Protocol):
    """A desk whose agents' files are only given to who has the connection's credentials."""

    async def fetch_file(self, thread: Thread, file: VendorFile, *, max_bytes: int) -> bytes:
        """The bytes of a file with ``private``.  Raises DeskError; Refused for one that is longer than ``max_bytes``."""


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


@runtime_checkable
class FrontEnd(Protocol):
    """A desk whose own pages the visitor may use, so that it shows the bot's lines as well."""

    async def say(self, line: BotLine) -> Receipt:
        """Bring a line of the bot to the visitor.  Safe to repeat.  Raises DeskError."""


@runtime_checkable
class HearsHandoffs(Protocol):
    """A bot elsewhere that hands its conversations over to us."""

    async def tell(self, news: HandoffLine | HandoffStatus) -> Receipt:
        """Bring it what an agent says, or how the handoff goes.  Safe to repeat.  Raises DeskError."""
