"""Tables of the journal.

The hot tables carry no foreign keys: the writer is the only one who inserts, and the check would cost PostgreSQL
a look-up and a row lock per event.  ``events`` has one more column on PostgreSQL, ``xid xid8`` (the transaction that
inserted the row), which only the cursor query knows.  Old idempotency keys are found by their place (SQLite's rowid,
a BRIN index on PostgreSQL): they are inserted in the order of time, and a real index would be one more tree per append.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Identity, Index, Integer, Table, Text, UniqueConstraint

from warmline.platform.database import metadata

_KEY = BigInteger().with_variant(Integer, "sqlite")

streams = Table(
    "streams",
    metadata,
    Column("id", _KEY, Identity(), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("public_id", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("evolve_version", Integer, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("conversation_id", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    UniqueConstraint("kind", "public_id", name="streams_public"),
)

events = Table(
    "events",
    metadata,
    Column("position", _KEY, Identity(), primary_key=True),
    Column("stream", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("type", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("conversation_id", Text),
    Column("owner_epoch", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    UniqueConstraint("stream", "seq", name="events_stream_seq"),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("stream", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("body_hash", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
)

deadlines = Table(
    "deadlines",
    metadata,
    Column("stream", BigInteger, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("due_at", BigInteger, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Index("deadlines_due", "due_at"),
)

cursors = Table(
    "cursors",
    metadata,
    Column("name", Text, primary_key=True),
    Column("xid", Text, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("fence", BigInteger, nullable=False),
)

leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
)

erasures = Table(
    "erasures",
    metadata,
    Column("stream", BigInteger, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("subject", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
)

journal_meta = Table(
    "journal_meta",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
