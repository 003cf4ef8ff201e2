"""Running the migrations: the part that needs alembic, which a start with nothing to migrate does not load."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory

from warmline.platform.database import Database

_HERE = Path(__file__).parent
_ADVISORY_LOCK = 0x7761726D
"""Two processes that start together must not migrate together …"""
_here_lock = threading.Lock()
"""… nor two threads: alembic keeps what it works on in globals."""


def upgrade(database: Database, to: str = "head") -> list[str]:
    """See the package's ``upgrade``."""
    applied: list[str] = []
    config, script = _script()

    def steps(revision: Any, _context: MigrationContext) -> Any:
        return script._upgrade_revs(to, revision)

    def note(_context: Any = None, step: Any = None, *_more: Any, **_named: Any) -> None:
        applied.append(step.up_revision_id)

    with (
        _here_lock,
        database.engine.begin() as connection,
        EnvironmentContext(config, script, fn=steps) as environment,
    ):
        if database.dialect == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
        environment.configure(connection=connection, on_version_apply=note)
        environment.run_migrations()
    return applied


def _script() -> tuple[Config, ScriptDirectory]:
    config = Config()
    config.set_main_option("script_location", str(_HERE))
    config.set_main_option("path_separator", "os")
    return config, ScriptDirectory(str(_HERE))
