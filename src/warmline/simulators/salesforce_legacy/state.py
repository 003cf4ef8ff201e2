"""What a simulated Live Agent knows: agents, buttons, sessions and chats."""

from __future__ import annotations

import secrets
from typing import Any

import msgspec

from warmline.simulators.salesforce_legacy.inbox import Inbox

ORGANIZATION, DEPLOYMENT = "00D5e000000SIMa", "5725e000000SIMa"
ID_CHARACTERS = 15
"""Ids have 15 characters, or 18 with a check sum behind them."""
_CAPACITY = 3


def same(one: str, other: str) -> bool:
    """Whether two ids are of the same thing."""
    return one[:ID_CHARACTERS] == other[:ID_CHARACTERS]


class Agent(msgspec.Struct, kw_only=True):
    """Somebody who answers."""

    id: str
    name: str
    online: bool = True


class Button(msgspec.Struct, kw_only=True):
    """Where chats are asked for, and wait.  ``average`` is the smoothed waiting time in seconds, once one was accepted."""

    id: str
    name: str
    open: bool = True
    average: float | None = None


class Line(msgspec.Struct, kw_only=True):
    """A line of the transcript.  ``type``: Agent, Chasitor or OperatorTransferred; ``at`` in milliseconds."""

    type: str
    name: str
    text: str
    at: int


class Upload(msgspec.Struct, kw_only=True):
    """A file of the visitor's."""

    name: str
    media_type: str
    body: bytes


class Session(msgspec.Struct, kw_only=True, eq=False):
    """The connection of one visitor.  ``moved``: 503 until it was reconnected; ``resyncing``: until its state is back."""

    id: str
    key: str
    affinity: str
    inbox: Inbox
    heard_at: int
    known: bool = True
    number: int = 0
    """The newest number of a POST."""
    moved: bool = False
    resyncing: bool = False
    polling: bool = False
    poll: int = 0
    overlaps: int = 0
    """How often a poll came while another one was held."""
    location: str = ""

    def change_affinity(self) -> None:
        """Another server has it."""
        self.affinity = secrets.token_hex(4)


class Chat(msgspec.Struct, kw_only=True, eq=False):
    """One chat.  ``state``: waiting, held, left (its agent was disconnected) or ended."""

    session: Session
    visitor_name: str
    init: dict[str, Any]
    button: Button
    created_at: int
    queue_updates: bool
    direct_agent: Agent | None = None
    state: str = "waiting"
    waits_since: int = 0
    position: int | None = None
    agent: Agent | None = None
    established: bool = False
    transferring: bool = False
    lines: list[Line] = msgspec.field(default_factory=list)
    files: list[Upload] = msgspec.field(default_factory=list)
    file_token: str = ""
    """Set while the agent asks for a file."""
    custom_events: list[tuple[str, str]] = msgspec.field(default_factory=list)
    typing: bool = False
    typed: int = 0
    preview: str = ""
    spoke_at: int | None = None
    reason: str = ""
    activity: list[tuple[int, str]] = msgspec.field(default_factory=list)

    @property
    def id(self) -> str:
        """That of its session."""
        return self.session.id

    @property
    def waiting(self) -> bool:
        """Whether it waits for an agent."""
        return self.state == "waiting"

    def said_by(self, kind: str) -> list[Line]:
        """The lines of one side: ``Chasitor`` or ``Agent``."""
        return [line for line in self.lines if line.type == kind]


class Org:
    """Everything of one organization."""

    def __init__(self) -> None:
        names = ("Astrid Holm", "Noah Vinter", "Mei Tanaka")
        self.id, self.deployment_id = ORGANIZATION, DEPLOYMENT
        self.agents = [Agent(id=f"0055e00000SIM0{place}", name=name) for place, name in enumerate(names, 1)]
        self.buttons = [
            Button(id="5735e00000SIM01", name="Support"),
            Button(id="5735e00000SIM02", name="Billing"),
            Button(id="5735e00000SIM03", name="Night shift", open=False),
        ]
        self.sessions: dict[str, Session] = {}
        """By key."""
        self.chats: dict[str, Chat] = {}
        """By the id of the session."""

    def button(self, button_id: str) -> Button | None:
        """The button with that id."""
        return next((one for one in self.buttons if button_id and same(one.id, button_id)), None)

    def agent(self, agent_id: str) -> Agent | None:
        """The agent with that id."""
        return next((one for one in self.agents if agent_id and same(one.id, agent_id)), None)

    def waiting_at(self, button: Button) -> list[Chat]:
        """Who waits there, first come first."""
        return [one for one in self.chats.values() if one.waiting and one.button is button]

    def takes(self, agent: Agent) -> bool:
        """Whether an agent is there and has room."""
        held = sum(one.state == "held" and one.agent is agent for one in self.chats.values())
        return agent.online and held < _CAPACITY

    def available(self, target: Button | Agent | None) -> bool:
        """Whether a button or an agent takes a new request."""
        if isinstance(target, Agent):
            return self.takes(target)
        return target is not None and target.open and any(self.takes(one) for one in self.agents)
