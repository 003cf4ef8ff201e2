"""The office of these tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.accounts.office import Office, opened
from tests.support.pair import StorePair

from warmline.kernel.clock import ManualClock


@pytest.fixture
async def office(pair: StorePair, clock: ManualClock) -> AsyncIterator[Office]:
    """Accounts and keys on both stores."""
    async with opened(pair, clock) as made:
        yield made


@pytest.fixture
async def small_office(sqlite_pair: StorePair, clock: ManualClock) -> AsyncIterator[Office]:
    """The same where the store does not matter."""
    async with opened(sqlite_pair, clock) as made:
        yield made
