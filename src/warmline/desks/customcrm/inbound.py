"""Reads the body of ``POST /agent/converse/send-message-to-widget``.  Pure; every refusal names its JSON path."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import ROUND_CEILING, Decimal
from typing import Any

import msgspec

from warmline.desks.shared.bodies import (
    HIGHEST_POSITION,
    LONGEST_WAIT_MINUTES,
    Id,
    Name,
    Text,
    Url,
    check_address,
    clean_id,
    clean_name,
    clean_text,
    decode,
)
from warmline.handover.port import AgentJoined, AgentLeft, AgentReplied, DeskEvent, OpenFailed, QueueMoved
from warmline.kernel.errors import Invalid

# The contract's numbers are texts; numbers are taken as well.
Number = str | int | float


class AgentBody(msgspec.Struct, tag_field="eventType", frozen=True, kw_only=True, rename="camel"):
    """What every event of the agent's side carries; ``messageId`` makes a message be stored once."""

    platform_conversation_id: Id
    message_id: Id | None = None


class EscalationQueueUpdate(AgentBody, frozen=True, tag="escalationQueueUpdate", kw_only=True, rename="camel"):
    """The customer waits: place in the queue and minutes, as far as they are known."""

    queue_position: Number | None = None
    waiting_time: Number | None = None


class EscalationSuccess(AgentBody, frozen=True, tag="escalationSuccess", kw_only=True, rename="camel"):
    """A person has joined."""

    agent: Name | None = None
    agent_avatar: Url | None = None


class AgentMessage(AgentBody, frozen=True, tag="message", kw_only=True, rename="camel"):
    """A line of the agent."""

    text: Text


class EscalationFailed(AgentBody, frozen=True, tag="escalationFailed", kw_only=True, rename="camel"):
    """Nobody can take the conversation."""


class AgentDisconnect(AgentBody, frozen=True, tag="agentDisconnect", kw_only=True, rename="camel"):
    """The agent has ended it."""


AgentEventBody = EscalationQueueUpdate | EscalationSuccess | AgentMessage | EscalationFailed | AgentDisconnect
"""The body of ``send-message-to-widget``."""

_BODY: msgspec.json.Decoder[Any] = msgspec.json.Decoder(AgentEventBody)

_DIGITS = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,15})?")


def parse_agent_event(body: bytes) -> DeskEvent:
    """The desk event that a CRM reports; ``thread_ref`` is the platformConversationId.

    ``vendor_event_id`` is the optional ``messageId`` (on messages also ``message_id``), ``raw`` the body as received.
    Unknown fields are ignored.  Raises Invalid with the path of the first offending field.
    """
    given = decode(_BODY, body)
    ref = clean_id(given.platform_conversation_id, "$.platformConversationId")
    event_id = clean_id(given.message_id, "$.messageId") if given.message_id is not None else None
    return _READ[type(given)](given, ref, event_id, body)


def _read_message(given: AgentMessage, ref: str, event_id: str | None, raw: bytes) -> DeskEvent:
    text = clean_text(given.text, "$.text")
    return AgentReplied(thread_ref=ref, vendor_event_id=event_id, raw=raw, text=text, message_id=event_id)


def _read_queue(given: EscalationQueueUpdate, ref: str, event_id: str | None, raw: bytes) -> DeskEvent:
    position = None
    if given.queue_position is not None:
        position = read_whole(given.queue_position, "$.queuePosition", HIGHEST_POSITION)
    wait = None
    if given.waiting_time is not None:
        wait = read_number(given.waiting_time, "$.waitingTime", LONGEST_WAIT_MINUTES)
    return QueueMoved(
        thread_ref=ref,
        vendor_event_id=event_id,
        raw=raw,
        position=position,
        wait_minutes=None if wait is None else int(wait.to_integral_value(ROUND_CEILING)),
    )


def _read_success(given: EscalationSuccess, ref: str, event_id: str | None, raw: bytes) -> DeskEvent:
    # An agent without a name is allowed by the contract, and some systems say so with "".
    avatar = given.agent_avatar or None
    if avatar is not None:
        avatar = check_address(avatar, "$.agentAvatar", "avatar")
    name = clean_name(given.agent)
    return AgentJoined(thread_ref=ref, vendor_event_id=event_id, raw=raw, name=name, avatar=avatar)


def _read_failed(_given: EscalationFailed, ref: str, event_id: str | None, raw: bytes) -> DeskEvent:
    return OpenFailed(thread_ref=ref, vendor_event_id=event_id, raw=raw)


def _read_disconnect(_given: AgentDisconnect, ref: str, event_id: str | None, raw: bytes) -> DeskEvent:
    return AgentLeft(thread_ref=ref, vendor_event_id=event_id, raw=raw)


_READ: dict[type, Callable[[Any, str, str | None, bytes], DeskEvent]] = {
    EscalationQueueUpdate: _read_queue,
    EscalationSuccess: _read_success,
    AgentMessage: _read_message,
    EscalationFailed: _read_failed,
    AgentDisconnect: _read_disconnect,
}


# Numbers, as both wires of the custom CRM need them ---------------------------------------------------------------------------


def read_number(value: Number, path: str, highest: int) -> Decimal:
    """A number ≥ 0 and ≤ ``highest``, given as a JSON number or as a text of digits."""
    if not isinstance(value, str):
        number = Decimal(value)
    elif _DIGITS.fullmatch(value.strip()):
        number = Decimal(value.strip())
    else:
        raise Invalid("A number is expected, like 3 or “3”.", path=path, code="number")
    if not 0 <= number <= highest:
        raise Invalid(f"The number must lie between 0 and {highest}.", path=path, code="range")
    return number


def read_whole(value: Number, path: str, highest: int) -> int:
    """A whole number ≥ 0 and ≤ ``highest``."""
    number = read_number(value, path, highest)
    if number != number.to_integral_value():
        raise Invalid("A whole number is expected.", path=path, code="number")
    return int(number)
