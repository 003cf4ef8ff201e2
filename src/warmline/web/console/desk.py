"""The built-in desk: the queue, an agent's own conversations, and the one that is open."""

from __future__ import annotations

from typing import Any

from litestar import MediaType, Response, get, post
from litestar.params import FromPath

from warmline.accounts.access import Scope
from warmline.conversations.commands import MAX_FILES, MAX_TEXT
from warmline.conversations.model import TALKING
from warmline.deskwork.queue import waits_here
from warmline.deskwork.service import DeskMember
from warmline.kernel.errors import Conflict, Invalid, WarmlineError
from warmline.kernel.ids import is_uuid, uuid7
from warmline.web.console import flashes
from warmline.web.console.conversations_page import Shown, handover_facts, load
from warmline.web.console.desk_surface import DeskSurface
from warmline.web.console.visit import Visit

_PATH = "/console/desk"
_WORK = {"scope": Scope.AGENTS_SPEAK}
_MOST_BYTES = 12
"""A character takes at most four bytes, and url-encoded each of them three."""
_SAY = _WORK | {"max_form": MAX_TEXT * _MOST_BYTES + 4_096}

flashes.register("desk-too-late", "Somebody else was faster. You can read along here.", "wait")
flashes.register("desk-not-offered", "This conversation is not at your desk yet. Try again in a moment.", "wait")
flashes.register("desk-elsewhere", "Another desk has this conversation. You can read along here.", "wait")
flashes.register("desk-over", "The visitor no longer waits.", "info")
flashes.register("desk-not-yours", "This conversation is not yours any more.", "wait")
flashes.register("desk-put-back", "The visitor waits in the queue again, at the old place.")
flashes.register("desk-ended", "Done. The bot has the conversation again.")

_REFUSALS = {
    "already_connected": "desk-too-late",
    "not_yours": "desk-not-yours",
    "not_connected": "desk-not-yours",
    "stale_owner": "desk-too-late",
    "not_offered": "desk-not-offered",
    "owned_by_desk": "desk-elsewhere",
    "no_handover": "desk-over",
    "closed": "desk-over",
}


@get("/desk", opt=_WORK)
async def show_desk(visit: Visit) -> Response[str]:
    return await _page(visit, None)


@get("/desk/{conversation_id:str}", opt=_WORK)
async def show_desk_conversation(visit: Visit, conversation_id: FromPath[str]) -> Response[str]:
    surface: DeskSurface = visit.ctx.services["desk"]
    return await _page(visit, await load(surface, conversation_id))


@get("/desk/{conversation_id:str}/foot", opt=_WORK)
async def show_foot(visit: Visit, conversation_id: FromPath[str]) -> Response[str]:
    """What can be done now: the way to take it, the composer, or why there is none."""
    surface: DeskSurface = visit.ctx.services["desk"]
    shown = await load(surface, conversation_id)
    return visit.fragment("pages/desk_foot.html", **_part(visit, shown))


@get("/desk/{conversation_id:str}/head", opt=_WORK)
async def show_desk_head(visit: Visit, conversation_id: FromPath[str]) -> Response[str]:
    surface: DeskSurface = visit.ctx.services["desk"]
    shown = await load(surface, conversation_id)
    return visit.fragment("pages/desk_head.html", **_part(visit, shown))


@post("/desk/{conversation_id:str}/take", opt=_WORK)
async def take(visit: Visit, conversation_id: FromPath[str]) -> Response[str]:
    surface: DeskSurface = visit.ctx.services["desk"]
    try:
        seq = await surface.services.deskwork.take(conversation_id, _member(visit))
    except Conflict as refused:
        return _refused(visit, conversation_id, refused)
    await surface.services.conversations.mark_read(conversation_id, "agent", seq)
    await surface.board.settle(conversation_id, seq)
    return visit.redirect(f"{_PATH}/{conversation_id}")


@post("/desk/{conversation_id:str}/put-back", opt=_WORK)
async def put_back(visit: Visit, conversation_id: FromPath[str]) -> Response[str]:
    surface: DeskSurface = visit.ctx.services["desk"]
    try:
        seq = await surface.services.deskwork.put_back(conversation_id, _member(visit))
    except Conflict as refused:
        return _refused(visit, conversation_id, refused)
    await surface.board.settle(conversation_id, seq)
    return visit.redirect(_PATH, "desk-put-back")


@post("/desk/{conversation_id:str}/end", opt=_WORK)
async def end(visit: Visit, conversation_id: FromPath[str]) -> Response[str]:
    surface: DeskSurface = visit.ctx.services["desk"]
    try:
        seq = await surface.services.deskwork.end(conversation_id, _member(visit))
    except Conflict as refused:
        return _refused(visit, conversation_id, refused)
    await surface.board.settle(conversation_id, seq)
    return visit.redirect(_PATH, "desk-ended")


@post("/desk/{conversation_id:str}/say", opt=_SAY)
async def say(visit: Visit, conversation_id: FromPath[str]) -> Response[Any]:
    """Answers ``{seq}``, or ``{code, detail, retryable}``, to the page's script; a redirect to a plain form."""
    surface: DeskSurface = visit.ctx.services["desk"]
    form = await visit.form()
    wants_json = visit.request.headers.get("accept", "").startswith("application/json")
    try:
        ids = [one for one in form.text("attachments").split(",") if one]
        text, client_id = _checked(form.text("text"), form.text("client_id"), files=len(ids))
        seq = await surface.services.deskwork.say(
            conversation_id,
            _member(visit),
            text=text,
            client_id=client_id,
            attachments=await surface.services.attachments.resolve(conversation_id, ids[: MAX_FILES + 1]),
        )
    except WarmlineError as refused:
        if wants_json:
            body = {"code": refused.code, "detail": refused.detail, "retryable": refused.retryable}
            return _json(body, refused.status)
        if isinstance(refused, Conflict):
            return _refused(visit, conversation_id, refused)
        raise
    await surface.services.conversations.mark_read(conversation_id, "agent", seq)
    return _json({"seq": seq}, 200) if wants_json else visit.redirect(f"{_PATH}/{conversation_id}")


@post("/desk/{conversation_id:str}/typing", opt=_WORK)
async def typing(visit: Visit, conversation_id: FromPath[str]) -> Response[str]:
    surface: DeskSurface = visit.ctx.services["desk"]
    on = (await visit.form()).text("on") == "1"
    await surface.services.deskwork.typing(conversation_id, _member(visit), on=on)
    return Response("", status_code=204)


@post("/desk/{conversation_id:str}/read", opt=_WORK)
async def read(visit: Visit, conversation_id: FromPath[str]) -> Response[str]:
    """The agent who talks with the visitor has seen everything up to ``seq``.  Others only look; that tells nobody."""
    surface: DeskSurface = visit.ctx.services["desk"]
    seq = (await visit.form()).text("seq")
    if not seq.isascii() or not seq.isdigit() or len(seq) > 15:
        raise Invalid("This is not a place in a conversation.", path="$.seq")
    state, last = await surface.services.conversations.snapshot(conversation_id)
    if _mode(state, visit.member.id) == "mine":
        await surface.services.conversations.mark_read(conversation_id, "agent", min(int(seq), last))
    return Response("", status_code=204)


async def _page(visit: Visit, shown: Shown | None) -> Response[str]:
    surface: DeskSurface = visit.ctx.services["desk"]
    if shown is not None and _mode(shown.state, visit.member.id) == "mine":
        await surface.services.conversations.mark_read(shown.id, "agent", shown.seq)
    board = await surface.board.read(visit.member.id)
    part = _part(visit, shown) if shown is not None else {"shown": None}
    return visit.page("pages/desk.html", **board, **part)


def _part(visit: Visit, shown: Shown) -> dict[str, Any]:
    surface: DeskSurface = visit.ctx.services["desk"]
    max_file_bytes = surface.services.attachments.policy.max_bytes
    return {
        "shown": shown,
        "facts": handover_facts(shown),
        "mode": _mode(shown.state, visit.member.id),
        "client_id": uuid7(),
        "max_file_bytes": max_file_bytes,
        "may_change": True,
    }


def _mode(state: Any, member_id: str) -> str:
    """What this member can do: take · mine · other (a colleague talks) · elsewhere (another desk) · bot · closed."""
    held = state.handover
    if state.status == "closed":
        return "closed"
    if held is None:
        return "bot"
    if waits_here(state):
        return "take"
    if held.step.desk != "builtin":
        return "elsewhere"
    if held.stage in TALKING:
        return "mine" if held.agent and held.agent.id == member_id else "other"
    return "soon"


def _member(visit: Visit) -> DeskMember:
    return DeskMember(id=visit.member.id, name=visit.member.name)


def _refused(visit: Visit, conversation_id: str, refused: Conflict) -> Response[str]:
    return visit.redirect(f"{_PATH}/{conversation_id}", _REFUSALS.get(refused.code, "desk-too-late"))


def _checked(text: str, client_id: str, *, files: int) -> tuple[str, str]:
    text = text.replace("\r\n", "\n").strip()
    if not (text or files) or len(text) > MAX_TEXT:
        raise Invalid(f"A message has 1 to {MAX_TEXT} characters.", path="$.text", code="text_length")
    if not 1 <= len(client_id) <= 64 or not (is_uuid(client_id) or client_id.isalnum()):
        raise Invalid("The form is not complete.", path="$.client_id", code="client_id")
    return text, client_id


def _json(body: dict[str, Any], status: int) -> Response[Any]:
    return Response(body, status_code=status, media_type=MediaType.JSON, headers={"cache-control": "no-store"})


DESK = (
    show_desk,
    show_desk_conversation,
    show_foot,
    show_desk_head,
    take,
    put_back,
    end,
    say,
    typing,
    read,
)
