"""Tables of the relay: one row per attempt at a desk, the messages that could
not be delivered, and the conversations of CRMs that are their own front end.
"""

from __future__ import annotations

import sqlalchemy as sa

from warmline.platform.database import metadata

threads = sa.Table(
    "threads",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("kind", sa.String(8), nullable=False),
    sa.Column("conversation_id", sa.String(36), nullable=False),
    sa.Column("handover_id", sa.String(80), nullable=False),
    sa.Column("rung", sa.Integer, nullable=False),
    sa.Column("owner_epoch", sa.Integer, nullable=False),
    sa.Column("connection_id", sa.String(36), nullable=False),
    sa.Column("bot_id", sa.String(24), nullable=False),
    sa.Column("ref", sa.String(200)),
    sa.Column("phase", sa.String(10), nullable=False),
    sa.Column("connected", sa.Boolean, nullable=False),
    sa.Column("told", sa.Boolean, nullable=False),
    sa.Column("cursor", sa.Integer, nullable=False),
    sa.Column("fence", sa.BigInteger, nullable=False),
    sa.Column("error", sa.Text),
    sa.Column("state", sa.Text),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("conversation_id", "handover_id", "rung", name="threads_attempt"),
    sa.Index("threads_phase", "phase"),
    sa.Index("threads_ref", "connection_id", "ref"),
)

parked = sa.Table(
    "parked",
    metadata,
    sa.Column("conversation_id", sa.String(36), primary_key=True),
    sa.Column("message_id", sa.String(36), primary_key=True),
    sa.Column("thread_id", sa.String(36), nullable=False),
    sa.Column("connection_id", sa.String(36), nullable=False),
    sa.Column("seq", sa.Integer, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("resent_at", sa.BigInteger),
    sa.Index("parked_open", "resent_at", "at"),
)

fronts = sa.Table(
    "fronts",
    metadata,
    sa.Column("connection_id", sa.String(36), primary_key=True),
    sa.Column("external_id", sa.String(200), primary_key=True),
    sa.Column("conversation_id", sa.String(36), nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
)
