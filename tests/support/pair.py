"""The two pairs of store and bus on which all behaviour is tested."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:  # loaded when a test asks for a pair: tests of pure rules start faster without
    from warmline.platform.bus import Bus
    from warmline.platform.database import Database
    from warmline.platform.settings import Settings

PairName = Literal["sqlite+memory", "postgresql+nats"]
NAMES: tuple[PairName, ...] = ("sqlite+memory", "postgresql+nats")


@dataclass(frozen=True)
class StorePair:
    """One store and one bus, fresh for one test.

    ``database_url`` is for Database.open(); ``data`` is an empty folder for key file and the like (the SQLite file
    lies in it); ``nats_url`` is "" for the memory bus, and ``nats_prefix`` belongs to this test alone.
    """

    name: PairName
    data: Path
    database_url: str
    nats_url: str
    nats_prefix: str

    @property
    def dialect(self) -> Literal["sqlite", "postgresql"]:
        """The word Database.dialect will say."""
        return "sqlite" if self.name == "sqlite+memory" else "postgresql"

    def open_database(self, *, exclusive: bool = True) -> Database:
        """A new Database on this store; close it.  An SQLite store opens exclusively once at a time."""
        from warmline.platform.database import Database

        return Database.open(self.database_url, exclusive=exclusive)

    def make_bus(self) -> Bus:
        """A new bus, not started; stop it.  Two MemoryBus objects are two separate buses, as in two programs."""
        from warmline.platform.bus import MemoryBus, NatsBus

        return NatsBus(self.nats_url, prefix=self.nats_prefix) if self.nats_url else MemoryBus()

    def environment(self, **more: str) -> dict[str, str]:
        """The WARMLINE_* variables with which a server process uses this pair."""
        variables = {"WARMLINE_DATA": str(self.data), "WARMLINE_LOG_FORMAT": "json"}
        if self.nats_url:
            variables |= {
                "WARMLINE_DATABASE_URL": self.database_url,
                "WARMLINE_NATS_URL": self.nats_url,
                "WARMLINE_NATS_PREFIX": self.nats_prefix,
            }
        return variables | more

    def settings(self, **more: Any) -> Settings:
        """Settings with which a server in this process uses this pair; ``more`` are values by field name."""
        from warmline.platform.settings import load_settings

        extra = {f"WARMLINE_{name.upper()}": str(value) for name, value in more.items()}
        return load_settings(self.environment(**extra), None)


def migrate(url: str) -> None:
    """Bring the store at ``url`` to the newest schema."""
    from warmline.platform.database import Database
    from warmline.platform.migrations import upgrade

    database = Database.open(url)
    try:
        upgrade(database)
    finally:
        database.close()


def sqlite_url(data: Path) -> str:
    """The address of the embedded store in the folder ``data``."""
    return f"sqlite:///{data / 'warmline.db'}"


def copy_sqlite(template: Path, data: Path) -> None:
    """Put a migrated, closed store into ``data``: far faster than migrating again."""
    shutil.copyfile(template / "warmline.db", data / "warmline.db")
