"""All SQL of the vendors' deliveries.  Plain functions over a connection."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from warmline.handover.inbox_tables import inbox
from warmline.handover.port import InboundDelivery

WAITING, DONE, FOREIGN, FAILED = "waiting", "done", "foreign", "failed"
"""States: to be worked off · worked off · of a thread that is not ours · could not be read any more."""


class DeliveryRow(msgspec.Struct, frozen=True, kw_only=True):
    """One delivery as far as it concerns one thread.  Times in milliseconds; ``headers`` are sealed."""

    id: int
    connection_id: str
    thread_ref: str
    received_at: int
    due_at: int
    headers: str
    query: str
    body: bytes


_COLUMNS = [inbox.c[name] for name in DeliveryRow.__struct_fields__]


def insert_delivery(
    conn: sa.Connection, connection_id: str, thread_refs: Sequence[str], delivery: InboundDelivery, headers: str
) -> None:
    """Keep a delivery, once for each thread that it concerns; ``headers`` are its sealed ones."""
    values = {
        "connection_id": connection_id,
        "state": WAITING,
        "received_at": delivery.received_at,
        "due_at": delivery.received_at,
        "headers": headers,
        "query": msgspec.json.encode(dict(delivery.query)).decode(),
        "body": delivery.body,
    }
    conn.execute(sa.insert(inbox), [values | {"thread_ref": ref} for ref in thread_refs])


def list_waiting(conn: sa.Connection, now: int, limit: int) -> list[DeliveryRow]:
    """The oldest deliveries to work off now.  One behind a waiting delivery of its own thread is left out."""
    earlier = inbox.alias("earlier")
    held_back = (
        sa.select(earlier.c.id)
        .where(
            earlier.c.connection_id == inbox.c.connection_id,
            earlier.c.thread_ref == inbox.c.thread_ref,
            earlier.c.state == WAITING,
            earlier.c.id < inbox.c.id,
            earlier.c.due_at > now,
        )
        .exists()
    )
    query = sa.select(*_COLUMNS).where(inbox.c.state == WAITING, inbox.c.due_at <= now, ~held_back)
    rows = conn.execute(query.order_by(inbox.c.id).limit(limit))
    return [DeliveryRow(**row._mapping) for row in rows]


def next_due(conn: sa.Connection) -> int | None:
    """When the next waiting delivery is due, None when none waits."""
    found: int | None = conn.execute(sa.select(sa.func.min(inbox.c.due_at)).where(inbox.c.state == WAITING)).scalar()
    return found


def postpone(conn: sa.Connection, delivery_id: int, due_at: int) -> None:
    """Try a delivery again later."""
    conn.execute(sa.update(inbox).where(inbox.c.id == delivery_id).values(due_at=due_at))


def settle(conn: sa.Connection, delivery_id: int, state: str, conversation_id: str | None, outcome: str | None) -> None:
    """A delivery needs no more work."""
    change = sa.update(inbox).where(inbox.c.id == delivery_id)
    conn.execute(change.values(state=state, conversation_id=conversation_id, outcome=outcome))


def forget_before(conn: sa.Connection, moment: int, limit: int) -> int:
    """Delete settled deliveries received before ``moment``; how many."""
    old = sa.select(inbox.c.id).where(inbox.c.state != WAITING, inbox.c.received_at < moment).limit(limit)
    return conn.execute(sa.delete(inbox).where(inbox.c.id.in_(old.scalar_subquery()))).rowcount


def forget_conversation(conn: sa.Connection, conversation_id: str) -> None:
    """Delete what was delivered for an erased conversation."""
    conn.execute(sa.delete(inbox).where(inbox.c.conversation_id == conversation_id))
