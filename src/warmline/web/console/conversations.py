"""Conversations: the list that follows what happens, one conversation with its story, and what may be done with it."""

from __future__ import annotations

from functools import partial
from typing import Any
from urllib.parse import urlencode

import msgspec
import structlog
from litestar import Response, get, post
from litestar.params import FromPath

from warmline.accounts import access
from warmline.accounts.access import Scope
from warmline.conversations import commands as c
from warmline.conversations.listing import Filters, Listed
from warmline.kernel.errors import Conflict, Invalid, NotFound, WarmlineError
from warmline.kernel.ids import is_uuid, uuid7
from warmline.web.console import flashes
from warmline.web.console.conversations_entries import hue_of, initials_of, visitor_label
from warmline.web.console.conversations_page import handover_facts, load, rows_before
from warmline.web.console.desk_surface import DeskSurface
from warmline.web.console.once import once
from warmline.web.console.visit import Visit

log = structlog.get_logger(__name__)

_PATH = "/console/conversations"
_SEE = {"scope": Scope.CONVERSATIONS_READ}
_CHANGE = {"scope": Scope.CONVERSATIONS_WRITE}
PAGE_SIZE = 40
MAX_NOTE = 4_000
VIEWS = (
    ("", "All"),
    ("waiting", "Waiting"),
    ("person", "With a person"),
    ("bot", "With the bot"),
    ("closed", "Closed"),
)
_FILTERS_OF: dict[str, dict[str, Any]] = {
    "": {},
    "waiting": {"waiting": True},
    "person": {"stage": "connected"},
    "bot": {"owner": "bot", "status": "open"},
    "closed": {"status": "closed"},
}

flashes.register("conversation-closed", "The conversation is closed.")
flashes.register("handover-requested", "A person was asked for.")
flashes.register("handover-cancelled", "The visitor no longer waits; the bot has the conversation again.")
flashes.register("handover-ended", "The time with the person has ended; the bot has the conversation again.")
flashes.register("note-added", "The note is added. Visitors never see it.")
flashes.register("note-refused", "A note has 1 to 4000 characters.", "bad")
flashes.register("note-old", "The page was too old, so the note is not added. Write it again.", "bad")
flashes.register("message-resent", "The message was delivered.")
flashes.register("message-not-resent", "The desk did not take the message this time either. It stays here.", "bad")
flashes.register("conversation-moved", "Somebody else was faster: the conversation has changed since then.", "wait")


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One conversation in the list."""

    listed: Listed
    name: str
    initials: str
    hue: int
    owner: str
    tone: str
    widget: str


@get("/conversations", opt=_SEE)
async def list_conversations(visit: Visit) -> Response[str]:
    surface: DeskSurface = visit.ctx.services["desk"]
    query = {name: visit.request.query_params.get(name, "") for name in ("q", "view", "widget", "cursor")}
    view = query["view"] if query["view"] in dict(VIEWS) else ""
    widgets = await surface.services.widgets.list(limit=200)
    names = {widget.id: widget.name for widget in widgets}
    filters = Filters(search=query["q"][:200], widget_id=query["widget"] or None, **_FILTERS_OF[view])
    page = await surface.services.listing.conversations(filters, cursor=query["cursor"] or None, limit=PAGE_SIZE)
    return visit.page(
        "pages/conversations.html",
        rows=[_row(listed, names) for listed in page.items],
        search=query["q"],
        view=view,
        widget=query["widget"],
        widgets=[("", "Every widget"), *sorted(names.items(), key=lambda pair: pair[1].lower())],
        tabs=[(label, _link(query, view=name, cursor=""), name == view) for name, label in VIEWS],
        here=_link(query),
        older=_link(query, cursor=page.next) if page.next else "",
        newer=_link(query, cursor="") if query["cursor"] else "",
    )


def _link(query: dict[str, str], **changed: str) -> str:
    chosen = {name: value for name, value in (query | changed).items() if value}
    return f"{_PATH}?{urlencode(chosen)}" if chosen else _PATH


def _row(listed: Listed, widgets: dict[str, str]) -> Row:
    owner, tone = "With the bot", "info"
    if listed.status == "closed":
        owner, tone = "Closed", ""
    elif listed.stage == "connected":
        owner, tone = listed.agent_name or "With a person", "good"
    elif listed.stage is not None:
        owner, tone = "Transferring" if listed.stage == "transferring" else "Waiting", "wait"
    return Row(
        listed=listed,
        name=visitor_label(listed.visitor_name, listed.conversation_id),
        initials=initials_of(listed.visitor_name) if listed.visitor_name else "",
        hue=hue_of(listed.conversation_id),
        owner=owner,
        tone=tone,
        widget=widgets.get(listed.widget_id or "", ""),
    )


@get("/conversations/{conversation_id:str}", opt=_SEE)
async def show_conversation(visit: Visit, conversation_id: FromPath[str]) -> Response[str]:
    surface: DeskSurface = visit.ctx.services["desk"]
    shown = await load(surface, conversation_id)
    return visit.page(
        "pages/conversation.html",
        shown=shown,
        facts=handover_facts(shown),
        may_change=access.conversations.may_write(visit.principal),
    )


@get("/conversations/{conversation_id:str}/context", opt=_SEE)
async def show_context(visit: Visit, conversation_id: FromPath[str]) -> Response[str]:
    surface: DeskSurface = visit.ctx.services["desk"]
    shown = await load(surface, conversation_id)
    return visit.fragment(
        "pages/conversation_context.html",
        shown=shown,
        facts=handover_facts(shown),
        may_change=access.conversations.may_write(visit.principal),
    )


@get("/conversations/{conversation_id:str}/head", opt=_SEE)
async def show_head(visit: Visit, conversation_id: FromPath[str]) -> Response[str]:
    surface: DeskSurface = visit.ctx.services["desk"]
    shown = await load(surface, conversation_id)
    may_change = access.conversations.may_write(visit.principal)
    return visit.fragment("pages/conversation_head.html", shown=shown, may_change=may_change)


@get("/conversations/{conversation_id:str}/earlier", opt=_SEE)
async def show_earlier(visit: Visit, conversation_id: FromPath[str]) -> Response[str]:
    surface: DeskSurface = visit.ctx.services["desk"]
    before = visit.request.query_params.get("before", "")
    if not is_uuid(conversation_id) or not before.isascii() or not before.isdigit() or len(before) > 15:
        raise NotFound("There are no such messages.")
    state, _seq = await surface.services.conversations.snapshot(conversation_id)
    entries, earlier = await rows_before(surface, conversation_id, int(before))
    return visit.fragment(
        "pages/conversation_earlier.html", id=conversation_id, entries=entries, earlier=earlier, parked=state.parked
    )


@post("/conversations/{conversation_id:str}/close", opt=_CHANGE)
async def close_conversation(visit: Visit, conversation_id: FromPath[str]) -> Response[str]:
    command = c.Close(reason="agent", by=visit.principal.actor)
    return await _command(visit, conversation_id, command, "conversation-closed")


@post("/conversations/{conversation_id:str}/handover/cancel", opt=_CHANGE)
async def cancel_handover(visit: Visit, conversation_id: FromPath[str]) -> Response[str]:
    return await _command(visit, conversation_id, c.CancelHandover(by=visit.principal.actor), "handover-cancelled")


@post("/conversations/{conversation_id:str}/handover/end", opt=_CHANGE)
async def end_handover(visit: Visit, conversation_id: FromPath[str]) -> Response[str]:
    form = await visit.form()
    epoch = form.text("epoch")
    if not epoch.isascii() or not epoch.isdigit() or len(epoch) > 9:
        raise Invalid("The form is not complete.", path="$.epoch")
    command = c.EndHandover(reason="agent_left", epoch=int(epoch))
    return await _command(visit, conversation_id, command, "handover-ended")


@post("/conversations/{conversation_id:str}/handover", opt=_CHANGE)
async def request_handover(visit: Visit, conversation_id: FromPath[str]) -> Response[str]:
    surface: DeskSurface = visit.ctx.services["desk"]
    try:
        await surface.services.conversations.request_handover(
            conversation_id, reason="api", by=visit.principal.actor, actor=visit.principal.actor
        )
    except Conflict:
        return visit.redirect(f"{_PATH}/{conversation_id}", "conversation-moved")
    return visit.redirect(f"{_PATH}/{conversation_id}", "handover-requested")


@post("/conversations/{conversation_id:str}/notes", opt=_CHANGE)
async def add_note(visit: Visit, conversation_id: FromPath[str]) -> Response[str]:
    form = await visit.form()
    text = form.text("text").strip()
    back = f"/console/desk/{conversation_id}" if form.text("back") == "desk" else f"{_PATH}/{conversation_id}"
    if not 1 <= len(text) <= MAX_NOTE:
        return visit.redirect(back, "note-refused")
    surface: DeskSurface = visit.ctx.services["desk"]
    note = c.PostNote(note_id=uuid7(), member_id=visit.principal.actor, text=text)
    add = partial(surface.services.conversations.command, conversation_id, note, actor=visit.principal.actor)
    try:
        await once(visit, f"note in {conversation_id}", add, lambda done: str(done.seq))
    except Invalid:
        return visit.redirect(back, "note-old")
    return visit.redirect(back, "note-added")


@post("/conversations/{conversation_id:str}/resend", opt=_CHANGE)
async def resend_message(visit: Visit, conversation_id: FromPath[str]) -> Response[str]:
    surface: DeskSurface = visit.ctx.services["desk"]
    message_id = (await visit.form()).text("message_id")
    back = f"{_PATH}/{conversation_id}"
    try:
        await surface.services.parked.resend(conversation_id, message_id, actor=visit.principal.actor)
    except (NotFound, Conflict):
        return visit.redirect(back, "conversation-moved")
    except WarmlineError as error:
        log.info("message not resent", conversation=conversation_id, code=error.code)
        return visit.redirect(back, "message-not-resent")
    return visit.redirect(back, "message-resent")


async def _command(visit: Visit, conversation_id: str, command: c.Command, flash: str) -> Response[str]:
    surface: DeskSurface = visit.ctx.services["desk"]
    try:
        await surface.services.conversations.command(conversation_id, command, actor=visit.principal.actor)
    except Conflict:
        flash = "conversation-moved"
    return visit.redirect(f"{_PATH}/{conversation_id}", flash)


CONVERSATIONS = (
    list_conversations,
    show_conversation,
    show_context,
    show_head,
    show_earlier,
    close_conversation,
    cancel_handover,
    end_handover,
    request_handover,
    add_note,
    resend_message,
)
