"""Tables of the bots module."""

from __future__ import annotations

import sqlalchemy as sa

from warmline.platform.database import metadata

bots = sa.Table(
    "bots",
    metadata,
    sa.Column("id", sa.String(24), primary_key=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("script", sa.Text, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
)
