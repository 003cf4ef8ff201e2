"""How the events of a commit travel to the other nodes: a wake-up with content, allowed to be lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import structlog

from warmline.journal.kinds import Codec
from warmline.kernel.envelope import Recorded

log = structlog.get_logger(__name__)

SUBJECT = "journal.appended"
_MOST_BYTES = 256 * 1024
"""A NATS server takes messages up to 1 MiB unless told otherwise."""


class _Event(msgspec.Struct, array_like=True, gc=False):
    kind: str
    stream_id: str
    seq: int
    type: str
    version: int
    at: int
    actor: str
    owner_epoch: int
    raw: bytes
    conversation_id: str | None


class _Commit(msgspec.Struct, array_like=True, gc=False):
    node: str
    events: list[_Event]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Commit)


def encode_events(node: str, events: Sequence[Recorded]) -> list[bytes]:
    """The events as messages of bounded size; one that is too large alone is left out (readers repair by seq)."""
    messages = []
    part: list[_Event] = []
    size = 0
    for event in events:
        cost = len(event.raw) + 200
        if cost > _MOST_BYTES:
            continue
        if part and size + cost > _MOST_BYTES:
            messages.append(_encoder.encode(_Commit(node, part)))
            part, size = [], 0
        part.append(_pack(event))
        size += cost
    if part:
        messages.append(_encoder.encode(_Commit(node, part)))
    return messages


def _pack(event: Recorded) -> _Event:
    return _Event(
        event.stream_kind,
        event.stream_id,
        event.seq,
        event.type,
        event.version,
        event.at,
        event.actor,
        event.owner_epoch,
        event.raw,
        event.conversation_id,
    )


def decode_events(data: bytes, codecs: Mapping[str, Codec[Any]]) -> tuple[str, list[Recorded]]:
    """Sender and events of a message; nothing at all when it cannot be read (another version wrote it)."""
    try:
        commit = _decoder.decode(data)
    except msgspec.MsgspecError as error:
        log.warning("a hand-off of another node cannot be read", reason=str(error))
        return "", []
    return commit.node, [_unpack(event, codecs) for event in commit.events]


def _unpack(event: _Event, codecs: Mapping[str, Codec[Any]]) -> Recorded:
    codec = codecs.get(event.kind)
    return Recorded(
        stream_kind=event.kind,
        stream_id=event.stream_id,
        seq=event.seq,
        type=event.type,
        version=event.version,
        at=event.at,
        actor=event.actor,
        owner_epoch=event.owner_epoch,
        raw=event.raw,
        body=codec.body(event.type, event.raw) if codec else None,
        conversation_id=event.conversation_id,
    )
