"""What a form makes, it makes once: a reload that sends it again, or a second click, finds out that it is there already.

Every form that makes something carries a token of its own.  The store remembers what came of it, never a secret.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec
from litestar import Response

from warmline.journal.kinds import IdempotencyKey
from warmline.kernel.errors import Conflict, KeyReused
from warmline.web.console.form_tokens import FIELD, check_fresh
from warmline.web.console.visit import Visit

T = TypeVar("T")


class _Known(msgspec.Struct, frozen=True):
    id: str


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """``made`` is None when the form was sent before; ``id`` names what it made then ("" while it is being made)."""

    made: T | None
    id: str


async def once(visit: Visit, what: str, make: Callable[[], Awaitable[T]], identify: Callable[[T], str]) -> Outcome[T]:
    """Do ``make`` unless this visit's form has done it; ``identify`` gives the id to remember.

    What ``make`` raises leaves the form unused.  Raises Invalid for a form without a token or one older than a day:
    what came of it may be forgotten by now.
    """
    token = (await visit.form()).text(FIELD)
    check_fresh(token, visit.ctx.clock.now())
    key = IdempotencyKey(scope=f"console:{visit.member.id}", key=token, body_hash=what)
    made: list[T] = []

    async def make_and_note() -> _Known:
        made.append(await make())
        return _Known(identify(made[0]))

    try:
        known = await visit.ctx.answers.once(key, _Known, make_and_note)
    except KeyReused:
        return Outcome(None, "")
    except Conflict as refused:
        if refused.code != "in_progress":
            raise
        return Outcome(None, "")
    return Outcome(made[0] if made else None, known.id)


def already_page(visit: Visit, title: str, text: str, links: Sequence[tuple[str, str]]) -> Response[str]:
    """Says that it is made already; ``links`` are (label, path), the likeliest first."""
    return visit.page("pages/already_made.html", status=409, title=title, text=text, links=links)
