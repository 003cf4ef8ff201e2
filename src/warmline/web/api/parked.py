"""``/api/v1/parked``: messages a desk would not take."""

from __future__ import annotations

import base64
import binascii

from litestar import get, post
from litestar.params import FromPath

from warmline.accounts.access import Scope
from warmline.handover.parked import Place
from warmline.handover.thread_store import ParkedRow
from warmline.kernel.errors import Invalid
from warmline.kernel.ids import is_uuid
from warmline.web.api.door import Call
from warmline.web.api.values import (
    Cursor,
    IdFilter,
    Limit,
    Moment,
    Output,
    check_id,
    moment,
    moment_or_none,
)

_TAGS = ["Parked messages"]


class ParkedShown(Output, frozen=True, kw_only=True):
    """A message that was not delivered; ``reason`` is a sentence for the operator."""

    conversation_id: str
    message_id: str
    connection_id: str
    seq: int
    reason: str
    at: Moment
    resent_at: Moment | None


class ParkedPage(Output, frozen=True, kw_only=True):
    """One page of parked messages."""

    items: tuple[ParkedShown, ...]
    next_cursor: str | None


@get(
    "/parked",
    operation_id="listParked",
    summary="List messages that were not delivered",
    tags=_TAGS,
    opt={"scope": Scope.CONVERSATIONS_READ},
)
async def list_parked(
    call: Call, connection_id: IdFilter = None, cursor: Cursor = None, limit: Limit = 50
) -> ParkedPage:
    """Those that still wait, the newest first."""
    before = _read_cursor(cursor) if cursor else None
    found = await call.at.parked.list(connection_id=connection_id, before=before, limit=limit + 1)
    page = found[:limit]
    following = _write_cursor(page[-1]) if len(found) > limit else None
    return ParkedPage(items=tuple(_show(row) for row in page), next_cursor=following)


@post(
    "/parked/{conversation_id:str}/{message_id:str}/resend",
    operation_id="resendParked",
    summary="Send a parked message again",
    tags=_TAGS,
    status_code=200,
    opt={"scope": Scope.CONVERSATIONS_WRITE, "problems": (409, 502)},
)
async def resend_parked(call: Call, conversation_id: FromPath[str], message_id: FromPath[str]) -> ParkedShown:
    """Under its old id.  409 `already_resent`; 502 when the desk refuses again, and the message stays."""
    row = await call.at.parked.resend(
        check_id(conversation_id, "parked message"), check_id(message_id, "parked message"), actor=call.who.actor
    )
    return _show(row)


def _show(row: ParkedRow) -> ParkedShown:
    return ParkedShown(
        conversation_id=row.conversation_id,
        message_id=row.message_id,
        connection_id=row.connection_id,
        seq=row.seq,
        reason=row.reason,
        at=moment(row.at),
        resent_at=moment_or_none(row.resent_at),
    )


def _write_cursor(row: ParkedRow) -> str:
    text = f"{row.at}:{row.conversation_id}:{row.message_id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> Place:
    try:
        at, conversation, message = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().split(":")
        place = (int(at), conversation, message)
    except (ValueError, binascii.Error):
        place = (-1, "", "")
    if not 0 <= place[0] < 2**53 or not is_uuid(place[1]) or not is_uuid(place[2]):
        raise Invalid("This cursor was not made here.", path="query.cursor", code="cursor")
    return place


HANDLERS = (list_parked, resend_parked)
