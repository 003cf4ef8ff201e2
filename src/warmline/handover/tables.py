"""Tables of the handover module: connections and the bots each of them serves."""

from __future__ import annotations

import sqlalchemy as sa

from warmline.platform.database import metadata

connections = sa.Table(
    "connections",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("kind", sa.String(40), nullable=False),
    sa.Column("name", sa.String(200), nullable=False),
    # JSON of the form's fields that are not secret.
    sa.Column("settings", sa.Text, nullable=False),
    # JSON of the secret fields, encrypted as a whole; "" when the desk needs none.
    sa.Column("secrets", sa.Text, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    # Moves with every change that needs a new desk, which is not the case for health.
    sa.Column("updated_at", sa.BigInteger, nullable=False),
    sa.Column("disabled_at", sa.BigInteger),
    # JSON {ok, sentence, at}; "" before the first check.
    sa.Column("health", sa.Text, nullable=False),
)

connection_bots = sa.Table(
    "connection_bots",
    metadata,
    sa.Column("connection_id", sa.String(36), sa.ForeignKey("connections.id"), primary_key=True),
    sa.Column("bot_id", sa.String(24), primary_key=True),
    sa.Index("connection_bots_bot", "bot_id"),
)
