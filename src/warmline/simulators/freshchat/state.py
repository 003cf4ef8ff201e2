"""What a Freshchat account holds: users, agents, groups, topics, conversations.  Times in milliseconds."""

from __future__ import annotations

import uuid
from typing import Any

import msgspec

from warmline.kernel.ids import uuid7

_NAMESPACE = uuid.UUID("0b9c8c0e-3f0d-4f3d-8a55-7c1d2f6a9be1")
RESOLVED = "resolved"


def fixed_id(name: str) -> str:
    """An id that is the same at every start, so that what was entered elsewhere stays right."""
    return str(uuid.uuid5(_NAMESPACE, name))


class Group(msgspec.Struct, kw_only=True):
    """Agents who answer for the same things.  ``routing_type``: DISABLED or INTELLIASSIGN."""

    id: str
    name: str
    description: str = ""
    routing_type: str = "DISABLED"


class Channel(msgspec.Struct, kw_only=True):
    """What the admin pages call a topic.  ``group_id`` is where its assignment rule leads."""

    id: str
    name: str
    group_id: str
    enabled: bool = True


class Agent(msgspec.Struct, kw_only=True):
    """Somebody who answers."""

    id: str
    first_name: str
    last_name: str
    email: str
    avatar_url: str = ""
    groups: tuple[str, ...] = ()
    online: bool = True

    @property
    def name(self) -> str:
        """First and last name."""
        return f"{self.first_name} {self.last_name}"


class User(msgspec.Struct, kw_only=True):
    """Somebody who asks."""

    id: str
    created_at: int
    updated_at: int
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    phone: str = ""
    reference_id: str = ""
    avatar_url: str = ""
    properties: dict[str, str] = msgspec.field(default_factory=dict)

    @property
    def name(self) -> str:
        """What agents see."""
        return f"{self.first_name} {self.last_name}".strip() or self.email or "Somebody"


class Message(msgspec.Struct, kw_only=True):
    """A line.  ``actor_type``: user, agent, bot or system; ``message_type``: normal or private.

    ``parts`` and ``reply_parts`` are as on the wire.  ``error`` is why an accepted message never went anywhere.
    ``urls_at`` is the moment from which its files have an address.
    """

    id: str
    actor_type: str
    actor_id: str
    message_type: str
    parts: list[dict[str, Any]]
    created_at: int
    interaction_id: str
    reply_parts: list[dict[str, Any]] = []
    bots_private_note: bool = False
    error: str = ""
    urls_at: int = 0

    @property
    def text(self) -> str:
        """Its text parts."""
        return "\n".join(part["text"]["content"] for part in self.parts if "text" in part)


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was brought by the API."""

    id: str
    name: str
    content_type: str
    body: bytes


class Conversation(msgspec.Struct, kw_only=True):
    """``status``: new, assigned, resolved, reopened.  ``activity`` is told on the agent page.

    An *interaction* is one stretch from its beginning to its resolution.
    """

    id: str
    number: int
    channel_id: str
    user_id: str
    created_at: int
    status: str = "new"
    agent_id: str = ""
    group_id: str = ""
    interaction_id: str = msgspec.field(default_factory=uuid7)
    messages: list[Message] = msgspec.field(default_factory=list)
    properties: dict[str, Any] = msgspec.field(default_factory=dict)
    activity: list[tuple[int, str]] = msgspec.field(default_factory=list)

    @property
    def waiting(self) -> bool:
        """Whether it is open and nobody has it."""
        return self.status != RESOLVED and not self.agent_id


class Account:
    """Everything of one account; ids of what is there from the start never change."""

    def __init__(self, now: int) -> None:
        self.app_id = fixed_id("app")
        self.groups = [
            Group(id=fixed_id("group support"), name="Support", routing_type="INTELLIASSIGN"),
            Group(id=fixed_id("group billing"), name="Billing"),
        ]
        self.channels = [
            Channel(id=fixed_id("topic lamps"), name="Lamps", group_id=self.groups[0].id),
            Channel(id=fixed_id("topic bills"), name="Bills", group_id=self.groups[1].id),
            Channel(id=fixed_id("topic old"), name="Old shop", group_id=self.groups[0].id, enabled=False),
        ]
        self.agents = [
            Agent(
                id=fixed_id(f"agent {name}"),
                first_name=name.split()[0],
                last_name=name.split()[1],
                email=f"{name.split()[0].lower()}@lumen.example",
                avatar_url=f"https://lumen.example/people/{name.split()[0].lower()}.png",
                groups=tuple(group.id for group in self.groups),
            )
            for name in ("Astrid Holm", "Noah Vinter", "Mei Tanaka")
        ]
        self.users: dict[str, User] = {}
        self.conversations: dict[str, Conversation] = {}
        self.uploads: dict[str, Upload] = {}
        # A restart begins with other numbers: whoever kept the old ones must not meet a stranger's conversation.
        self._number = now // 1000 % 1_000_000_000

    def next_number(self) -> int:
        """A number for a conversation."""
        self._number += 1
        return self._number

    def agent(self, agent_id: str) -> Agent | None:
        """The agent with that id."""
        return next((one for one in self.agents if one.id == agent_id), None)

    def group(self, group_id: str) -> Group | None:
        """The group with that id."""
        return next((one for one in self.groups if one.id == group_id), None)

    def channel(self, channel_id: str) -> Channel | None:
        """The topic with that id."""
        return next((one for one in self.channels if one.id == channel_id), None)

    def numbered(self, number: str) -> Conversation | None:
        """The conversation with that number."""
        return next((one for one in self.conversations.values() if str(one.number) == number), None)
