"""``/api/v1/connections/{id}/activities``: a bot elsewhere hands a conversation over, in the words of Microsoft's protocol.

Documented there: the event ``handoff.initiate`` with ``conversation.id``, ``value`` and an attachment named Transcript whose
``content`` is ``{"activities": […]}``.  Assumed: the path, and that further messages come as message activities.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal, cast

import msgspec
import structlog
from litestar import post
from litestar.params import FromPath, JSONBody
from msgspec import Meta

from warmline.accounts.access import Scope
from warmline.conversations import commands as c
from warmline.conversations.commands import MAX_TEXT
from warmline.journal.kinds import IdempotencyKey
from warmline.kernel.errors import Invalid, WarmlineError
from warmline.kernel.ids import uuid7
from warmline.web.api.door import Call
from warmline.web.api.values import Output, check_id
from warmline.web.problems import explain

log = structlog.get_logger(__name__)

_TAGS = ["Handoff"]
_PATH = "/connections/{connection_id:str}/activities"
_WRITE = {"scope": Scope.CONVERSATIONS_WRITE, "problems": (409, 422)}

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}")
_DETAIL_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")
_INVISIBLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_ADDRESS = re.compile(r"https?://[^\s]+", re.IGNORECASE)
_MOST_DETAILS = 100
_FETCH_S = 5.0
_MOST_BYTES = 2_000_000
_MOST_LINES = 1_000
_LONGEST_DETAIL = 1_000

ActivityId = Annotated[str, Meta(min_length=1, max_length=200, pattern="^[^\\u0000-\\u001f\\u007f]+$")]
AnyName = Annotated[str, Meta(max_length=200)]


# No ``forbid_unknown_fields`` here: an activity has many more fields, and those of later versions are not ours to refuse.
class ChannelAccount(msgspec.Struct, frozen=True, kw_only=True):
    """Who speaks.  ``role`` is ``user`` for the visitor, ``bot`` for the bot."""

    id: str = ""
    name: str | None = None
    role: str | None = None


class ConversationRef(msgspec.Struct, frozen=True, kw_only=True):
    """The conversation, by the bot's own id of it."""

    id: ActivityId


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """An activity of the transcript; only those of type ``message`` with a text count."""

    type: str = ""
    text: str | None = None
    from_: ChannelAccount | None = msgspec.field(name="from", default=None)


class Transcript(msgspec.Struct, frozen=True, kw_only=True):
    """What was said before, oldest first."""

    activities: tuple[Said, ...]


class ActivityAttachment(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Of the event, only the one named ``Transcript`` is read, from ``content`` or ``contentUrl``; others are ignored.

    Of a message, each with an address goes along as a line of the text.
    """

    name: str | None = None
    content_type: str | None = None
    content: Any = None
    content_url: Annotated[str, Meta(max_length=2_048)] | None = None


class Activity(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """What all have.  With an ``id``, an activity that is sent again is taken once."""

    conversation: ConversationRef
    id: ActivityId | None = None


class Initiate(Activity, frozen=True, kw_only=True, tag="event"):
    """Hands the conversation over.

    Texts and numbers in ``value`` become details of the visitor, which payloads of the ladder can name.
    """

    name: Literal["handoff.initiate"]
    locale: AnyName | None = None
    from_: ChannelAccount | None = msgspec.field(name="from", default=None)
    value: Any = None
    attachments: tuple[ActivityAttachment, ...] | None = None


class VisitorMessage(Activity, frozen=True, kw_only=True, tag="message"):
    """What the visitor says while the handoff lasts: a text, files, or both.  One with neither changes nothing."""

    text: Annotated[str, Meta(max_length=MAX_TEXT)] | None = None
    attachments: tuple[ActivityAttachment, ...] | None = None


class VisitorTypes(Activity, frozen=True, kw_only=True, tag="typing"):
    """The visitor is typing."""


class EndOfConversation(Activity, frozen=True, kw_only=True, tag="endOfConversation"):
    """The visitor has left."""


ActivityWanted = Initiate | VisitorMessage | VisitorTypes | EndOfConversation
_KNOWN = frozenset({"message", "typing", "endOfConversation"})
_INITIATE = "handoff.initiate"


class ActivityPosted(msgspec.Struct, frozen=True, kw_only=True):
    """An activity of any type.

    The event `handoff.initiate`, `message`, `typing` and `endOfConversation` have an effect, and are held to their schemas
    in the open handover protocol. All others are taken and change nothing.
    """

    type: str
    name: Any = msgspec.UNSET
    conversation: Any = msgspec.UNSET
    id: Any = msgspec.UNSET
    locale: Any = msgspec.UNSET
    from_: Any = msgspec.field(name="from", default=msgspec.UNSET)
    value: Any = msgspec.UNSET
    text: Any = msgspec.UNSET
    attachments: Any = msgspec.UNSET

    def wanted(self) -> ActivityWanted | None:
        """The activity in its own form, None for one that means nothing here.  Raises Invalid."""
        if self.type not in _KNOWN and not (self.type == "event" and self.name == _INITIATE):
            return None
        try:
            # The union is no class, which convert() takes as well as one.
            return cast("ActivityWanted", msgspec.convert(msgspec.to_builtins(self), cast("Any", ActivityWanted)))
        except msgspec.ValidationError as error:
            raise explain(str(error)) from None


class ActivityTaken(Output, frozen=True, kw_only=True):
    """The activity's id, and the id of the conversation here; null for an activity that means nothing here."""

    id: str
    conversation_id: str | None


@post(
    _PATH,
    operation_id="postActivity",
    summary="Hand over a bot's conversation",
    tags=_TAGS,
    status_code=200,
    opt=_WRITE,
)
async def post_activity(call: Call, connection_id: FromPath[str], data: JSONBody[ActivityPosted]) -> ActivityTaken:
    """The event `handoff.initiate` of Microsoft's protocol begins it; `handoff.status` goes to the connection's address.

    While it lasts, post the visitor's messages here as well. 409 `closed` once the bot has the conversation again.
    Activities and events of other names, and messages without text and files, are answered in the same way and change nothing.
    """
    check_id(connection_id, "connection")
    wanted = data.wanted()
    if wanted is None or (isinstance(wanted, VisitorMessage) and not _text(wanted)):
        call.at.connections.get(connection_id)
        return ActivityTaken(id=data.id if isinstance(data.id, str) else "", conversation_id=None)
    return ActivityTaken(id=wanted.id or "", conversation_id=await _take(call, connection_id, wanted))


async def _take(call: Call, connection_id: str, data: ActivityWanted) -> str:
    """What it means for the conversation, whose id is answered."""
    handoffs, actor, ref = call.at.handoffs, call.who.actor, data.conversation.id
    key = _key(connection_id, data)
    match data:
        case Initiate():
            found = await handoffs.initiate(
                connection_id,
                ref,
                actor=actor,
                lines=await _lines(call, data),
                details=_details(data.value),
                language=data.locale if data.locale and _LANGUAGE.fullmatch(data.locale) else "en",
                key=key,
            )
        case VisitorMessage():
            text = _text(data)
            found = await handoffs.say(connection_id, ref, text, actor=actor, key=key)
        case VisitorTypes():
            found = await handoffs.find(connection_id, ref)
            await call.at.conversations.typing(found, "visitor", on=True)
        case EndOfConversation():
            found = await handoffs.end(connection_id, ref, actor=actor)
    return found


def _key(connection_id: str, data: ActivityWanted) -> IdempotencyKey | None:
    if data.id is None:
        return None
    # The bot's id of a conversation may be a telephone number, and keys outlive an erasure.
    known_as = hashlib.sha256(data.conversation.id.encode()).hexdigest()[:32]
    said = _text(data) if isinstance(data, VisitorMessage) else type(data).__name__
    told = hashlib.sha256(said.encode()).hexdigest()
    return IdempotencyKey(scope=f"handoff:{connection_id}:{known_as}", key=data.id, body_hash=told)


def _text(data: VisitorMessage) -> str:
    """What the visitor says, "" for nothing."""
    links = [(one.name or "", one.content_url or "") for one in data.attachments or ()]
    lines = [data.text or "", *(f"{name}: {url}" if name else url for name, url in links if _ADDRESS.match(url))]
    text = _INVISIBLE.sub("", "\n".join(line for line in lines if line))
    return text[:MAX_TEXT] if text.strip() else ""


async def _lines(call: Call, data: Initiate) -> Sequence[c.HandedLine]:
    bot = data.from_.id if data.from_ else ""
    lines: list[c.HandedLine] = []
    for place, one in enumerate(data.attachments or ()):
        if (one.name or "").lower() != "transcript":
            continue
        content = one.content if one.content is not None else await _fetched(call, one.content_url)
        if content is None:
            continue
        try:
            transcript = msgspec.convert(content, Transcript)
        except msgspec.ValidationError as error:
            path = f"$.attachments[{place}].content"
            raise Invalid(f"This is no transcript: {error}.", path=path, code="transcript") from error
        lines += [line for said in transcript.activities if (line := _line(said, bot))]
    return lines[-_MOST_LINES:]


async def _fetched(call: Call, url: str | None) -> Any:
    """A transcript that lies elsewhere; None when it cannot be had: a person is worth more than what was said."""
    if url is None:
        return None
    try:
        reply = await call.at.outgoing.request("GET", url, timeout_s=_FETCH_S, max_bytes=_MOST_BYTES)
        if reply.status != 200:
            raise Invalid(f"It is answered with {reply.status}.")
        return msgspec.json.decode(reply.body)
    except (WarmlineError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        log.info("handoff.transcript_not_fetched", why=type(error).__name__)
        return None


def _line(said: Said, bot: str) -> c.HandedLine | None:
    text = _INVISIBLE.sub("", said.text or "")[:MAX_TEXT]
    if said.type != "message" or not text.strip():
        return None
    who = said.from_ or ChannelAccount()
    # Whoever hands over is the bot, where the roles are not told.
    by_bot = who.role == "bot" if who.role else bool(bot) and who.id == bot
    name = (who.name or "")[:200].strip() or None
    return c.HandedLine(
        message_id=uuid7(), author="bot" if by_bot else "visitor", text=text, name=name if by_bot else None
    )


def _details(value: Any) -> dict[str, str]:
    """The plain members of the context; ``True`` is told as ``true``."""
    if not isinstance(value, dict):
        return {}
    found: dict[str, str] = {}
    for name, one in value.items():
        if isinstance(one, str | int | float) and _DETAIL_NAME.fullmatch(str(name)) and len(found) < _MOST_DETAILS:
            text = one if isinstance(one, str) else msgspec.json.encode(one).decode()
            found[str(name)] = _INVISIBLE.sub("", text)[:_LONGEST_DETAIL]
    return found


HANDLERS = (post_activity,)
