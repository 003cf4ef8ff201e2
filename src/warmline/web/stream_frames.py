"""The frames of the visitor's stream: what a client may send, and how the server's are written.

Both transports carry the same frames.  Client frames are a tagged union by ``frame``; server frames are
written here once as JSON text, so that one encoding serves every subscriber of a conversation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from warmline.conversations.commands import MAX_FILES
from warmline.kernel.errors import Invalid, WarmlineError
from warmline.web.problems import check_depth, explain

MAX_FRAME_BYTES = 64 * 1024
MAX_TEXT = 10_000

# 4000–4499: the client connects again; 4500 and above: it must not.
SLOW_CONSUMER = 4001
DRAIN = 4002
HEARTBEAT = 4003
RESYNC = 4004
BAD_TOKEN = 4501
NO_SUCH_CONVERSATION = 4502
BAD_FRAME = 4503

ClientId = Annotated[str, Meta(min_length=1, max_length=64, description="Chosen by the client; makes a repeat safe.")]
ConversationRef = Annotated[str, Meta(min_length=1, max_length=64)]
Token = Annotated[str, Meta(min_length=1, max_length=512)]
Seq = Annotated[int, Meta(ge=0, le=1 << 53)]
Text = Annotated[str, Meta(max_length=MAX_TEXT)]
FileRef = Annotated[str, Meta(min_length=1, max_length=64)]


class Hello(Struct, frozen=True, tag_field="frame", tag="hello"):
    """Begin or resume: the client has everything up to ``since`` of this incarnation of the store."""

    token: Token
    conversation: ConversationRef
    incarnation: Annotated[str, Meta(max_length=64)] | None = None
    since: Seq = 0


class Message(Struct, frozen=True, tag_field="frame", tag="message"):
    """The visitor says something, sends files that were uploaded before, or both."""

    client_id: ClientId
    text: Text
    reply_to: Annotated[str, Meta(max_length=64)] | None = None
    attachments: Annotated[tuple[FileRef, ...], Meta(max_length=MAX_FILES)] = ()


class Typing(Struct, frozen=True, tag_field="frame", tag="typing"):
    """The visitor began or stopped typing."""

    on: bool


class Read(Struct, frozen=True, tag_field="frame", tag="read"):
    """The visitor has read everything up to ``seq``."""

    seq: Seq


class Cancel(Struct, frozen=True, tag_field="frame", tag="cancel"):
    """The visitor no longer waits for a person."""

    client_id: ClientId


class End(Struct, frozen=True, tag_field="frame", tag="end"):
    """The visitor ends what is going on: the time with a person, else the conversation.

    ``owner_epoch`` says what the visitor saw: a second tab, or a second click, then does not end the next thing, too.
    """

    client_id: ClientId
    owner_epoch: int | None = None


class Contact(Struct, frozen=True, tag_field="frame", tag="contact"):
    """The visitor leaves a way to be reached, because nobody is there."""

    client_id: ClientId
    name: Annotated[str, Meta(max_length=200)] = ""
    email: Annotated[str, Meta(max_length=254)] = ""
    phone: Annotated[str, Meta(max_length=40)] = ""
    text: Annotated[str, Meta(max_length=MAX_TEXT)] = ""


class Pong(Struct, frozen=True, tag_field="frame", tag="pong"):
    """The answer to a ping."""


ClientFrame = Hello | Message | Typing | Read | Cancel | End | Contact | Pong
SentFrame = Message | Typing | Read | Cancel | End | Contact


class _ClientIdOnly(Struct):
    client_id: Any = None


_decoder: msgspec.json.Decoder[ClientFrame] = msgspec.json.Decoder(ClientFrame)
_client_id = msgspec.json.Decoder(_ClientIdOnly)
_encode = msgspec.json.Encoder().encode


def parse_frame(raw: str | bytes) -> ClientFrame:
    """One client frame.  Raises Invalid with code ``bad_json``, ``unknown_frame`` or ``invalid``."""
    data = raw.encode() if isinstance(raw, str) else raw
    check_depth(data)
    try:
        frame = _decoder.decode(data)
    except msgspec.ValidationError as error:
        found = explain(str(error))
        if found.fields["path"] in {"$.frame", "$"} and "frame" in str(error):
            raise Invalid("This frame is not known here.", path="$.frame", code="unknown_frame") from None
        raise found from None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise Invalid("The frame is not well-formed JSON.", code="bad_json") from None
    if isinstance(frame, Message) and not frame.text and not frame.attachments:
        raise Invalid("This must not be empty.", path="$.text")
    return frame


def client_id_of(raw: str | bytes) -> str | None:
    """The client id of a frame that could not be read, when it has a usable one: its sender waits for it."""
    try:
        found = _client_id.decode(raw).client_id
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return found if isinstance(found, str) and len(found) <= 64 else None


def text_of(frame: dict[str, Any]) -> str:
    """A server frame as the JSON text that goes over the wire."""
    return _encode(frame).decode()


def event_frame(conversation: str, item: dict[str, Any]) -> str:
    """An ``event`` frame around one item of the visitor's view."""
    return text_of({"frame": "event", "conversation": conversation, "event": item})


def ack_frame(client_id: str, seq: int) -> dict[str, Any]:
    """The receipt for a client frame that was committed as ``seq``."""
    return {"frame": "ack", "client_id": client_id, "seq": seq}


def refused_frame(client_id: str | None, error: WarmlineError) -> dict[str, Any]:
    """The answer to a client frame that changed nothing; ``retryable`` says whether sending it again can help."""
    frame: dict[str, Any] = {
        "frame": "refused",
        "client_id": client_id,
        "code": error.code,
        "detail": error.detail,
        "retryable": error.retryable,
    }
    return frame | {name: error.fields[name] for name in ("path", "retry_after") if name in error.fields}


def ping_frame(seq: int) -> str:
    """The heartbeat, carrying the newest ``seq`` so that a client notices a hole."""
    return f'{{"frame":"ping","seq":{seq}}}'


def join_skips(items: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The items with neighbouring skips joined into one range ``{seq, type: "skip", to}`` each."""
    joined: list[dict[str, Any]] = []
    for item in items:
        if item["type"] != "skip":
            joined.append(item)
            continue
        last = item.get("to", item["seq"])
        if joined and joined[-1]["type"] == "skip" and joined[-1]["to"] + 1 == item["seq"]:
            joined[-1]["to"] = last
        else:
            joined.append({"seq": item["seq"], "type": "skip", "to": last})
    return joined
