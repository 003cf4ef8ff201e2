"""The diagnostics file of a connection: what its maintainer needs to find a fault, and nothing that anybody said."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from warmline import __version__
from warmline.handover.connections import Connection, Connections
from warmline.handover.inbox_tables import inbox
from warmline.handover.thread_tables import parked, threads
from warmline.journal.journal import Journal
from warmline.kernel.clock import Clock, to_rfc3339
from warmline.platform.log import redact

_LATEST = 50


class Diagnostics(msgspec.Struct, frozen=True, kw_only=True):
    """Everything in the file, ready to be read by people before they send it.

    Ids are ours or the vendor's; texts are sentences of Warmline or of the vendor's API, without secrets, e-mail addresses
    and tokens.  Messages, names and payloads are never in it.
    """

    made_at: str
    send_to: str
    warmline: dict[str, Any]
    connection: dict[str, Any]
    desk: dict[str, Any]
    ladders: list[dict[str, Any]]
    threads: dict[str, Any]
    reports: dict[str, Any]
    not_delivered: dict[str, Any]


class Reporter:
    """Writes diagnostics files."""

    def __init__(self, journal: Journal, clock: Clock, connections: Connections) -> None:
        self._journal = journal
        self._clock = clock
        self._connections = connections

    async def report(self, connection_id: str, *, ladders: Sequence[Mapping[str, Any]] = ()) -> Diagnostics:
        """The file about one connection; ``ladders`` says on which rungs it stands.  Raises NotFound."""
        connection = self._connections.get(connection_id)
        kind = self._connections.kinds[connection.kind]
        attempts, reports, waiting = await self._journal.read(lambda conn: _read(conn, connection_id))
        desk = kind.manifest
        if connection.kind == "customcrm":
            # The CRM chooses this id of a conversation: it may be a telephone number.
            attempts["latest"] = [{**one, "ref": None} for one in attempts["latest"]]
        return Diagnostics(
            made_at=to_rfc3339(self._clock.now()),
            send_to=desk.contact,
            warmline={
                "version": __version__,
                "python": platform.python_version(),
                "system": platform.platform(terse=True),
                "store": self._journal.database.dialect,
            },
            connection=_clean(_described(connection, {one.name for one in kind.form if one.secret})),
            desk={
                "key": desk.key,
                "contract": desk.contract_version,
                "grade": str(desk.grade),
                "capabilities": msgspec.to_builtins(desk.capabilities),
            },
            ladders=[dict(one) for one in ladders],
            threads=_clean(attempts),
            reports=_clean(reports),
            not_delivered=_clean(waiting),
        )


def _described(connection: Connection, secret: set[str]) -> dict[str, Any]:
    health = connection.health
    return {
        "id": connection.id,
        "made_at": to_rfc3339(connection.created_at),
        "changed_at": to_rfc3339(connection.updated_at),
        "enabled": connection.enabled,
        "bots": len(connection.bot_ids),
        # Secrets are not among the settings; a field that once was one might be.
        "settings": {name: value for name, value in connection.settings.items() if name not in secret},
        "health": None
        if health is None
        else {"ok": health.ok, "sentence": health.sentence, "at": to_rfc3339(health.at)},
    }


def _read(conn: sa.Connection, connection_id: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    return _threads(conn, connection_id), _reports(conn, connection_id), _parked(conn, connection_id)


def _threads(conn: sa.Connection, connection_id: str) -> dict[str, Any]:
    mine = (threads.c.connection_id == connection_id) & (threads.c.kind == "rung")
    phases = conn.execute(sa.select(threads.c.phase, sa.func.count()).where(mine).group_by(threads.c.phase)).all()
    names = (
        "id",
        "conversation_id",
        "ref",
        "phase",
        "connected",
        "told",
        "cursor",
        "error",
        "created_at",
        "updated_at",
    )
    latest = conn.execute(
        sa.select(*(threads.c[name] for name in names)).where(mine).order_by(threads.c.created_at.desc()).limit(_LATEST)
    )
    return {"by_phase": {row[0]: row[1] for row in phases}, "latest": [_moments(row) for row in latest.mappings()]}


def _reports(conn: sa.Connection, connection_id: str) -> dict[str, Any]:
    mine = inbox.c.connection_id == connection_id
    states = conn.execute(sa.select(inbox.c.state, sa.func.count()).where(mine).group_by(inbox.c.state)).all()
    names = ("id", "thread_ref", "state", "outcome", "received_at", "due_at")
    latest = conn.execute(
        sa.select(*(inbox.c[name] for name in names), sa.func.length(inbox.c.body).label("bytes"))
        .where(mine)
        .order_by(inbox.c.id.desc())
        .limit(_LATEST)
    )
    rows = [_moments(row) for row in latest.mappings()]
    outcomes = Counter(row["outcome"] for row in rows if row["outcome"])
    return {"by_state": {row[0]: row[1] for row in states}, "outcomes": dict(outcomes), "latest": rows}


def _parked(conn: sa.Connection, connection_id: str) -> dict[str, Any]:
    mine = parked.c.connection_id == connection_id
    counted = conn.execute(sa.select(sa.func.count(), sa.func.count(parked.c.resent_at)).where(mine)).one()
    names = ("conversation_id", "message_id", "seq", "reason", "at", "resent_at")
    latest = conn.execute(
        sa.select(*(parked.c[name] for name in names)).where(mine).order_by(parked.c.at.desc()).limit(20)
    )
    return {"all": counted[0], "sent_again": counted[1], "latest": [_moments(row) for row in latest.mappings()]}


def _moments(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {
        name: to_rfc3339(value) if isinstance(value, int) and (name == "at" or name.endswith("_at")) else value
        for name, value in row.items()
    }


def _clean(found: dict[str, Any]) -> dict[str, Any]:
    """Under the same redaction as everything that is logged."""
    return dict(redact(None, "", dict(found)))
