"""What vendors report: kept as it came, worked off later; threads found by the vendor's own id."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009_inbox"
down_revision = "0008_room_for_updates"
branch_labels = None
depends_on = None

# SQLite numbers rows by itself only in a column that is called INTEGER.
_KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "inbox",
        sa.Column("id", _KEY, sa.Identity(), primary_key=True),
        sa.Column("connection_id", sa.String(36), nullable=False),
        sa.Column("thread_ref", sa.String(200), nullable=False),
        sa.Column("conversation_id", sa.String(36)),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("headers", sa.Text(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("outcome", sa.Text()),
    )
    op.create_index("inbox_waiting", "inbox", ["state", "due_at"])
    op.create_index("inbox_thread", "inbox", ["connection_id", "thread_ref", "id"])
    op.create_index("inbox_conversation", "inbox", ["conversation_id"])
    op.create_index("threads_ref", "threads", ["connection_id", "ref"])
