"""Looking after connections: who has to be told that one fails, and trying them before a visitor needs them."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from warmline.handover.connections import Connection, Connections
from warmline.kernel.errors import Conflict, NotFound
from warmline.platform.crypto import KeyMissing


def failing(connections: Connections) -> Sequence[Connection]:
    """Enabled connections that fail and of which nobody has said yet that he knows."""
    return [one for one in connections.list() if one.enabled and one.health and _is_untold(one)]


def _is_untold(one: Connection) -> bool:
    return one.health is not None and not one.health.ok and not one.health.seen_by


async def check_all(connections: Connections) -> None:
    """Try every enabled connection, so that an expired credential is known before the next visitor needs it."""
    for one in connections.list():
        if one.enabled:
            with contextlib.suppress(NotFound, Conflict, KeyMissing):
                await connections.note_health(one.id, await connections.desk(one.id).check())
