"""The table of vendors' deliveries."""

from __future__ import annotations

import sqlalchemy as sa

from warmline.platform.database import metadata

inbox = sa.Table(
    "inbox",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), sa.Identity(), primary_key=True),
    sa.Column("connection_id", sa.String(36), nullable=False),
    sa.Column("thread_ref", sa.String(200), nullable=False),
    sa.Column("conversation_id", sa.String(36)),
    sa.Column("state", sa.String(10), nullable=False),
    sa.Column("received_at", sa.BigInteger, nullable=False),
    sa.Column("due_at", sa.BigInteger, nullable=False),
    sa.Column("headers", sa.Text, nullable=False),
    sa.Column("query", sa.Text, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("outcome", sa.Text),
    sa.Index("inbox_waiting", "state", "due_at"),
    sa.Index("inbox_thread", "connection_id", "thread_ref", "id"),
    sa.Index("inbox_conversation", "conversation_id"),
)
