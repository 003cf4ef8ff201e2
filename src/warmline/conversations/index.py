"""The index that lists and search are made of: one row per conversation, kept from its events."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from warmline.conversations import events as e
from warmline.conversations.kind import CONVERSATION
from warmline.conversations.tables import contacts, conversation_index, conversation_words
from warmline.journal.consumers import TransactionalConsumer
from warmline.journal.tables import events as journal_events
from warmline.journal.tables import streams
from warmline.kernel.envelope import Recorded

MAX_SNIPPET = 200
MAX_SEARCH = 4_000
_MAX_NAME = 200
Row = dict[str, Any]


class ConversationIndex(TransactionalConsumer):
    """The consumer ``conversation_index``: rows of ``conversation_index`` and ``contacts``, in the cursor's transaction.

    State at a position plus the events after it is the state from the beginning; on ``visitor.erased`` every text of
    that conversation leaves both tables.
    """

    name = "conversation_index"

    def apply(self, conn: sa.Connection, events: Sequence[Recorded]) -> None:
        """Move the index over ``events``, which come in the order of the journal."""
        lines: dict[str, list[Recorded]] = {}
        for event in events:
            if event.stream_kind == CONVERSATION:
                lines.setdefault(event.stream_id, []).append(event)
        _store_words(conn, lines)
        talk = {key: line for key, line in lines.items() if all(event.type in _TALK for event in line)}
        if talk and not _update_talk(conn, talk):
            # Those that were not there are still to be made; the others have been counted.
            present = set(conn.execute(_PRESENT, {"ids": list(talk)}).scalars())
            talk = {key: line for key, line in talk.items() if key in present}
        rest = {key: line for key, line in lines.items() if key not in talk}
        if rest:
            self._apply_whole(conn, rest)

    @staticmethod
    def _apply_whole(conn: sa.Connection, lines: dict[str, list[Recorded]]) -> None:
        known = conn.execute(_KNOWN, {"ids": list(lines)})
        rows: dict[str, Row] = {row[0]: dict(zip(_NAMES, row, strict=True)) for row in known}
        for key, line in lines.items():
            for event in line:
                rows[key] = apply_event(rows.get(key), event)
        _upsert(conn, [rows[key] for key in sorted(lines)])
        for line in lines.values():
            for event in line:
                _apply_contact(conn, event)
                if event.type == e.VisitorErased.TYPE:
                    conn.execute(_FORGET_WORDS, {"id": event.stream_id})


def _store_words(conn: sa.Connection, lines: dict[str, list[Recorded]]) -> None:
    rows = []
    for key, line in lines.items():
        for event in line:
            body = event.body
            if isinstance(body, e.MessagePosted) and body.author in _PEOPLE and body.gist:
                said = "\n".join((body.text, *(one.name for one in body.attachments)))
                rows.append(_Words(event.position, key, said.lower().replace("\0", "")))
    if rows:
        _run_many(conn, "words", sorted(rows))


def _update_talk(conn: sa.Connection, lines: dict[str, list[Recorded]]) -> bool:
    """The same as ``apply_event`` for conversations in which only words were said, nearly all of the time.

    Their rows are not read, and only what words change is written.  Whether all of the rows were there.
    """
    values = []
    for key in sorted(lines):
        author = text = None
        for event in lines[key]:
            if isinstance(event.body, e.MessagePosted):
                author, text = event.body.author, event.body.gist[:MAX_SNIPPET].replace("\0", "")
        last = lines[key][-1]
        values.append(_Talk(last.seq, last.owner_epoch, len(lines[key]), last.at, author, text, key))
    return _run_many(conn, "talk", values) == len(values)


class _Words(NamedTuple):
    p: int
    c: str
    w: str


class _Talk(NamedTuple):
    s: int
    e: int
    m: int
    a: int
    u: str | None
    t: str | None
    c: str


_TALK_SET = (
    "UPDATE conversation_index SET seq = {}, owner_epoch = {}, messages = messages + {}, active_at = {},"
    " last_author = coalesce({}, last_author), last_text = coalesce({}, last_text)"
)
_MANY = {
    ("sqlite", "talk"): _TALK_SET.format(*"??????") + " WHERE conversation_id = ?",
    ("sqlite", "words"): "INSERT INTO conversation_words (position, conversation_id, words) VALUES (?, ?, ?)"
    " ON CONFLICT (position) DO NOTHING",
    ("postgresql", "talk"): _TALK_SET.format("w.s", "w.e", "w.m", "w.a", "w.u", "w.t")
    + " FROM json_to_recordset(%s::json) AS w(s int, e int, m int, a bigint, u text, t text, c text)"
    " WHERE conversation_id = w.c",
    ("postgresql", "words"): "INSERT INTO conversation_words (position, conversation_id, words)"
    " SELECT p, c, w FROM json_to_recordset(%s::json) AS r(p bigint, c text, w text)"
    " ON CONFLICT (position) DO NOTHING",
}


def _run_many(conn: sa.Connection, what: str, rows: Sequence[_Words | _Talk]) -> int:
    """The rows touched.  Bare tuples on SQLite, one JSON parameter on PostgreSQL: as the journal writes, and why."""
    statement = _MANY[conn.dialect.name, what]
    if conn.dialect.name == "sqlite":
        return conn.exec_driver_sql(statement, [tuple(row) for row in rows]).rowcount
    named = msgspec.json.encode([row._asdict() for row in rows]).decode()
    return conn.exec_driver_sql(statement, (named,)).rowcount


def apply_event(row: Row | None, event: Recorded) -> Row:
    """The conversation's row after ``event``.  Pure and total: what it does not know only moves ``seq``.

    Types count even where the body was erased, so that an index built anew after an erasure has the same shape.
    """
    known = _empty(event) if row is None else row
    changed = {**known, "seq": event.seq, "owner_epoch": event.owner_epoch}
    change = _CHANGES.get(event.type)
    if change is not None:
        change(changed, event.body, event)
    return changed


def _empty(event: Recorded) -> Row:
    return {
        "conversation_id": event.stream_id,
        "visitor_id": "",
        "visitor_name": "",
        "widget_id": None,
        "bot_id": "",
        "channel": "widget",
        "connection_id": None,
        "external_id": None,
        "status": "open",
        "owner": "bot",
        "owner_epoch": event.owner_epoch,
        "stage": None,
        "rung_connection_id": None,
        "agent_name": None,
        "agent_id": None,
        "waiting_since": None,
        "language": "",
        "started_at": event.at,
        "active_at": event.at,
        "messages": 0,
        "last_author": None,
        "last_text": None,
        "search": "",
        "seq": event.seq,
    }


def _add_search(row: Row, *texts: str | None) -> None:
    """New words push the oldest out: what was said last is what people look for."""
    added = " ".join(text.lower() for text in texts if text).strip()
    if added:
        row["search"] = (f"{row['search']} {added}" if row["search"] else added)[-MAX_SEARCH:]


def _started(row: Row, body: e.ConversationStarted | None, event: Recorded) -> None:
    row["started_at"] = row["active_at"] = event.at
    if body is None:
        return
    for field in ("visitor_id", "widget_id", "bot_id", "channel", "connection_id", "external_id"):
        row[field] = getattr(body, field)
    row["language"] = body.language[:35]
    _add_search(row, body.page.title, body.page.url)


def _message(row: Row, body: e.MessagePosted | None, event: Recorded) -> None:
    row["active_at"] = event.at
    row["messages"] += 1
    if body is None:
        return
    row["last_author"] = body.author
    row["last_text"] = body.gist[:MAX_SNIPPET]


def _details(row: Row, body: e.DetailsSet | None, _event: Recorded) -> None:
    if body is None or "name" in body.sensitive:
        return
    _name_visitor(row, body.values.get("name", ""))


def _contact(row: Row, body: e.ContactLeft | None, event: Recorded) -> None:
    row["active_at"] = event.at
    if body is not None:
        _name_visitor(row, body.name)


def _name_visitor(row: Row, name: str) -> None:
    name = name.strip()[:_MAX_NAME]
    if name and name != row["visitor_name"]:
        row["visitor_name"] = name
        _add_search(row, name)


def _requested(row: Row, body: e.HandoverRequested | None, event: Recorded) -> None:
    first = body.ladder[0].connection_id if body is not None and body.ladder else None
    row.update(_wait(event.at, "requested", first), active_at=event.at)


def _wait(since: int, stage: str, connection_id: str | None) -> Row:
    return {
        "owner": "desk",
        "stage": stage,
        "rung_connection_id": connection_id,
        "waiting_since": since,
        "agent_name": None,
        "agent_id": None,
    }


def _offered(row: Row, body: e.HandoverOffered | None, _event: Recorded) -> None:
    row["stage"] = "offered"
    if body is not None:
        row["rung_connection_id"] = body.connection_id


def _queued(row: Row, _body: object, _event: Recorded) -> None:
    if row["stage"] != "transferring":
        row["stage"] = "queued"


def _connected(row: Row, body: e.HandoverConnected | e.HandoverTransferred | None, event: Recorded) -> None:
    row.update(stage="connected", waiting_since=None, active_at=event.at, agent_name=None, agent_id=None)
    if body is not None:
        name = body.agent.name[:_MAX_NAME] if body.agent.name else None
        row.update(agent_name=name, agent_id=body.agent.id[:36] if body.agent.id else None)
        _add_search(row, name)


def _transferring(row: Row, _body: object, event: Recorded) -> None:
    row.update(stage="transferring", waiting_since=event.at)


def _put_back(row: Row, _body: object, event: Recorded) -> None:
    row.update(_wait(event.at, "queued", row["rung_connection_id"]))


def _rung_failed(row: Row, body: e.HandoverRungFailed | None, event: Recorded) -> None:
    # The event does not name the next rung's connection; its offer, moments later, does.
    if body is not None and body.next_rung is not None:
        row.update(_wait(event.at, "requested", None))


def _released(row: Row, _body: object, event: Recorded) -> None:
    row.update(_wait(event.at, "", None), owner="bot", stage=None, waiting_since=None, active_at=event.at)


def _closed(row: Row, _body: object, event: Recorded) -> None:
    _released(row, None, event)
    row.update(status="closed", owner="nobody")


def _erased(row: Row, _body: object, _event: Recorded) -> None:
    row.update(
        visitor_id="",
        visitor_name="",
        external_id=None,
        agent_name=None,
        last_author=None,
        last_text=None,
        search="",
    )


_CHANGES: dict[str, Callable[[Row, Any, Recorded], None]] = {
    e.ConversationStarted.TYPE: _started,
    e.MessagePosted.TYPE: _message,
    e.DetailsSet.TYPE: _details,
    e.ContactLeft.TYPE: _contact,
    e.HandoverRequested.TYPE: _requested,
    e.HandoverOffered.TYPE: _offered,
    e.HandoverQueued.TYPE: _queued,
    e.HandoverConnected.TYPE: _connected,
    e.HandoverTransferred.TYPE: _connected,
    e.HandoverTransferring.TYPE: _transferring,
    e.HandoverPutBack.TYPE: _put_back,
    e.HandoverRungFailed.TYPE: _rung_failed,
    e.HandoverFailed.TYPE: _released,
    e.HandoverCancelled.TYPE: _released,
    e.HandoverEnded.TYPE: _released,
    e.ConversationClosed.TYPE: _closed,
    e.VisitorErased.TYPE: _erased,
}


def _upsert(conn: sa.Connection, rows: list[Row]) -> None:
    conn.execute(_upsert_statement(conn.dialect.name), [_fitting(conversation_index, row) for row in rows])


def _postgres_insert() -> Any:
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415

    return postgresql.insert


# Statements are made once: making this one anew for each page costs more than running it.
@functools.cache
def _upsert_statement(dialect: str) -> sa.Executable:
    # Both dialects spell it alike; PostgreSQL's module takes long to load where it is not used.
    statement = (_postgres_insert() if dialect == "postgresql" else sqlite.insert)(conversation_index)
    changed = {c.name: statement.excluded[c.name] for c in conversation_index.columns if not c.primary_key}
    return statement.on_conflict_do_update(index_elements=[conversation_index.c.conversation_id], set_=changed)


_TALK = frozenset({e.MessagePosted.TYPE})
_PEOPLE = frozenset({"visitor", "agent"})
_FORGET_WORDS = sa.delete(conversation_words).where(
    conversation_words.c.position.in_(
        sa.select(journal_events.c.position)
        .join_from(journal_events, streams, streams.c.id == journal_events.c.stream)
        .where(streams.c.kind == CONVERSATION, streams.c.public_id == sa.bindparam("id"))
    )
)
_PRESENT = sa.select(conversation_index.c.conversation_id).where(
    conversation_index.c.conversation_id.in_(sa.bindparam("ids", expanding=True))
)
_NAMES = tuple(column.name for column in conversation_index.columns)
_KNOWN = sa.select(conversation_index).where(
    conversation_index.c.conversation_id.in_(sa.bindparam("ids", expanding=True))
)


def _fitting(table: sa.Table, row: Row) -> Row:
    """PostgreSQL refuses NUL and over-long texts: one such event would hold this consumer up for ever."""
    fitted = dict(row)
    for name, length in _text_lengths(table):
        value = fitted.get(name)
        if isinstance(value, str) and ("\0" in value or (length is not None and len(value) > length)):
            fitted[name] = value.replace("\0", "")[:length]
    return fitted


@functools.cache
def _text_lengths(table: sa.Table) -> tuple[tuple[str, int | None], ...]:
    return tuple((c.name, getattr(c.type, "length", None)) for c in table.columns if isinstance(c.type, sa.String))


def _apply_contact(conn: sa.Connection, event: Recorded) -> None:
    body = event.body
    if isinstance(body, e.ContactLeft):
        row = {"id": body.contact_id, "conversation_id": event.stream_id, "at": event.at}
        row |= {"name": body.name, "email": body.email, "phone": body.phone, "text": body.text}
        conn.execute(sa.insert(contacts).values(**_fitting(contacts, row)))
    elif event.type == e.VisitorErased.TYPE:
        conn.execute(sa.delete(contacts).where(contacts.c.conversation_id == event.stream_id))
