"""Room on PostgreSQL's pages for new versions of rows that change with nearly every event.

Without it each change moves the row to another page and writes all of its index entries again.
"""

from __future__ import annotations

from alembic import op

revision = "0008_room_for_updates"
down_revision = "0007_audit_anchors"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for table, share in (("streams", 70), ("threads", 70), ("cursors", 50), ("leases", 50)):
            op.execute(f"ALTER TABLE {table} SET (fillfactor = {share})")
