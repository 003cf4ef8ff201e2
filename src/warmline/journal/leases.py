"""Leases: who may do a job of which there is one in the whole installation.

A lease is a promise about time, and time fails (a paused process wakes up believing it still holds one).  So each
holding has a number that only grows, the fence, and every effect in the store is made ``WHERE fence = …``.
"""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from warmline.journal.journal import Journal
from warmline.journal.tables import leases


class Lease(msgspec.Struct, frozen=True):
    """A holding: valid until ``until`` (ms, the store's clock); ``fence`` is higher than every earlier holder's."""

    name: str
    holder: str
    fence: int
    until: int
    ttl_ms: int


_ACQUIRE = sa.text(
    "INSERT INTO leases (name, holder, fence, until) VALUES (:name, :holder, 1, :until)"
    " ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, fence = leases.fence + 1, until = excluded.until"
    " WHERE leases.until <= :now RETURNING fence"
)


class LeaseKeeper:
    """Takes, prolongs and gives back leases in the name of one node.  All methods raise Unavailable."""

    def __init__(self, journal: Journal, node_id: str) -> None:
        self._journal = journal
        self._node_id = node_id

    async def acquire(self, name: str, ttl_ms: int) -> Lease | None:
        """The lease for ``ttl_ms``, or None while somebody holds it (be it this node)."""
        now = self._journal.clock.now()
        values = {"name": name, "holder": self._node_id, "now": now, "until": now + ttl_ms}
        fence = await self._journal.write(lambda conn: conn.execute(_ACQUIRE, values).scalar_one_or_none())
        return None if fence is None else Lease(name, self._node_id, fence, now + ttl_ms, ttl_ms)

    async def renew(self, lease: Lease) -> Lease | None:
        """The lease for its ``ttl_ms`` from now, or None when it was lost.  Late is fine while nobody else took it."""
        until = self._journal.clock.now() + lease.ttl_ms
        statement = sa.update(leases).where(leases.c.name == lease.name, leases.c.fence == lease.fence)
        changed = await self._journal.write(lambda conn: conn.execute(statement.values(until=until)).rowcount)
        return msgspec.structs.replace(lease, until=until) if changed else None

    async def release(self, lease: Lease) -> None:
        """Let the next one have it at once.  Harmless when it was lost already."""
        statement = sa.update(leases).where(leases.c.name == lease.name, leases.c.fence == lease.fence)
        await self._journal.write(lambda conn: conn.execute(statement.values(until=0)))
