"""What a Dixa account holds: people, queues, conversations.  Times in milliseconds."""

from __future__ import annotations

import uuid
from typing import Any

import msgspec

CHANNEL = "genericapimessaging"
"""The name of the generic channel in requests (documented).  That answers and events spell it so is assumed."""
_NAMESPACE = uuid.UUID("6d0b8f0e-6b0a-4f55-9f0b-d1a51a0c0de5")


def fixed_id(name: str) -> str:
    """An id that is the same at every start, so that what was entered elsewhere stays right."""
    return str(uuid.uuid5(_NAMESPACE, name))


class Organization(msgspec.Struct, frozen=True):
    """The account."""

    id: str
    name: str
    subdomain: str


class Agent(msgspec.Struct, kw_only=True):
    """A member of the account; the bot is one as well."""

    id: str
    name: str
    email: str
    roles: tuple[str, ...] = ("Agent",)
    phone: str | None = None
    avatar_url: str | None = None
    online: bool = True
    created_at: int = 0


class Queue(msgspec.Struct, kw_only=True):
    """Where conversations wait.  ``open``: whether anybody may be expected there."""

    id: str
    name: str
    default: bool = False
    open: bool = True


class EndUser(msgspec.Struct, kw_only=True):
    """Somebody who asks."""

    id: str
    created_at: int
    name: str | None = None
    email: str | None = None
    phone: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    middle_names: tuple[str, ...] = ()
    additional_emails: tuple[str, ...] = ()
    additional_phones: tuple[str, ...] = ()
    avatar_url: str | None = None
    external_id: str | None = None


class Attachment(msgspec.Struct, frozen=True):
    """A file by its address."""

    url: str
    name: str | None


class Message(msgspec.Struct, kw_only=True):
    """A line of a conversation.  ``direction``: Inbound or Outbound; ``content_type``: Text, Html or Markdown."""

    id: str
    author_id: str
    direction: str
    text: str
    content_type: str
    created_at: int
    attachments: tuple[Attachment, ...] = ()
    external_id: str | None = None
    imported: bool = False


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """What agents tell each other."""

    id: str
    author_id: str
    created_at: int
    message: str


class Tag(msgspec.Struct, kw_only=True):
    """A label."""

    id: str
    name: str
    color: str | None = None
    active: bool = True


class Attribute(msgspec.Struct, frozen=True):
    """The definition of a custom attribute."""

    id: str
    identifier: str
    label: str


class Conversation(msgspec.Struct, kw_only=True):
    """``state``: Open, Pending, AwaitingPending or Closed.  ``activity`` is told on the agent page."""

    id: int
    requester_id: str
    direction: str
    created_at: int
    state: str = "Open"
    state_updated_at: int = 0
    subject: str | None = None
    external_id: str | None = None
    connected: bool = True
    queue_id: str | None = None
    queued_at: int | None = None
    assignee_id: str | None = None
    assigned_at: int | None = None
    ever_assigned: bool = False
    messages: list[Message] = msgspec.field(default_factory=list)
    notes: list[Note] = msgspec.field(default_factory=list)
    tags: set[str] = msgspec.field(default_factory=set)
    attributes: dict[str, Any] = msgspec.field(default_factory=dict)
    activity: list[tuple[int, str]] = msgspec.field(default_factory=list)

    @property
    def waiting(self) -> bool:
        """Whether it waits in a queue for an agent."""
        return self.state == "Open" and self.queue_id is not None and self.assignee_id is None


class Account:
    """Everything of one account; ids of what is there from the start never change."""

    def __init__(self, now: int) -> None:
        self.organization = Organization(fixed_id("organization"), "Lumen Lamps", "lumen")
        self.bot = Agent(
            id=fixed_id("bot"),
            name="Lumen bot",
            email="bot@lumen.example",
            roles=("ThirdPartyAiAgent",),
            created_at=now,
        )
        self.agents = [
            Agent(
                id=fixed_id(f"agent {name}"),
                name=name,
                email=f"{name.split()[0].lower()}@lumen.example",
                created_at=now,
            )
            for name in ("Astrid Holm", "Noah Vinter", "Mei Tanaka")
        ]
        self.agents[0].roles = ("Administrator", "Agent")
        self.queues = [
            Queue(id=fixed_id("queue support"), name="Support", default=True),
            Queue(id=fixed_id("queue billing"), name="Billing"),
            Queue(id=fixed_id("queue night"), name="Night shift", open=False),
        ]
        self.attributes = [
            Attribute(fixed_id("attribute page"), "page", "Page"),
            Attribute(fixed_id("attribute order"), "order_number", "Order number"),
        ]
        self.end_users: dict[str, EndUser] = {}
        self.conversations: dict[int, Conversation] = {}
        self.tags: dict[str, Tag] = {}
        # A restart begins with other numbers: whoever kept the old ones must not meet a stranger's conversation.
        self._next_id = now // 1000 % 1_000_000_000

    def next_id(self) -> int:
        """A number for a conversation."""
        self._next_id += 1
        return self._next_id

    def agent(self, agent_id: str) -> Agent | None:
        """The member with that id, the bot included."""
        return next((one for one in (*self.agents, self.bot) if one.id == agent_id), None)

    def queue(self, queue_id: str | None) -> Queue | None:
        """The queue with that id."""
        return next((one for one in self.queues if one.id == queue_id), None)

    def waiting_in(self, queue_id: str) -> list[Conversation]:
        """Who waits there, first come first."""
        waiting = [one for one in self.conversations.values() if one.waiting and one.queue_id == queue_id]
        return sorted(waiting, key=lambda one: (one.queued_at or 0, one.id))

    def tag_named(self, name: str) -> Tag | None:
        """The tag with that name."""
        return next((tag for tag in self.tags.values() if tag.name == name), None)
