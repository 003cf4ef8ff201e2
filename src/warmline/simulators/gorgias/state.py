"""What a Gorgias account holds: users, teams, customers, tickets.  Times in milliseconds."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

NOTE = "internal-note"
"""The channel of what agents tell each other."""


class User(msgspec.Struct, kw_only=True):
    """A member of the account.  ``role``: admin, lead-agent, agent, bot and others."""

    id: int
    name: str
    email: str
    role: str = "agent"
    online: bool = True
    bio: str | None = None


class Team(msgspec.Struct, frozen=True, kw_only=True):
    """Some of the users; tickets wait in one."""

    id: int
    name: str


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach a customer: ``email``, ``phone``, ``chat``, … and the address there."""

    id: int
    type: str
    address: str
    preferred: bool


class Customer(msgspec.Struct, kw_only=True):
    """Somebody who asks."""

    id: int
    created_at: int
    updated_at: int
    email: str | None = None
    name: str | None = None
    external_id: str | None = None
    language: str | None = None
    timezone: str | None = None
    note: str | None = None
    channels: list[Channel] = msgspec.field(default_factory=list)


class File(msgspec.Struct, frozen=True, kw_only=True):
    """An attachment by its address; ``size`` in bytes."""

    url: str
    name: str
    content_type: str
    size: int


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """An uploaded file, or one that an agent attached."""

    file: File
    content: bytes
    private: bool


class Message(msgspec.Struct, kw_only=True):
    """A line of a ticket.  ``sender_id`` is a user with ``from_agent``, else a customer."""

    id: int
    ticket_id: int
    channel: str
    via: str
    from_agent: bool
    sender_id: int
    created_at: int
    receiver_id: int | None = None
    public: bool = True
    body_text: str | None = None
    body_html: str | None = None
    stripped_text: str | None = None
    stripped_html: str | None = None
    subject: str | None = None
    attachments: tuple[File, ...] = ()
    source: dict[str, Any] | None = None
    meta: Any = None
    external_id: str | None = None
    integration_id: int | None = None
    rule_id: int | None = None
    sent_at: int | None = None
    failed_at: int | None = None
    error: str | None = None


class Mail(msgspec.Struct, frozen=True):
    """What really left for somebody's inbox."""

    ticket_id: int
    message_id: int
    to: str
    text: str


class Ticket(msgspec.Struct, kw_only=True):
    """A conversation.  ``activity`` is told on the agent page."""

    id: int
    customer_id: int
    channel: str
    via: str
    from_agent: bool
    created_at: int
    updated_at: int
    status: Literal["open", "closed"] = "open"
    subject: str | None = None
    language: str | None = None
    external_id: str | None = None
    priority: str | None = None
    spam: bool = False
    meta: Any = None
    assignee_user_id: int | None = None
    assignee_team_id: int | None = None
    closed_at: int | None = None
    opened_at: int | None = None
    trashed_at: int | None = None
    snoozed_until: int | None = None
    tags: list[str] = msgspec.field(default_factory=list)
    custom_fields: dict[str, Any] = msgspec.field(default_factory=dict)
    messages: list[Message] = msgspec.field(default_factory=list)
    activity: list[tuple[int, str]] = msgspec.field(default_factory=list)

    @property
    def waiting(self) -> bool:
        """Whether it is open and nobody has it."""
        return self.status == "open" and self.assignee_user_id is None and self.trashed_at is None


class Account:
    """Everything of one account; ids of users and teams never change."""

    def __init__(self, now: int) -> None:
        self.agents = [
            User(id=11, name="Ines Duarte", email="ines@lumen.example", role="lead-agent"),
            User(id=12, name="Otto Falk", email="otto@lumen.example"),
            User(id=13, name="Yara Haddad", email="yara@lumen.example"),
        ]
        self.owner = User(id=10, name="Lumen Warmline", email="warmline@lumen.example", role="admin")
        self.teams = [Team(id=21, name="Support"), Team(id=22, name="Billing"), Team(id=23, name="Night shift")]
        self.customers: dict[int, Customer] = {}
        self.tickets: dict[int, Ticket] = {}
        self.tags: dict[str, int] = {}
        self.files: dict[str, Stored] = {}
        # A restart begins with other numbers: whoever kept the old ones must not meet a stranger's ticket.
        self._next_id = now // 1000 % 1_000_000_000

    def next_id(self) -> int:
        """A number for anything new."""
        self._next_id += 1
        return self._next_id

    def user(self, user_id: int | None) -> User | None:
        """The member with that id, the owner of the key included."""
        return next((one for one in (*self.agents, self.owner) if one.id == user_id), None)

    def team(self, team_id: int | None) -> Team | None:
        """The team with that id."""
        return next((one for one in self.teams if one.id == team_id), None)

    def customer_by_email(self, email: str) -> Customer | None:
        """Who has that address, as the first one or as another e-mail channel."""
        wanted = email.lower()
        for one in self.customers.values():
            known = {one.email or "", *(each.address for each in one.channels if each.type == "email")}
            if wanted in {each.lower() for each in known}:
                return one
        return None

    def tag_id(self, name: str) -> int:
        """The number of a tag; a new one is made."""
        if name not in self.tags:
            self.tags[name] = self.next_id()
        return self.tags[name]
