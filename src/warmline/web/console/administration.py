"""What the administrator's pages need: connections, widgets, bots, and messages that were not delivered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from warmline.bots.service import Bot, Bots
from warmline.conversations.listing import Listing
from warmline.conversations.widgets import Widget, Widgets
from warmline.handover.connections import Connections
from warmline.handover.diagnostics import Reporter
from warmline.handover.ladder import Deadlines, Ladders
from warmline.handover.parked import Parked
from warmline.handover.preview import Previews

if TYPE_CHECKING:
    from warmline.web.console.visit import Visit

SERVICE = "administration"
"""The name in ``ConsoleContext.services``."""

_PAGE = 200
_MOST = 2_000


@dataclass(frozen=True, kw_only=True)
class Administration:
    """The services behind the pages.  ``deadlines`` are the installation's, shown where a rung names none.

    ``simulators`` has the port of each kind of desk that can be tried without an account.
    """

    connections: Connections
    widgets: Widgets
    bots: Bots
    listing: Listing
    parked: Parked
    ladders: Ladders
    deadlines: Deadlines
    reporter: Reporter
    previews: Previews
    simulators: Mapping[str, int]

    async def all_widgets(self) -> list[Widget]:
        """Every widget, disabled ones included, in the order they were made (at most 2,000)."""
        return await _all(self.widgets.list)

    async def all_bots(self) -> list[Bot]:
        """Every bot (at most 2,000)."""
        return await _all(self.bots.list)


def administration(visit: Visit) -> Administration:
    """The services of this console.  Raises KeyError when ``app.py`` gave none."""
    return cast("Administration", visit.ctx.services[SERVICE])


async def _all(read: Callable[..., Awaitable[Sequence[Any]]]) -> list[Any]:
    found: list[Any] = []
    while len(found) < _MOST:
        page = await read(after=found[-1].id if found else "", limit=_PAGE)
        found += page
        if len(page) < _PAGE:
            break
    return found
