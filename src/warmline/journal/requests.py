"""What callers hand to the writer thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from warmline.journal.kinds import Codec, IdempotencyKey
from warmline.journal.store import StreamName


class Request:
    """Something to do in the next transaction, and the future that waits for its outcome.

    ``future`` belongs to the event loop; the writer sets ``result`` or ``error`` and the loop passes them on.
    """

    __slots__ = ("error", "future", "result")

    def __init__(self, future: asyncio.Future[Any]) -> None:
        self.future = future
        self.result: Any = None
        self.error: BaseException | None = None

    def reset(self) -> None:
        """Forget the outcome: the transaction was undone and is tried again."""
        self.result = self.error = None


class StreamRequest(Request):
    """A request that concerns one stream."""

    __slots__ = ("actor", "codec", "create", "key", "name")

    def __init__(
        self,
        future: asyncio.Future[Any],
        codec: Codec[Any],
        name: StreamName,
        actor: str,
        key: IdempotencyKey | None,
        create: bool,
    ) -> None:
        super().__init__(future)
        self.codec = codec
        self.name = name
        self.actor = actor
        self.key = key
        self.create = create


class AppendRequest(StreamRequest):
    """Decide a command and append what follows."""

    __slots__ = ("command",)

    def __init__(
        self,
        future: asyncio.Future[Any],
        codec: Codec[Any],
        name: StreamName,
        actor: str,
        key: IdempotencyKey | None,
        create: bool,
        command: Any,
    ) -> None:
        # Spelled out: the chain of constructors would cost a microsecond per append.
        self.future = future
        self.result = None
        self.error = None
        self.codec = codec
        self.name = name
        self.actor = actor
        self.key = key
        self.create = create
        self.command = command


class EraseRequest(StreamRequest):
    """Replace the bodies of a stream by tombstones and append ``event``."""

    __slots__ = ("event",)

    def __init__(
        self, future: asyncio.Future[Any], codec: Codec[Any], name: StreamName, actor: str, event: Any
    ) -> None:
        super().__init__(future, codec, name, actor, None, create=False)
        self.event = event


class FireRequest(StreamRequest):
    """A deadline row of the stream is due: look at the state again and do what follows."""

    __slots__ = ("deadline", "stream")

    def __init__(
        self, future: asyncio.Future[Any], codec: Codec[Any], name: StreamName, stream: int, deadline: str
    ) -> None:
        super().__init__(future, codec, name, "deadline", None, create=False)
        self.stream = stream
        self.deadline = deadline


class FunctionRequest(Request):
    """A small function over the writer's connection, in its own savepoint."""

    __slots__ = ("function",)

    def __init__(self, future: asyncio.Future[Any], function: Callable[[sa.Connection], Any]) -> None:
        super().__init__(future)
        self.function = function
