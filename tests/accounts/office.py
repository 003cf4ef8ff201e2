"""Accounts and keys on a store, with passwords that are cheap to check and counted."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from tests.support.pair import StorePair

from warmline.accounts import audit
from warmline.accounts.access import SYSTEM, Principal, member_principal
from warmline.accounts.api_keys import ApiKeys
from warmline.accounts.model import AuditEntry, Member, Role, SignedIn
from warmline.accounts.passwords import Passwords
from warmline.accounts.service import Accounts
from warmline.journal.journal import Journal
from warmline.kernel.clock import ManualClock
from warmline.platform.bus import Bus

PASSWORD = "a long enough password"
HERE = "203.0.113.7"


class CountedPasswords(Passwords):
    """Remembers against what every password was checked."""

    def __init__(self, **cost: int) -> None:
        super().__init__(**{"time_cost": 1, "memory_kib": 8, **cost})
        self.checked: list[str] = []

    def _fits(self, stored: str, password: str) -> bool:
        self.checked.append(stored)
        return super()._fits(stored, password)


@dataclass
class Office:
    """One node's accounts and keys."""

    journal: Journal
    bus: Bus
    clock: ManualClock
    passwords: CountedPasswords
    accounts: Accounts
    keys: ApiKeys

    async def member(self, email: str = "mina@desk.example", role: Role = Role.AGENT, name: str = "Mina") -> Member:
        """A new member with PASSWORD."""
        return await self.accounts.create_member(SYSTEM, email, name, role, PASSWORD)

    async def principal(self, role: Role) -> Principal:
        """A new member of that role, as somebody who asks."""
        return member_principal(await self.member(f"{role}@desk.example", role, str(role)))

    async def sign_in(
        self, email: str = "mina@desk.example", password: str = PASSWORD, address: str = HERE
    ) -> tuple[SignedIn, str]:
        """A session and its token."""
        return await self.accounts.sign_in(email, password, address=address, user_agent="Firefox")

    async def rows(self, table: sa.Table) -> list[dict[str, Any]]:
        """Everything in a table."""
        found = await self.journal.read(lambda conn: conn.execute(sa.select(table)).all())
        return [dict(row._mapping) for row in found]

    async def log(self, action: str = "") -> list[AuditEntry]:
        """The audit log, oldest first; of one action, when given."""
        entries, _more = await self.journal.read(lambda conn: audit.list_entries(conn, limit=1_000))
        return [entry for entry in reversed(entries) if not action or entry.action == action]


@contextlib.asynccontextmanager
async def opened(pair: StorePair, clock: ManualClock, *, session_hours: float = 12) -> AsyncIterator[Office]:
    """An office on ``pair``; its keys are loaded but only refreshed when told."""
    database, bus = pair.open_database(), pair.make_bus()
    await bus.start()
    journal = Journal(database, clock, bus, [], node_id="one")
    await journal.start()
    passwords = CountedPasswords()
    accounts = Accounts(journal, clock, passwords=passwords, session_hours=session_hours)
    keys = ApiKeys(journal, clock, bus)
    try:
        yield Office(journal, bus, clock, passwords, accounts, keys)
    finally:
        accounts.close()
        await journal.stop()
        await bus.stop()
        database.close()
