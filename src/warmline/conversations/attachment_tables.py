"""The table of files that belong to conversations.  The bytes are in a blob under the row's id."""

from __future__ import annotations

import sqlalchemy as sa

from warmline.platform.database import metadata

attachments = sa.Table(
    "attachments",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("conversation_id", sa.String(36), nullable=False),
    sa.Column("state", sa.String(10), nullable=False),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("media_type", sa.String(100), nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("source", sa.String(200), nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Index("attachments_conversation", "conversation_id"),
    sa.Index("attachments_state", "state", "at"),
)
