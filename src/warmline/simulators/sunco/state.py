"""What an app of Sunshine Conversations holds: users, conversations, integrations, the switchboard, and Zendesk's tickets.

Times in milliseconds.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Any, Literal

import msgspec

AGENT_WORKSPACE, ANSWER_BOT, CUSTOM = "zd:agentWorkspace", "zd:answerBot", "custom"
_HISTORY = 10
OWN_PLACE = "warmline"
"""The name of the custom integration in the switchboard."""


def fixed_id(name: str) -> str:
    """24 hexadecimal digits that are the same at every start, so that what was entered elsewhere stays right."""
    return hashlib.sha256(f"warmline simulator: sunco {name}".encode()).hexdigest()[:24]


def new_id() -> str:
    """24 hexadecimal digits."""
    return secrets.token_hex(12)


class Agent(msgspec.Struct, kw_only=True):
    """Somebody in Zendesk's Agent Workspace."""

    id: str
    name: str
    email: str
    avatar_url: str
    online: bool = True


class Group(msgspec.Struct, frozen=True):
    """Where tickets wait."""

    id: str
    name: str


class User(msgspec.Struct, kw_only=True):
    """Somebody who asks."""

    id: str
    created_at: int
    external_id: str | None = None
    signed_up_at: str | None = None
    profile: dict[str, Any] = msgspec.field(default_factory=dict)
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)

    @property
    def name(self) -> str:
        """What agents read."""
        parts = (self.profile.get("givenName"), self.profile.get("surname"))
        return " ".join(part for part in parts if part)


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """An uploaded file."""

    id: str
    name: str
    media_type: str
    content: bytes


class Webhook(msgspec.Struct, kw_only=True):
    """Where events go."""

    id: str
    target: str
    triggers: tuple[str, ...]
    secret: str
    include_full_user: bool = False
    include_full_source: bool = False


class Integration(msgspec.Struct, kw_only=True):
    """A custom integration, or one of Zendesk's own."""

    id: str
    type: str
    display_name: str | None = None
    webhooks: dict[str, Webhook] = msgspec.field(default_factory=dict)


class Line(msgspec.Struct, kw_only=True):
    """A switchboard integration: a place of the switchboard."""

    id: str
    name: str
    integration_id: str
    integration_type: str
    deliver_standby_events: bool = True
    next_id: str | None = None
    message_history_count: int | None = None


class Switchboard(msgspec.Struct, kw_only=True):
    """Who may have control of conversations."""

    id: str
    enabled: bool = True
    default_id: str | None = None
    lines: dict[str, Line] = msgspec.field(default_factory=dict)


class Message(msgspec.Struct, kw_only=True):
    """A message.  ``side`` is for the agent page; ``user_id`` is set where the author is a user."""

    id: str
    received: int
    side: Literal["user", "business", "agent", "bot", "system"]
    author: dict[str, Any]
    content: dict[str, Any]
    source: str
    user_id: str | None = None
    metadata: dict[str, Any] | None = None
    activity: dict[str, Any] | None = None


class Ticket(msgspec.Struct, kw_only=True):
    """A ticket.  ``connected``: agents have control; ``first``: the place of the first message that they see."""

    number: int
    created_at: int
    status: Literal["new", "open", "solved", "closed"] = "new"
    connected: bool = True
    first: int = 0
    group_id: str = ""
    assignee_id: str = ""
    tags: tuple[str, ...] = ()
    fields: dict[str, Any] = msgspec.field(default_factory=dict)


class Conversation(msgspec.Struct, kw_only=True):
    """A conversation.  ``active`` and ``pending`` are ids of lines; ``activity`` is told on the agent page."""

    id: str
    created_at: int
    type: str = "personal"
    user_ids: tuple[str, ...] = ()
    is_default: bool = False
    display_name: str | None = None
    metadata: dict[str, Any] | None = None
    active: str | None = None
    pending: str | None = None
    messages: list[Message] = msgspec.field(default_factory=list)
    ticket: Ticket | None = None
    activity: list[tuple[int, str]] = msgspec.field(default_factory=list)

    @property
    def waiting(self) -> bool:
        """Whether its ticket waits for an agent."""
        ticket = self.ticket
        return ticket is not None and ticket.connected and ticket.status in {"new", "open"} and not ticket.assignee_id

    @property
    def seen(self) -> list[Message]:
        """What agents read: from the message that was named, else the ten before the ticket and all after it."""
        return self.messages[self.ticket.first :] if self.ticket else []


class Account:
    """Everything of one app; ids of what is there from the start never change."""

    def __init__(self, now: int) -> None:
        self.app_id = fixed_id("app")
        self.agents = [
            Agent(
                id=str(9_000_001 + place),
                name=name,
                email=f"{name.split()[0].lower()}@lumen.example",
                avatar_url=f"https://lumen.example/people/{9_000_001 + place}.png",
            )
            for place, name in enumerate(("Astrid Holm", "Noah Vinter", "Mei Tanaka"))
        ]
        self.groups = [Group("7000001", "Support"), Group("7000002", "Billing")]
        self.users: dict[str, User] = {}
        self.conversations: dict[str, Conversation] = {}
        self.attachments: dict[str, Attachment] = {}
        kinds = {"Answer Bot": ANSWER_BOT, "Agent Workspace": AGENT_WORKSPACE, "Warmline": CUSTOM}
        self.integrations = {
            fixed_id(kind): Integration(id=fixed_id(kind), type=kind, display_name=name) for name, kind in kinds.items()
        }
        lines = [
            Line(
                id=fixed_id(f"line {name}"),
                name=name,
                integration_id=fixed_id(kind),
                integration_type=kind,
                deliver_standby_events=kind == CUSTOM,
            )
            for name, kind in (
                ("zd-answerBot", ANSWER_BOT),
                ("zd-agentWorkspace", AGENT_WORKSPACE),
                (OWN_PLACE, CUSTOM),
            )
        ]
        lines[2].next_id = lines[1].id
        self.switchboard = Switchboard(
            id=fixed_id("switchboard"), default_id=lines[1].id, lines={one.id: one for one in lines}
        )
        # A restart begins with other numbers, as with ids.
        self._next_ticket = now // 1000 % 1_000_000

    @property
    def own(self) -> Integration:
        """The custom integration that is there from the start."""
        return self.integrations[fixed_id(CUSTOM)]

    @property
    def webhooks(self) -> list[tuple[Integration, Webhook]]:
        """All of them, with what they belong to."""
        return [(one, hook) for one in self.integrations.values() for hook in one.webhooks.values()]

    def agent(self, agent_id: str) -> Agent | None:
        """The agent with that id."""
        return next((one for one in self.agents if one.id == agent_id), None)

    def group(self, group_id: str) -> Group | None:
        """The group with that id."""
        return next((one for one in self.groups if one.id == group_id), None)

    def user(self, key: str) -> User | None:
        """By id, else by externalId."""
        return self.users.get(key) or next((one for one in self.users.values() if one.external_id == key), None)

    def line_of(self, integration_id: str) -> Line | None:
        """The place of an integration in the switchboard."""
        return next((one for one in self.switchboard.lines.values() if one.integration_id == integration_id), None)

    def line(self, line_id: str | None) -> Line | None:
        """The line with that id."""
        return self.switchboard.lines.get(line_id or "")

    def ticket(self, conversation: Conversation, now: int, first_message_id: str) -> Ticket:
        """A new ticket for what was said."""
        self._next_ticket += 1
        ids = [one.id for one in conversation.messages]
        first = ids.index(first_message_id) if first_message_id in ids else max(len(ids) - _HISTORY, 0)
        return Ticket(number=self._next_ticket, created_at=now, first=first)
