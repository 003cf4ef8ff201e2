"""The transcript: what was said, in order, read from the stream."""

from __future__ import annotations

import msgspec

from warmline.conversations import events as e
from warmline.conversations.kind import CONVERSATION
from warmline.journal.journal import Journal

_PAGE = 200


class TranscriptLine(msgspec.Struct, frozen=True, kw_only=True):
    """One message.  ``at`` in milliseconds."""

    seq: int
    at: int
    message_id: str
    author: e.AuthorKind
    name: str
    text: str
    attachments: tuple[e.Attachment, ...] = ()


async def read_transcript(
    journal: Journal, conversation_id: str, *, after: int = 0, upto: int | None = None, limit: int = 2_000
) -> list[TranscriptLine]:
    """Messages with ``after < seq <= upto``, oldest first; when there are more than ``limit``, the latest ones."""
    lines: list[TranscriptLine] = []
    while True:
        page = await journal.events(CONVERSATION, conversation_id, after=after, limit=_PAGE)
        for event in page:
            if upto is not None and event.seq > upto:
                return lines[-limit:]
            body = event.body
            if isinstance(body, e.MessagePosted):
                lines.append(
                    TranscriptLine(
                        seq=event.seq,
                        at=event.at,
                        message_id=body.message_id,
                        author=body.author,
                        name=body.name or "",
                        text=body.text,
                        attachments=body.attachments,
                    )
                )
        if len(page) < _PAGE:
            return lines[-limit:]
        after = page[-1].seq
