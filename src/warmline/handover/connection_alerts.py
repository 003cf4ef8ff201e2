"""Telling people who do not look at the console that a connection fails, and that it is well again: once each.

What has to be told stands in the connection's health note, so no restart repeats or forgets it.  Whoever notes a failure
tells it; what was left untold by a node that went is told by another one after ``LEASE_MS``.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
import structlog

from warmline.handover import connection_store as store
from warmline.handover.connection_store import Alert
from warmline.handover.connections import Connection, Connections
from warmline.journal.journal import Journal
from warmline.kernel.clock import MINUTE, Clock, to_rfc3339
from warmline.kernel.errors import WarmlineError
from warmline.platform.http import Outgoing
from warmline.platform.signing import Signer
from warmline.platform.waking import woken

LEASE_MS = 5 * MINUTE
"""After so long another node takes it that whoever set out to tell has not come to it."""
MOST_ROUNDS = 4
PAUSES_S: Final = (2.0, 10.0, 30.0)
"""Between the tries of one round.  With a time-out for each they stay below the lease."""
_TIMEOUT_S = 15.0
_LOOK_AGAIN_S = 60.0
_MAX_REPLY_BYTES = 65_536
_PASSING = frozenset({408, 425, 429})
_PLAIN = str.maketrans("<>", "‹›")
"""Chat programs read what stands between < and > as a command or a link."""

log = structlog.get_logger(__name__)


class Telling(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent.  ``connection`` is its id, ``since`` when it began to fail (RFC 3339), ``url`` its page."""

    text: str
    connection: str
    kind: str
    since: str
    url: str


class ConnectionAlerts:
    """Posts to one address.  With an empty ``url`` it does nothing; with a ``secret`` it signs after Standard Webhooks."""

    def __init__(
        self,
        journal: Journal,
        connections: Connections,
        outgoing: Outgoing,
        clock: Clock,
        *,
        url: str,
        secret: str,
        public_url: str,
        pauses_s: Sequence[float] = PAUSES_S,
    ) -> None:
        self._journal = journal
        self._connections = connections
        self._outgoing = outgoing
        self._clock = clock
        self._url = url
        self._signer = Signer([secret]) if secret else None
        self._public_url = public_url
        self._pauses_s = pauses_s
        self._task: asyncio.Task[None] | None = None
        self._telling: dict[str, asyncio.Task[None]] = {}

    async def start(self) -> None:
        """Begin to look; what an earlier process left untold is told now."""
        if self._url:
            self._task = asyncio.create_task(self._look(), name="connection-alerts")

    async def stop(self) -> None:
        """Stop, in the middle of telling as well."""
        for task in [self._task, *self._telling.values()]:
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        self._task = None

    async def _look(self) -> None:
        while True:
            self._connections.health_noted.clear()
            for one in self._connections.list():
                if one.id not in self._telling and self._is_due(one):
                    self._telling[one.id] = asyncio.create_task(self._tell(one.id), name=f"alert:{one.id}")
            await woken(self._connections.health_noted, _LOOK_AGAIN_S)

    def _is_due(self, one: Connection) -> bool:
        return one.enabled and one.health is not None and one.health.alert is not None and self._may(one.health.alert)

    def _may(self, alert: Alert) -> bool:
        waited = not alert.begun or self._clock.now() - alert.begun >= LEASE_MS
        return not alert.told and alert.rounds < MOST_ROUNDS and waited

    async def _tell(self, connection_id: str) -> None:
        try:
            claimed = await self._change(connection_id, self._claimed)
            if claimed is not None and await self._sent(connection_id, claimed):
                told = self._clock.now()
                await self._change(
                    connection_id,
                    lambda alert: msgspec.structs.replace(alert, told=told) if _same(alert, claimed) else None,
                )
        except Exception:
            log.exception("connections.alert_failed", connection=connection_id)
        else:
            # It may have become well, or failed again, while people were told of what was before.
            self._connections.health_noted.set()
        finally:
            del self._telling[connection_id]

    def _claimed(self, alert: Alert) -> Alert | None:
        begun = self._clock.now()
        return msgspec.structs.replace(alert, begun=begun, rounds=alert.rounds + 1) if self._may(alert) else None

    async def _change(self, connection_id: str, change: Callable[[Alert], Alert | None]) -> Alert | None:
        """What an alert has become; None when another node was faster, or it is about something else by now."""
        note = await self._journal.write(lambda conn: store.change_alert(conn, connection_id, change))
        await self._connections.refresh()
        return note.alert if note else None

    async def _sent(self, connection_id: str, alert: Alert) -> bool:
        for pause in (*self._pauses_s, None):
            one = self._connections.find(connection_id)
            if one is None or one.health is None or one.health.alert is None or not _same(one.health.alert, alert):
                return False  # it is otherwise by now, and that is told instead
            body = msgspec.json.encode(self._telling_of(one, alert))
            headers = {"Content-Type": "application/json"}
            if self._signer is not None:
                number = f"{connection_id}-{alert.since}-{'well' if alert.well else 'fails'}"
                headers |= self._signer.headers(number, self._clock.now(), body)
            try:
                reply = await self._outgoing.post(
                    self._url, headers, body, timeout_s=_TIMEOUT_S, max_bytes=_MAX_REPLY_BYTES
                )
            except WarmlineError as error:
                why, passing = error.code, error.retryable
            else:
                if reply.ok:
                    return True
                why, passing = str(reply.status), reply.status >= 500 or reply.status in _PASSING
            log.warning("connections.alert_not_taken", connection=connection_id, why=why)
            if pause is None or not passing:
                break
            await asyncio.sleep(pause)
        return False

    def _telling_of(self, one: Connection, alert: Alert) -> Telling:
        since, url = to_rfc3339(alert.since), f"{self._public_url}/console/connections/{one.id}"
        sentence = one.health.sentence if one.health else ""
        if alert.well:
            text = f"Warmline: the connection “{one.name}” is well again. It had failed since {since}. {url}"
        else:
            text = (
                f"Warmline: the connection “{one.name}” fails since {since}. {sentence}"
                f" Its visitors go to the next rung of the ladder. {url}"
            )
        return Telling(
            text=text.translate(_PLAIN),
            connection=one.id,
            kind="connection.well" if alert.well else "connection.fails",
            since=since,
            url=url,
        )


def _same(one: Alert, other: Alert) -> bool:
    return (one.since, one.well) == (other.since, other.well)
