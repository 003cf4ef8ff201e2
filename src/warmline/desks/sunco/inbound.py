"""What webhooks of Sunshine Conversations say (the vendor's OpenAPI document 17.12.1).  Pure.

Documented: the envelope with its batch, the ids of events, the fields of messages and of switchboard events, that the
metadata of a control call comes back in its event, the activities of closed tickets.  Seen by other integrators: the source
``zd:answerBot`` of Zendesk's own bot.  Inferred, because there is no event for it: that an agent joined (he wrote), that there
is another one (the author's name changed), that control that went elsewhere is the end.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from warmline.desks.shared.plain_text import plain_text
from warmline.desks.sunco.client import DESK, Author, Content, Conversation, Message, SwitchboardIntegration, is_of
from warmline.handover.port import (
    AgentJoined,
    AgentReplied,
    AgentTyping,
    DeskEvent,
    EndReason,
    InboundDelivery,
    OpenFailed,
    SignatureRejected,
    ThreadEnded,
    Unknown,
    VendorFile,
)
from warmline.kernel.clock import from_rfc3339
from warmline.kernel.errors import Invalid

SECRET_HEADER = "x-api-key"
ITEM = "warmline_id"
"""In a message's metadata: our own id of it."""
MARK = "warmline_request"
"""In the metadata of a conversation and of control calls: the request it was made for."""
_ANSWER_BOT = "zd:answerBot"
_ENDS = {
    "ticket:closed": EndReason.AGENT_LEFT,
    "ticket:transfer:email": EndReason.AGENT_LEFT,
    "conversation:endedByUser": EndReason.VISITOR_LEFT,
}
_QUIET = (
    "client:",
    "user:",
    "conversation:create",
    "conversation:join",
    "conversation:leave",
    "conversation:remove",
    "conversation:read",
    "conversation:referral",
    "conversation:postback",
    "conversation:message:delivery:channel",
    "conversation:message:delivery:user",
)
"""Documented, and without a meaning for a talk between a visitor of ours and an agent."""


class _Source(msgspec.Struct, frozen=True):
    type: str = ""


class _Said(Message, frozen=True):
    source: _Source = _Source()


class _Activity(msgspec.Struct, frozen=True):
    type: str = ""
    author: Author = Author()


class _Payload(msgspec.Struct, frozen=True):
    conversation: Conversation | None = None
    message: _Said | None = None
    activity: _Activity | None = None
    metadata: dict[str, Any] | None = None
    error: dict[str, Any] | None = None


class _Event(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    type: str
    created_at: str = ""
    payload: msgspec.Raw = msgspec.Raw(b"{}")


class _Batch(msgspec.Struct, frozen=True):
    events: list[_Event]


_BODY: msgspec.json.Decoder[_Batch] = msgspec.json.Decoder(_Batch)
_PAYLOAD: msgspec.json.Decoder[_Payload] = msgspec.json.Decoder(_Payload)


def check_secret(delivery: InboundDelivery, secrets: Sequence[str]) -> None:
    """The header ``X-API-Key`` is the webhook's secret; the body is not signed.  Raises SignatureRejected."""
    given = delivery.headers.get(SECRET_HEADER, "").encode()
    found = False
    for secret in secrets:
        found |= hmac.compare_digest(secret.encode(), given)
    if not found:
        raise SignatureRejected("The delivery does not carry this connection's webhook secret.", desk=DESK)


def parse_batch(body: bytes, *, agents: str, api_url: str) -> list[DeskEvent]:
    """The events of a delivery in their order, without our own echoes.  Raises Invalid for what is no delivery of Sunco.

    ``agents`` is the place of the agents in the switchboard; files below ``api_url`` are asked for with the key.
    """
    try:
        batch = _BODY.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"This is not a delivery of Sunshine Conversations: {error}.") from error
    return [event for one in batch.events for event in _events(one, agents, api_url)]


def _events(given: _Event, agents: str, api_url: str) -> list[DeskEvent]:
    try:
        payload = _PAYLOAD.decode(given.payload)
    except msgspec.ValidationError:
        # One event of another shape must not take the rest of the batch with it.
        payload = None
    conversation = payload.conversation if payload else _named(given)
    if conversation is None or not conversation.id:
        return []
    common: dict[str, Any] = {
        "thread_ref": conversation.id,
        "vendor_event_id": given.id,
        "occurred_at": moment(given.created_at),
        "raw": bytes(given.payload),
    }
    if payload is None:
        return [Unknown(kind=f"{given.type} of another shape", **common)]
    if given.type == "conversation:message":
        return _message(payload.message or _Said(), api_url, common)
    made = _EVENTS.get(given.type)
    if made is not None:
        event = made(payload, agents, common)
        return [event] if event is not None else []
    return [] if given.type.startswith(_QUIET) else [Unknown(kind=given.type, **common)]


class _OnlyConversation(msgspec.Struct, frozen=True):
    conversation: Conversation | None = None


def _named(given: _Event) -> Conversation | None:
    try:
        return msgspec.json.decode(given.payload, type=_OnlyConversation).conversation
    except msgspec.ValidationError:
        return None


# -- messages ------------------------------------------------------------------------------------------------------


def _message(said: _Said, api_url: str, common: dict[str, Any]) -> list[DeskEvent]:
    activity = str((said.activity or {}).get("type", ""))
    if activity or "activity" in said.author.subtypes:
        how = _ENDS.get(activity)
        return [ThreadEnded(reason=how, **common) if how else Unknown(kind=f"activity {activity}".strip(), **common)]
    # The visitor's lines are ours, and so is what carries our mark.
    if said.author.type != "business" or ITEM in (said.metadata or {}):
        return []
    if said.source.type == _ANSWER_BOT or "bot" in said.author.subtypes:
        # No person has said it, so nobody joins by it.
        return [Unknown(kind="message of Zendesk's bot", **common)]
    text, files = _text(said.content), _files(said.content, api_url)
    if not text and not files:
        return [Unknown(kind=f"message of type {said.content.type}", **common)]
    name, avatar = said.author.display_name or "", said.author.avatar_url
    reply = AgentReplied(text=text, message_id=said.id or None, name=name, avatar=avatar, files=files, **common)
    if not name:
        return [reply]
    # Whoever writes is there: the first one has joined, another one than before has taken over.
    here = {**common, "vendor_event_id": f"{common['vendor_event_id']}:author"}
    return [AgentJoined(name=name, avatar=avatar, **here), reply]


def _text(content: Content) -> str:
    if content.html_text:
        # The vendor's own plain version loses the targets of links.
        return plain_text(content.html_text)
    return (content.text or content.markdown_text or content.text_fallback or "").strip()


def _files(content: Content, api_url: str) -> tuple[VendorFile, ...]:
    url = content.media_url
    if not url:
        return ()
    name = content.alt_text or unquote(urlsplit(url).path.rsplit("/", 1)[-1])
    size = int(content.media_size) if content.media_size is not None else None
    private = is_of(url, api_url)
    return (VendorFile(url=url, name=name, media_type=content.media_type or "", size=size, private=private),)


# -- control -------------------------------------------------------------------------------------------------------


def _is_ours(payload: _Payload) -> bool:
    return MARK in (payload.metadata or {})


def _passed(payload: _Payload, agents: str, common: dict[str, Any]) -> DeskEvent | None:
    conversation = payload.conversation
    active = conversation.active_switchboard_integration if conversation else None
    if _is_ours(payload) or (active is not None and has_place(active, agents)):
        return None
    return ThreadEnded(**common)


def _failed(payload: _Payload, agents: str, common: dict[str, Any]) -> DeskEvent:
    del agents
    told = payload.error or {}
    detail = " ".join(str(told[name]) for name in ("code", "message") if told.get(name))
    return OpenFailed(detail=detail or "Zendesk could not take the conversation.", **common)


def _typing(payload: _Payload, agents: str, common: dict[str, Any]) -> DeskEvent | None:
    del agents
    activity = payload.activity or _Activity()
    if activity.author.type != "business":
        return None
    return AgentTyping(on=activity.type == "typing:start", **common)


def _offered(payload: _Payload, agents: str, common: dict[str, Any]) -> DeskEvent | None:
    del agents
    return None if _is_ours(payload) else Unknown(kind="switchboard:offerControl", **common)


def has_place(integration: SwitchboardIntegration, wanted: str) -> bool:
    """Whether a switchboard integration is the one that is called ``wanted``: by id, name or type."""
    return wanted in {integration.id, integration.name, integration.integration_type}


_EVENTS: dict[str, Callable[[_Payload, str, dict[str, Any]], DeskEvent | None]] = {
    "conversation:typing": _typing,
    "switchboard:passControl": _passed,
    "switchboard:acceptControl": _passed,
    "switchboard:releaseControl": lambda payload, _agents, common: None if _is_ours(payload) else ThreadEnded(**common),
    "switchboard:offerControl": _offered,
    "switchboard:passControl:failure": _failed,
    "switchboard:offerControl:failure": _failed,
}


def moment(stamp: str) -> int | None:
    """A moment of the vendor in milliseconds; None for what is none."""
    try:
        return from_rfc3339(stamp) if stamp else None
    except ValueError:
        return None
