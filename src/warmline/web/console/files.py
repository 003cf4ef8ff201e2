"""Files in the console: seen through links that are always fresh, and sent by the agent who talks with the visitor."""

from __future__ import annotations

from typing import Any, cast

from litestar import MediaType, Response, get, post
from litestar.params import FromPath

from warmline.accounts.access import Scope
from warmline.deskwork.service import DeskMember
from warmline.kernel.errors import NotFound, TooLarge, WarmlineError
from warmline.kernel.ids import is_uuid
from warmline.web.console.desk_surface import DeskSurface
from warmline.web.console.visit import Visit
from warmline.web.problems import Receive
from warmline.web.uploads import Upload, uploaded


@get("/conversations/{conversation_id:str}/files/{file_id:str}", opt={"scope": Scope.CONVERSATIONS_READ})
async def show_file(visit: Visit, conversation_id: FromPath[str], file_id: FromPath[str]) -> Response[str]:
    """To the file itself, by a signed link.  A page may be old; this address stays."""
    surface: DeskSurface = visit.ctx.services["desk"]
    if not is_uuid(file_id):
        raise NotFound("There is no such file.")
    row = await surface.services.attachments.get(file_id)
    if row.conversation_id != conversation_id:
        raise NotFound("There is no such file.")
    return visit.redirect(surface.services.file_links.shown(row.attachment))


@post("/desk/{conversation_id:str}/files", opt={"scope": Scope.AGENTS_SPEAK}, request_max_body_size=None)
async def upload_file(visit: Visit, conversation_id: FromPath[str]) -> Response[Any]:
    """Answers ``{id, name, media_type, size}``, or ``{code, detail}``, to the page's script."""
    surface: DeskSurface = visit.ctx.services["desk"]
    at = surface.services
    try:
        await at.deskwork.check_mine(conversation_id, DeskMember(id=visit.member.id, name=visit.member.name))
        request = visit.request
        upload = Upload(dict(request.scope), cast("Receive", request.receive), limit=at.attachments.policy.max_bytes)
        try:
            kept = await at.attachments.receive(conversation_id, upload.name, upload.chunks())
        except TooLarge as error:
            raise await upload.drain(error) from None
    except WarmlineError as refused:
        return _json({"code": refused.code, "detail": refused.detail}, refused.status)
    return _json(uploaded(kept), 201)


def _json(body: Any, status: int) -> Response[Any]:
    return Response(body, status_code=status, media_type=MediaType.JSON, headers={"cache-control": "no-store"})


FILES = (show_file, upload_file)
