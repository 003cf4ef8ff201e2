"""A desk alone, without a Warmline around it, and what it is asked."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from warmline.handover.desk_kinds import DeskKind, Linked, Secret
from warmline.handover.port import Desk, EndReason, File, HandoverRequest, Thread
from warmline.kernel.clock import Clock, SystemClock
from warmline.platform.http import Outgoing

LOOPBACK = ("127.0.0.0/8",)


def asking(**more: Any) -> HandoverRequest:
    """Somebody asks for a person; ``more`` are the fields that a test is about."""
    values: dict[str, Any] = {
        "id": "h.0",
        "conversation_id": "c",
        "handover_id": "h",
        "rung": 0,
        "owner_epoch": 1,
        "bot_id": "b",
        "reason": EndReason.REQUESTED_BY_VISITOR,
    }
    return HandoverRequest(**(values | more))


def thread_of(ref: str, state: Any = None) -> Thread:
    """The thread of that request."""
    return Thread(ref=ref, connection_id="k", conversation_id="c", request_id="h.0", bot_id="b", state=state)


def a_file(
    name: str = "lamp.png", media_type: str = "image/png", body: bytes = b"file", size: int | None = None
) -> File:
    """A file of the visitor; ``size`` is what it is said to have, where that is not what it has."""

    async def read() -> bytes:
        return body

    url = f"https://chat.example/f/{name}"
    return File(name=name, media_type=media_type, size=len(body) if size is None else size, url=url, read=read)


def linked_to(kind: DeskKind, values: Mapping[str, Any]) -> Linked:
    """A connection with these values of its form, secrets too."""
    secret = {field.name for field in kind.form if field.secret}
    return Linked(
        connection_id="k",
        name=kind.manifest.title,
        bot_ids=("b",),
        settings={name: value for name, value in values.items() if name not in secret},
        secrets={name: [Secret(value)] for name, value in values.items() if name in secret and value},
    )


@contextlib.asynccontextmanager
async def desk_alone(
    make_kind: Callable[[Outgoing, Clock], DeskKind], values: Mapping[str, Any], *, clock: Clock | None = None
) -> AsyncIterator[Desk]:
    """A desk that may call this machine."""
    outgoing = Outgoing(allow=LOOPBACK)
    try:
        kind = make_kind(outgoing, clock or SystemClock())
        yield kind.make(linked_to(kind, values))
    finally:
        await outgoing.stop()
