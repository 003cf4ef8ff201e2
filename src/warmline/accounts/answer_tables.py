"""Table of the answers that are given again when a request is repeated under the same idempotency key."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Table, Text

from warmline.platform.database import metadata

answers = Table(
    "answers",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("body_hash", Text, nullable=False),
    # Encrypted JSON; "" while the first request is being worked on.
    Column("answer", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Index("answers_at", "at"),
)
