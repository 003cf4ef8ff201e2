"""Migrations: the same schema as the tables say, on both stores, however often they run."""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
import sys
import uuid
from asyncio.subprocess import PIPE

import pytest
import sqlalchemy as sa
from tests.support import postgres
from tests.support.pair import StorePair

import warmline
from warmline.platform import migrations
from warmline.platform.database import metadata

OUTSIDE_METADATA = {
    "alembic_version": "alembic's own",
    "events.xid": "PostgreSQL only, known to the cursor query alone",
    "events_xid": "its index",
    "idempotency_at": "a BRIN index, PostgreSQL only",
}


def load_every_table() -> None:
    for module in pkgutil.walk_packages(warmline.__path__, "warmline."):
        if module.name.rpartition(".")[2].endswith("tables"):
            importlib.import_module(module.name)


def describe_metadata(dialect: str) -> dict[str, set[object]]:
    found: dict[str, set[object]] = {}
    for table in metadata.tables.values():
        parts: set[object] = {(column.name, bool(column.nullable)) for column in table.columns}
        parts |= {("key", *(column.name for column in table.primary_key))}
        parts |= {("index", index.name, *index.columns.keys(), bool(index.unique)) for index in table.indexes}
        for constraint in table.constraints:
            if isinstance(constraint, sa.UniqueConstraint):
                parts.add(("unique", *sorted(constraint.columns.keys())))
            if isinstance(constraint, sa.ForeignKeyConstraint):
                parts.add(("foreign", *constraint.columns.keys(), constraint.referred_table.name))
        found[table.name] = parts
    return found


def describe_store(engine: sa.Engine) -> dict[str, set[object]]:
    inspector = sa.inspect(engine)
    found: dict[str, set[object]] = {}
    for name in set(inspector.get_table_names()) - set(OUTSIDE_METADATA):
        parts: set[object] = {
            (column["name"], column["nullable"])
            for column in inspector.get_columns(name)
            if f"{name}.{column['name']}" not in OUTSIDE_METADATA
        }
        parts |= {("key", *inspector.get_pk_constraint(name)["constrained_columns"])}
        parts |= {
            ("index", index["name"], *index["column_names"], bool(index["unique"]))
            for index in inspector.get_indexes(name)
            if index["name"] not in OUTSIDE_METADATA and "duplicates_constraint" not in index
        }
        parts |= {("unique", *sorted(one["column_names"])) for one in inspector.get_unique_constraints(name)}
        parts |= {
            ("foreign", *one["constrained_columns"], one["referred_table"]) for one in inspector.get_foreign_keys(name)
        }
        found[name] = parts
    return found


def types_of(engine: sa.Engine, table: sa.Table) -> dict[str, tuple[str, str]]:
    """Column name → (type as the tables say, type as the store says), both as the store's own words."""
    stored = {column["name"]: column["type"] for column in sa.inspect(engine).get_columns(table.name)}
    return {
        column.name: (column.type.compile(engine.dialect), stored[column.name].compile(engine.dialect))
        for column in table.columns
    }


@pytest.mark.filterwarnings("ignore:Did not recognize type 'xid8'")
def test_the_migrated_schema_is_the_one_the_tables_describe(bare_pair: StorePair) -> None:
    load_every_table()
    database = bare_pair.open_database()
    applied = migrations.upgrade(database)
    assert applied[0] == "0001_journal"
    assert applied[-1] == migrations.head() == migrations.current(database)
    assert describe_store(database.engine) == describe_metadata(database.dialect)
    differing = {
        f"{table.name}.{name}": pair
        for table in metadata.tables.values()
        for name, pair in types_of(database.engine, table).items()
        if pair[0] != pair[1]
    }
    assert differing == {}
    database.close()


def test_running_again_changes_nothing(bare_pair: StorePair) -> None:
    database = bare_pair.open_database()
    assert migrations.current(database) is None
    assert migrations.upgrade(database)
    assert migrations.upgrade(database) == []
    database.close()


MIGRATE = """
import sys
from warmline.platform.database import Database
from warmline.platform.migrations import upgrade
database = Database.open(sys.argv[1])
print(len(upgrade(database)))
database.close()
"""


async def test_processes_that_start_together_migrate_once(postgres_server: str) -> None:
    name = f"together_{uuid.uuid4().hex[:12]}"
    url = postgres.create(postgres_server, name)
    try:
        processes = [
            await asyncio.create_subprocess_exec(sys.executable, "-c", MIGRATE, url, stdout=PIPE) for _ in range(3)
        ]
        said = await asyncio.gather(*(process.communicate() for process in processes))
    finally:
        postgres.drop(postgres_server, name)
    assert sorted(int(out) > 0 for out, _err in said) == [False, False, True]


def test_keys_from_before_know_how_long_they_were_made_for(bare_pair: StorePair) -> None:
    database = bare_pair.open_database()
    migrations.upgrade(database, "0005_conversation_words")
    columns = "id, prefix, token_hash, label, kind, scopes, created_at, created_by"
    with database.engine.begin() as connection:
        for name, ends in (("month", 130), ("ever", None), ("rotated", 110)):
            values = f"'{name}', 'p', '{name}', 'l', 'v1', '', 100, 'x', {'NULL' if ends is None else ends}"
            connection.execute(sa.text(f"INSERT INTO api_keys ({columns}, expires_at) VALUES ({values})"))
        connection.execute(
            sa.text(
                "INSERT INTO audit VALUES ('a', 'n', 1, 1, 'x', 'key.rotated', 'key', 'rotated', '{}', 'h', 'h')",
            )
        )
    migrations.upgrade(database)
    with database.engine.begin() as connection:
        rows = connection.execute(sa.text("SELECT id, lifetime FROM api_keys")).all()
    database.close()
    assert {row.id: row.lifetime for row in rows} == {"month": 30, "ever": None, "rotated": None}
