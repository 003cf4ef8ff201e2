"""Anchors of the audit log: the heads of its chains as they were each hour.  Rows are only ever added."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007_audit_anchors"
down_revision = "0006_key_lifetimes"
branch_labels = None
depends_on = None

_REFUSAL = "audit anchors are only added"


def upgrade() -> None:
    op.create_table(
        "audit_anchors",
        sa.Column("node", sa.Text(), primary_key=True),
        sa.Column("seq", sa.BigInteger(), primary_key=True),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
    if op.get_bind().dialect.name == "sqlite":
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_anchors_{change.lower()} BEFORE {change} ON audit_anchors "
                f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION audit_anchors_stay() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{_REFUSAL}'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_anchors_stay BEFORE UPDATE OR DELETE ON audit_anchors "
        "FOR EACH ROW EXECUTE FUNCTION audit_anchors_stay()"
    )
