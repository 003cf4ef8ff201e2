"""What Freshchat's webhook says (its help pages on payload and signature, read 2026-11).  Pure.

Documented: the envelope, the four actions with their fields, "" for nobody, and the signature.  Inferred: what a change of the
assignment means (``_MEANINGS``).  Reported by others: ``botsPrivateNote``, ``reply_parts``, files whose address comes later, and the
payload of 2018.  The one webhook of an account also tells of conversations that are not ours; the inbox settles those.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from warmline.desks.freshchat.client import DESK, Media, Message
from warmline.handover.port import (
    AgentJoined,
    AgentReplied,
    DeskEvent,
    EndReason,
    InboundDelivery,
    QueueMoved,
    SignatureRejected,
    ThreadEnded,
    ThreadTransferred,
    Unknown,
    VendorFile,
)
from warmline.kernel.clock import from_rfc3339
from warmline.kernel.errors import Invalid

SIGNATURE_HEADER = "x-freshchat-signature"
NOWHERE = "?"
"""Stands for the thread of an event that names no conversation: it is kept, and belongs to nobody."""
_ARMOUR = re.compile(r"-----[A-Z ]+-----|\\n|\s")


class _Conversation(msgspec.Struct, frozen=True):
    conversation_id: str = ""


class _Change(msgspec.Struct, frozen=True):
    """What assignment, resolve and reopen have in common."""

    conversation: _Conversation = _Conversation()
    interaction_id: str = ""
    resolver: str = ""
    to_agent_id: str | None = None
    to_group_id: str | None = None
    from_agent_id: str | None = None
    from_group_id: str | None = None


class _Data(msgspec.Struct, frozen=True):
    message: Message | None = None
    assignment: _Change | None = None
    resolve: _Change | None = None
    reopen: _Change | None = None


class _Envelope(msgspec.Struct, frozen=True):
    action: str
    action_time: str = ""
    data: msgspec.Raw = msgspec.Raw(b"{}")


_BODY: msgspec.json.Decoder[_Envelope] = msgspec.json.Decoder(_Envelope)
Common = Mapping[str, Any]


# -- the signature ---------------------------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def read_key(text: str) -> RSAPublicKey:
    """The public key as the settings page shows it, on several lines or on one.  Raises ValueError.

    Its armour says RSA PUBLIC KEY, its content is a SubjectPublicKeyInfo: a strict reader of that armour would reject it.
    """
    try:
        key = load_der_public_key(base64.b64decode(_ARMOUR.sub("", text), validate=True))
    except (binascii.Error, ValueError) as error:
        raise ValueError("this is no public key") from error
    if isinstance(key, RSAPublicKey):
        return key
    raise ValueError("this is no RSA key")


def check_signature(delivery: InboundDelivery, keys: Sequence[str]) -> None:
    """Base64 of SHA256withRSA (PKCS #1 v1.5) over the bytes as they came, by one of ``keys``.  Raises SignatureRejected."""
    if not any(_is_signed(delivery, key) for key in keys):
        raise SignatureRejected("The delivery is not signed by the key of this connection's webhook.", desk=DESK)


def _is_signed(delivery: InboundDelivery, key: str) -> bool:
    try:
        signature = base64.b64decode(delivery.headers.get(SIGNATURE_HEADER, ""), validate=True)
        read_key(key).verify(signature, delivery.body, padding.PKCS1v15(), SHA256())
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


# -- the events ------------------------------------------------------------------------------------------------------


def parse_event(body: bytes) -> DeskEvent | None:
    """The event of a delivery, None for what is our own echo or not for the visitor.

    Raises Invalid for what is no delivery of Freshchat; one of another form than is known is Unknown.
    """
    try:
        given = _BODY.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"This is not a delivery of Freshchat: {error}.") from error
    try:
        data = msgspec.json.decode(given.data, type=_Data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        data = _Data()
    about = data.message or data.assignment or data.resolve or data.reopen
    read = _ACTIONS.get(given.action)
    common: dict[str, Any] = {"occurred_at": _moment(given.action_time), "raw": body}
    ref = _ref(about) or _named(given.data) or NOWHERE
    if isinstance(about, Message):
        return _message(about, {**common, "thread_ref": ref, "vendor_event_id": about.id or None})
    common |= {"thread_ref": ref, "vendor_event_id": _event_id(given, about)}
    if about is None or read is None:
        return Unknown(kind=given.action, **common)
    return read(about, common)


def _ref(about: Message | _Change | None) -> str:
    if isinstance(about, _Change):
        return about.conversation.conversation_id
    return about.conversation_id if about else ""


def _event_id(given: _Envelope, about: _Change | None) -> str | None:
    """Deliveries have no id: action, moment and what changed tell one from the next."""
    if not given.action_time:
        return None
    changed = f":{about.to_agent_id}:{about.to_group_id}:{about.interaction_id}" if about else ""
    return f"{given.action}:{given.action_time}{changed}"[:200]


def _named(data: bytes) -> str:
    """The first conversation_id anywhere in an event of an unknown form."""
    return next((value for name, value in _texts(msgspec.json.decode(data)) if name == "conversation_id"), "")


def _texts(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for inner_name, inner in value.items():
            yield from _texts(inner, inner_name)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner, name)
    elif isinstance(value, str) and value:
        yield name, value


# -- messages --------------------------------------------------------------------------------------------------------


def _message(given: Message, common: Common) -> DeskEvent | None:
    # What users say is our own echo, and private lines are between agents.
    if given.actor_type == "user" or given.message_type == "private" or given.bots_private_note:
        return None
    if given.actor_type != "agent":
        return Unknown(kind=f"message_create by {given.actor_type or 'nobody'}", **common)
    return read_message(given, common)


def read_message(given: Message, common: Common) -> AgentReplied | Unknown:
    """An agent's message; a file without an address is named in the text until its address is known."""
    files = [_file(media) for media in _media(given) if media.url]
    missing = [media.name or "File" for media in _media(given) if not media.url]
    text = "\n".join([*_said(given), *missing])
    if not text.strip() and not files:
        return Unknown(kind="message_create without known parts", **common)
    return AgentReplied(text=text, message_id=given.id or None, files=tuple(files), **common)


def _said(given: Message) -> list[str]:
    said = [part.text.content for part in given.message_parts if part.text]
    buttons = [part.url_button for part in given.message_parts if part.url_button]
    said += [f"{one.label or 'Link'}: {one.url}" for one in buttons if one.url]
    # Choices that an agent or a bot offers under a line; what is inside is reported, not documented.
    said += [f"- {value}" for name, value in _texts(given.reply_parts) if name == "label"]
    return [text for text in said if text.strip()]


def _media(given: Message) -> list[Media]:
    return [media for part in given.message_parts for media in (part.image, part.file, part.video) if media]


def _file(media: Media) -> VendorFile:
    size = media.file_size_in_bytes
    url = media.url or ""
    name = media.name or url.partition("?")[0].rsplit("/", 1)[-1]
    return VendorFile(
        url=url, name=name, media_type=media.content_type or "", size=size if isinstance(size, int) else None
    )


# -- assignment ------------------------------------------------------------------------------------------------------


def _nothing(_change: _Change, _common: Common) -> DeskEvent | None:
    return None


def _joined(_change: _Change, common: Common) -> DeskEvent | None:
    return AgentJoined(**common)


def _waits(_change: _Change, common: Common) -> DeskEvent | None:
    return QueueMoved(**common)


def _put_back(_change: _Change, common: Common) -> DeskEvent | None:
    return ThreadTransferred(**common)


_MEANINGS: Mapping[tuple[str, str], Callable[[_Change, Common], DeskEvent | None]] = {
    ("nobody", "same group"): _nothing,
    ("nobody", "other group"): _waits,
    ("joined", "same group"): _joined,
    ("joined", "other group"): _joined,
    ("other agent", "same group"): _joined,
    ("other agent", "other group"): _joined,
    ("same agent", "same group"): _nothing,
    ("same agent", "other group"): _nothing,
    ("left", "same group"): _put_back,
    ("left", "other group"): _put_back,
}
"""What became of the agent, and of the group, of an assignment → what it means to the visitor."""


def _assignment(change: _Change, common: Common) -> DeskEvent | None:
    before, after = change.from_agent_id or "", change.to_agent_id or ""
    if not before:
        agent = "joined" if after else "nobody"
    elif not after:
        agent = "left"
    else:
        agent = "same agent" if before == after else "other agent"
    moved = (change.from_group_id or "") != (change.to_group_id or "")
    return _MEANINGS[agent, "other group" if moved else "same group"](change, common)


def _resolved(change: _Change, common: Common) -> DeskEvent | None:
    """Over.  Who resolved it is documented; that the system does so after a silence is assumed."""
    return ThreadEnded(reason=_RESOLVERS.get(change.resolver, EndReason.AGENT_LEFT), **common)


_RESOLVERS = {"user": EndReason.VISITOR_LEFT, "system": EndReason.IDLE}
_ACTIONS: Mapping[str, Callable[[_Change, Common], DeskEvent | None]] = {
    "conversation_assignment": _assignment,
    "conversation_resolution": _resolved,
    "conversation_reopen": _waits,
}


# -- what the event itself has no place for --------------------------------------------------------------------------


class Behind(msgspec.Struct, frozen=True):
    """What stands in a delivery behind its event."""

    agent_id: str = ""
    interaction_id: str = ""
    lacks_addresses: bool = False


def behind(raw: bytes) -> Behind:
    """Whose event it is, to which stretch of the conversation it belongs, and whether its files have no address yet."""
    data = msgspec.json.decode(_BODY.decode(raw).data, type=_Data)
    if data.message is not None:
        lacks = any(not media.url for media in _media(data.message))
        return Behind(data.message.actor_id, data.message.interaction_id, lacks)
    change = data.assignment or data.resolve or data.reopen or _Change()
    return Behind(change.to_agent_id or "", change.interaction_id)


def _moment(stamp: str) -> int | None:
    try:
        return from_rfc3339(stamp) if stamp else None
    except ValueError:
        return None
