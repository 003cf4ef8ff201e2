"""Schema migrations, run by the program itself.  Written by hand, for SQLite and PostgreSQL alike."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from warmline.platform.database import Database

_VERSIONS = Path(__file__).with_name("versions")


def upgrade(database: Database, to: str = "head") -> list[str]:
    """Bring the store to ``to`` in one transaction; the revisions that were applied, oldest first."""
    if current(database) == (head() if to == "head" else to):
        return []
    # Loading alembic takes longer than all the rest of a start's work on the store.
    from warmline.platform.migrations import steps  # noqa: PLC0415

    return steps.upgrade(database, to)


def current(database: Database) -> str | None:
    """The revision of the store, or None when it is empty."""
    with database.readers.connect() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        found: str | None = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
        return found


def head() -> str:
    """The newest revision this program knows: files are named after their revisions, which sort."""
    return max(file.stem for file in _VERSIONS.glob("[0-9]*.py"))
