"""``/api/v1/bots``: which bots there are."""

from __future__ import annotations

import re

from litestar import get
from litestar.params import FromPath

from warmline.accounts.access import Scope
from warmline.bots.service import Bot
from warmline.kernel.errors import NotFound
from warmline.web.api.door import Call
from warmline.web.api.values import Cursor, Limit, Moment, Output, Search, moment

_READ = {"scope": Scope.WIDGETS_READ}
_TAGS = ["Bots"]
_ID = re.compile("[0-9a-f]{24}")


class BotShown(Output, frozen=True, kw_only=True):
    """A bot, without its script."""

    id: str
    name: str
    created_at: Moment
    updated_at: Moment


class BotWithScript(BotShown, frozen=True, kw_only=True):
    """A bot and its script (TOML)."""

    script: str


class BotPage(Output, frozen=True, kw_only=True):
    """One page of bots."""

    items: tuple[BotShown, ...]
    next_cursor: str | None


@get("/bots", operation_id="listBots", summary="List bots", tags=_TAGS, opt=_READ)
async def list_bots(call: Call, search: Search = None, cursor: Cursor = None, limit: Limit = 50) -> BotPage:
    """In the order they were made."""
    found = await call.at.bots.list(search=search or "", after=cursor or "", limit=limit + 1)
    page = found[:limit]
    return BotPage(items=tuple(_show(bot) for bot in page), next_cursor=page[-1].id if len(found) > limit else None)


@get("/bots/{bot_id:str}", operation_id="getBot", summary="Read a bot", tags=_TAGS, opt=_READ)
async def get_bot(call: Call, bot_id: FromPath[str]) -> BotWithScript:
    """With its script."""
    if not _ID.fullmatch(bot_id):
        raise NotFound("There is no such bot.")
    bot = await call.at.bots.get(bot_id)
    return BotWithScript(
        id=bot.id,
        name=bot.name,
        created_at=moment(bot.created_at),
        updated_at=moment(bot.updated_at),
        script=bot.script,
    )


def _show(bot: Bot) -> BotShown:
    return BotShown(id=bot.id, name=bot.name, created_at=moment(bot.created_at), updated_at=moment(bot.updated_at))


HANDLERS = (list_bots, get_bot)
