"""What was said, for searching: a row per message, so that a message does not rewrite all that was said before it.

Words said before this stay where they were, in ``conversation_index.search``, and are still found.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005_conversation_words"
down_revision = "0004_answers"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "conversation_words",
        sa.Column(
            "position", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=False
        ),
        sa.Column("conversation_id", sa.String(36), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
    )
