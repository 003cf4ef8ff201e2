"""A request that is repeated is done once and answered alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import msgspec
import pytest
import sqlalchemy as sa
from tests.support.pair import StorePair

from warmline.accounts.answer_tables import answers
from warmline.accounts.answers import KEPT_MS, Answers
from warmline.journal.journal import Journal
from warmline.journal.kinds import IdempotencyKey
from warmline.kernel.clock import ManualClock
from warmline.kernel.errors import Conflict, Invalid, KeyReused
from warmline.platform.crypto import Keyring

KEY = IdempotencyKey(scope="api:one", key="k", body_hash="a")


class Made(msgspec.Struct, frozen=True):
    """What the requests of these tests make."""

    token: str


@dataclass
class Maker:
    """Makes tokens and counts them."""

    made: int = 0

    async def __call__(self) -> Made:
        self.made += 1
        return Made(f"secret-{self.made}")


@dataclass
class Parts:
    """The service and what it stands on."""

    answers: Answers
    journal: Journal
    clock: ManualClock


@pytest.fixture
async def parts(pair: StorePair, clock: ManualClock) -> AsyncIterator[Parts]:
    database, bus = pair.open_database(), pair.make_bus()
    await bus.start()
    journal = Journal(database, clock, bus, [], node_id="one")
    await journal.start()
    yield Parts(Answers(journal, Keyring.open(pair.data, clock), clock), journal, clock)
    await journal.stop()
    await bus.stop()
    database.close()


async def test_the_first_answer_is_given_again(parts: Parts) -> None:
    maker = Maker()
    first = await parts.answers.once(KEY, Made, maker)
    assert await parts.answers.once(KEY, Made, maker) == first == Made("secret-1")
    assert await parts.answers.once(None, Made, maker) == Made("secret-2")
    other = msgspec.structs.replace(KEY, scope="api:two")
    assert await parts.answers.once(other, Made, maker) == Made("secret-3")


async def test_another_request_under_the_same_key_is_refused(parts: Parts) -> None:
    maker = Maker()
    await parts.answers.once(KEY, Made, maker)
    with pytest.raises(KeyReused):
        await parts.answers.once(msgspec.structs.replace(KEY, body_hash="b"), Made, maker)
    assert maker.made == 1


async def test_a_refusal_leaves_the_key_free(parts: Parts) -> None:
    async def refuse() -> Made:
        raise Invalid("No.")

    with pytest.raises(Invalid):
        await parts.answers.once(KEY, Made, refuse)
    assert await parts.answers.once(KEY, Made, Maker()) == Made("secret-1")


async def test_two_at_once_make_one(parts: Parts) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slowly() -> Made:
        begun.set()
        await go_on.wait()
        return Made("slow")

    first = asyncio.create_task(parts.answers.once(KEY, Made, slowly))
    await begun.wait()
    with pytest.raises(Conflict) as refused:
        await parts.answers.once(KEY, Made, Maker())
    assert refused.value.code == "in_progress"
    go_on.set()
    assert await first == Made("slow")
    assert await parts.answers.once(KEY, Made, Maker()) == Made("slow")


async def test_answers_are_kept_encrypted_and_for_a_day(parts: Parts) -> None:
    maker = Maker()
    await parts.answers.once(KEY, Made, maker)
    stored = await parts.journal.read(lambda conn: conn.execute(sa.select(answers)).all())
    assert len(stored) == 1
    assert "secret" not in str(stored)
    parts.clock.advance(KEPT_MS)
    assert await parts.answers.once(KEY, Made, maker) == Made("secret-1")
    parts.clock.advance(1)
    assert await parts.answers.once(KEY, Made, maker) == Made("secret-2")
