"""What a desk is told when a handover is offered: the visitor, the page, the transcript so far."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from warmline.conversations import events as e
from warmline.conversations.kind import CONVERSATION
from warmline.conversations.model import ConversationState
from warmline.handover.outbound import FilesOut, line_of
from warmline.handover.port import AuthorKind, EndReason, HandoverRequest, TranscriptLine, VisitorCard
from warmline.handover.thread_store import ThreadRow
from warmline.journal.journal import Journal

_PAGE = 200
_KEEP = 200
"""Messages of the transcript that go along; the signed link leads to the rest."""


class History(msgspec.Struct, frozen=True, kw_only=True):
    """What the stream tells about a conversation up to an event."""

    transcript: tuple[TranscriptLine, ...] = ()
    complete: bool = True
    page: e.Page = e.Page()
    card: VisitorCard = VisitorCard()
    details: dict[str, str] = {}


async def read_history(journal: Journal, conversation_id: str, upto: int, files: FilesOut) -> History:
    """The history with ``seq <= upto``; the transcript keeps its latest messages."""
    lines: list[TranscriptLine] = []
    page = e.Page()
    details: dict[str, str] = {}
    after = 0
    while True:
        events = await journal.events(CONVERSATION, conversation_id, after=after, limit=_PAGE)
        for event in events:
            if event.seq > upto:
                break
            body = event.body
            if isinstance(body, e.MessagePosted):
                lines.append(
                    TranscriptLine(
                        seq=event.seq,
                        at=event.at,
                        author=AuthorKind(body.author),
                        name=body.name or "",
                        text=line_of(body, event.at, files),
                    )
                )
            elif isinstance(body, e.ConversationStarted):
                page = body.page
            elif isinstance(body, e.DetailsSet):
                details |= body.values
            elif isinstance(body, e.ContactLeft):
                details |= {"name": body.name, "email": body.email, "phone": body.phone}
        if len(events) < _PAGE or events[-1].seq >= upto:
            break
        after = events[-1].seq
    card = VisitorCard(
        name=details.get("name") or None, email=details.get("email") or None, phone=details.get("phone") or None
    )
    kept = tuple(lines[-_KEEP:])
    return History(transcript=kept, complete=len(lines) <= _KEEP, page=page, card=card, details=details)


def build_request(
    thread: ThreadRow, state: ConversationState, history: History, *, links: Sequence[str | None]
) -> HandoverRequest:
    """The request for one attempt.  ``links`` are the signed transcript link and the reply address."""
    held = state.handover
    step = held.ladder[thread.rung] if held else None
    transcript_url, reply_to = links
    return HandoverRequest(
        id=f"{thread.handover_id}.{thread.rung}",
        conversation_id=thread.conversation_id,
        # The id that a bot elsewhere has for it is nothing to the desk that gets it.
        external_id=state.external_id if state.channel == "converse" else None,
        handover_id=thread.handover_id,
        rung=thread.rung,
        owner_epoch=thread.owner_epoch,
        bot_id=thread.bot_id,
        reason=EndReason(held.reason) if held else EndReason.API,
        language=state.language,
        escalate_to=step.escalate_to if step else None,
        visitor=VisitorCard(
            id=state.visitor_id or None, name=history.card.name, email=history.card.email, phone=history.card.phone
        ),
        page=msgspec.to_builtins(history.page),
        transcript=history.transcript,
        transcript_complete=history.complete,
        transcript_url=transcript_url,
        reply_to=reply_to,
        cursor=thread.cursor,
        details=history.details,
    )
