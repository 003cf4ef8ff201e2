"""The desk's left side: who waits and whom an agent talks to, kept true on every open desk page."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from warmline.conversations.events import MessagePosted
from warmline.conversations.kind import CONVERSATION
from warmline.conversations.listing import Listed
from warmline.conversations.model import TALKING
from warmline.deskwork.queue import waits_here
from warmline.deskwork.service import Waiting
from warmline.web.console.conversations_entries import hue_of, initials_of, visitor_label
from warmline.web.stream_frames import text_of
from warmline.web.stream_outlet import Frame, Outlet

if TYPE_CHECKING:
    from warmline.web.console.desk_surface import DeskServices
    from warmline.web.console.rendering import Renderer

log = structlog.get_logger(__name__)

_LOOK_AGAIN_S = (0.04, 0.15, 0.4, 1.2, 3.0)
"""Queue and index follow the journal by consumers of their own, perhaps in another process: when something happened, the
board is read at once and again a few times, and told only if it has changed."""
_ANYWAY_S = 10.0
MAX_ROWS = 100
_PATIENCE_S = 1.0
_GIVEN_UP_MS = 60_000
"""Lists that have not followed after so long are out of order for another reason."""
_PAUSES_S = (0.002, 0.005, 0.01, 0.02, 0.04)


class BoardRow(msgspec.Struct, frozen=True, kw_only=True):
    """One row.  ``since`` (ms) is when the wait began, 0 for somebody who is being answered."""

    conversation_id: str
    name: str
    initials: str
    hue: int
    preview: str
    page: str
    since: int = 0
    active_at: int = 0
    owes: bool = False


class _Reader(msgspec.Struct):
    member_id: str
    last: str = ""


class DeskBoard:
    """Reads queue and conversations for the desk pages that are open in this process."""

    def __init__(self, services: DeskServices, renderer: Renderer) -> None:
        self._services = services
        self._renderer = renderer
        self._readers: dict[Outlet, _Reader] = {}
        self._ahead: dict[str, tuple[int, int]] = {}
        self._changed = asyncio.Event()
        self._stop_listening: Any = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to follow."""
        self._stop_listening = self._services.journal.listen(self._on_events)
        self._task = asyncio.get_running_loop().create_task(self._run(), name="desk-board")

    async def stop(self) -> None:
        """Stop following."""
        if self._stop_listening is not None:
            self._stop_listening()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def watch(self, outlet: Outlet, member_id: str) -> None:
        """Tell this page now and whenever something changes; the member counts as present."""
        self._readers[outlet] = _Reader(member_id)
        self._services.presence.enter(member_id)
        self._changed.set()

    def leave(self, outlet: Outlet) -> None:
        """The page is closed."""
        reader = self._readers.pop(outlet, None)
        if reader is not None:
            self._services.presence.leave(reader.member_id)
            self._changed.set()

    async def settle(self, conversation_id: str, seq: int) -> None:
        """Wait until queue and index have followed what an agent just did (``seq``), for a second at most.

        While they have not, ``read`` leaves out what is no longer so.
        """
        self._ahead[conversation_id] = (seq, self._services.clock.now() + _GIVEN_UP_MS)
        pauses = chain(_PAUSES_S, repeat(_PAUSES_S[-1]))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_S):
                # The consumers may run in another process: nothing tells here when they have followed.
                while not await self._has_followed(conversation_id):  # noqa: ASYNC110
                    await asyncio.sleep(next(pauses))

    async def _has_followed(self, conversation_id: str) -> bool:
        seq, until = self._ahead.get(conversation_id, (0, 0))
        if self._services.clock.now() > until:
            self._ahead.pop(conversation_id, None)
            return True
        state, _seq = await self._services.conversations.snapshot(conversation_id)
        listed = await self._services.listing.find(conversation_id)
        queued = await self._services.deskwork.queued_epoch(conversation_id)
        if listed is None or listed.seq < seq or queued != (state.owner_epoch if waits_here(state) else None):
            return False
        self._ahead.pop(conversation_id, None)
        return True

    async def _no_more(self, member_id: str) -> tuple[set[str], set[str]]:
        """What is in the queue no more, and what is no more this member's, although the lists may still say so."""
        gone, lost = set(), set()
        for conversation_id in list(self._ahead):
            if await self._has_followed(conversation_id):
                continue
            state, _seq = await self._services.conversations.snapshot(conversation_id)
            held = state.handover
            if not waits_here(state):
                gone.add(conversation_id)
            if held is None or held.stage not in TALKING or held.agent is None or held.agent.id != member_id:
                lost.add(conversation_id)
        return gone, lost

    async def read(self, member_id: str) -> dict[str, Any]:
        """What the board template needs."""
        work = self._services.deskwork
        queue, mine = await asyncio.gather(work.queue(limit=MAX_ROWS), work.mine(member_id, limit=MAX_ROWS))
        if self._ahead:
            gone, lost = await self._no_more(member_id)
            queue = [row for row in queue if row.conversation_id not in gone]
            mine = [row for row in mine if row.conversation_id not in lost]
        return {
            "queue": [_waiting_row(row) for row in queue],
            "mine": [_mine_row(row) for row in mine],
            "online": len(self._services.presence.members() | {member_id}),
            "now": self._services.clock.now(),
        }

    def _on_events(self, events: Sequence[Any]) -> None:
        if self._readers and any(_matters(event) for event in events):
            self._changed.set()

    async def _run(self) -> None:
        while True:
            try:
                async with asyncio.timeout(_ANYWAY_S):
                    await self._changed.wait()
            except TimeoutError:
                await self._tell()
                continue
            for pause in _LOOK_AGAIN_S:
                self._changed.clear()
                await asyncio.sleep(pause)
                await self._tell()
                if self._changed.is_set():
                    break

    async def _tell(self) -> None:
        try:
            for member_id in {reader.member_id for reader in self._readers.values()}:
                found = await self.read(member_id)
                now = found.pop("now")
                html = self._renderer.render("pages/desk_board.html", **found)
                self._push(member_id, html, len(found["queue"]), now)
        except Exception:  # whatever went wrong, the next look may succeed
            log.exception("desk board not read")

    def _push(self, member_id: str, html: str, waiting: int, now: int) -> None:
        frame = Frame(text_of({"frame": "board", "html": html, "waiting": waiting, "now": now}))
        for outlet, reader in self._readers.items():
            if reader.member_id == member_id and reader.last != html:
                reader.last = html
                outlet.push(frame)


def _matters(event: Any) -> bool:
    return event.stream_kind == CONVERSATION and (
        event.type == MessagePosted.TYPE or not event.type.startswith(("run.", "note.", "delivery."))
    )


def _waiting_row(row: Waiting) -> BoardRow:
    return BoardRow(
        conversation_id=row.conversation_id,
        name=visitor_label(row.visitor_name, row.conversation_id),
        initials=initials_of(row.visitor_name) if row.visitor_name else "",
        hue=hue_of(row.conversation_id),
        preview=row.snippet,
        page=row.page_title or row.page_url,
        since=row.since,
    )


def _mine_row(row: Listed) -> BoardRow:
    return BoardRow(
        conversation_id=row.conversation_id,
        name=visitor_label(row.visitor_name, row.conversation_id),
        initials=initials_of(row.visitor_name) if row.visitor_name else "",
        hue=hue_of(row.conversation_id),
        preview=row.last_text or "",
        page="",
        active_at=row.active_at,
        owes=row.last_author == "visitor",
    )
