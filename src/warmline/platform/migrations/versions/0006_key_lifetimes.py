"""How long a key was made for, so that its successor can be made for as long."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006_key_lifetimes"
down_revision = "0005_conversation_words"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("lifetime", sa.BigInteger()))
    # A rotated key ends with its overlap, which says nothing about how long it was made for.
    op.execute(
        "UPDATE api_keys SET lifetime = expires_at - created_at WHERE expires_at IS NOT NULL AND NOT EXISTS "
        "(SELECT 1 FROM audit WHERE object_kind = 'key' AND object_id = api_keys.id AND action = 'key.rotated')"
    )
