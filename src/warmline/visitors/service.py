"""A visitor's key: 256 random bits kept by the browser, from which the visitor's id follows.

The id is a digest of the key, so proving who one is needs no look-up and no session row, and nothing that is
stored lets anybody act as the visitor.  What a visitor types about themselves (name, e-mail) never widens what
they may read.
"""

from __future__ import annotations

import hashlib
import re

import sqlalchemy as sa

from warmline.journal.journal import Journal
from warmline.kernel.clock import Clock
from warmline.kernel.errors import Unauthorized
from warmline.kernel.ids import VisitorId, new_token
from warmline.visitors.tables import visitors

_SHAPE = re.compile(r"wv_[A-Za-z0-9_-]{43}")


def visitor_of(token: str) -> VisitorId:
    """The visitor who carries ``token``.  Raises Unauthorized when it has not the shape of a visitor's key."""
    if not _SHAPE.fullmatch(token):
        raise Unauthorized("The visitor's key is missing or malformed.", code="bad_visitor_key")
    digest = hashlib.sha256(b"warmline visitor\0" + token.encode()).hexdigest()
    return VisitorId(f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}")


class Visitors:
    """Keys and records of visitors."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock

    def session(self, token: str | None) -> tuple[str, VisitorId]:
        """The key to use from now on (the given one if it is good, else a new one) and its visitor."""
        if token is not None and _SHAPE.fullmatch(token):
            return token, visitor_of(token)
        fresh = new_token("wv")
        return fresh, visitor_of(fresh)

    def authenticate(self, token: str) -> VisitorId:
        """The visitor who carries ``token``.  Raises Unauthorized."""
        return visitor_of(token)

    async def remember(self, visitor_id: str) -> None:
        """Make or refresh the visitor's record."""
        now = self._clock.now()

        def write(conn: sa.Connection) -> None:
            found = conn.execute(sa.update(visitors).where(visitors.c.id == visitor_id).values(seen_at=now))
            if not found.rowcount:
                conn.execute(sa.insert(visitors).values(id=visitor_id, created_at=now, seen_at=now))

        await self._journal.write(write)
