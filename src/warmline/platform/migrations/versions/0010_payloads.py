"""The payloads of rungs, by their digests: the ladder of a conversation names a text that never changes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010_payloads"
down_revision = "0009_inbox"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "payloads",
        sa.Column("digest", sa.String(32), primary_key=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
