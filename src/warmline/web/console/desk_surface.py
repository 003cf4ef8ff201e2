"""What the pages about conversations share: the services, who is who, and the live side of it all."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from warmline.accounts.access import SYSTEM, Scope
from warmline.conversations.kind import CONVERSATION
from warmline.conversations.views import visitor_state
from warmline.kernel.envelope import Recorded
from warmline.web.console.conversations_entries import Entry, entry_of
from warmline.web.console.desk_board import DeskBoard
from warmline.web.console.live import Fragment, Live
from warmline.web.hub import Hub
from warmline.web.stream_outlet import Outlet
from warmline.web.stream_ports import Views
from warmline.web.stream_resume import resume

if TYPE_CHECKING:
    from warmline.accounts.access import Principal
    from warmline.accounts.service import Accounts
    from warmline.conversations.attachment_links import AttachmentLinks
    from warmline.conversations.attachments import Attachments
    from warmline.conversations.listing import Listing
    from warmline.conversations.service import Conversations
    from warmline.conversations.widgets import Widgets
    from warmline.deskwork.service import DeskWork
    from warmline.handover.connections import Connections
    from warmline.handover.parked import Parked
    from warmline.journal.journal import Journal
    from warmline.kernel.clock import Clock
    from warmline.platform.bus import Bus
    from warmline.web.console.desk_presence import DeskPresence
    from warmline.web.console.rendering import Renderer

READER = "agent"
"""Everybody who may open the console's conversations may open each of them, so all readers are one."""
LIST_TOPIC = "conversations"
_LIST_PAUSE_S = 0.6
_VIEWS = Views(state=visitor_state, visitor_of=lambda _state: READER)


@dataclass(frozen=True, kw_only=True)
class DeskServices:
    """The services these pages use."""

    journal: Journal
    bus: Bus
    clock: Clock
    accounts: Accounts
    conversations: Conversations
    listing: Listing
    deskwork: DeskWork
    parked: Parked
    widgets: Widgets
    connections: Connections
    presence: DeskPresence
    attachments: Attachments
    file_links: AttachmentLinks


class KnownNames:
    """Names of members and connections, from memory: live rows are rendered between two events."""

    def __init__(self, services: DeskServices) -> None:
        self._services = services
        self._members: dict[str, str] = {}

    async def refresh(self) -> None:
        """Read the members again."""
        self._members = {m.id: m.name for m in await self._services.accounts.list_members(SYSTEM)}

    def member(self, member_id: str) -> str:
        """The member's name, or a word for somebody unknown."""
        return self._members.get(member_id, "A colleague")

    def connection(self, connection_id: str) -> str:
        """The connection's name, or a word for one that is gone."""
        found = self._services.connections.find(connection_id)
        return found.name if found else "a desk that is gone"


class DeskSurface:
    """Made by the composition root, started before the pages are served and drained when the server stops."""

    def __init__(self, services: DeskServices, renderer: Renderer, live: Live) -> None:
        self.services = services
        self.names = KnownNames(services)
        self._renderer = renderer
        self._live = live
        self._list_told: asyncio.TimerHandle | None = None
        self.hub = Hub(services.journal, services.bus, item=self._item, events=self._events, audience="agent")
        self.board = DeskBoard(services, renderer)
        live.topic(LIST_TOPIC, scope=Scope.CONVERSATIONS_READ, first=_list_changed)
        self._unlisten: Any = None

    async def start(self) -> None:
        """Begin to follow the journal."""
        await self.names.refresh()
        await self.hub.start()
        await self.board.start()
        self._unlisten = self.services.journal.listen(self._on_events)

    async def stop(self) -> None:
        """Stop following."""
        if self._unlisten is not None:
            self._unlisten()
        if self._list_told is not None:
            self._list_told.cancel()
        await self.board.stop()
        await self.hub.stop()

    async def drain(self) -> None:
        """Send everybody away; their pages come back to whichever server answers."""
        self._live.drain()
        await self.hub.drain()

    async def follow(self, outlet: Outlet, conversation: str, incarnation: str | None, since: int) -> None:
        """Bring a reader up to date with a conversation and keep it so.  Raises NotFound."""
        await resume(
            self.hub,
            self.services.conversations,
            _VIEWS,
            outlet,
            conversation=conversation,
            incarnation=incarnation,
            since=since,
        )

    def entries(self, events: list[Recorded]) -> list[Entry]:
        """The rows an agent sees of some events."""
        found = (entry_of(event, self.names) for event in events)
        return [entry for entry in found if entry is not None]

    async def _events(self, conversation: str, *, after: int, limit: int) -> list[Recorded]:
        return await self.services.journal.events(CONVERSATION, conversation, after=after, limit=limit)

    def _item(self, event: Recorded) -> dict[str, Any]:
        entry = entry_of(event, self.names)
        if entry is None:
            return {"seq": event.seq, "type": "skip", "to": event.seq}
        html = self._renderer.render("pages/conversation_rows.html", entries=[entry], parked=None)
        return {"seq": event.seq, "type": entry.type, "author": entry.author_id, "html": html}

    def _on_events(self, events: Any) -> None:
        # The list is made from the index, which follows a moment later; the pages ask again after their own pause.
        if self._list_told is not None or not self._live.is_watched(LIST_TOPIC):
            return
        if any(event.stream_kind == CONVERSATION for event in events):
            self._list_told = asyncio.get_running_loop().call_later(_LIST_PAUSE_S, self._tell_list)

    def _tell_list(self) -> None:
        self._list_told = None
        self._live.publish(LIST_TOPIC, Fragment("changed", ""))


async def _list_changed(_who: Principal, _id: str) -> list[Fragment]:
    return [Fragment("changed", "")]
