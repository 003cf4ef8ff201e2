"""All SQL of connections; plain functions over a connection of the store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from warmline.handover.port import Health
from warmline.handover.tables import connection_bots, connections


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """Telling people outside that a connection fails since ``since``, or that it is ``well`` again.  Milliseconds, 0: not yet.

    ``begun`` is when somebody last set out to tell it, for the ``rounds``-th time; ``told`` is when it was taken.
    """

    since: int
    well: bool = False
    begun: int = 0
    rounds: int = 0
    told: int = 0


class HealthNote(msgspec.Struct, frozen=True, kw_only=True):
    """How the last contact with a desk went; ``at`` in milliseconds.

    ``since`` is when it began to fail, 0 while it is well; ``seen_by`` is who has said that he knows.
    """

    ok: bool
    sentence: str
    at: int
    since: int = 0
    seen_by: str = ""
    alert: Alert | None = None


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """A configured login at a desk, as it may be shown: without any secret.  Times in milliseconds."""

    id: str
    kind: str
    name: str
    settings: dict[str, Any]
    bot_ids: tuple[str, ...]
    created_at: int
    updated_at: int
    disabled_at: int | None = None
    health: HealthNote | None = None

    @property
    def enabled(self) -> bool:
        """Whether it may be used."""
        return self.disabled_at is None


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A connection with its secrets, still encrypted."""

    shown: Connection
    sealed: str


def note_of(health: Health, before: HealthNote | None, now: int) -> HealthNote:
    """What is remembered of ``health``.  Still the same trouble, perhaps in other words, is not told anybody again."""
    note = HealthNote(
        ok=health.ok,
        sentence=health.sentence,
        at=now,
        since=0 if health.ok else now,
        alert=_alert_after(health, before, now),
    )
    if health.ok or before is None or before.ok:
        return note
    return msgspec.structs.replace(note, since=before.since or before.at, seen_by=before.seen_by)


def _alert_after(health: Health, before: HealthNote | None, now: int) -> Alert | None:
    known = before.alert if before else None
    if before is None or before.ok:
        return known if health.ok else Alert(since=now)
    if not health.ok:
        return known
    # Nobody needs to hear of the end of what he never heard of.
    return Alert(since=known.since, well=True) if known and known.begun else None


def load_all(conn: sa.Connection) -> list[Row]:
    """Every connection, the oldest first."""
    bots: dict[str, list[str]] = {}
    for connection_id, bot_id in conn.execute(
        sa.select(connection_bots.c.connection_id, connection_bots.c.bot_id).order_by(connection_bots.c.bot_id)
    ):
        bots.setdefault(connection_id, []).append(bot_id)
    found = conn.execute(sa.select(connections).order_by(connections.c.created_at, connections.c.id))
    return [_row(row, bots.get(row.id, ())) for row in found]


def find_row(conn: sa.Connection, connection_id: str) -> Row | None:
    """One connection, locked against other writers where the store can."""
    row = conn.execute(sa.select(connections).where(connections.c.id == connection_id).with_for_update()).first()
    if row is None:
        return None
    bots = conn.scalars(
        sa.select(connection_bots.c.bot_id)
        .where(connection_bots.c.connection_id == connection_id)
        .order_by(connection_bots.c.bot_id)
    )
    return _row(row, tuple(bots))


def insert(conn: sa.Connection, shown: Connection, sealed: str) -> None:
    """A new connection with its bots."""
    conn.execute(sa.insert(connections).values(id=shown.id, created_at=shown.created_at, **_columns(shown, sealed)))
    _insert_bots(conn, shown)


def update(conn: sa.Connection, shown: Connection, sealed: str) -> None:
    """Everything of a connection but its id and the moment it was made."""
    conn.execute(sa.update(connections).where(connections.c.id == shown.id).values(**_columns(shown, sealed)))
    conn.execute(sa.delete(connection_bots).where(connection_bots.c.connection_id == shown.id))
    _insert_bots(conn, shown)


def note_health(conn: sa.Connection, connection_id: str, health: Health, now: int) -> HealthNote | None:
    """Write what is remembered of ``health``; None when there is no such connection."""

    def noted(before: HealthNote | None) -> HealthNote:
        return note_of(health, before, now)

    return _change_health(conn, connection_id, noted)


def note_seen(conn: sa.Connection, connection_id: str, actor: str) -> bool:
    """Somebody knows that it fails; False when it does not, or when somebody has said so before."""

    def seen(note: HealthNote | None) -> HealthNote | None:
        fails = note is not None and not note.ok and not note.seen_by
        return msgspec.structs.replace(note, seen_by=actor) if note and fails else None

    return _change_health(conn, connection_id, seen) is not None


def change_alert(conn: sa.Connection, connection_id: str, change: Callable[[Alert], Alert | None]) -> HealthNote | None:
    """Write what ``change`` makes of the alert; None when it makes nothing, or there is no alert."""

    def changed(note: HealthNote | None) -> HealthNote | None:
        alert = change(note.alert) if note and note.alert else None
        return msgspec.structs.replace(note, alert=alert) if note and alert else None

    return _change_health(conn, connection_id, changed)


def _change_health(
    conn: sa.Connection, connection_id: str, change: Callable[[HealthNote | None], HealthNote | None]
) -> HealthNote | None:
    # On the row as it is now: two nodes may notice the same failure, and tell of it once.
    row = find_row(conn, connection_id)
    note = change(row.shown.health) if row else None
    if note is not None:
        text = msgspec.json.encode(note).decode()
        conn.execute(sa.update(connections).where(connections.c.id == connection_id).values(health=text))
    return note


def _insert_bots(conn: sa.Connection, shown: Connection) -> None:
    if shown.bot_ids:
        rows = [{"connection_id": shown.id, "bot_id": bot_id} for bot_id in shown.bot_ids]
        conn.execute(sa.insert(connection_bots), rows)


def _columns(shown: Connection, sealed: str) -> dict[str, Any]:
    return {
        "kind": shown.kind,
        "name": shown.name,
        "settings": msgspec.json.encode(shown.settings, order="sorted").decode(),
        "secrets": sealed,
        "updated_at": shown.updated_at,
        "disabled_at": shown.disabled_at,
        "health": msgspec.json.encode(shown.health).decode() if shown.health else "",
    }


def _row(row: sa.Row[Any], bot_ids: Sequence[str]) -> Row:
    shown = Connection(
        id=row.id,
        kind=row.kind,
        name=row.name,
        settings=msgspec.json.decode(row.settings),
        bot_ids=tuple(bot_ids),
        created_at=row.created_at,
        updated_at=row.updated_at,
        disabled_at=row.disabled_at,
        health=msgspec.json.decode(row.health, type=HealthNote) if row.health else None,
    )
    return Row(shown=shown, sealed=row.secrets)
