"""The events that go to a helpdesk: docs/protocol.md, as types.  Their JSON Schemas are made from these."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from warmline.conversations.events import AuthorKind, Reason
from warmline.desks.shared.answers import moment
from warmline.handover.port import File, HandoverRequest, OutboundMessage, OutboundNote, TranscriptLine

INLINE_TRANSCRIPT_CHARACTERS = 100_000
"""Longest inline transcript; older lines are left out and ``transcript_complete`` says so (the link has them all)."""

Moment = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"}, description="RFC 3339, UTC.")]
EventId = Annotated[
    str, msgspec.Meta(description="The same for every try of this event, and in the header `webhook-id`.")
]


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """What every event has.  Fields and types are added, never renamed or removed; ignore what you do not know."""

    id: EventId
    protocol: Literal[1] = 1


class OfAttempt(Event, frozen=True, kw_only=True):
    """An event of one attempt to reach a person.

    ``attempt_id`` is to be taken as a whole and comes back in all that the helpdesk reports.  ``owner_epoch`` is the
    epoch of the conversation's owner under which the helpdesk speaks while this attempt lasts; null where no answer
    told us that the offer was taken, and in what people send again after the attempt.
    """

    conversation_id: str
    attempt_id: str
    owner_epoch: int | None


class Visitor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of the visitor; all of it may be missing."""

    id: str | None = None
    name: str | None = None
    email: str | None = None
    phone: str | None = None


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A message of the conversation so far; ``name`` is "" when the speaker has none."""

    seq: int
    at: Moment
    author: AuthorKind
    name: str
    text: str


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """A file.  ``size`` is in bytes; ``url`` is signed and works for some days without further credentials."""

    name: str
    media_type: str
    size: int
    url: str


class HandoverOffered(OfAttempt, frozen=True, kw_only=True, tag="handover.offered"):
    """A visitor asks for a person: 2xx takes the offer into the helpdesk's queue, 4xx refuses it.

    ``details`` is what the administrator wrote for this step of the ladder.  ``transcript_url`` leads to the whole
    conversation as a page, also later.
    """

    handover_id: str
    rung: Annotated[int, msgspec.Meta(description="The step of the ladder, from 0.")]
    bot_id: str
    reason: Reason
    language: str
    visitor: Visitor
    page: dict[str, str]
    transcript: tuple[Line, ...]
    transcript_complete: bool
    transcript_url: str | None
    details: dict[str, Any]


class MessagePosted(OfAttempt, frozen=True, kw_only=True, tag="message.posted"):
    """The visitor says something, sends files, or both.  ``seq`` gives the order within the conversation."""

    message_id: str
    author: Literal["visitor"] = "visitor"
    seq: int
    at: Moment
    text: str
    attachments: tuple[Attachment, ...]


class NotePosted(OfAttempt, frozen=True, kw_only=True, tag="note.posted"):
    """A remark for the agent, which the visitor must not see."""

    note_id: str
    seq: int
    text: str


class Typing(OfAttempt, frozen=True, kw_only=True, tag="typing"):
    """The visitor is typing, or has stopped.  Tried once."""

    on: bool


class HandoverReleased(OfAttempt, frozen=True, kw_only=True, tag="handover.released"):
    """The attempt is over on our side: withdrawn before somebody joined, or ended.  The last event of its attempt."""

    reason: Reason


class AvailabilityAsked(Event, frozen=True, kw_only=True, tag="availability.asked"):
    """Whether people are there.  The answer is ``{"available": true}`` or ``{"available": false}``."""

    conversation_id: str | None
    queue: str | None


class Ping(Event, frozen=True, kw_only=True, tag="ping"):
    """An administrator tries the connection.  Any 2xx is a good answer."""


def offered(request: HandoverRequest, event_id: str) -> HandoverOffered:
    """The offer of an attempt."""
    card = request.visitor
    transcript, complete = _latest(request.transcript)
    return HandoverOffered(
        id=event_id,
        conversation_id=request.conversation_id,
        attempt_id=request.id,
        owner_epoch=request.owner_epoch,
        handover_id=request.handover_id,
        rung=request.rung,
        bot_id=request.bot_id,
        reason=str(request.reason),  # type: ignore[arg-type]  # the same words
        language=request.language,
        visitor=Visitor(id=card.id, name=card.name, email=card.email, phone=card.phone),
        page={name: str(value) for name, value in request.page.items() if value not in (None, "")},
        transcript=transcript,
        transcript_complete=complete and request.transcript_complete,
        transcript_url=request.transcript_url,
        details=request.payload if isinstance(request.payload, dict) else {},
    )


def posted(item: OutboundMessage, event_id: str, about: OfAttempt) -> MessagePosted:
    """A line of the visitor; ``about`` names the attempt."""
    return MessagePosted(
        id=event_id,
        conversation_id=about.conversation_id,
        attempt_id=about.attempt_id,
        owner_epoch=about.owner_epoch,
        message_id=item.id,
        seq=item.seq,
        at=moment(item.at),
        text=item.text,
        attachments=tuple(_attachment(one) for one in item.attachments),
    )


def noted(item: OutboundNote, event_id: str, about: OfAttempt) -> NotePosted:
    """A note; ``about`` names the attempt."""
    return NotePosted(
        id=event_id,
        conversation_id=about.conversation_id,
        attempt_id=about.attempt_id,
        owner_epoch=about.owner_epoch,
        note_id=item.id,
        seq=item.seq,
        text=item.text,
    )


def _attachment(file: File) -> Attachment:
    return Attachment(name=file.name, media_type=file.media_type, size=file.size, url=file.url)


def _latest(lines: tuple[TranscriptLine, ...]) -> tuple[tuple[Line, ...], bool]:
    kept: list[Line] = []
    room = INLINE_TRANSCRIPT_CHARACTERS
    for line in reversed(lines):
        room -= len(line.text)
        if room < 0:
            break
        author: Any = str(line.author)
        kept.append(Line(seq=line.seq, at=moment(line.at), author=author, name=line.name, text=line.text))
    return tuple(reversed(kept)), len(kept) == len(lines)
