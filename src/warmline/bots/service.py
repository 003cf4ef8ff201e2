"""Bots as stored: their names and scripts, and the engine each script makes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from warmline.accounts import audit
from warmline.bots.engine import Engine
from warmline.bots.faq import FaqEngine
from warmline.bots.script import parse_script
from warmline.bots.tables import bots
from warmline.journal.journal import Journal
from warmline.kernel.clock import Clock
from warmline.kernel.errors import Invalid, NotFound
from warmline.kernel.ids import BotId, new_bot_id

_MAX_ENGINES = 200


class Bot(msgspec.Struct, frozen=True, kw_only=True):
    """One bot as stored.  ``id`` is 24 hexadecimal digits, ``script`` the TOML text; times in milliseconds."""

    id: BotId
    name: str
    script: str
    created_at: int
    updated_at: int


class Bots:
    """The bots of this installation."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._engines: dict[str, tuple[str, Engine]] = {}

    async def create(self, *, name: str, script: str, bot_id: str | None = None, actor: str = "system") -> Bot:
        """Store a new bot under a fresh id (or the one given).  Raises Invalid whose path names the field."""
        now = self._clock.now()
        bot = _checked(Bot(id=BotId(bot_id or new_bot_id()), name=name, script=script, created_at=now, updated_at=now))

        def write(conn: sa.Connection) -> None:
            conn.execute(sa.insert(bots).values(**msgspec.structs.asdict(bot)))
            self._record(conn, actor, "bot.created", bot.id)

        await self._journal.write(write)
        return bot

    async def get(self, bot_id: str) -> Bot:
        """The bot.  Raises NotFound."""
        query = sa.select(bots).where(bots.c.id == bot_id)
        row = await self._journal.read(lambda conn: conn.execute(query).mappings().first())
        if row is None:
            raise NotFound("There is no such bot.")
        return _bot(row)

    async def list(self, *, search: str = "", after: str = "", limit: int = 50) -> Sequence[Bot]:
        """Bots by id after ``after``, at most ``limit``."""
        query = sa.select(bots).where(bots.c.id > after).order_by(bots.c.id).limit(limit)
        if search:
            query = query.where(bots.c.name.icontains(search, autoescape=True))
        rows = await self._journal.read(lambda conn: conn.execute(query).mappings().all())
        return [_bot(row) for row in rows]

    async def update(
        self, bot_id: str, *, name: str | None = None, script: str | None = None, actor: str = "system"
    ) -> Bot:
        """Change name, script or both; running conversations go on with the new script.  Raises Invalid, NotFound."""
        now = self._clock.now()

        def write(conn: sa.Connection) -> Bot:
            row = conn.execute(sa.select(bots).where(bots.c.id == bot_id)).mappings().first()
            if row is None:
                raise NotFound("There is no such bot.")
            known = _bot(row)
            changed = _checked(
                msgspec.structs.replace(
                    known,
                    name=known.name if name is None else name,
                    script=known.script if script is None else script,
                    updated_at=now,
                )
            )
            values = {"name": changed.name, "script": changed.script, "updated_at": now}
            conn.execute(sa.update(bots).where(bots.c.id == bot_id).values(**values))
            self._record(conn, actor, "bot.updated", bot_id)
            return changed

        return await self._journal.write(write)

    async def brain(self, bot_id: str) -> tuple[Bot, Engine]:
        """The bot and its engine.  Raises NotFound.

        The row is read for every turn, so that a new script is in force on every node at once; the engine is built
        again only when the script has changed.
        """
        bot = await self.get(bot_id)
        known = self._engines.get(bot_id)
        if known is not None and known[0] == bot.script:
            return bot, known[1]
        engine = FaqEngine(parse_script(bot.script))
        if len(self._engines) >= _MAX_ENGINES:
            self._engines.clear()
        self._engines[bot_id] = (bot.script, engine)
        return bot, engine

    def _record(self, conn: sa.Connection, actor: str, action: str, bot_id: str) -> None:
        audit.record(
            conn,
            node=self._journal.node_id,
            at=self._clock.now(),
            actor=actor,
            action=action,
            object_kind="bot",
            object_id=bot_id,
        )


def _checked(bot: Bot) -> Bot:
    if not 1 <= len(bot.name.strip()) <= 200:
        raise Invalid("A bot needs a name of 1 to 200 characters.", path="$.name")
    if len(bot.id) != 24 or any(digit not in "0123456789abcdef" for digit in bot.id):
        raise Invalid("A bot id has 24 lower-case hexadecimal digits.", path="$.id")
    parse_script(bot.script)
    return msgspec.structs.replace(bot, name=bot.name.strip())


def _bot(row: sa.RowMapping) -> Bot:
    values: dict[str, Any] = dict(row)
    return Bot(**values)
