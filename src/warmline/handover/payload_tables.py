"""The table of payload texts, by their digests."""

from __future__ import annotations

import sqlalchemy as sa

from warmline.platform.database import metadata

payloads = sa.Table(
    "payloads",
    metadata,
    sa.Column("digest", sa.String(32), primary_key=True),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
)
