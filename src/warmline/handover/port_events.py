"""What desks tell, normalised: a closed set of words, with Unknown so that nothing is ever dropped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from warmline.handover.port_values import EndReason


@dataclass(frozen=True, slots=True)
class InboundDelivery:
    """A request of the vendor, as it arrived.  Header names are lower case; ``received_at`` is in milliseconds."""

    headers: Mapping[str, str]
    body: bytes
    query: Mapping[str, str]
    received_at: int


@dataclass(frozen=True, slots=True)
class InboundReply:
    """What the vendor wants to hear back on a delivery."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskEvent:
    """Something happened at the desk.

    ``vendor_event_id`` is the vendor's id for it (deduplication), None when the wire has none.  ``thread_ref`` is
    ``Thread.ref``.  ``occurred_at`` is in milliseconds, None when the vendor does not say.  ``raw`` is the payload.
    """

    thread_ref: str
    vendor_event_id: str | None = None
    occurred_at: int | None = None
    raw: Any = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueMoved(DeskEvent):
    """The visitor waits.  ``position`` ≥ 0; ``wait_minutes`` whole minutes, rounded up; None when not told."""

    position: int | None = None
    wait_minutes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentJoined(DeskEvent):
    """A person took the conversation.  Name and avatar are "" and None when the desk does not tell them."""

    name: str = ""
    avatar: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentTyping(DeskEvent):
    """The agent is typing, or has stopped."""

    on: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorFile:
    """A file as the vendor names it in a message.  ``size`` is in bytes, None when not told.

    ``private`` says that ``url`` is answered only with the connection's credentials (see ``FetchesFiles``).
    """

    url: str
    name: str = ""
    media_type: str = ""
    size: int | None = None
    private: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentReplied(DeskEvent):
    """The agent said something.  ``message_id`` is the vendor's id of the message, when the wire has one.

    ``text`` is plain text (what arrives as HTML is made plain by the desk), "" when there are only ``files``.
    ``name`` and ``avatar`` are the speaker's where the message tells them, else "" and None.
    """

    text: str
    message_id: str | None = None
    name: str = ""
    avatar: str | None = None
    files: tuple[VendorFile, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitorLine(DeskEvent):
    """A line of the visitor as it stands in the vendor's thread: only ``ReadsBack.history`` tells of those.

    ``item_id`` is our own id of it, None where the vendor keeps none.
    """

    text: str
    item_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadTransferred(DeskEvent):
    """The thread goes to other people; ``name`` is the new agent or team, "" when not told."""

    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentLeft(DeskEvent):
    """The agent ended the conversation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadEnded(DeskEvent):
    """The desk closed the thread.

    ``reason`` says how, as far as the vendor tells: AGENT_LEFT (also when nothing is told), IDLE for a silence that
    lasted too long, DESK_LOST when the vendor has no such thread any more or it broke, VISITOR_LEFT.
    """

    reason: EndReason = EndReason.AGENT_LEFT


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenFailed(DeskEvent):
    """The desk says that nobody will come.  ``detail`` is for the operator, not for the visitor."""

    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendFailed(DeskEvent):
    """The desk says, later, that it could not deliver an item.  ``item_id`` is the ``Outbound.id``."""

    item_id: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown(DeskEvent):
    """An event this desk's adapter has no word for.  Counted, kept raw, never dropped."""

    kind: str = ""
