"""What ``warmline doctor`` says of the audit log: whether its chains are whole and agree with their anchors."""

from __future__ import annotations

from warmline.accounts import audit
from warmline.platform import migrations
from warmline.platform.database import Database
from warmline.platform.diagnosis import Finding
from warmline.platform.sentences import explain
from warmline.platform.settings import Settings

_ABOUT = "audit log"


def diagnose_audit(settings: Settings) -> list[Finding]:
    """One finding per broken chain, or one that says all is well; none while there is no store of this schema."""
    if not settings.database_url and not (settings.data / "warmline.db").exists():
        return []
    try:
        database = Database.open(settings.store_url, exclusive=False)  # a running server keeps its folder
        try:
            return _chains(database) if migrations.current(database) == migrations.head() else []
        finally:
            database.close()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
        return [Finding("✗", _ABOUT, f"Cannot be checked: {explain(error)}")]


def _chains(database: Database) -> list[Finding]:
    with database.readers.connect() as connection:
        # Anchors first: what is written while we look may be longer than they say, never shorter.
        anchors = audit.anchors(connection)
        breaks = audit.verify(connection, anchors)
        heads = audit.heads(connection)
    if breaks:
        return [Finding("✗", _ABOUT, f"Chain {one.node} is broken at row {one.seq}: {one.reason}.") for one in breaks]
    rows = sum(head.seq for head in heads)
    sentence = f"Whole, and as its anchors say (rows: {rows}, chains: {len(heads)}, anchors: {len(anchors)})."
    return [Finding("✓", _ABOUT, sentence)]
