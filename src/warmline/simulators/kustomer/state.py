"""What a Kustomer organization holds: users, queues, customers, conversations.  Times in milliseconds."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any, Literal

import msgspec

Direction = Literal["in", "out"]
Status = Literal["open", "snoozed", "done"]


def fixed_id(name: str) -> str:
    """An id that is the same at every start, so that what was entered elsewhere stays right."""
    return hashlib.sha256(f"warmline simulator: kustomer {name}".encode()).hexdigest()[:24]


def object_id(now: int) -> str:
    """24 hexadecimal digits, of which the first eight are the second of making."""
    return f"{now // 1000 & 0xFFFFFFFF:08x}{secrets.token_hex(8)}"


class User(msgspec.Struct, kw_only=True):
    """A member of the organization; the owner of an API key is one of type machine."""

    id: str
    name: str
    email: str
    user_type: Literal["user", "machine"] = "user"
    avatar: bool = False
    online: bool = True
    created_at: int = 0


class Queue(msgspec.Struct, kw_only=True):
    """Where conversations wait."""

    id: str
    name: str
    default: bool = False


class Tag(msgspec.Struct, frozen=True):
    """A label."""

    id: str
    name: str


class Address(msgspec.Struct, frozen=True):
    """An e-mail address or a phone number."""

    value: str
    type: str
    verified: bool


class Customer(msgspec.Struct, kw_only=True):
    """Somebody who asks."""

    id: str
    created_at: int
    updated_at: int
    name: str | None = None
    external_id: str | None = None
    emails: tuple[Address, ...] = ()
    phones: tuple[Address, ...] = ()
    avatar_url: str | None = None
    locale: str | None = None
    lang: str | None = None
    tags: tuple[str, ...] = ()
    custom: dict[str, Any] = msgspec.field(default_factory=dict)
    rev: int = 1


class Attachment(msgspec.Struct, kw_only=True):
    """A file.  ``url`` is set for one that stays where it is; ``content`` for one that was uploaded here."""

    id: str
    name: str
    content_type: str
    length: int
    url: str = ""
    content: bytes | None = None
    message_id: str = ""
    policy: str = ""

    @property
    def uploaded(self) -> bool:
        """Whether there is something to download."""
        return bool(self.url) or self.content is not None


class Message(msgspec.Struct, kw_only=True):
    """A line of a conversation.  ``chat`` tells those of the chat session from those merely recorded."""

    id: str
    chat_id: str
    direction: Direction
    body: str
    author_id: str
    sent_at: int
    created_at: int
    app: str = "chat"
    channel: str = "chat"
    chat: bool = True
    auto: bool = False
    assistant: bool = False
    imported_at: int | None = None
    external_id: str | None = None
    attachments: tuple[str, ...] = ()
    status: str = "sent"
    error: dict[str, Any] | None = None
    mirrored: bool = True
    """Whether the conversation shows it already; a session does so at once."""
    rev: int = 1


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """What agents tell each other."""

    id: str
    author_id: str
    created_at: int
    body: str
    external_id: str | None = None


class WorkItem(msgspec.Struct, kw_only=True):
    """Routing's record of a conversation.  ``status``: ivr, queued, routed, accepted or completed."""

    id: str
    created_at: int
    status: str = "ivr"
    queue_id: str | None = None
    user_id: str | None = None
    queued_count: int = 0
    queued_at: int | None = None
    accepted_at: int | None = None
    completed_at: int | None = None


class Conversation(msgspec.Struct, kw_only=True):
    """A conversation, and the chat session of the same id.  ``activity`` is told on the agent page."""

    id: str
    customer_id: str
    created_at: int
    updated_at: int
    created_by: str
    modified_by: str
    session: bool = True
    name: str | None = None
    external_id: str | None = None
    session_external_id: str | None = None
    tracking_id: str | None = None
    brand: str | None = None
    lang: str | None = None
    direction: Direction = "in"
    status: Status = "open"
    priority: int = 3
    ended: bool = False
    ended_at: int | None = None
    ended_reason: str | None = None
    ended_by: str | None = None
    ended_by_type: str | None = None
    assigned_users: tuple[str, ...] = ()
    assigned_teams: tuple[str, ...] = ()
    ever_assigned: bool = False
    queue_id: str | None = None
    lined_up: bool = False
    """Whether agents see it wait."""
    satisfaction: int | None = None
    tags: tuple[str, ...] = ()
    custom: dict[str, Any] = msgspec.field(default_factory=dict)
    messages: list[Message] = msgspec.field(default_factory=list)
    notes: list[Note] = msgspec.field(default_factory=list)
    work_items: list[WorkItem] = msgspec.field(default_factory=list)
    activity: list[tuple[int, str]] = msgspec.field(default_factory=list)
    rev: int = 1

    @property
    def waiting(self) -> bool:
        """Whether it waits for an agent."""
        return self.open and self.lined_up and not self.assigned_users

    @property
    def open(self) -> bool:
        """Whether it goes on."""
        return self.status == "open" and not self.ended

    @property
    def shown(self) -> list[Message]:
        """The messages the conversation has by now."""
        return [one for one in self.messages if one.mirrored]


class Account:
    """Everything of one organization; ids of what is there from the start never change."""

    def __init__(self, now: int) -> None:
        self.org_id, self.org_name = fixed_id("org"), "lumen"
        self.bot = User(
            id=fixed_id("bot"), name="Lumen bot", email="bot@lumen.example", user_type="machine", created_at=now
        )
        self.agents = [
            User(
                id=fixed_id(f"agent {name}"), name=name, email=f"{name.split()[0].lower()}@lumen.example", avatar=avatar
            )
            for name, avatar in (("Astrid Holm", True), ("Noah Vinter", True), ("Mei Tanaka", False))
        ]
        self.queues = [
            Queue(id=fixed_id("queue support"), name="Support", default=True),
            Queue(id=fixed_id("queue billing"), name="Billing"),
            Queue(id=fixed_id("queue night"), name="Night shift"),
        ]
        self.teams = {fixed_id("team"): "Everybody"}
        self.customers: dict[str, Customer] = {}
        self.conversations: dict[str, Conversation] = {}
        self.attachments: dict[str, Attachment] = {}
        self.tags: dict[str, Tag] = {}

    def user(self, user_id: str | None) -> User | None:
        """The member with that id, the bot included."""
        return next((one for one in (*self.agents, self.bot) if one.id == user_id), None)

    def queue(self, queue_id: str | None) -> Queue | None:
        """The queue with that id."""
        return next((one for one in self.queues if one.id == queue_id), None)

    def tag(self, given: str, now: int) -> Tag:
        """The tag with that id or name, made where there is none."""
        found = self.tags.get(given) or next((tag for tag in self.tags.values() if tag.name == given), None)
        if found is None:
            found = Tag(object_id(now), given)
            self.tags[found.id] = found
        return found

    def customer_by_email(self, email: str) -> Customer | None:
        """Whose address that is."""
        wanted = email.lower()
        return next(
            (one for one in self.customers.values() if wanted in {each.value.lower() for each in one.emails}), None
        )

    def of_customer(self, customer_id: str) -> list[Conversation]:
        """Somebody's conversations, oldest first."""
        return [one for one in self.conversations.values() if one.customer_id == customer_id]

    def message(self, message_id: str) -> tuple[Conversation, Message] | None:
        """The message with that id, and where it is."""
        for conversation in self.conversations.values():
            for message in conversation.shown:
                if message.id == message_id:
                    return conversation, message
        return None
