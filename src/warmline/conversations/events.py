"""The events of a conversation: what is written, once and for ever, into its stream.

Bodies are the only place where personal content stands.  Fields are added with defaults, never renamed or removed.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import msgspec

Reason = Literal[
    "requested_by_visitor",
    "not_understood",
    "bot_failed",
    "rule",
    "api",
    "no_answer",
    "no_agent",
    "refused",
    "desk_lost",
    "idle",
    "agent_left",
    "visitor_left",
    "closed",
]
"""Why a handover was asked for, failed or ended."""

AuthorKind = Literal["visitor", "bot", "agent", "system"]


class Body(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Base of all event bodies."""

    TYPE: ClassVar[str] = ""
    VERSION: ClassVar[int] = 1


class Page(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """What the visitor's page told about itself when the chat was opened.  All texts, untrusted."""

    user_agent: str = ""
    screen_res: str = ""
    language: str = ""
    url: str = ""
    referrer: str = ""
    title: str = ""


class Rung(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One step of the ladder: a connection to try, its deadlines (milliseconds) and its words to the visitor."""

    connection_id: str
    desk: str
    name: str = ""
    text: str = ""
    escalate_to: str | None = None
    payload: str = ""
    """The digest of the payload's text, empty when the rung has none."""
    answer_within: int = 60_000
    connect_within: int = 900_000
    idle_after: int = 7_200_000
    lost_after: int = 300_000


class Agent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The person on the desk's side, as shown to the visitor."""

    name: str | None = None
    avatar: str | None = None
    id: str | None = None


class Button(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A quick reply (its text is sent as the visitor's message) or a link."""

    text: str
    kind: Literal["reply", "link"] = "reply"
    url: str | None = None


class Attachment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file of a message, as we know it: its type was told from its bytes.  ``size`` in bytes."""

    id: str
    name: str
    media_type: str
    size: int


class ConversationStarted(Body, frozen=True, kw_only=True):
    """A visitor opened a conversation.

    ``ladder`` is the way out if the bot itself fails; without ``greet`` the bot waits for the visitor's first words.
    """

    TYPE: ClassVar[str] = "conversation.started"
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


class MessagePosted(Body, frozen=True, kw_only=True):
    """Somebody said something, sent files, or both: without ``attachments`` the text is not empty.

    ``card_index`` (from 0) is the card of a carousel whose button the visitor used.
    """

    TYPE: ClassVar[str] = "message.posted"
    message_id: str
    author: AuthorKind
    text: str
    name: str | None = None
    avatar: str | None = None
    author_id: str | None = None
    buttons: tuple[Button, ...] = ()
    client_id: str | None = None
    reply_to: str | None = None
    card_index: int | None = None
    attachments: tuple[Attachment, ...] = ()

    @property
    def gist(self) -> str:
        """What a list shows of it: the text, else the names of the files."""
        return self.text or ", ".join(one.name for one in self.attachments)


class NotePosted(Body, frozen=True, kw_only=True):
    """A remark among agents; the visitor never sees it."""

    TYPE: ClassVar[str] = "note.posted"
    note_id: str
    member_id: str
    text: str


class RunAdvanced(Body, frozen=True, kw_only=True):
    """The bot's scenario moved on.  ``run`` holds positions and counters, no texts; ``answers`` is the seq answered."""

    TYPE: ClassVar[str] = "run.advanced"
    run: dict[str, Any]
    answers: int = 0


class BotFailed(Body, frozen=True, kw_only=True):
    """The bot could not answer; ``error`` is a short code, never an exception text."""

    TYPE: ClassVar[str] = "bot.failed"
    error: str


class DetailsSet(Body, frozen=True, kw_only=True):
    """Facts about the visitor became known: from the page, a form, or a CRM's metadata."""

    TYPE: ClassVar[str] = "details.set"
    values: dict[str, str]
    sensitive: tuple[str, ...] = ()


class HandoverRequested(Body, frozen=True, kw_only=True):
    """The conversation shall go to a person; the first rung owns it from here on."""

    TYPE: ClassVar[str] = "handover.requested"
    handover_id: str
    reason: Reason
    by: str
    ladder: tuple[Rung, ...]
    bot_id: str = ""
    text: str = ""


class HandoverOffered(Body, frozen=True, kw_only=True):
    """The rung's desk has accepted the request (for the custom CRM: its webhook answered 2xx)."""

    TYPE: ClassVar[str] = "handover.offered"
    handover_id: str
    rung: int
    connection_id: str
    thread_ref: str


class HandoverQueued(Body, frozen=True, kw_only=True):
    """The desk told where in its queue the visitor stands.  ``position`` counts from 1; both may be unknown."""

    TYPE: ClassVar[str] = "handover.queued"
    handover_id: str
    rung: int
    position: int | None = None
    wait_minutes: int | None = None


class HandoverConnected(Body, frozen=True, kw_only=True):
    """A person has joined."""

    TYPE: ClassVar[str] = "handover.connected"
    handover_id: str
    rung: int
    agent: Agent = Agent()


class HandoverTransferring(Body, frozen=True, kw_only=True):
    """The desk is moving the visitor to another of its people."""

    TYPE: ClassVar[str] = "handover.transferring"
    handover_id: str
    rung: int
    position: int | None = None
    wait_minutes: int | None = None


class HandoverTransferred(Body, frozen=True, kw_only=True):
    """Another person has taken over within the same rung."""

    TYPE: ClassVar[str] = "handover.transferred"
    handover_id: str
    rung: int
    agent: Agent = Agent()


class HandoverPutBack(Body, frozen=True, kw_only=True):
    """The person returned the conversation to the queue of the same rung."""

    TYPE: ClassVar[str] = "handover.put_back"
    handover_id: str
    rung: int
    by: str


class HandoverRungFailed(Body, frozen=True, kw_only=True):
    """A rung was left.  ``next_rung`` owns the conversation from here on, if there is one.

    ``requested_seq`` is where the handover began: what the visitor said since then has reached nobody yet, unless
    an earlier rung was connected.
    """

    TYPE: ClassVar[str] = "handover.rung_failed"
    handover_id: str
    rung: int
    reason: Reason
    next_rung: int | None = None
    next_connection_id: str | None = None
    requested_seq: int = 0
    bot_id: str = ""
    text: str = ""


class HandoverFailed(Body, frozen=True, kw_only=True):
    """The last rung failed: nobody could be reached, the bot owns the conversation again."""

    TYPE: ClassVar[str] = "handover.failed"
    handover_id: str
    reason: Reason


class HandoverCancelled(Body, frozen=True, kw_only=True):
    """Somebody called the handover off before a person joined."""

    TYPE: ClassVar[str] = "handover.cancelled"
    handover_id: str
    by: str


class HandoverEnded(Body, frozen=True, kw_only=True):
    """The time with the person is over; the bot owns the conversation again."""

    TYPE: ClassVar[str] = "handover.ended"
    handover_id: str
    reason: Reason


class DeliveryParked(Body, frozen=True, kw_only=True):
    """One message could not be delivered to the desk and waits for a person to send it again."""

    TYPE: ClassVar[str] = "delivery.parked"
    message_id: str
    connection_id: str
    reason: str


class DeliveryResent(Body, frozen=True, kw_only=True):
    """A parked message has reached the desk after all."""

    TYPE: ClassVar[str] = "delivery.resent"
    message_id: str


class DeliveryStalled(Body, frozen=True, kw_only=True):
    """Nothing reaches the connected desk at present; ``lost_after`` counts from here."""

    TYPE: ClassVar[str] = "delivery.stalled"
    connection_id: str


class DeliveryRecovered(Body, frozen=True, kw_only=True):
    """The connected desk takes messages again."""

    TYPE: ClassVar[str] = "delivery.recovered"
    connection_id: str


class ContactLeft(Body, frozen=True, kw_only=True):
    """The visitor left an address so that somebody can come back to them."""

    TYPE: ClassVar[str] = "contact.left"
    contact_id: str
    name: str = ""
    email: str = ""
    phone: str = ""
    text: str = ""


class ConversationClosed(Body, frozen=True, kw_only=True):
    """The conversation is over."""

    TYPE: ClassVar[str] = "conversation.closed"
    reason: Literal["visitor", "agent", "card", "idle", "api", "desk"]
    by: str = ""


class VisitorErased(Body, frozen=True, kw_only=True):
    """The personal content of this stream was erased on request; numbers, types and times remain."""

    TYPE: ClassVar[str] = "visitor.erased"
    by: str


EVENTS: dict[str, type[Body]] = {
    cls.TYPE: cls
    for cls in (
        ConversationStarted,
        MessagePosted,
        NotePosted,
        RunAdvanced,
        BotFailed,
        DetailsSet,
        HandoverRequested,
        HandoverOffered,
        HandoverQueued,
        HandoverConnected,
        HandoverTransferring,
        HandoverTransferred,
        HandoverPutBack,
        HandoverRungFailed,
        HandoverFailed,
        HandoverCancelled,
        HandoverEnded,
        DeliveryParked,
        DeliveryResent,
        DeliveryStalled,
        DeliveryRecovered,
        ContactLeft,
        ConversationClosed,
        VisitorErased,
    )
}
"""Every event type of the stream kind ``conversation``."""
