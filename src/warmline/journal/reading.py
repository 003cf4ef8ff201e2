"""Reading events and states from committed data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from warmline.journal.kinds import Codec, StoredEvent
from warmline.journal.tables import erasures, events, streams
from warmline.kernel.envelope import Recorded
from warmline.kernel.errors import NotFound

EVENT_COLUMNS = (
    streams.c.kind,
    streams.c.public_id,
    events.c.seq,
    events.c.type,
    events.c.version,
    events.c.at,
    events.c.actor,
    events.c.owner_epoch,
    events.c.body,
    events.c.conversation_id,
    events.c.position,
)


def to_recorded(row: Sequence[Any], codecs: Mapping[str, Codec[Any]]) -> Recorded:
    """An event from a row of ``EVENT_COLUMNS``."""
    kind, public_id, seq, type_, version, at, actor, epoch, text, conversation, position = row
    raw = text.encode()
    codec = codecs.get(kind)
    return Recorded(
        stream_kind=kind,
        stream_id=public_id,
        seq=seq,
        type=type_,
        version=version,
        at=at,
        actor=actor,
        owner_epoch=epoch,
        raw=raw,
        body=codec.body(type_, raw) if codec else None,
        conversation_id=conversation,
        position=position,
    )


_PAGE = (
    sa.select(*EVENT_COLUMNS)
    .join_from(streams, events, events.c.stream == streams.c.id)
    .where(
        streams.c.kind == sa.bindparam("kind"),
        streams.c.public_id == sa.bindparam("public_id"),
        events.c.seq > sa.bindparam("after"),
    )
    .order_by(events.c.seq)
    .limit(sa.bindparam("page"))
)


def list_events(
    conn: sa.Connection, codecs: Mapping[str, Codec[Any]], kind: str, stream_id: str, *, after: int, limit: int
) -> list[Recorded]:
    """The stream's events with ``seq > after``, in order, at most ``limit``; empty for an unknown stream."""
    rows = conn.execute(_PAGE, {"kind": kind, "public_id": stream_id, "after": after, "page": limit})
    return [to_recorded(row, codecs) for row in rows]


def list_heads(conn: sa.Connection, kind: str, stream_ids: Sequence[str]) -> dict[str, int]:
    """The seq up to which each of the streams is committed; unknown ones are left out."""
    query = sa.select(streams.c.public_id, streams.c.seq)
    query = query.where(streams.c.kind == kind, streams.c.public_id.in_(stream_ids))
    return {row[0]: row[1] for row in conn.execute(query)}


def get_snapshot(conn: sa.Connection, codec: Codec[Any], stream_id: str) -> tuple[Any, int]:
    """State and seq of a stream; rebuilt from its events where the snapshot is of another version.

    Raises NotFound.
    """
    row = conn.execute(
        sa.select(streams.c.id, streams.c.seq, streams.c.state, streams.c.evolve_version).where(
            streams.c.kind == codec.name, streams.c.public_id == stream_id, streams.c.seq > 0
        )
    ).one_or_none()
    if row is None:
        raise NotFound
    if row.evolve_version == codec.kind.evolve_version:
        state = codec.state(row.state)
        if state is not None:
            return state, row.seq
    return _rebuild(conn, codec, stream_id, row.id), row.seq


def _rebuild(conn: sa.Connection, codec: Codec[Any], stream_id: str, stream: int) -> Any:
    erased = conn.execute(
        sa.select(erasures.c.seq, erasures.c.state)
        .where(erasures.c.stream == stream)
        .order_by(erasures.c.seq.desc())
        .limit(1)
    ).one_or_none()
    base = codec.state(erased.state) if erased else None
    after = erased.seq if erased is not None and base is not None else 0
    rows = conn.execute(
        sa.select(events.c.seq, events.c.type, events.c.at, events.c.actor, events.c.body)
        .where(events.c.stream == stream, events.c.seq > after)
        .order_by(events.c.seq)
    )
    history = [StoredEvent(row.seq, row.type, row.at, row.actor, row.body.encode()) for row in rows]
    return codec.replay(base if base is not None else codec.kind.initial(stream_id), history)
