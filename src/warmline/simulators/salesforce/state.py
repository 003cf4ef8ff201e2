"""What a Salesforce org holds for Enhanced Chat: people, queues, visitors' tokens, conversations.  Times in milliseconds."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
DEVELOPER_NAME = "Lumen_Web"
"""The API name of the deployment (custom client)."""


def record_id(prefix: str, name: str) -> str:
    """A record's id in 15 characters; ``prefix`` says of which kind.  The same name has the same id at every start."""
    digits = hashlib.sha256(name.encode()).digest()[: 15 - len(prefix)]
    return prefix + "".join(_BASE62[one % 62] for one in digits)


class Agent(msgspec.Struct, kw_only=True):
    """A service rep."""

    id: str
    name: str
    online: bool = True


class Queue(msgspec.Struct, frozen=True):
    """Where work waits."""

    id: str
    name: str


class FileOf(msgspec.Struct, frozen=True, kw_only=True):
    """A file: the visitor's with its bytes, an agent's by its address."""

    id: str
    name: str
    media_type: str
    url: str = ""
    body: bytes = b""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of a conversation, as listed and as told in the stream.  ``event`` is its name there."""

    identifier: str
    event: str
    entry_type: str
    payload: Mapping[str, Any]
    role: str
    subject: str
    name: str
    at: int
    client_at: int
    message_id: str = ""
    text: str = ""
    files: tuple[FileOf, ...] = ()


class Conversation(msgspec.Struct, kw_only=True):
    """``status`` is that of its newest session: New, Waiting, Active, Inactive, Ended or Error.

    ``activity`` is told on the agent page; ``typing`` counts how often the visitor began to type.
    """

    id: str
    visitor: str
    created_at: int
    routing_attributes: dict[str, Any]
    language: str | None = None
    session_id: str = ""
    sessions: int = 0
    status: str = "New"
    routing_status: str = "INITIAL"
    started_at: int = 0
    closed: bool = False
    queue_id: str = ""
    agent_id: str = ""
    offered_to: str = ""
    entries: list[Entry] = msgspec.field(default_factory=list)
    acknowledged: list[str] = msgspec.field(default_factory=list)
    arrivals: list[int] = msgspec.field(default_factory=list)
    typing: int = 0
    activity: list[tuple[int, str]] = msgspec.field(default_factory=list)

    @property
    def waiting(self) -> bool:
        """Whether it is routed and waits for an agent."""
        return not self.closed and bool(self.queue_id) and not self.agent_id and self.status not in {"Ended", "Error"}

    @property
    def over(self) -> bool:
        """Whether its session (and so the agent's work) has ended."""
        return self.closed or self.status in {"Ended", "Error"}

    @property
    def messages(self) -> list[Entry]:
        """What was said, by whomever."""
        return [one for one in self.entries if one.entry_type == "Message"]

    def said_by(self, role: str) -> list[Entry]:
        """What one side said: ``EndUser``, ``Agent``, ``System``."""
        return [one for one in self.messages if one.role == role]


class Org:
    """One org; ids of what is there from the start never change."""

    def __init__(self) -> None:
        self.id = record_id("00D", "org")
        self.channel = record_id("0Mj", "channel")
        self.agents = [
            Agent(id=record_id("005", name), name=name) for name in ("Astrid Holm", "Noah Vinter", "Mei Tanaka")
        ]
        self.queues = [Queue(record_id("00G", name), name) for name in ("Support", "Billing")]
        self.staffed = True
        """Whether anybody may be expected; else routing fails."""
        self.conversations: dict[str, Conversation] = {}

    def agent(self, agent_id: str) -> Agent | None:
        """The rep with that id."""
        return next((one for one in self.agents if one.id == agent_id), None)

    def queue(self, queue_id: str) -> Queue | None:
        """The queue with that id."""
        return next((one for one in self.queues if one.id == queue_id), None)

    def waiting_in(self, queue_id: str) -> list[Conversation]:
        """Who waits there, first come first."""
        return [one for one in self.conversations.values() if one.waiting and one.queue_id == queue_id]


def segment(content: Mapping[str, Any]) -> str:
    """A part of a JSON Web Token."""
    return base64.urlsafe_b64encode(msgspec.json.encode(content)).rstrip(b"=").decode()
