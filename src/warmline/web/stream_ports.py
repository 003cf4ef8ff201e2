"""What the visitor's stream needs of the rings below, as narrow protocols (tests bring small real ones)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


class StreamEvent(Protocol):
    """The part of a committed event that the stream looks at."""

    @property
    def stream_kind(self) -> str: ...
    @property
    def stream_id(self) -> str: ...
    @property
    def seq(self) -> int: ...


class StreamJournal(Protocol):
    """The part of the journal that live readers use."""

    @property
    def incarnation(self) -> str: ...

    def listen(self, fn: Callable[[Sequence[Any]], None]) -> Callable[[], None]:
        """Call ``fn`` on the event loop with events after their commit; returns the way to stop."""
        ...

    async def heads(self, kind: str, stream_ids: Sequence[str]) -> dict[str, int]:
        """The seq up to which each of the streams is committed."""
        ...


class StreamBus(Protocol):
    """The part of the bus that carries typing and read marks."""

    async def publish(self, subject: str, data: bytes) -> None: ...
    async def subscribe(self, subject: str, handler: Callable[[str, bytes], None]) -> Any: ...


class EventsAfter(Protocol):
    """Reads committed events of one conversation in order, the first one being ``after + 1``."""

    async def __call__(self, conversation: str, *, after: int, limit: int) -> Sequence[Any]: ...


class Conversations(Protocol):
    """The visitor's use cases (``conversations.service.Conversations``)."""

    async def start(self, *, widget: Any, visitor_id: Any, page: Any, client_id: str) -> str: ...
    async def say(
        self,
        conversation: Any,
        visitor_id: Any,
        *,
        client_id: str,
        text: str,
        reply_to: str | None = None,
        attachments: Any = (),
    ) -> int: ...
    async def cancel_waiting(self, conversation: Any, visitor_id: Any, *, client_id: str) -> int: ...
    async def end(self, conversation: Any, visitor_id: Any, *, client_id: str, epoch: int | None = None) -> int: ...
    async def leave_contact(
        self, conversation: Any, visitor_id: Any, *, client_id: str, name: str, email: str, phone: str, text: str
    ) -> int: ...
    async def mark_read(self, conversation: Any, participant: str, seq: int) -> Any: ...
    async def reads(self, conversation: Any) -> dict[str, int]: ...
    async def find_open(self, visitor_id: Any, widget_id: Any) -> str | None: ...
    async def typing(self, conversation: Any, who: str, *, on: bool) -> None: ...
    async def snapshot(self, conversation: Any) -> tuple[Any, int]: ...


class Files(Protocol):
    """Uploaded files (``conversations.attachments.Attachments``)."""

    async def resolve(self, conversation_id: str, ids: Sequence[str]) -> Any:
        """What a message that names them carries.  Raises Invalid for one that is not there."""
        ...


class Visitors(Protocol):
    """Anonymous visitors and their bearer tokens (``visitors.service.Visitors``)."""

    def session(self, token: str | None) -> tuple[str, Any]: ...
    def authenticate(self, token: str) -> Any: ...
    async def remember(self, visitor_id: str) -> None: ...


class Widgets(Protocol):
    """Where widgets are looked up (``conversations.widgets.Widgets``).  ``get`` raises NotFound."""

    async def get(self, widget_id: str) -> Any: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Views:
    """How a visitor sees a conversation's state.

    ``state`` gives the sync frame's ``state``; ``visitor_of`` the visitor a state belongs to ("" when erased).
    """

    state: Callable[[Any], dict[str, Any]]
    visitor_of: Callable[[Any], str]


class Limits(Protocol):
    """A rate limiter: ``take`` answers 0.0 when the action may go on, else the seconds to wait."""

    def take(self, rule: str, key: str) -> float: ...
