"""What a simulated chat site knows: agents, queues, tokens and engagements."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

LEAD, CONFEREE = "LEAD", "CONFEREE"
FIRST_ID = 9_007_199_254_740_993
"""Ids begin where doubles stop telling neighbours apart: that is what the ``…String`` twins are for."""
_CAPACITY = 3


class Agent(msgspec.Struct, kw_only=True):
    """Somebody who answers."""

    id: str
    name: str
    online: bool = True


class Queue(msgspec.Struct, kw_only=True):
    """Where chats wait.  With ``open`` off, the routing rules dequeue whoever is sent there."""

    id: int
    name: str
    open: bool = True


class Participant(msgspec.Struct, kw_only=True):
    """An agent in an engagement.  ``client_id`` is his number there."""

    client_id: int
    agent: Agent
    role: str


class Post(msgspec.Struct, kw_only=True):
    """A line, as the agent sees it.  ``side``: visitor, agent or note; ``rich``: the body is HTML."""

    side: str
    name: str
    body: str
    at: int
    rich: bool = False
    message_id: str | None = None
    off_the_record: bool = False
    data: Mapping[str, str] = msgspec.field(default_factory=dict)
    files: tuple[tuple[str, str], ...] = ()


class Engagement(msgspec.Struct, kw_only=True):
    """One chat.  ``state``: waiting, held, left (the lead has gone and nobody follows) or ended."""

    id: int
    client_id: int
    session_id: str
    information: dict[str, Any]
    queue_id: int
    pool: str
    created_at: int
    state: str = "waiting"
    had_lead: bool = False
    participants: list[Participant] = msgspec.field(default_factory=list)
    lines: list[Post] = msgspec.field(default_factory=list)
    sent: list[dict[str, Any]] = msgspec.field(default_factory=list)
    """Every system message there was, in order, whether it was fetched or not."""
    outgoing: list[dict[str, Any]] = msgspec.field(default_factory=list)
    """Those that are still to be fetched."""
    next_pool: str | None = None
    position: int | None = None
    typing: bool = False
    preview: str = ""
    reason: str = ""
    blocked: int = 0
    known: bool = True
    """Whether the session is still known; afterwards every call with it is 403."""
    poll: int = 0
    polling: bool = False
    overlaps: int = 0
    """How often a poll came while another one was held."""
    activity: list[tuple[int, str]] = msgspec.field(default_factory=list)

    @property
    def waiting(self) -> bool:
        """Whether it waits in a queue for an agent."""
        return self.state == "waiting"

    @property
    def lead(self) -> Participant | None:
        """The agent who has it."""
        return next((one for one in self.participants if one.role == LEAD), None)

    @property
    def title(self) -> str:
        """Whom the agent sees."""
        names = (str(self.information.get(field) or "") for field in ("firstName", "lastName"))
        return " ".join(filter(None, names)) or str(self.information.get("emailAddress") or "Somebody")


class Token(msgspec.Struct, kw_only=True):
    """What establishing a session gives: the right to ask for an engagement."""

    information: dict[str, Any]
    expires_at: int | None
    used: bool = False


class Site:
    """Everything of one chat site."""

    def __init__(self) -> None:
        self.name = "lumen_lamps"
        self.pool = "pool01:lumen"
        self.agents = [
            Agent(id=hashlib.sha256(name.encode()).hexdigest()[:12], name=name)
            for name in ("Astrid Holm", "Noah Vinter", "Mei Tanaka")
        ]
        self.queues = [
            Queue(id=1, name="Support"),
            Queue(id=2, name="Billing"),
            Queue(id=3, name="Night shift", open=False),
        ]
        self.tokens: dict[str, Token] = {}
        self.engagements: dict[int, Engagement] = {}
        self._next = FIRST_ID

    def next_id(self) -> int:
        """A number nobody else has."""
        self._next += 2
        return self._next

    def queue(self, queue_id: int | None) -> Queue | None:
        """The queue with that id."""
        return next((one for one in self.queues if one.id == queue_id), None)

    def waiting_in(self, queue_id: int) -> list[Engagement]:
        """Who waits there, first come first."""
        return [one for one in self.engagements.values() if one.waiting and one.queue_id == queue_id]

    def free_agents(self) -> list[Agent]:
        """Those who are there and have room for one more chat."""
        return [one for one in self.agents if one.online and self.room(one)]

    def room(self, agent: Agent) -> int:
        """How many chats an agent can still take."""
        held = sum(
            one.state == "held" and any(each.agent is agent for each in one.participants)
            for one in self.engagements.values()
        )
        return max(0, _CAPACITY - held)
