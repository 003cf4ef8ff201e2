"""The operations.  Methods, paths and statuses as in the API reference, unless ``assumptions.py`` says otherwise."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec
from aiohttp import web

from warmline.kernel.clock import Clock
from warmline.kernel.ids import uuid7
from warmline.platform.limits import RateLimiter
from warmline.simulators.base import Ask, Route, VendorRefusal
from warmline.simulators.salesforce import bodies
from warmline.simulators.salesforce.office import Office
from warmline.simulators.salesforce.state import DEVELOPER_NAME, Conversation, Entry, FileOf
from warmline.simulators.salesforce.stream import PATH, EventStream, Streams, described
from warmline.simulators.salesforce.tokens import TokenRefused, Tokens

API = "/iamessage/api/v2"
TOKEN_PATH = f"{API}/authorization/unauthenticated/access-token"
MAX_FILE = 5 * 1024 * 1024
_ONE = f"{API}/conversation/{{conversation_id}}"
_MOST, _USUAL = 50, 20


def good(value: object, status: int = 200) -> web.Response:
    """A good answer."""
    return web.Response(status=status, body=msgspec.json.encode(value), content_type="application/json")


class MessagingApi:
    """Tokens, conversations, messages, the stream."""

    def __init__(
        self, office: Office, tokens: Tokens, streams: Streams, clock: Clock, *, limited: bool, ping_s: float
    ) -> None:
        self._office = office
        self._tokens = tokens
        self._streams = streams
        self._ping_s = ping_s
        self._clock = clock
        self.keep_limits(limited)

    def keep_limits(self, on: bool) -> None:
        """Documented: 200 new tokens and 200 renewals a minute and org, 3 new conversations in 30 seconds and page.

        A page is taken for a token here.
        """
        self._makes = RateLimiter(self._clock, per_second=200 / 60, burst=200) if on else None
        self._renews = RateLimiter(self._clock, per_second=200 / 60, burst=200) if on else None
        self._starts = RateLimiter(self._clock, per_second=0.1, burst=3) if on else None

    def routes(self) -> Sequence[Route]:
        """All of them."""
        return (
            Route("POST", TOKEN_PATH, "token.make", self.make_token),
            Route("GET", f"{API}/authorization/continuation-access-token", "token.continue", self.continue_token),
            Route("POST", f"{API}/conversation", "conversation.start", self.start),
            Route("GET", f"{API}/conversation/list", "conversation.list", self.list_all),
            Route("GET", _ONE, "conversation.get", self.get),
            Route("DELETE", _ONE, "conversation.close", self.close),
            Route("DELETE", f"{_ONE}/session", "session.end", self.end_session),
            Route("GET", f"{_ONE}/entries", "entries.list", self.entries),
            Route("POST", f"{_ONE}/message", "message.send", self.send_message),
            Route("POST", f"{_ONE}/file", "file.send", self.send_file),
            Route("POST", f"{_ONE}/entry", "entry.send", self.send_entry),
            Route("POST", f"{_ONE}/acknowledge-entries", "entries.acknowledge", self.acknowledge),
            Route("GET", PATH, "stream", self.stream),
        )

    def visitor(self, ask: Ask) -> str:
        """Whose bearer token came.  Raises VendorRefusal 401."""
        try:
            return self._tokens.visitor(_bearer(ask))
        except TokenRefused as refused:
            raise VendorRefusal(401, str(refused), note="take a new token" if refused.expired else "no token") from None

    def _conversation(self, ask: Ask) -> Conversation:
        return self._office.conversation(ask.path["conversation_id"], self.visitor(ask))

    def _deployed(self, name: str | None) -> None:
        if name != DEVELOPER_NAME:
            raise VendorRefusal(400, "The request is invalid", note=f"esDeveloperName must be {DEVELOPER_NAME}")

    # ---------------------------------------------------------------------------------------------- tokens
    async def make_token(self, ask: Ask) -> web.Response:
        """A token for somebody new (or known by his device)."""
        given = bodies.read(ask.body, bodies.NewToken)
        self._deployed(given.es_developer_name)
        if given.org_id != self._office.org.id:
            raise VendorRefusal(400, "The request is invalid", note=f"orgId must be {self._office.org.id}")
        _take(self._makes, "org")
        device = given.device_id or uuid7()
        visitor = hashlib.sha256(device.encode()).hexdigest()[:32]
        return good(self._token(visitor, device))

    async def continue_token(self, ask: Ask) -> web.Response:
        """Another token for the same visitor; 401 with one that is over (assumed)."""
        visitor = self.visitor(ask)
        _take(self._renews, "org")
        return good(self._token(visitor, ""))

    def _token(self, visitor: str, device: str) -> dict[str, Any]:
        deployment = {"name": DEVELOPER_NAME, "deploymentType": "api"}
        return {
            "accessToken": self._tokens.make(visitor),
            "lastEventId": str(self._streams.last_id(visitor)),
            "context": {"deviceId": device, "configuration": {"embeddedServiceConfig": deployment}},
        }

    # ---------------------------------------------------------------------------------------- conversations
    async def start(self, ask: Ask) -> web.Response:
        """A conversation under the caller's own id; 201."""
        given = bodies.read(ask.body, bodies.NewConversation)
        self._deployed(given.es_developer_name)
        bodies.own_id(given.conversation_id, "conversationId")
        visitor = self.visitor(ask)
        if given.conversation_id not in self._office.org.conversations:
            _take(self._starts, visitor)
        self._office.start(given, visitor)
        return web.Response(status=201)

    async def list_all(self, ask: Ask) -> web.Response:
        """The visitor's conversations, the closed ones too if ``inclClosedConvs`` is true."""
        visitor, closed = self.visitor(ask), ask.query.get("inclClosedConvs") == "true"
        mine = [one for one in self._office.org.conversations.values() if one.visitor == visitor]
        found = [one for one in mine if closed or not one.closed][: _limit(ask)]
        shown = [{"id": one.id, "startTimestamp": one.created_at, "isClosed": one.closed} for one in found]
        return good({"openConversationsFound": sum(not one.closed for one in mine), "conversations": shown})

    async def get(self, ask: Ask) -> web.Response:
        """How its routing stands."""
        one = self._conversation(ask)
        return good({"conversationId": one.id, "routingStatus": one.routing_status, "isClosed": one.closed})

    async def close(self, ask: Ask) -> web.Response:
        """For good."""
        self._deployed(ask.query.get("esDeveloperName"))
        self._office.close(self._conversation(ask))
        return web.Response(status=204)

    async def end_session(self, ask: Ask) -> web.Response:
        """Its session; the conversation stays."""
        self._deployed(ask.query.get("esDeveloperName"))
        self._office.end_session(self._conversation(ask))
        return web.Response(status=204)

    async def entries(self, ask: Ask) -> web.Response:
        """What happened, oldest first; the newest ones unless ``direction`` is FromStart (assumed)."""
        kinds = [kind for kind in ask.query.get("entryTypeFilter", "").split(",") if kind]
        first, last = _number(ask, "startTimestamp", 0), _number(ask, "endTimestamp", 2**62)
        found = [one for one in self._conversation(ask).entries if first <= one.at <= last]
        found = [one for one in found if not kinds or one.entry_type in kinds]
        limit, direction = _limit(ask), ask.query.get("direction", "FromEnd")
        if direction not in {"FromStart", "FromEnd"}:
            raise VendorRefusal(400, "The request is invalid", note="direction: FromStart, FromEnd")
        page = found[:limit] if direction == "FromStart" else found[-limit:]
        return good({"conversationEntries": [described(one) for one in page]})

    # -------------------------------------------------------------------------------------- what is said
    async def send_message(self, ask: Ask) -> web.Response:
        """Text of the visitor."""
        given = bodies.read(ask.body, bodies.NewMessage)
        self._deployed(given.es_developer_name)
        bodies.own_id(given.message.id, "message.id")
        text = given.message.static_content.text
        most = self._office.assumptions.text_limit_bytes
        if not text or (most is not None and len(text.encode()) > most):
            raise VendorRefusal(400, "The request is invalid", note=f"a text has 1 to {most} bytes")
        return _taken(self._office.hear(self._conversation(ask), given, text=text))

    async def send_file(self, ask: Ask) -> web.Response:
        """A file of the visitor, at most 5 MB."""
        found = bodies.parts(ask.headers.get("Content-Type", ""), ask.body)
        if set(found) != {"messageEntry", "fileData"}:
            raise VendorRefusal(400, "The request is invalid", note="the parts are messageEntry and fileData")
        given, data = bodies.read(found["messageEntry"].body, bodies.NewFile), found["fileData"]
        self._deployed(given.es_developer_name)
        bodies.own_id(given.message.id, "message.id")
        if len(data.body) > MAX_FILE:
            raise VendorRefusal(413, "The file is too large", note=f"{len(data.body)} bytes")
        if data.media_type not in self._office.assumptions.media_types:
            raise VendorRefusal(415, "The file type is not supported", note=data.media_type)
        kept = FileOf(id=given.message.file_id, name=data.filename, media_type=data.media_type, body=data.body)
        return _taken(self._office.hear(self._conversation(ask), given, text=given.message.text, files=(kept,)))

    async def send_entry(self, ask: Ask) -> web.Response:
        """The visitor types, or stops."""
        given = bodies.read(ask.body, bodies.NewEntry)
        conversation = self._conversation(ask)
        started = given.entry_type == "TypingStartedIndicator"
        conversation.typing += started
        self._office.note(conversation, f"the visitor {'types' if started else 'stops typing'}")
        return good({"conversationEntries": [{"id": given.id, "clientTimestamp": 0}]}, 202)

    async def acknowledge(self, ask: Ask) -> web.Response:
        """Receipts of the visitor."""
        given = bodies.read(ask.body, bodies.Acks)
        conversation = self._conversation(ask)
        conversation.acknowledged += [one.conversation_entry_id for one in given.acks]
        return good({})

    async def stream(self, ask: Ask) -> web.StreamResponse:
        """Events from now on, and those after ``Last-Event-Id``."""
        if ask.headers.get("X-Org-Id") != self._office.org.id:
            raise VendorRefusal(400, "The request is invalid", note=f"X-Org-Id must be {self._office.org.id}")
        visitor, last = self.visitor(ask), ask.headers.get("Last-Event-Id", "")
        replay = self._office.assumptions.replays and last.isdecimal()
        return EventStream(
            self._streams,
            self._tokens,
            token=_bearer(ask),
            after=int(last) if replay else self._streams.last_id(visitor),
            ping_s=self._ping_s,
            expired_line=self._office.assumptions.expired_line,
        )


def _bearer(ask: Ask) -> str:
    return ask.headers.get("Authorization", "").removeprefix("Bearer ")


def _take(limiter: RateLimiter | None, key: str) -> None:
    if limiter is not None and (wait := limiter.take(key)):
        raise VendorRefusal(429, "Too Many Requests", note=f"welcome again in {wait:.1f} s")


def _number(ask: Ask, name: str, default: int) -> int:
    given = ask.query.get(name, str(default))
    if not given.isdecimal():
        raise VendorRefusal(400, "The request is invalid", note=f"{name} is a number")
    return int(given)


def _limit(ask: Ask) -> int:
    limit = _number(ask, "limit", _USUAL)
    if not 1 <= limit <= _MOST:
        raise VendorRefusal(400, "The request is invalid", note=f"limit: 1 to {_MOST}")
    return limit


def _taken(entry: Entry) -> web.Response:
    return good({"conversationEntries": [{"id": entry.identifier, "clientTimestamp": entry.client_at}]}, 202)
