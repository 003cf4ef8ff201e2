"""All SQL of attachments.  Plain functions over a connection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec
import sqlalchemy as sa

from warmline.conversations.attachment_tables import attachments
from warmline.conversations.events import Attachment

State = Literal["storing", "waiting", "bound", "erased"]


class AttachmentRow(msgspec.Struct, frozen=True, kw_only=True):
    """A stored file.

    ``state``: storing (its blob is on the way), waiting (no message has it yet), bound, erased (its blob is about to go).
    ``size`` in bytes, ``at`` in milliseconds.  ``source`` names a desk's event that brought it, so that the same event brings it once; else "".
    """

    id: str
    conversation_id: str
    state: State
    name: str
    media_type: str
    size: int
    sha256: str
    source: str
    at: int

    @property
    def attachment(self) -> Attachment:
        """As it stands in a message."""
        return Attachment(id=self.id, name=self.name, media_type=self.media_type, size=self.size)


_UNSENT: tuple[State, ...] = ("storing", "waiting")
_READABLE = attachments.c.state.in_(("waiting", "bound"))
_COLUMNS = [attachments.c[name] for name in AttachmentRow.__struct_fields__]


def insert(conn: sa.Connection, row: AttachmentRow) -> None:
    """Add a file."""
    conn.execute(sa.insert(attachments).values(**msgspec.structs.asdict(row)))


def find(conn: sa.Connection, attachment_id: str) -> AttachmentRow | None:
    """One file, unless it is being erased."""
    query = sa.select(*_COLUMNS).where(attachments.c.id == attachment_id, _READABLE)
    row = conn.execute(query).first()
    return AttachmentRow(**row._mapping) if row else None


def find_by_source(conn: sa.Connection, conversation_id: str, source: str) -> AttachmentRow | None:
    """The file that a desk's event has brought already."""
    here = (attachments.c.conversation_id == conversation_id) & (attachments.c.source == source)
    row = conn.execute(sa.select(*_COLUMNS).where(here, _READABLE)).first()
    return AttachmentRow(**row._mapping) if row else None


def list_of(conn: sa.Connection, conversation_id: str, ids: Sequence[str]) -> dict[str, AttachmentRow]:
    """Those of the ids that are files of this conversation."""
    query = sa.select(*_COLUMNS).where(
        attachments.c.conversation_id == conversation_id, attachments.c.id.in_(ids), _READABLE
    )
    return {row.id: AttachmentRow(**row._mapping) for row in conn.execute(query)}


def count_waiting(conn: sa.Connection, conversation_id: str) -> int:
    """How many files of a conversation belong to no message yet."""
    here = (attachments.c.conversation_id == conversation_id) & attachments.c.state.in_(_UNSENT)
    return conn.execute(sa.select(sa.func.count()).select_from(attachments).where(here)).scalar_one()


def move(conn: sa.Connection, ids: Sequence[str], before: State, after: State) -> int:
    """Take those of the files that are in one state to the next; how many."""
    here = attachments.c.id.in_(ids) & (attachments.c.state == before)
    return conn.execute(sa.update(attachments).where(here).values(state=after)).rowcount


def erase_conversation(conn: sa.Connection, conversation_id: str) -> None:
    """Purge what the rows of a conversation tell of its files; their blobs go next."""
    here = attachments.c.conversation_id == conversation_id
    conn.execute(sa.update(attachments).where(here).values(state="erased", name="", sha256="", source=""))


def list_unbound(conn: sa.Connection, before: int, limit: int) -> list[AttachmentRow]:
    """Files older than ``before`` (ms) that no message has."""
    query = sa.select(*_COLUMNS).where(attachments.c.state.in_(_UNSENT), attachments.c.at < before).limit(limit)
    return [AttachmentRow(**row._mapping) for row in conn.execute(query)]


def mark_erased(conn: sa.Connection, ids: Sequence[str]) -> None:
    """Nobody may read them any more; their blobs go next."""
    conn.execute(sa.update(attachments).where(attachments.c.id.in_(ids)).values(state="erased", name="", sha256=""))


def list_erased(conn: sa.Connection, limit: int) -> list[str]:
    """Files whose blobs have to go."""
    return list(conn.execute(sa.select(attachments.c.id).where(attachments.c.state == "erased").limit(limit)).scalars())


def delete(conn: sa.Connection, attachment_id: str) -> None:
    """Its blob is gone: forget the row."""
    conn.execute(sa.delete(attachments).where(attachments.c.id == attachment_id))
