"""The audit log: append-only rows, chained by hash per node.

Each row's hash covers its content and the hash of the row before it on the same node, so a changed, inserted or removed
row breaks the chain behind it.  Rows cut off at the end, and a chain written anew, are found by comparing with anchors:
the head of each chain as it was each hour, stored in a table that is only added to, and written to the server's own log
for the case that somebody changes the store as a whole.
"""

from __future__ import annotations

import contextlib
import hashlib
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, func, or_, select
from sqlalchemy.exc import IntegrityError

from warmline.accounts.model import AuditEntry
from warmline.accounts.tables import audit, audit_anchors
from warmline.kernel.ids import uuid7

GENESIS = "0" * 64
_CHUNK = 1_000


class Head(msgspec.Struct, frozen=True):
    """The last row of one node's chain: what an anchor remembers."""

    node: str
    seq: int
    hash: str


class ChainBreak(msgspec.Struct, frozen=True):
    """Where a node's chain stops being believable, and why."""

    node: str
    seq: int
    reason: str


def record(
    conn: Connection,
    *,
    node: str,
    at: int,
    actor: str,
    action: str,
    object_kind: str,
    object_id: str,
    detail: dict[str, str] | None = None,
) -> None:
    """Append one row inside the caller's transaction.  Pass ids and enumerated words only, no content."""
    last = conn.execute(
        select(audit.c.seq, audit.c.hash).where(audit.c.node == node).order_by(audit.c.seq.desc()).limit(1)
    ).first()
    seq, prev_hash = (last.seq + 1, last.hash) if last else (1, GENESIS)
    row: dict[str, Any] = {
        "id": uuid7(),
        "node": node,
        "seq": seq,
        "at": at,
        "actor": actor,
        "action": action,
        "object_kind": object_kind,
        "object_id": object_id,
        "detail": msgspec.json.encode(detail or {}, order="sorted").decode(),
        "prev_hash": prev_hash,
    }
    conn.execute(audit.insert().values(**row, hash=_hash(row)))


def heads(conn: Connection) -> list[Head]:
    """The end of every node's chain, to be kept somewhere else."""
    last = select(audit.c.node, func.max(audit.c.seq).label("seq")).group_by(audit.c.node).subquery()
    rows = conn.execute(
        select(audit.c.node, audit.c.seq, audit.c.hash)
        .join(last, (audit.c.node == last.c.node) & (audit.c.seq == last.c.seq))
        .order_by(audit.c.node)
    )
    return [Head(row.node, row.seq, row.hash) for row in rows]


def anchor(conn: Connection, at: int) -> list[Head]:
    """Store the present heads as anchors; all of them, also those that were anchored before.

    A row that has its anchor keeps it, whatever the row says now: that is what an anchor is for.
    """
    found = heads(conn)
    for head in found:
        known = select(audit_anchors.c.seq).where(audit_anchors.c.node == head.node, audit_anchors.c.seq == head.seq)
        if conn.execute(known).first() is None:
            with contextlib.suppress(IntegrityError), conn.begin_nested():  # another node may be faster
                conn.execute(audit_anchors.insert().values(node=head.node, seq=head.seq, hash=head.hash, at=at))
    return found


def anchors(conn: Connection) -> list[Head]:
    """Every stored anchor."""
    rows = conn.execute(select(audit_anchors.c.node, audit_anchors.c.seq, audit_anchors.c.hash))
    return [Head(row.node, row.seq, row.hash) for row in rows]


def verify(conn: Connection, anchors: list[Head] | None = None) -> list[ChainBreak]:
    """Check every chain, and that each anchor's row is still there unchanged.  An empty list means all is well.

    Reports the first break of each node: what stands behind it proves nothing.
    """
    expected = {(head.node, head.seq): head.hash for head in anchors or []}
    breaks = []
    for node in conn.execute(select(audit.c.node).distinct().order_by(audit.c.node)).scalars().all():
        broken = _verify_node(conn, node, expected)
        if broken is not None:
            breaks.append(broken)
    known = {found.node for found in breaks}
    missing = {node: seq for node, seq in sorted(expected) if node not in known}
    return breaks + [ChainBreak(node, seq, "rows are missing at the end") for node, seq in missing.items()]


def _verify_node(conn: Connection, node: str, expected: dict[tuple[str, int], str]) -> ChainBreak | None:
    seq, prev_hash = 0, GENESIS
    while True:
        rows = conn.execute(
            select(audit).where(audit.c.node == node, audit.c.seq > seq).order_by(audit.c.seq).limit(_CHUNK)
        ).all()
        for row in rows:
            reason = _fault(row, seq, prev_hash)
            anchored = expected.pop((node, row.seq), row.hash)
            if reason is None and anchored != row.hash:
                reason = "the row differs from its anchor"
            if reason is not None:
                return ChainBreak(node, row.seq, reason)
            seq, prev_hash = row.seq, row.hash
        if len(rows) < _CHUNK:
            return None


def _fault(row: Row[Any], seq: int, prev_hash: str) -> str | None:
    if row.seq != seq + 1:
        return "rows are missing before this one"
    if row.prev_hash != prev_hash:
        return "the row does not continue the one before it"
    if _hash(row._mapping) != row.hash:
        return "the row was changed"
    return None


def _hash(row: Any) -> str:
    names = ("prev_hash", "id", "node", "seq", "at", "actor", "action", "object_kind", "object_id", "detail")
    return hashlib.sha256(msgspec.json.encode([row[name] for name in names])).hexdigest()


def list_entries(
    conn: Connection, *, search: str = "", before: str | None = None, limit: int = 50
) -> tuple[list[AuditEntry], str | None]:
    """Newest first; ``search`` matches actor, action or object.  The second value is the next ``before``, or None."""
    query = select(audit).order_by(audit.c.id.desc()).limit(limit + 1)
    if before is not None:
        query = query.where(audit.c.id < before)
    if search:
        columns = (audit.c.actor, audit.c.action, audit.c.object_kind, audit.c.object_id)
        query = query.where(or_(*(func.lower(column).contains(search.lower(), autoescape=True) for column in columns)))
    rows = conn.execute(query).all()
    entries = [AuditEntry(**{**row._mapping, "detail": msgspec.json.decode(row.detail)}) for row in rows[:limit]]
    return entries, entries[-1].id if len(rows) > limit else None
