"""Connections: which desks are configured, for which bots, with which credentials, and how they are doing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import msgspec
import sqlalchemy as sa
import structlog

from warmline.accounts import access, audit
from warmline.accounts.access import Principal
from warmline.handover import connection_secrets
from warmline.handover import connection_store as store
from warmline.handover.connection_checks import check_bots, check_ladder, check_name, check_secrets
from warmline.handover.connection_forms import parse_form
from warmline.handover.connection_store import Connection, HealthNote
from warmline.handover.desk_kinds import DeskKind, Linked, Secret
from warmline.handover.payloads import PayloadKind
from warmline.handover.port import Desk, Health
from warmline.journal.journal import Journal
from warmline.kernel.clock import DAY, SECOND, Clock
from warmline.kernel.errors import Conflict, Invalid, NotFound
from warmline.kernel.ids import uuid7
from warmline.platform.bus import Bus, Subscription
from warmline.platform.crypto import Keyring
from warmline.platform.waking import woken

__all__ = ["Connection", "Connections", "HealthNote", "NewConnection"]

CHANGED = "connections.changed"
"""Bus subject: a node changed a connection, so every node loads them again."""

REFRESH_S = 2.0
MAX_OVERLAP_S = 30 * DAY // SECOND
VENDOR_OVERLAP_MS = DAY  # a vendor's old webhook secret counts so long beside a new one: vendors repeat for hours

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class NewConnection:
    """A connection and the generated secrets, which are shown here and never again."""

    connection: Connection
    secrets: Mapping[str, str] = field(repr=False)


class Connections:
    """All connections, held in memory, and one desk per connection, made again when the connection changes.

    Reading is synchronous and free.  What another node changed is known at once by ``connections.changed``, and after
    ``REFRESH_S`` seconds at the latest.
    """

    def __init__(
        self, journal: Journal, keyring: Keyring, bus: Bus, clock: Clock, kinds: Mapping[str, DeskKind]
    ) -> None:
        self._journal = journal
        self._keyring = keyring
        self._bus = bus
        self._clock = clock
        self.kinds = kinds
        self._rows: dict[str, store.Row] = {}
        self._desks: dict[str, tuple[store.Row, Desk]] = {}
        self.health_noted = asyncio.Event()  # by this node: somebody may have to be told
        self._wake = asyncio.Event()
        self._loading = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._subscription: Subscription | None = None

    async def start(self) -> None:
        """Load the connections and keep them fresh until ``stop``."""
        await self.refresh()
        self._subscription = await self._bus.subscribe(CHANGED, lambda _subject, _data: self._wake.set())
        self._task = asyncio.create_task(self._keep_fresh(), name="connections")

    async def stop(self) -> None:
        """Stop refreshing."""
        if self._subscription is not None:
            await self._subscription.unsubscribe()
            self._subscription = None
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    # Reading ------------------------------------------------------------------------------------------------------

    def find(self, connection_id: str) -> Connection | None:
        """The connection, also a disabled one."""
        row = self._rows.get(connection_id)
        return row.shown if row else None

    def get(self, connection_id: str) -> Connection:
        """The connection, also a disabled one.  Raises NotFound."""
        return self._row(connection_id).shown

    def list(self, *, kind: str | None = None, bot_id: str | None = None) -> Sequence[Connection]:
        """Connections in the order they were made, disabled ones included."""
        shown = [row.shown for row in self._rows.values()]
        return [
            one for one in shown if (kind is None or one.kind == kind) and (bot_id is None or bot_id in one.bot_ids)
        ]

    def serves(self, connection_id: str, bot_id: str) -> bool:
        """Whether the connection is enabled and serves that bot."""
        row = self._rows.get(connection_id)
        return row is not None and row.shown.enabled and bot_id in row.shown.bot_ids

    def payload_kind(self, connection_id: str) -> PayloadKind | None:
        """What a rung may tell the connection's desk.  Raises NotFound."""
        return self.kinds[self._row(connection_id).shown.kind].payload

    def desk(self, connection_id: str) -> Desk:
        """The connection's desk.  Raises NotFound, Conflict ``connection_disabled``, KeyMissing."""
        row = self._row(connection_id)
        if not row.shown.enabled:
            raise Conflict("This connection is disabled.", code="connection_disabled")
        made = self._desks.get(connection_id)
        if made is not None and _same_desk(made[0], row):
            return made[1]
        desk = self._kind(row.shown.kind).make(self._linked(row))
        self._desks[connection_id] = (row, desk)
        return desk

    # Changing -----------------------------------------------------------------------------------------------------

    async def create(
        self, who: Principal, *, kind: str, name: str, settings: Mapping[str, Any], bot_ids: Sequence[str]
    ) -> NewConnection:
        """A new connection; ``settings`` are the form's values, secrets among them.  Raises Forbidden or Invalid."""
        access.connections.check_write(who)
        desk_kind = self._kind(kind)
        values, given = parse_form(desk_kind.form, settings, base="$.settings")
        check_secrets(desk_kind, given.keys())
        desk_kind.check_settings(values)
        await check_ladder(self._journal, values)
        now = self._clock.now()
        shown = Connection(
            id=uuid7(),
            kind=kind,
            name=check_name(name),
            settings=values,
            bot_ids=check_bots(bot_ids),
            created_at=now,
            updated_at=now,
        )
        generated = {
            one.name: desk_kind.new_secret(one.name) for one in desk_kind.form if one.generated and desk_kind.new_secret
        }
        secrets = {name: (Secret(value),) for name, value in {**given, **generated}.items()}
        sealed = connection_secrets.seal(self._keyring, shown.id, secrets)

        def insert(conn: sa.Connection) -> None:
            store.insert(conn, shown, sealed)
            self._record(conn, who, "connection.created", shown)

        await self._journal.write(insert)
        await self._changed()
        return NewConnection(shown, generated)

    async def update(
        self,
        who: Principal,
        connection_id: str,
        *,
        name: str | None = None,
        settings: Mapping[str, Any] | None = None,
        bot_ids: Sequence[str] | None = None,
    ) -> Connection:
        """Change what is given; settings not named and secrets left empty stay.  Raises Forbidden, NotFound, Invalid."""
        access.connections.check_write(who)
        await check_ladder(self._journal, settings or {})
        now = self._clock.now()

        def change(row: store.Row) -> tuple[Connection, str]:
            kind = self._kind(row.shown.kind)
            values, sealed = row.shown.settings, row.sealed
            if settings is not None:
                values, given = parse_form(kind.form, {**values, **settings}, base="$.settings")
                kind.check_settings(values)
                if given:
                    secrets = connection_secrets.unseal(self._keyring, connection_id, sealed)
                    overlapping = {one.name for one in kind.form if one.verifies}
                    until = now + VENDOR_OVERLAP_MS
                    secrets = connection_secrets.entered(secrets, given, overlapping, until=until, now=now)
                    sealed = connection_secrets.seal(self._keyring, connection_id, secrets)
            changed = msgspec.structs.replace(
                row.shown,
                name=row.shown.name if name is None else check_name(name),
                settings=values,
                bot_ids=row.shown.bot_ids if bot_ids is None else check_bots(bot_ids),
            )
            return changed, sealed

        return await self._change(who, connection_id, "connection.updated", change)

    async def rotate_secret(self, who: Principal, connection_id: str, name: str, *, overlap_s: int) -> NewConnection:
        """A new value for a generated secret; the old one counts for ``overlap_s`` seconds more (0: no longer).

        Raises Forbidden, NotFound, Invalid.
        """
        access.connections.check_write(who)
        if not 0 <= overlap_s <= MAX_OVERLAP_S:
            raise Invalid("The overlap is between 0 seconds and 30 days.", path="$.overlap_s", code="overlap_range")
        kind = self._kind(self.get(connection_id).kind)
        if kind.new_secret is None or not any(one.generated and one.name == name for one in kind.form):
            raise Invalid("This connection has no such generated secret.", path="$.secret", code="unknown_setting")
        value = kind.new_secret(name)
        now = self._clock.now()

        def change(row: store.Row) -> tuple[Connection, str]:
            secrets = connection_secrets.unseal(self._keyring, connection_id, row.sealed)
            secrets = connection_secrets.rotated(secrets, name, value, until=now + overlap_s * SECOND, now=now)
            return row.shown, connection_secrets.seal(self._keyring, connection_id, secrets)

        return NewConnection(await self._change(who, connection_id, "connection.secret_rotated", change), {name: value})

    async def disable(self, who: Principal, connection_id: str) -> Connection:
        """No desk any more; repeating is harmless.  Raises Forbidden or NotFound."""
        access.connections.check_write(who)
        now = self._clock.now()
        return await self._change(
            who,
            connection_id,
            "connection.disabled",
            lambda row: (msgspec.structs.replace(row.shown, disabled_at=row.shown.disabled_at or now), row.sealed),
        )

    async def enable(self, who: Principal, connection_id: str) -> Connection:
        """Take it into use again; repeating is harmless.  Raises Forbidden or NotFound."""
        access.connections.check_write(who)
        return await self._change(
            who,
            connection_id,
            "connection.enabled",
            lambda row: (msgspec.structs.replace(row.shown, disabled_at=None), row.sealed),
        )

    async def check(self, who: Principal, connection_id: str) -> Health:
        """Try the connection and note the result.  Raises Forbidden, NotFound, Conflict, KeyMissing."""
        access.connections.check_write(who)
        health = await self.desk(connection_id).check()
        await self._write_health(connection_id, health)
        return health

    async def note_health(self, connection_id: str, health: Health) -> None:
        """Remember how the desk is doing; no news is not written.  Raises NotFound."""
        known = self.get(connection_id).health
        if known is None or known.ok != health.ok or (not health.ok and known.sentence != health.sentence):
            await self._write_health(connection_id, health)

    async def reseal(self) -> int:
        """Encrypt again what an older key encrypted (after ``warmline keys rotate``); returns how many were."""
        await self.refresh()
        old = [
            row.shown.id for row in self._rows.values() if row.sealed and self._keyring.needs_reencryption(row.sealed)
        ]
        for connection_id in old:
            await self._journal.write(partial(self._reseal, connection_id=connection_id))
        await self._changed()
        return len(old)

    async def refresh(self) -> None:
        """Load all connections from the store."""
        async with self._loading:
            rows = await self._journal.read(store.load_all)
            self._rows = {row.shown.id: row for row in rows}

    # Inside -------------------------------------------------------------------------------------------------------

    def _row(self, connection_id: str) -> store.Row:
        row = self._rows.get(connection_id)
        if row is None:
            raise NotFound("There is no such connection.", code="connection_not_found")
        return row

    def _kind(self, key: str) -> DeskKind:
        kind = self.kinds.get(key)
        if kind is None:
            raise Invalid(f"There is no kind of desk “{key[:40]}”.", path="$.kind", code="unknown_kind")
        return kind

    def _linked(self, row: store.Row) -> Linked:
        return Linked(
            connection_id=row.shown.id,
            name=row.shown.name,
            bot_ids=row.shown.bot_ids,
            settings=row.shown.settings,
            secrets=connection_secrets.unseal(self._keyring, row.shown.id, row.sealed),
        )

    async def _change(self, who: Principal, connection_id: str, action: str, change: _Change) -> Connection:
        # Decided inside the write, on the row as it is then: two changes at once must not undo each other.
        def write(conn: sa.Connection) -> Connection:
            row = store.find_row(conn, connection_id)
            if row is None:
                raise NotFound("There is no such connection.", code="connection_not_found")
            shown, sealed = change(row)
            # Never the same moment twice: other nodes tell by it that the desk has to be made again.
            moment = max(self._clock.now(), row.shown.updated_at + 1)
            shown = msgspec.structs.replace(shown, updated_at=moment)
            store.update(conn, shown, sealed)
            self._record(conn, who, action, shown)
            return shown

        shown = await self._journal.write(write)
        await self._changed()
        return shown

    async def see_failure(self, who: Principal, connection_id: str) -> None:
        """``who`` knows that it fails: nobody is told again until it has been well.  Raises Forbidden, NotFound."""
        access.connections.check_write(who)
        known = self.get(connection_id)

        def write(conn: sa.Connection) -> None:
            if store.note_seen(conn, connection_id, who.actor):
                self._record(conn, who, "connection.failure_seen", known)

        await self._journal.write(write)
        await self._changed()

    async def _write_health(self, connection_id: str, health: Health) -> None:
        now = self._clock.now()
        note = await self._journal.write(lambda conn: store.note_health(conn, connection_id, health, now))
        if note is not None and note.since == note.at:
            log.warning("a connection fails", connection=connection_id, why=health.sentence)
        await self._changed()
        self.health_noted.set()

    def _reseal(self, conn: sa.Connection, connection_id: str) -> None:
        row = store.find_row(conn, connection_id)
        if row is not None:
            secrets = connection_secrets.unseal(self._keyring, connection_id, row.sealed)
            store.update(conn, row.shown, connection_secrets.seal(self._keyring, connection_id, secrets))

    def _record(self, conn: sa.Connection, who: Principal, action: str, shown: Connection) -> None:
        audit.record(
            conn,
            node=self._journal.node_id,
            at=self._clock.now(),
            actor=who.actor,
            action=action,
            object_kind="connection",
            object_id=shown.id,
            detail={"kind": shown.kind},
        )

    async def _changed(self) -> None:
        await self.refresh()
        await self._bus.publish(CHANGED, b"")

    async def _keep_fresh(self) -> None:
        while True:
            await woken(self._wake, REFRESH_S)
            self._wake.clear()
            try:
                await self.refresh()
            except Exception:
                log.warning("connections.refresh_failed", exc_info=True)


_Change = Callable[[store.Row], tuple[Connection, str]]


def _same_desk(one: store.Row, other: store.Row) -> bool:
    return one.shown.updated_at == other.shown.updated_at and one.sealed == other.sealed
