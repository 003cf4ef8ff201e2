"""Requests that make something happen once, however often they are repeated: the first answer is kept and given again.

Appends to the journal bring their own idempotency; this is for what is written elsewhere.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from warmline.accounts.answer_tables import answers
from warmline.journal.journal import Journal
from warmline.journal.kinds import IdempotencyKey
from warmline.kernel.clock import DAY, Clock
from warmline.kernel.errors import Conflict, KeyReused
from warmline.platform.crypto import Keyring

T = TypeVar("T")

KEPT_MS = DAY


class Answers:
    """Answers by idempotency key, for a day.  They are encrypted: some hold a secret that is shown only once."""

    def __init__(self, journal: Journal, keyring: Keyring, clock: Clock) -> None:
        self._journal = journal
        self._keyring = keyring
        self._clock = clock

    async def once(self, key: IdempotencyKey | None, type_: type[T], make: Callable[[], Awaitable[T]]) -> T:
        """What ``make`` gives, or gave the first time.  What it raises is not kept: the key may be used again.

        Raises KeyReused for another body, and Conflict ``in_progress`` while the first request has no answer; that
        stays so for a day if the program ended in between, because nobody can tell how far it came.
        """
        if key is None:
            return await make()
        known = await self._journal.write(lambda conn: self._reserve(conn, key))
        if known is not None:
            return msgspec.json.decode(self._keyring.decrypt(known, _context(key)), type=type_)
        try:
            made = await make()
        except BaseException:
            await self._journal.write(lambda conn: conn.execute(sa.delete(answers).where(*_here(key))))
            raise
        sealed = self._keyring.encrypt(msgspec.json.encode(made), _context(key))
        await self._journal.write(
            lambda conn: conn.execute(sa.update(answers).where(*_here(key)).values(answer=sealed))
        )
        return made

    def _reserve(self, conn: sa.Connection, key: IdempotencyKey) -> str | None:
        now = self._clock.now()
        conn.execute(sa.delete(answers).where(answers.c.at < now - KEPT_MS))
        row = self._find(conn, key)
        if row is None:
            try:
                with conn.begin_nested():
                    conn.execute(
                        sa.insert(answers).values(
                            scope=key.scope, key=key.key, body_hash=key.body_hash, answer="", at=now
                        )
                    )
            except IntegrityError:
                # Another node was faster; in a moment its row can be read.
                raise Conflict("The first request with this key is being worked on.", code="in_progress") from None
            return None
        if row.body_hash != key.body_hash:
            raise KeyReused("This idempotency key was used for another request.")
        if not row.answer:
            raise Conflict("The first request with this key is being worked on.", code="in_progress")
        return str(row.answer)

    @staticmethod
    def _find(conn: sa.Connection, key: IdempotencyKey) -> Any:
        return conn.execute(sa.select(answers.c.body_hash, answers.c.answer).where(*_here(key))).first()


def _here(key: IdempotencyKey) -> tuple[sa.ColumnElement[bool], ...]:
    return (answers.c.scope == key.scope, answers.c.key == key.key)


def _context(key: IdempotencyKey) -> str:
    return f"answer:{key.scope}:{key.key}"
