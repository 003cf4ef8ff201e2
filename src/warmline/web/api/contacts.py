"""``/api/v1/contacts``: the addresses visitors left."""

from __future__ import annotations

from typing import Annotated

from litestar import get, patch
from litestar.params import FromPath, JSONBody, QueryParameter

from warmline.accounts.access import Scope
from warmline.conversations.listing import Contact
from warmline.web.api.door import Call
from warmline.web.api.values import (
    Cursor,
    Input,
    Limit,
    Moment,
    Output,
    Search,
    check_id,
    moment,
    moment_or_none,
)

_TAGS = ["Contacts"]


class ContactShown(Output, frozen=True, kw_only=True):
    """An address a visitor left, and since when somebody has dealt with it."""

    id: str
    conversation_id: str
    name: str
    email: str
    phone: str
    text: str
    at: Moment
    done_at: Moment | None
    done_by: str | None


class ContactPage(Output, frozen=True, kw_only=True):
    """One page of contacts."""

    items: tuple[ContactShown, ...]
    next_cursor: str | None


class ContactChange(Input, frozen=True, kw_only=True):
    """Whether somebody has come back to the visitor."""

    done: bool


@get(
    "/contacts",
    operation_id="listContacts",
    summary="List contacts",
    tags=_TAGS,
    opt={"scope": Scope.CONVERSATIONS_READ},
)
async def list_contacts(
    call: Call,
    search: Search = None,
    done: Annotated[bool | None, QueryParameter(description="Only those dealt with, or only those not.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> ContactPage:
    """The newest first."""
    page = await call.at.listing.contacts(search=search or "", done=done, cursor=cursor, limit=limit)
    return ContactPage(items=tuple(_show(one) for one in page.items), next_cursor=page.next)


@patch(
    "/contacts/{contact_id:str}",
    operation_id="markContact",
    summary="Mark a contact as dealt with",
    tags=_TAGS,
    status_code=204,
    opt={"scope": Scope.CONVERSATIONS_WRITE},
)
async def mark_contact(call: Call, contact_id: FromPath[str], data: JSONBody[ContactChange]) -> None:
    """Or as open again.  Repeating is harmless."""
    await call.at.listing.mark_contact(check_id(contact_id, "contact"), member_id=call.key.id, done=data.done)


def _show(one: Contact) -> ContactShown:
    return ContactShown(
        id=one.id,
        conversation_id=one.conversation_id,
        name=one.name,
        email=one.email,
        phone=one.phone,
        text=one.text,
        at=moment(one.at),
        done_at=moment_or_none(one.done_at),
        done_by=one.done_by,
    )


HANDLERS = (list_contacts, mark_contact)
