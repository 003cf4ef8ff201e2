"""Lists of conversations and of the contacts visitors left, read from the index."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import msgspec
import sqlalchemy as sa

from warmline.conversations.tables import contacts, conversation_index, conversation_words
from warmline.journal.journal import Journal
from warmline.kernel.clock import Clock
from warmline.kernel.errors import Invalid, NotFound
from warmline.kernel.ids import is_uuid

MAX_PAGE = 200


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """One conversation in a list.  Times in milliseconds; ``stage`` and the rung only while a handover runs."""

    conversation_id: str
    visitor_id: str
    visitor_name: str
    widget_id: str | None
    bot_id: str
    channel: str
    connection_id: str | None
    external_id: str | None
    status: str
    owner: str
    owner_epoch: int
    stage: str | None
    rung_connection_id: str | None
    agent_name: str | None
    agent_id: str | None
    waiting_since: int | None
    language: str
    started_at: int
    active_at: int
    messages: int
    last_author: str | None
    last_text: str | None
    seq: int


class ListedPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page; ``next`` is the cursor of the following one, None on the last."""

    items: tuple[Listed, ...]
    next: str | None = None


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """What a list shall hold; None and empty mean everything.  ``connection_id`` is the present rung's or the CRM's own."""

    status: str | None = None
    owner: str | None = None
    stage: str | None = None
    widget_id: str | None = None
    connection_id: str | None = None
    agent_id: str | None = None
    visitor_id: str | None = None
    waiting: bool = False
    """Only those whose visitors wait for a person now."""
    search: str = ""


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """An address a visitor left, and who came back to them."""

    id: str
    conversation_id: str
    name: str
    email: str
    phone: str
    text: str
    at: int
    done_at: int | None
    done_by: str | None


class ContactPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page of contacts, newest first; ``next`` as in ``ListedPage``."""

    items: tuple[Contact, ...]
    next: str | None = None


class Listing:
    """Reads the index; writes only whether a contact is done."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock

    async def conversations(
        self, filters: Filters | None = None, *, cursor: str | None = None, limit: int = 50
    ) -> ListedPage:
        """Conversations, the one with the latest activity first.  Raises Invalid for a bad cursor."""
        table = conversation_index
        query = sa.select(*(table.c[name] for name in Listed.__struct_fields__)).where(*_where(filters or Filters()))
        rows, following = await self._page(query, table.c.active_at, table.c.conversation_id, cursor, limit)
        return ListedPage(items=tuple(Listed(**row) for row in rows), next=following)

    async def find(self, conversation_id: str) -> Listed | None:
        """The conversation as listed, or None while the index has not seen it."""
        table = conversation_index
        columns = [table.c[name] for name in Listed.__struct_fields__]
        query = sa.select(*columns).where(table.c.conversation_id == conversation_id)
        row = await self._journal.read(lambda conn: conn.execute(query).mappings().first())
        return None if row is None else Listed(**dict(row))

    async def contacts(
        self, *, search: str = "", done: bool | None = None, cursor: str | None = None, limit: int = 50
    ) -> ContactPage:
        """Addresses visitors left, newest first; ``done`` picks those dealt with or not.  Raises Invalid."""
        query = sa.select(contacts)
        if done is not None:
            query = query.where(contacts.c.done_at.is_not(None) if done else contacts.c.done_at.is_(None))
        if search.strip():
            fields = (contacts.c.name, contacts.c.email, contacts.c.phone, contacts.c.text)
            query = query.where(sa.or_(*(field.icontains(search.strip(), autoescape=True) for field in fields)))
        rows, following = await self._page(query, contacts.c.at, contacts.c.id, cursor, limit)
        return ContactPage(items=tuple(Contact(**row) for row in rows), next=following)

    async def mark_contact(self, contact_id: str, *, member_id: str, done: bool = True) -> None:
        """Remember that somebody came back to this visitor (or take that back).  Raises NotFound."""
        values = {"done_at": self._clock.now(), "done_by": member_id} if done else {"done_at": None, "done_by": None}
        change = sa.update(contacts).where(contacts.c.id == contact_id).values(**values)
        if not await self._journal.write(lambda conn: conn.execute(change).rowcount):
            raise NotFound("There is no such contact.")

    async def _page(
        self,
        query: sa.Select[Any],
        at: sa.Column[int],
        key: sa.Column[str],
        cursor: str | None,
        limit: int,
    ) -> tuple[list[dict[str, Any]], str | None]:
        if cursor is not None:
            query = query.where(sa.tuple_(at, key) < sa.tuple_(*_read_cursor(cursor)))
        limit = max(1, min(limit, MAX_PAGE))
        query = query.order_by(at.desc(), key.desc()).limit(limit + 1)
        found = await self._journal.read(lambda conn: conn.execute(query).mappings().all())
        rows = [dict(row) for row in found[:limit]]
        more = len(found) > limit
        return rows, _write_cursor(rows[-1][at.name], rows[-1][key.name]) if more else None


def _where(filters: Filters) -> list[sa.ColumnElement[bool]]:
    table = conversation_index
    found: list[sa.ColumnElement[bool]] = []
    for name in ("status", "owner", "stage", "widget_id", "agent_id", "visitor_id"):
        wanted = getattr(filters, name)
        if wanted is not None:
            found.append(table.c[name] == wanted)
    if filters.connection_id is not None:
        wanted = filters.connection_id
        found.append(sa.or_(table.c.rung_connection_id == wanted, table.c.connection_id == wanted))
    if filters.waiting:
        found.append(table.c.waiting_since.is_not(None))
    return found + [_mentions(word) for word in filters.search.lower().split()[:10]]


def _mentions(word: str) -> sa.ColumnElement[bool]:
    """Whether a word stands in what is known of a conversation or was said in it."""
    said = sa.select(conversation_words.c.conversation_id).where(
        conversation_words.c.words.contains(word, autoescape=True)
    )
    table = conversation_index
    return sa.or_(table.c.search.contains(word, autoescape=True), table.c.conversation_id.in_(said))


def _write_cursor(at: int, key: str) -> str:
    return base64.urlsafe_b64encode(f"{at}:{key}".encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[int, str]:
    try:
        text, key = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().split(":", 1)
        at = int(text)
    except (ValueError, binascii.Error):
        at, key = -1, ""
    if not 0 <= at < 2**53 or not is_uuid(key):
        raise Invalid("This cursor was not made here.", path="query.cursor", code="cursor")
    return at, key
