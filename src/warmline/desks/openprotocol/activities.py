"""What a bot elsewhere is told: activities of Microsoft's handoff protocol, as far as it is documented.

Documented (learn.microsoft.com, "Transition conversations from bot to human", and the reference of EventFactory): an
event activity named ``handoff.status`` with ``conversation.id`` and ``value.state`` (accepted, failed, completed) and
``value.message``.  Assumed: everything else, by the general form of an activity.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from warmline.desks.openprotocol.events import EventId, Moment
from warmline.desks.shared.answers import moment
from warmline.desks.shared.signed_posts import wire_id
from warmline.handover.port import HandoffLine, HandoffStatus


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """Who speaks or is spoken of."""

    id: str
    name: str = ""


class ConversationAccount(msgspec.Struct, frozen=True, kw_only=True):
    """The conversation, by the id under which the bot handed it over."""

    id: str


class Status(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the handoff goes: a person has joined, nobody will, or it is over."""

    state: Literal["accepted", "failed", "completed"]
    message: str = ""


class ActivityAttachment(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A file; the address is signed and works for some days."""

    content_type: str
    content_url: str
    name: str


class Activity(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", rename="camel"):
    """What both have."""

    id: EventId
    timestamp: Moment
    channel_id: str = "warmline"
    from_: Account = msgspec.field(name="from", default=Account(id="warmline"))
    conversation: ConversationAccount


class HandoffStatusEvent(Activity, frozen=True, kw_only=True, tag="event", rename="camel"):
    """``handoff.status``.  A bot need not act on it, but must not refuse it."""

    name: Literal["handoff.status"] = "handoff.status"
    value: Status


class AgentMessage(Activity, frozen=True, kw_only=True, tag="message", rename="camel"):
    """What the agent says: for the visitor."""

    text: str
    attachments: tuple[ActivityAttachment, ...] = ()


def activity(news: HandoffLine | HandoffStatus) -> HandoffStatusEvent | AgentMessage:
    """The activity for a piece of news; its id is the same every time."""
    conversation = ConversationAccount(id=news.external_id)
    if isinstance(news, HandoffStatus):
        value = msgspec.convert({"state": news.state, "message": news.message}, Status)
        return HandoffStatusEvent(
            id=wire_id("status", news.id), timestamp=moment(news.at), conversation=conversation, value=value
        )
    return AgentMessage(
        id=wire_id("message", news.id),
        timestamp=moment(news.at),
        from_=Account(id="agent", name=news.name),
        conversation=conversation,
        text=news.text,
        attachments=tuple(
            ActivityAttachment(content_type=one.media_type, content_url=one.url, name=one.name)
            for one in news.attachments
        ),
    )
