"""What a desk has to remember of a thread: how far it was listened to, and the key of its session, encrypted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011_thread_state"
down_revision = "0010_payloads"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("threads", sa.Column("state", sa.Text()))
