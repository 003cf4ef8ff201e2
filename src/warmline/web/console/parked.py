"""Messages that a connection's desk would not take, and sending them again."""

from __future__ import annotations

from litestar import Response, get, post
from litestar.params import FromPath

from warmline.accounts import access
from warmline.accounts.access import Scope, require
from warmline.handover.connections import Connection
from warmline.handover.thread_store import ParkedRow
from warmline.kernel.errors import NotFound, WarmlineError
from warmline.kernel.ids import is_uuid
from warmline.web.console import flashes
from warmline.web.console.administration import administration
from warmline.web.console.connections import PATH, connection_page
from warmline.web.console.forms import Form
from warmline.web.console.visit import Visit

_SHOWN = 100

flashes.register("parked-resent", "The message is delivered.")


@get("/connections/{connection_id:str}/parked", opt={"scope": Scope.CONNECTIONS_READ})
async def show_parked(visit: Visit, connection_id: FromPath[str]) -> Response[str]:
    require(visit.principal, Scope.CONVERSATIONS_READ)
    return await _page(visit, administration(visit).connections.get(connection_id))


@post(
    "/connections/{connection_id:str}/parked/{conversation_id:str}/{message_id:str}",
    opt={"scope": Scope.CONVERSATIONS_WRITE},
)
async def resend(
    visit: Visit, connection_id: FromPath[str], conversation_id: FromPath[str], message_id: FromPath[str]
) -> Response[str]:
    at = administration(visit)
    access.connections.check_read(visit.principal)
    connection = at.connections.get(connection_id)
    if not (is_uuid(conversation_id) and is_uuid(message_id)):
        raise NotFound("There is no such message.")
    rows = await _waiting(visit, connection_id)
    row = next((one for one in rows if (one.conversation_id, one.message_id) == (conversation_id, message_id)), None)
    failure = ""
    try:
        await at.parked.resend(conversation_id, message_id, actor=visit.principal.actor)
    except NotFound:
        raise
    except WarmlineError as error:
        failure = error.detail
    if visit.is_fragment and row is not None:
        return visit.fragment("pages/parked_row.html", row=row, failure=failure, sent=not failure, may_resend=True)
    if failure:
        form = Form(errors={"": failure})
        return await _page(visit, connection, form, 409)
    return visit.redirect(f"{PATH}/{connection_id}/parked", "parked-resent")


async def _page(visit: Visit, connection: Connection, form: Form | None = None, status: int = 200) -> Response[str]:
    return await connection_page(
        visit,
        connection,
        "parked",
        status=status,
        form=form,
        rows=await _waiting(visit, connection.id),
        may_resend=access.conversations.may_write(visit.principal),
    )


async def _waiting(visit: Visit, connection_id: str) -> list[ParkedRow]:
    return list(await administration(visit).parked.list(connection_id=connection_id, limit=_SHOWN))


PARKED = (show_parked, resend)
