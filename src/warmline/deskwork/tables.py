"""Tables of our own desk: who waits in which queue, and how long recent visitors waited."""

from __future__ import annotations

import sqlalchemy as sa

from warmline.platform.database import metadata

desk_queue = sa.Table(
    "desk_queue",
    metadata,
    sa.Column("conversation_id", sa.String(36), primary_key=True),
    sa.Column("handover_id", sa.String(80), nullable=False),
    sa.Column("connection_id", sa.String(36), nullable=False),
    sa.Column("owner_epoch", sa.Integer, nullable=False),
    # When the visitor asked for a person: the order of the queue.
    sa.Column("asked_at", sa.BigInteger, nullable=False),
    # When the present wait at this desk began.
    sa.Column("since", sa.BigInteger, nullable=False),
    sa.Column("entered_position", sa.Integer, nullable=False),
    sa.Column("shown_position", sa.Integer),
    sa.Column("shown_minutes", sa.Integer),
    sa.Column("snippet", sa.Text, nullable=False),
    sa.Column("page_title", sa.Text, nullable=False),
    sa.Column("page_url", sa.Text, nullable=False),
    sa.Index("desk_queue_order", "connection_id", "asked_at", "conversation_id"),
)

desk_waits = sa.Table(
    "desk_waits",
    metadata,
    sa.Column("conversation_id", sa.String(36), primary_key=True),
    sa.Column("owner_epoch", sa.Integer, primary_key=True),
    sa.Column("connection_id", sa.String(36), nullable=False),
    sa.Column("waited", sa.BigInteger, nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Index("desk_waits_recent", "connection_id", "at"),
)
