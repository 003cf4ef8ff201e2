"""What a connection's values are held to when they are entered."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from warmline.conversations.widgets import is_widget
from warmline.handover.connection_forms import LADDER_OF_WIDGET
from warmline.handover.desk_kinds import DeskKind
from warmline.journal.journal import Journal
from warmline.kernel.errors import Invalid
from warmline.kernel.ids import is_uuid

NAME_LENGTH = 200
MOST_BOTS = 200

_BOT_ID = re.compile(r"[0-9a-f]{24}")


def check_name(name: str) -> str:
    """The name without blanks around it.  Raises Invalid."""
    text = name.strip()
    if not text or len(text) > NAME_LENGTH or not text.isprintable():
        raise Invalid(f"A name has 1 to {NAME_LENGTH} visible characters.", path="$.name", code="name")
    return text


def check_bots(bot_ids: Sequence[str]) -> tuple[str, ...]:
    """The ids, each once.  Raises Invalid."""
    if len(bot_ids) > MOST_BOTS:
        raise Invalid(f"A connection serves at most {MOST_BOTS} bots.", path="$.bot_ids", code="too_many")
    for number, bot_id in enumerate(bot_ids):
        if not _BOT_ID.fullmatch(bot_id):
            raise Invalid("A bot id has 24 hexadecimal digits.", path=f"$.bot_ids[{number}]", code="bot_id")
    return tuple(sorted(set(bot_ids)))


def check_secrets(kind: DeskKind, given: AbstractSet[str]) -> None:
    """Whether a new connection is given every secret that its desk needs.  Raises Invalid."""
    for one in kind.form:
        if one.secret and one.required and not one.generated and one.name not in given:
            raise Invalid(f"“{one.label}” is needed.", path=f"$.settings.{one.name}", code="empty")


async def check_ladder(journal: Journal, settings: Mapping[str, Any]) -> None:
    """Whether the widget whose ladder is named among ``settings``, if one is, exists.  Raises Invalid."""
    named = str(settings.get(LADDER_OF_WIDGET) or "").strip()
    if named and not (is_uuid(named) and await journal.read(lambda conn: is_widget(conn, named))):
        path = f"$.settings.{LADDER_OF_WIDGET}"
        raise Invalid("There is no widget with this id.", path=path, code="unknown_widget")
