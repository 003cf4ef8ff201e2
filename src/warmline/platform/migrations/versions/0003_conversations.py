"""Conversations, visitors, bots, connections, the relay's threads and our own desk's queue."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003_conversations"
down_revision = "0002_accounts"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _conversations()
    _handover()
    _deskwork()


def _conversations() -> None:
    op.create_table(
        "widgets",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("bot_id", sa.String(24), nullable=False),
        sa.Column("allowed_origins", sa.Text(), nullable=False),
        sa.Column("ladder", sa.Text(), nullable=False),
        sa.Column("look", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("disabled_at", sa.BigInteger()),
    )
    op.create_table(
        "conversation_index",
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
        sa.Column("owner_epoch", sa.Integer(), nullable=False),
        sa.Column("stage", sa.String(16)),
        sa.Column("rung_connection_id", sa.String(36)),
        sa.Column("agent_name", sa.String(200)),
        sa.Column("agent_id", sa.String(36)),
        sa.Column("waiting_since", sa.BigInteger()),
        sa.Column("language", sa.String(35), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("active_at", sa.BigInteger(), nullable=False),
        sa.Column("messages", sa.Integer(), nullable=False),
        sa.Column("last_author", sa.String(10)),
        sa.Column("last_text", sa.Text()),
        sa.Column("search", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
    )
    op.create_index("conversation_index_active", "conversation_index", ["active_at", "conversation_id"])
    op.create_index("conversation_index_external", "conversation_index", ["connection_id", "external_id"])
    op.create_index("conversation_index_queue", "conversation_index", ["rung_connection_id", "stage", "waiting_since"])
    op.create_index("conversation_index_visitor", "conversation_index", ["visitor_id", "widget_id"])
    op.create_table(
        "contacts",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("conversation_id", sa.String(36), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("phone", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("done_at", sa.BigInteger()),
        sa.Column("done_by", sa.String(36)),
    )
    op.create_index("contacts_at", "contacts", ["at", "id"])
    op.create_index("contacts_conversation", "contacts", ["conversation_id"])
    op.create_table(
        "reads",
        sa.Column("conversation_id", sa.String(36), primary_key=True),
        sa.Column("participant", sa.String(10), primary_key=True),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "visitors",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("name", sa.Text(), nullable=False, server_default=""),
        sa.Column("email", sa.Text(), nullable=False, server_default=""),
        sa.Column("phone", sa.Text(), nullable=False, server_default=""),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "bots",
        sa.Column("id", sa.String(24), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("script", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
    )


def _handover() -> None:
    op.create_table(
        "connections",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.Column("secrets", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("disabled_at", sa.BigInteger()),
        sa.Column("health", sa.Text(), nullable=False),
    )
    op.create_table(
        "connection_bots",
        sa.Column("connection_id", sa.String(36), sa.ForeignKey("connections.id"), primary_key=True),
        sa.Column("bot_id", sa.String(24), primary_key=True),
    )
    op.create_index("connection_bots_bot", "connection_bots", ["bot_id"])
    op.create_table(
        "threads",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("conversation_id", sa.String(36), nullable=False),
        sa.Column("handover_id", sa.String(80), nullable=False),
        sa.Column("rung", sa.Integer(), nullable=False),
        sa.Column("owner_epoch", sa.Integer(), nullable=False),
        sa.Column("connection_id", sa.String(36), nullable=False),
        sa.Column("bot_id", sa.String(24), nullable=False),
        sa.Column("ref", sa.String(200)),
        sa.Column("phase", sa.String(10), nullable=False),
        sa.Column("connected", sa.Boolean(), nullable=False),
        sa.Column("told", sa.Boolean(), nullable=False),
        sa.Column("cursor", sa.Integer(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("error", sa.Text()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("conversation_id", "handover_id", "rung", name="threads_attempt"),
    )
    op.create_index("threads_phase", "threads", ["phase"])
    op.create_table(
        "parked",
        sa.Column("conversation_id", sa.String(36), primary_key=True),
        sa.Column("message_id", sa.String(36), primary_key=True),
        sa.Column("thread_id", sa.String(36), nullable=False),
        sa.Column("connection_id", sa.String(36), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("resent_at", sa.BigInteger()),
    )
    op.create_index("parked_open", "parked", ["resent_at", "at"])
    op.create_table(
        "fronts",
        sa.Column("connection_id", sa.String(36), primary_key=True),
        sa.Column("external_id", sa.String(200), primary_key=True),
        sa.Column("conversation_id", sa.String(36), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )


def _deskwork() -> None:
    op.create_table(
        "desk_queue",
        sa.Column("conversation_id", sa.String(36), primary_key=True),
        sa.Column("handover_id", sa.String(80), nullable=False),
        sa.Column("connection_id", sa.String(36), nullable=False),
        sa.Column("owner_epoch", sa.Integer(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("entered_position", sa.Integer(), nullable=False),
        sa.Column("shown_position", sa.Integer()),
        sa.Column("shown_minutes", sa.Integer()),
        sa.Column("snippet", sa.Text(), nullable=False),
        sa.Column("page_title", sa.Text(), nullable=False),
        sa.Column("page_url", sa.Text(), nullable=False),
    )
    op.create_index("desk_queue_order", "desk_queue", ["connection_id", "asked_at", "conversation_id"])
    op.create_table(
        "desk_waits",
        sa.Column("conversation_id", sa.String(36), primary_key=True),
        sa.Column("owner_epoch", sa.Integer(), primary_key=True),
        sa.Column("connection_id", sa.String(36), nullable=False),
        sa.Column("waited", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
    op.create_index("desk_waits_recent", "desk_waits", ["connection_id", "at"])
