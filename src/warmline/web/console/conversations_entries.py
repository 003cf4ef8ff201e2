"""Events as an agent reads them: messages, and one quiet line for everything else that happened.  Pure."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from warmline.conversations import events as e
from warmline.conversations.attachments import readable_size
from warmline.kernel.envelope import Recorded
from warmline.platform.file_types import is_picture

REASONS: dict[str, str] = {
    "requested_by_visitor": "the visitor asked for a person",
    "not_understood": "the bot did not understand",
    "bot_failed": "the bot could not answer",
    "rule": "a rule of the scenario",
    "api": "another program asked",
    "no_answer": "no answer in time",
    "no_agent": "nobody was free in time",
    "refused": "the desk refused",
    "desk_lost": "the desk could not be reached any more",
    "idle": "silence for too long",
    "agent_left": "the agent ended it",
    "visitor_left": "the visitor ended it",
    "closed": "the conversation was closed",
}
_CLOSED_BY: dict[str, str] = {
    "visitor": "by the visitor",
    "agent": "by an agent",
    "card": "by the scenario",
    "idle": "after a long silence",
    "api": "by another program",
    "desk": "by the desk",
}
_ACTORS = {"visitor": "the visitor", "bot": "the bot", "system": "Warmline", "api": "another program"}


class Names(Protocol):
    """Who is who, from memory.  Both answer with a word for somebody unknown."""

    def connection(self, connection_id: str) -> str: ...
    def member(self, member_id: str) -> str: ...


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a transcript.

    ``item`` is what the message macro takes, None for a line.  ``author_id`` is the member who wrote a message;
    ``parked`` and ``resent`` name the message that a delivery line is about.
    """

    seq: int
    type: str
    at: int
    item: dict[str, Any] | None = None
    author_id: str = ""
    text: str = ""
    note: str = ""
    icon: str = "info"
    tone: str = ""
    parked: str = ""
    resent: str = ""


def entry_of(event: Recorded, names: Names) -> Entry | None:
    """The transcript's row for ``event``; None for what only programs care about."""
    if event.erased:
        return _erased(event)
    render = _ROWS.get(type(event.body))
    if render is None:
        return None
    return Entry(seq=event.seq, type=event.type, at=event.at, **render(event.body, event, names))


def initials_of(name: str) -> str:
    """One or two letters for an avatar; "?" for a name without any."""
    words = name.split()
    letters = [words[0][0], words[-1][0]] if len(words) > 1 else [word[0] for word in words]
    return "".join(letters).upper() or "?"


def hue_of(key: str) -> int:
    """A colour angle that always belongs to the same key, from 0 to 359."""
    return zlib.crc32(key.encode()) % 360


def visitor_label(name: str, visitor_id: str) -> str:
    """What a visitor is called: by name, else by the end of the id so that two of them can be told apart."""
    return name or (f"Visitor {visitor_id[-4:]}" if visitor_id else "Visitor")


def _erased(event: Recorded) -> Entry | None:
    if event.type not in {e.MessagePosted.TYPE, e.NotePosted.TYPE}:
        return None
    return Entry(seq=event.seq, type="erased", at=event.at, text="A message was erased", icon="ban")


_Row = dict[str, Any]


def _message(body: e.MessagePosted, event: Recorded, _names: Names) -> _Row:
    kind = body.author if body.author != "system" else "bot"
    default = {"visitor": "Visitor", "bot": "Bot", "agent": "Agent", "system": "Warmline"}[body.author]
    name = body.name or default
    avatar = body.avatar or ""
    item = {
        "id": body.message_id,
        "author": {
            "kind": kind,
            "name": name,
            "initials": initials_of(name),
            "hue": hue_of(body.author_id or name),
            "avatar": avatar if avatar.startswith("https://") else "",
        },
        "text": body.text,
        "at": event.at,
        "mine": body.author == "agent",
        "state": "",
        "state_text": "",
        "buttons": [button.text for button in body.buttons],
        "files": [_file(event.stream_id, one) for one in body.attachments],
        "seen": False,
    }
    return {"item": item, "author_id": body.author_id or ""}


def _file(conversation_id: str, one: e.Attachment) -> dict[str, Any]:
    # An address of the console itself: it asks who is there, and leads to a fresh link however old the page is.
    return {
        "url": f"/console/conversations/{conversation_id}/files/{one.id}",
        "name": one.name,
        "size": readable_size(one.size),
        "picture": is_picture(one.media_type),
    }


def _note(body: e.NotePosted, event: Recorded, names: Names) -> _Row:
    name = _actor(body.member_id, names)
    item = {
        "id": body.note_id,
        "author": {"kind": "note", "name": f"{name} · note", "initials": "", "hue": 80, "avatar": ""},
        "text": body.text,
        "at": event.at,
        "mine": False,
        "state": "",
        "state_text": "",
        "buttons": [],
        "seen": False,
    }
    return {"item": item, "author_id": body.member_id.removeprefix("member:")}


def _actor(who: str, names: Names) -> str:
    kind, _, key = who.partition(":")
    if kind == "key":
        return "Another program"
    return _ACTORS.get(kind) or names.member(key or kind)


def _line(text: str, icon: str = "info", tone: str = "", note: str = "", **more: str) -> _Row:
    return {"text": text, "icon": icon, "tone": tone, "note": note, **more}


def _started(body: e.ConversationStarted, _event: Recorded, _names: Names) -> _Row:
    return _line("Conversation started", "chat", note=body.page.title or body.page.url)


def _details(body: e.DetailsSet, _event: Recorded, _names: Names) -> _Row:
    shown = ", ".join(sorted(body.values))[:120]
    return _line("The visitor’s details became known", "person", note=shown)


def _requested(body: e.HandoverRequested, _event: Recorded, names: Names) -> _Row:
    if body.by.startswith("member:"):
        return _line(f"{_actor(body.by, names)} asked for a person", "handover", "wait")
    return _line("A person was asked for", "handover", "wait", REASONS.get(body.reason, body.reason))


def _offered(body: e.HandoverOffered, _event: Recorded, names: Names) -> _Row:
    return _line(f"Offered to {names.connection(body.connection_id)}", "handover")


def _queued(body: e.HandoverQueued, _event: Recorded, _names: Names) -> _Row:
    return _line(*_place(body, "Waiting in the queue"), "clock")


def _place(body: e.HandoverQueued | e.HandoverTransferring, otherwise: str) -> tuple[str]:
    text = otherwise if body.position is None else f"{otherwise}, place {body.position}"
    return (text if body.wait_minutes is None else f"{text}, about {body.wait_minutes} min",)


def _with_note(text: str, icon: str) -> Callable[..., _Row]:
    return lambda _body, _event, _names: _line(text, icon)


def _connected(body: e.HandoverConnected | e.HandoverTransferred, _event: Recorded, _names: Names) -> _Row:
    taken = "joined" if isinstance(body, e.HandoverConnected) else "has taken over"
    return _line(f"{body.agent.name or 'A person'} {taken}", "person", "good")


def _transferring(body: e.HandoverTransferring, _event: Recorded, _names: Names) -> _Row:
    return _line(*_place(body, "Being transferred"), "handover", "wait")


def _put_back(body: e.HandoverPutBack, _event: Recorded, names: Names) -> _Row:
    return _line(f"{_actor(body.by, names)} put the conversation back", "turn", "wait")


def _rung_failed(body: e.HandoverRungFailed, _event: Recorded, names: Names) -> _Row:
    note = REASONS.get(body.reason, body.reason)
    if body.next_connection_id:
        note += f"; next: {names.connection(body.next_connection_id)}"
    return _line("This desk did not take it", "alert", "bad", note)


def _failed(body: e.HandoverFailed, _event: Recorded, _names: Names) -> _Row:
    return _line("Nobody could be reached", "alert", "bad", REASONS.get(body.reason, body.reason))


def _cancelled(body: e.HandoverCancelled, _event: Recorded, names: Names) -> _Row:
    return _line(f"Waiting was called off by {_lower(_actor(body.by, names))}", "close")


def _lower(name: str) -> str:
    return name[:1].lower() + name[1:] if name == "Another program" else name


def _ended(body: e.HandoverEnded, _event: Recorded, _names: Names) -> _Row:
    return _line("The time with the person ended", "handover", note=REASONS.get(body.reason, body.reason))


def _parked(body: e.DeliveryParked, _event: Recorded, names: Names) -> _Row:
    text = f"A message was not delivered to {names.connection(body.connection_id)}"
    return _line(text, "alert", "bad", body.reason, parked=body.message_id)


def _resent(body: e.DeliveryResent, _event: Recorded, _names: Names) -> _Row:
    return _line("The message was sent again and delivered", "check", "good", resent=body.message_id)


def _stalled(body: e.DeliveryStalled, _event: Recorded, names: Names) -> _Row:
    return _line(f"Nothing reaches {names.connection(body.connection_id)} at present", "alert", "bad")


def _recovered(body: e.DeliveryRecovered, _event: Recorded, names: Names) -> _Row:
    return _line(f"{names.connection(body.connection_id)} takes messages again", "check", "good")


def _contact(body: e.ContactLeft, _event: Recorded, _names: Names) -> _Row:
    given = ", ".join(text for text in (body.name, body.email, body.phone) if text)
    return _line("The visitor left a contact", "mail", "good", given)


def _closed(body: e.ConversationClosed, _event: Recorded, _names: Names) -> _Row:
    return _line(f"Conversation closed {_CLOSED_BY.get(body.reason, '')}".strip(), "check")


_ROWS: dict[type, Callable[[Any, Recorded, Names], _Row]] = {
    e.ConversationStarted: _started,
    e.MessagePosted: _message,
    e.NotePosted: _note,
    e.BotFailed: _with_note("The bot could not answer", "bot"),
    e.DetailsSet: _details,
    e.HandoverRequested: _requested,
    e.HandoverOffered: _offered,
    e.HandoverQueued: _queued,
    e.HandoverConnected: _connected,
    e.HandoverTransferring: _transferring,
    e.HandoverTransferred: _connected,
    e.HandoverPutBack: _put_back,
    e.HandoverRungFailed: _rung_failed,
    e.HandoverFailed: _failed,
    e.HandoverCancelled: _cancelled,
    e.HandoverEnded: _ended,
    e.DeliveryParked: _parked,
    e.DeliveryResent: _resent,
    e.DeliveryStalled: _stalled,
    e.DeliveryRecovered: _recovered,
    e.ContactLeft: _contact,
    e.ConversationClosed: _closed,
    e.VisitorErased: _with_note("The personal content was erased", "ban"),
}
