"""Tables of the conversations module: widgets, the index that lists are made of, words, contacts, read marks."""

from __future__ import annotations

import sqlalchemy as sa

from warmline.platform.database import metadata

widgets = sa.Table(
    "widgets",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("bot_id", sa.String(24), nullable=False),
    sa.Column("allowed_origins", sa.Text, nullable=False),
    sa.Column("ladder", sa.Text, nullable=False),
    sa.Column("look", sa.Text, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
    sa.Column("disabled_at", sa.BigInteger),
)

conversation_index = sa.Table(
    "conversation_index",
    metadata,
    sa.Column("conversation_id", sa.String(36), primary_key=True),
    sa.Column("visitor_id", sa.String(36), nullable=False),
    sa.Column("visitor_name", sa.String(200), nullable=False, server_default=""),
    sa.Column("widget_id", sa.String(36)),
    sa.Column("bot_id", sa.String(24), nullable=False),
    sa.Column("channel", sa.String(20), nullable=False),
    sa.Column("connection_id", sa.String(36)),
    sa.Column("external_id", sa.String(200)),
    sa.Column("status", sa.String(10), nullable=False),
    sa.Column("owner", sa.String(10), nullable=False),
    sa.Column("owner_epoch", sa.Integer, nullable=False),
    sa.Column("stage", sa.String(16)),
    sa.Column("rung_connection_id", sa.String(36)),
    sa.Column("agent_name", sa.String(200)),
    sa.Column("agent_id", sa.String(36)),
    sa.Column("waiting_since", sa.BigInteger),
    sa.Column("language", sa.String(35), nullable=False),
    sa.Column("started_at", sa.BigInteger, nullable=False),
    sa.Column("active_at", sa.BigInteger, nullable=False),
    sa.Column("messages", sa.Integer, nullable=False),
    sa.Column("last_author", sa.String(10)),
    sa.Column("last_text", sa.Text),
    sa.Column("search", sa.Text, nullable=False),
    sa.Column("seq", sa.Integer, nullable=False),
    sa.Index("conversation_index_active", "active_at", "conversation_id"),
    sa.Index("conversation_index_visitor", "visitor_id", "widget_id"),
    sa.Index("conversation_index_queue", "rung_connection_id", "stage", "waiting_since"),
    sa.Index("conversation_index_external", "connection_id", "external_id"),
)

# Keyed by the event's position: rows are only ever added at the end, which is what makes them cheap.
conversation_words = sa.Table(
    "conversation_words",
    metadata,
    sa.Column("position", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False),
    sa.Column("conversation_id", sa.String(36), nullable=False),
    sa.Column("words", sa.Text, nullable=False),
)

contacts = sa.Table(
    "contacts",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("conversation_id", sa.String(36), nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("email", sa.Text, nullable=False),
    sa.Column("phone", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("done_at", sa.BigInteger),
    sa.Column("done_by", sa.String(36)),
    sa.Index("contacts_at", "at", "id"),
    sa.Index("contacts_conversation", "conversation_id"),
)

reads = sa.Table(
    "reads",
    metadata,
    sa.Column("conversation_id", sa.String(36), primary_key=True),
    sa.Column("participant", sa.String(10), primary_key=True),
    sa.Column("seq", sa.Integer, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
)
