"""One conversation as a page: its latest rows, what is known about the visitor, and who owns it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from warmline.conversations import events as e
from warmline.conversations.kind import CONVERSATION
from warmline.conversations.model import TALKING, WAITING, ConversationState, deadlines
from warmline.kernel.envelope import Recorded
from warmline.kernel.errors import NotFound
from warmline.kernel.ids import is_uuid
from warmline.web.console.conversations_entries import REASONS, Entry, Names, hue_of, initials_of, visitor_label
from warmline.web.console.desk_surface import DeskSurface

ROWS = 60
"""Rows on the page at first, and with each "load earlier", or a few more."""
_READ = 100
_LOOK_BACK = 5
_DEADLINES = {
    "answer": "The desk must answer",
    "connect": "Somebody must join",
    "idle": "Ends if silent",
    "lost": "Given up if nothing gets through",
    "bot_turn": "The bot must answer",
    "conversation_idle": "Closes if silent",
}


class Visitor(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about the person.  Everything is text that a stranger wrote."""

    name: str
    label: str
    initials: str
    hue: int
    email: str
    phone: str
    details: tuple[tuple[str, str], ...]


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the templates need of one conversation.  ``earlier`` is where the rows before these end, 0 for none."""

    id: str
    state: ConversationState
    seq: int
    incarnation: str
    entries: tuple[Entry, ...]
    earlier: int
    visitor: Visitor
    page: e.Page
    widget: str
    previous_id: str
    owner: str
    tone: str
    rung: str
    due: tuple[tuple[str, int], ...]
    reads: dict[str, int]

    @property
    def is_talking(self) -> bool:
        """Whether a person is connected."""
        return self.state.handover is not None and self.state.handover.stage in TALKING

    @property
    def is_waiting(self) -> bool:
        """Whether the visitor waits for a person."""
        return self.state.handover is not None and self.state.handover.stage in WAITING

    @property
    def page_link(self) -> str:
        """The visitor's page when it is an ordinary web address; only then it may become a link."""
        try:
            parts = urlsplit(self.page.url)
        except ValueError:
            return ""
        return self.page.url if parts.scheme in {"http", "https"} and parts.hostname else ""


async def load(surface: DeskSurface, conversation_id: str) -> Shown:
    """The conversation as it is now.  Raises NotFound."""
    if not is_uuid(conversation_id):
        raise NotFound("There is no such conversation.")
    at = surface.services
    await surface.names.refresh()
    state, seq = await at.conversations.snapshot(conversation_id)
    entries, earlier = await rows_before(surface, conversation_id, seq + 1)
    first = await at.journal.events(CONVERSATION, conversation_id, limit=_READ)
    latest = await at.journal.events(CONVERSATION, conversation_id, after=seq - _READ) if seq > _READ else []
    started = next((event.body for event in first if isinstance(event.body, e.ConversationStarted)), None)
    owner, tone, rung = owner_of(state, surface.names)
    return Shown(
        id=conversation_id,
        state=state,
        seq=seq,
        incarnation=at.journal.incarnation,
        entries=entries,
        earlier=earlier,
        visitor=_visitor([*first, *latest], conversation_id),
        page=started.page if started else e.Page(),
        widget=await _widget_name(surface, state.widget_id),
        previous_id=(started.previous_id if started else None) or "",
        owner=owner,
        tone=tone,
        rung=rung,
        due=tuple(sorted(((_DEADLINES[kind], due) for kind, due in deadlines(state).items()), key=lambda d: d[1])),
        reads={"agent": 0, "visitor": 0} | await at.conversations.reads(conversation_id),
    )


async def rows_before(surface: DeskSurface, conversation_id: str, before: int) -> tuple[tuple[Entry, ...], int]:
    """The rows that end before ``before``, and where the ones before these end (0: there are none)."""
    found: list[Entry] = []
    for _ in range(_LOOK_BACK):
        after = max(0, before - 1 - _READ)
        events = await surface.services.journal.events(
            CONVERSATION, conversation_id, after=after, limit=max(1, before - 1 - after)
        )
        found = surface.entries([event for event in events if event.seq < before]) + found
        before = after + 1
        if before <= 1 or len(found) >= ROWS:
            break
    if before <= 1 and len(found) <= ROWS + ROWS // 2:
        return tuple(found), 0
    kept = found[-ROWS:]
    return tuple(kept), kept[0].seq if kept else before


def owner_of(state: ConversationState, names: Names) -> tuple[str, str, str]:
    """Who owns it in words, the tone of that, and the rung in words (empty without a handover)."""
    if state.status == "closed":
        return "Closed", "", ""
    held = state.handover
    if held is None:
        return "With the bot", "info", ""
    rung = f"{names.connection(held.step.connection_id)}, rung {held.rung + 1} of {len(held.ladder)}"
    if held.stage == "connected":
        return f"With {(held.agent.name if held.agent else '') or 'a person'}", "good", rung
    if held.stage == "transferring":
        return "Being transferred", "wait", rung
    return ("Waiting" if held.stage != "requested" else "Being offered"), "wait", rung


def handover_facts(shown: Shown) -> list[tuple[str, Any]]:
    """Terms and texts about the handover in progress."""
    held = shown.state.handover
    if held is None:
        return []
    facts: list[tuple[str, Any]] = [("Why", REASONS.get(held.reason, held.reason)), ("Desk", shown.rung)]
    if held.position is not None:
        facts.append(("Place", str(held.position)))
    if held.wait_minutes is not None:
        facts.append(("Told to wait", f"{held.wait_minutes} min"))
    return facts


def _visitor(events: Sequence[Recorded], conversation_id: str) -> Visitor:
    known: dict[str, str] = {}
    name = email = phone = ""
    for event in events:
        body = event.body
        if isinstance(body, e.DetailsSet):
            known |= {key: "hidden" if key in body.sensitive else value for key, value in body.values.items()}
            name = known.get("name", name) if "name" not in body.sensitive else name
            email = known.get("email", email)
        elif isinstance(body, e.ContactLeft):
            name, email, phone = body.name or name, body.email or email, body.phone or phone
    details = tuple((key, known[key]) for key in sorted(known) if key not in {"name", "email"})
    return Visitor(
        name=name,
        label=visitor_label(name, conversation_id),
        initials=initials_of(name) if name else "",
        hue=hue_of(conversation_id),
        email=email,
        phone=phone,
        details=details,
    )


async def _widget_name(surface: DeskSurface, widget_id: str | None) -> str:
    if widget_id is None:
        return ""
    try:
        widget = await surface.services.widgets.read(widget_id)
    except NotFound:
        return ""
    return widget.name
