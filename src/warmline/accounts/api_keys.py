"""API keys: made once, stored hashed, checked in memory, rotated with overlap, dead everywhere soon after revoking."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import secrets
from typing import TYPE_CHECKING

import structlog

from warmline.accounts import access, audit, store
from warmline.accounts.access import Principal
from warmline.accounts.model import LABEL_LENGTH, ApiKey, KeyKind, NewKey, parse_line
from warmline.kernel.clock import DAY, SECOND, Clock
from warmline.kernel.errors import Conflict, Invalid, Unauthorized
from warmline.kernel.ids import uuid7
from warmline.platform.waking import woken

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

    from warmline.journal import Journal
    from warmline.platform.bus import Bus, Subscription

CHANGED = "keys.changed"
"""Bus subject: a node changed a key, so every node loads them again."""

REFRESH_S = 2.0
_NOTE_USE_EVERY_MS = 30 * SECOND
MAX_OVERLAP_S = 30 * DAY // SECOND
_LAST_MOMENT = 253_402_300_799_000
"""The end of the year 9999, the last one that can be written in a date-time."""
_TAGS: dict[KeyKind, str] = {"v1": "wlk", "wire": "wlc"}

log = structlog.get_logger(__name__)


class ApiKeys:
    """The keys of ``/api/v1`` (kind ``v1``) and of the seed-compatible wires (kind ``wire``, one connection each).

    ``authenticate`` is a SHA-256 and a dictionary look-up.  The dictionary is loaded from the store at ``start``, every
    ``REFRESH_S`` seconds, and at once when any node says ``keys.changed``: losing that message costs two seconds.
    """

    def __init__(self, journal: Journal, clock: Clock, bus: Bus) -> None:
        self._journal = journal
        self._clock = clock
        self._bus = bus
        self._live: dict[str, ApiKey] = {}
        self._used: dict[str, int] = {}
        self._noted_at = 0
        self._wake = asyncio.Event()
        # Two loads at once could let the one that read before a revocation win over the one that read after it.
        self._loading = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._subscription: Subscription | None = None

    async def start(self) -> None:
        """Load the keys and keep them fresh until ``stop``."""
        await self.refresh()
        self._noted_at = self._clock.now()
        self._subscription = await self._bus.subscribe(CHANGED, lambda _subject, _data: self._wake.set())
        self._task = asyncio.create_task(self._keep_fresh(), name="api-keys")

    async def stop(self) -> None:
        """Stop refreshing and write down the last uses."""
        if self._subscription is not None:
            await self._subscription.unsubscribe()
            self._subscription = None
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        await self.note_uses()

    def authenticate(self, token: str, kind: KeyKind) -> ApiKey:
        """The live key behind a token of that kind.  Raises Unauthorized, never saying why.

        The digest is the look-up key, so nothing about a stored key can be learnt from the time this takes.
        """
        key = self._live.get(hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest())
        now = self._clock.now()
        if key is None or key.kind != kind or not key.is_live(now):
            raise Unauthorized("The API key is missing or not accepted.", code="key_refused")
        self._used[key.id] = now
        return key

    async def create(
        self,
        who: Principal,
        *,
        kind: KeyKind,
        label: str,
        scopes: Iterable[str] = (),
        connection_id: str | None = None,
        expires_at: int | None = None,
    ) -> NewKey:
        """Make a key; its token is in the answer and can never be read again.

        ``v1`` needs ``keys:write`` and scopes that the maker has too; ``wire`` needs ``connections:write`` and a
        connection.  Raises Forbidden or Invalid.
        """
        granted = self._check_grant(who, kind, scopes, connection_id)
        now = self._clock.now()
        if expires_at is not None and expires_at <= now:
            raise Invalid("The expiry lies in the past.", path="$.expires_at", code="expiry_past")
        prefix, token = _new_token(kind)
        key = ApiKey(
            id=uuid7(),
            prefix=prefix,
            label=parse_line(label, path="$.label", longest=LABEL_LENGTH),
            kind=kind,
            scopes=granted,
            connection_id=connection_id,
            created_at=now,
            created_by=who.actor,
            expires_at=expires_at,
            lifetime=None if expires_at is None else expires_at - now,
        )

        def insert(conn: Connection) -> None:
            store.insert_key(conn, key, _hash(token))
            self._record(conn, who, "key.created", key)

        await self._journal.write(insert)
        await self._changed()
        return NewKey(key, token)

    async def rotate(self, who: Principal, key_id: str, overlap_s: int) -> NewKey:
        """A successor with the same powers, for as long as the old key was made; that lives on for ``overlap_s``
        seconds (0: dies now).

        Raises Forbidden, NotFound, Invalid for a bad overlap, Conflict ``key_not_live``.
        """
        if not 0 <= overlap_s <= MAX_OVERLAP_S:
            raise Invalid("The overlap is between 0 seconds and 30 days.", path="$.overlap_s", code="overlap_range")
        now = self._clock.now()
        prefix, token = "", ""

        def replace(conn: Connection) -> ApiKey:
            nonlocal prefix, token
            old = store.get_key(conn, key_id)
            self._check_change(who, old, hands_out=True)
            if not old.is_live(now):
                raise Conflict("This key is not live any more.", code="key_not_live")
            prefix, token = _new_token(old.kind)
            new = ApiKey(
                id=uuid7(),
                prefix=prefix,
                label=old.label,
                kind=old.kind,
                scopes=old.scopes,
                connection_id=old.connection_id,
                created_at=now,
                created_by=who.actor,
                expires_at=None if old.lifetime is None else min(now + old.lifetime, _LAST_MOMENT),
                lifetime=old.lifetime,
            )
            store.insert_key(conn, new, _hash(token))
            ends = now + overlap_s * SECOND
            if overlap_s == 0:
                store.update_key(conn, key_id, revoked_at=now)
            else:
                store.update_key(conn, key_id, expires_at=min(ends, old.expires_at or ends))
            self._record(conn, who, "key.rotated", old, successor=new.id)
            return new

        new = await self._journal.write(replace)
        await self._changed()
        return NewKey(new, token)

    async def revoke(self, who: Principal, key_id: str) -> None:
        """Kill a key: here at once, on every node within five seconds.  Repeating is harmless.

        Raises Forbidden or NotFound.
        """
        now = self._clock.now()

        def revoke(conn: Connection) -> None:
            key = store.get_key(conn, key_id)
            self._check_change(who, key, hands_out=False)
            if key.revoked_at is None:
                store.update_key(conn, key_id, revoked_at=now)
                self._record(conn, who, "key.revoked", key)

        await self._journal.write(revoke)
        await self._changed()

    async def list_keys(
        self, who: Principal, *, kind: KeyKind | None = None, connection_id: str | None = None
    ) -> list[ApiKey]:
        """Keys, also dead ones, newest first; without ``kind`` all that ``who`` may see.  Raises Forbidden."""
        (access.connections if kind == "wire" else access.keys).check_read(who)
        if kind is None and not access.connections.may_read(who):
            kind = "v1"
        return await self._journal.read(lambda conn: store.list_keys(conn, kind=kind, connection_id=connection_id))

    async def get(self, who: Principal, key_id: str) -> ApiKey:
        """Raises Forbidden or NotFound."""
        key = await self._journal.read(lambda conn: store.get_key(conn, key_id))
        (access.connections if key.kind == "wire" else access.keys).check_read(who)
        return key

    async def refresh(self) -> None:
        """Load the live keys from the store."""
        async with self._loading:
            now = self._clock.now()
            self._live = dict(await self._journal.read(lambda conn: store.load_live_keys(conn, now)))

    async def note_uses(self) -> None:
        """Write down when keys were last used."""
        used, self._used = self._used, {}
        if used:
            await self._journal.write(lambda conn: store.mark_used(conn, used.items()))

    async def _keep_fresh(self) -> None:
        while True:
            await woken(self._wake, REFRESH_S)
            self._wake.clear()
            try:
                await self.refresh()
                now = self._clock.now()
                if now - self._noted_at >= _NOTE_USE_EVERY_MS:
                    self._noted_at = now
                    await self.note_uses()
            except Exception:
                log.warning("api_keys.refresh_failed", exc_info=True)

    async def _changed(self) -> None:
        await self.refresh()
        await self._bus.publish(CHANGED, b"")

    @staticmethod
    def _check_grant(who: Principal, kind: KeyKind, scopes: Iterable[str], connection_id: str | None) -> frozenset[str]:
        if kind == "wire":
            access.connections.check_write(who)
            if connection_id is None:
                raise Invalid("A wire key belongs to a connection.", path="$.connection_id", code="empty")
            return frozenset()
        access.keys.check_write(who)
        return access.parse_scopes(scopes, granted_by=who)

    @staticmethod
    def _check_change(who: Principal, key: ApiKey, *, hands_out: bool) -> None:
        (access.connections if key.kind == "wire" else access.keys).check_write(who)
        if hands_out and key.kind == "v1":
            # Rotating hands out a working token, so it is bounded like making one.
            access.parse_scopes(key.scopes, granted_by=who)

    def _record(self, conn: Connection, who: Principal, action: str, key: ApiKey, **detail: str) -> None:
        audit.record(
            conn,
            node=self._journal.node_id,
            at=self._clock.now(),
            actor=who.actor,
            action=action,
            object_kind="key",
            object_id=key.id,
            detail={"kind": key.kind, **detail},
        )


def _new_token(kind: KeyKind) -> tuple[str, str]:
    prefix = f"{_TAGS[kind]}_{secrets.token_hex(4)}"
    return prefix, f"{prefix}_{secrets.token_urlsafe(32)}"


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
