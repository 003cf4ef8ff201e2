"""What a helpdesk reports: docs/protocol.md, as types, and what each report means.  Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import msgspec

from warmline.conversations.commands import MAX_FILES, MAX_TEXT
from warmline.desks.shared.bodies import (
    HIGHEST_POSITION,
    LONGEST_WAIT_MINUTES,
    Id,
    Name,
    Url,
    check_address,
    clean_id,
    clean_name,
    clean_text,
    decode,
)
from warmline.handover.port import (
    AgentJoined,
    AgentLeft,
    AgentReplied,
    AgentTyping,
    DeskEvent,
    OpenFailed,
    QueueMoved,
    ThreadTransferred,
    Unknown,
    VendorFile,
)
from warmline.kernel.errors import Invalid


class Agent(msgspec.Struct, frozen=True, kw_only=True):
    """The person, as the visitor shall see them."""

    name: Name | None = None
    avatar: Url | None = None


class AgentFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file by its address, which is fetched at once and without credentials.  ``size`` is in bytes."""

    url: Url
    name: Name = ""
    media_type: Name = ""
    size: Annotated[int, msgspec.Meta(ge=0)] | None = None


class Report(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """What every report has: ``id`` is the sender's, the same for every try, and never used for anything else."""

    id: Id
    attempt_id: Id


class Accept(Report, frozen=True, kw_only=True, tag="accept"):
    """A person has joined; after ``pass``, the next one."""

    agent: Agent = Agent()


class Decline(Report, frozen=True, kw_only=True, tag="decline"):
    """Nobody will come.  ``detail`` is for the operator."""

    detail: Annotated[str, msgspec.Meta(max_length=1_000)] = ""


class Queue(Report, frozen=True, kw_only=True, tag="queue"):
    """The visitor waits; both may be left out when they are not known."""

    position: Annotated[int, msgspec.Meta(ge=1, le=HIGHEST_POSITION, description="Counts from 1.")] | None = None
    wait_minutes: Annotated[int, msgspec.Meta(ge=0, le=LONGEST_WAIT_MINUTES)] | None = None


class Typing(Report, frozen=True, kw_only=True, tag="typing"):
    """The agent is typing, or has stopped."""

    on: bool = True


class Message(Report, frozen=True, kw_only=True, tag="message"):
    """The agent says something, sends files, or both: plain text."""

    text: Annotated[str, msgspec.Meta(max_length=MAX_TEXT)] = ""
    agent: Agent = Agent()
    files: Annotated[tuple[AgentFile, ...], msgspec.Meta(max_length=MAX_FILES)] = ()


class Pass(Report, frozen=True, kw_only=True, tag="pass"):
    """Control goes on: to other people there, to the next step of the ladder, or back to the bot."""

    to: Literal["people", "ladder", "bot"]
    name: Name = ""


class Release(Report, frozen=True, kw_only=True, tag="release"):
    """The time with the person is over."""


REPORTS: tuple[type[Report], ...] = (Accept, Decline, Queue, Typing, Message, Pass, Release)


class _Envelope(msgspec.Struct, frozen=True, kw_only=True):
    type: Id
    id: Id
    attempt_id: Id


_ENVELOPE: msgspec.json.Decoder[_Envelope] = msgspec.json.Decoder(_Envelope)
_BODIES: Mapping[str, msgspec.json.Decoder[Any]] = {
    str(one.__struct_config__.tag): msgspec.json.Decoder(one) for one in REPORTS
}


@dataclass(frozen=True, slots=True)
class _About:
    """What every desk event is made with."""

    ref: str
    id: str
    raw: bytes = field(repr=False)

    def common(self, suffix: str = "") -> dict[str, Any]:
        return {"thread_ref": self.ref, "vendor_event_id": self.id + suffix, "raw": self.raw}


def parse_report(body: bytes) -> Sequence[DeskEvent]:
    """The desk events of a report; ``thread_ref`` is the attempt's id.

    Fields that are not known are ignored, types that are not known are ``Unknown``.  Raises Invalid with the path of the
    first offending field.
    """
    envelope: _Envelope = decode(_ENVELOPE, body)
    about = _About(clean_id(envelope.attempt_id, "$.attempt_id"), clean_id(envelope.id, "$.id"), body)
    decoder = _BODIES.get(envelope.type)
    if decoder is None:
        return (Unknown(**about.common(), kind=envelope.type),)
    given = decode(decoder, body)
    return _READ[type(given)](given, about)


def _accept(given: Accept, about: _About) -> Sequence[DeskEvent]:
    name, avatar = _agent(given.agent)
    return (AgentJoined(**about.common(), name=name, avatar=avatar),)


def _decline(given: Decline, about: _About) -> Sequence[DeskEvent]:
    return (OpenFailed(**about.common(), detail=given.detail),)


def _queue(given: Queue, about: _About) -> Sequence[DeskEvent]:
    return (QueueMoved(**about.common(), position=given.position, wait_minutes=given.wait_minutes),)


def _typing(given: Typing, about: _About) -> Sequence[DeskEvent]:
    return (AgentTyping(**about.common(), on=given.on),)


def _message(given: Message, about: _About) -> Sequence[DeskEvent]:
    if not given.text and not given.files:
        raise Invalid("A message has a text, files, or both.", path="$.text", code="empty")
    text = clean_text(given.text, "$.text") if given.text else ""
    files = tuple(
        VendorFile(
            url=check_address(one.url, f"$.files[{place}].url", "place of a file"),
            name=clean_name(one.name),
            media_type=one.media_type,
            size=one.size,
        )
        for place, one in enumerate(given.files)
    )
    name, avatar = _agent(given.agent)
    return (AgentReplied(**about.common(), text=text, message_id=about.id, name=name, avatar=avatar, files=files),)


def _pass(given: Pass, about: _About) -> Sequence[DeskEvent]:
    match given.to:
        case "people":
            return (ThreadTransferred(**about.common(), name=clean_name(given.name)),)
        case "ladder":
            # A person who has joined leaves first: "nobody will come" would be a contradiction.
            return (ThreadTransferred(**about.common()), OpenFailed(**about.common("/ladder"), detail="passed on"))
        case "bot":
            return (AgentLeft(**about.common()),)


def _release(_given: Release, about: _About) -> Sequence[DeskEvent]:
    return (AgentLeft(**about.common()),)


def _agent(given: Agent) -> tuple[str, str | None]:
    avatar = given.avatar or None
    return clean_name(given.name), None if avatar is None else check_address(avatar, "$.agent.avatar", "avatar")


_READ: Mapping[type, Callable[[Any, _About], Sequence[DeskEvent]]] = {
    Accept: _accept,
    Decline: _decline,
    Queue: _queue,
    Typing: _typing,
    Message: _message,
    Pass: _pass,
    Release: _release,
}
