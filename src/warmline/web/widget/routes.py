"""The widget's HTTP routes, ready to be put in front of the framework."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import parse_qs, urlsplit

import msgspec
from msgspec import Meta, Struct

from warmline.conversations.events import Page
from warmline.kernel.errors import NotFound
from warmline.web import stream_frames as f
from warmline.web.front import RawRoute, SocketRoute
from warmline.web.openapi_operation import Operation, Parameter
from warmline.web.problems import NOSNIFF, Receive, Scope, Send, decode, read_body, send_bytes, send_json
from warmline.web.security import bearer, client_address, header, origin_of, parse_origin
from warmline.web.stream import VisitorStream
from warmline.web.stream_ports import Limits, Widgets
from warmline.web.stream_sse import EventStreamEndpoint
from warmline.web.stream_ws import SocketEndpoint
from warmline.web.widget import texts
from warmline.web.widget.assets import STATIC, Assets
from warmline.web.widget.frame import frame_page, policy, refused_page
from warmline.web.widget.guards import check_origin, throttle

if TYPE_CHECKING:
    from warmline.conversations.widgets import Widget

FRAME = "/widget/frame/"
MAX_BODY = 64 * 1024
PAGE_TEXT = 2_000
"""Longer page properties are cut, not refused: a long address must not keep a visitor from chatting."""

WidgetRef = Annotated[str, Meta(min_length=1, max_length=64)]


class SessionRequest(Struct, frozen=True):
    """``token`` is the one kept from an earlier visit, if there is one."""

    widget_id: WidgetRef
    token: Annotated[str, Meta(max_length=512)] | None = None


class WidgetConfig(Struct, frozen=True):
    """How the widget looks and speaks.  ``texts`` is a flat table; plural entries are objects of CLDR categories."""

    widget_id: str
    title: str
    subtitle: str
    bot_name: str
    accent: str
    language: str
    dir: str
    texts: dict[str, Any]
    max_file_bytes: int
    """0 where files cannot be sent."""


class SessionAnswer(Struct, frozen=True):
    """``conversation`` is the visitor's open one, to be resumed with ``incarnation`` and the last known seq."""

    token: str
    config: WidgetConfig
    conversation: str | None
    incarnation: str


class PageProperties(Struct, frozen=True, rename="camel"):
    """What the embedding page told about itself."""

    user_agent: str = ""
    screen_res: str = ""
    language: str = ""
    url: str = ""
    referrer: str = ""
    title: str = ""


class StartRequest(Struct, frozen=True):
    """Begin a conversation.  The same ``client_id`` again gives the same conversation."""

    widget_id: WidgetRef
    client_id: f.ClientId
    page: PageProperties = PageProperties()


class StartAnswer(Struct, frozen=True):
    """The conversation to follow."""

    conversation: str
    incarnation: str


_session = msgspec.json.Decoder(SessionRequest)
_start = msgspec.json.Decoder(StartRequest)


class WidgetSurface:
    """Everything under ``/widget``."""

    def __init__(
        self,
        stream: VisitorStream,
        widgets: Widgets,
        limits: Limits,
        *,
        public_url: str,
        max_file_bytes: int,
    ) -> None:
        self._stream = stream
        self._widgets = widgets
        self._limits = limits
        self._max_file_bytes = max_file_bytes
        self._origin = origin_of(public_url)
        self._base = urlsplit(public_url).path.rstrip("/")
        self._socket_origin = self._origin.replace("http", "ws", 1)
        self._assets = Assets()
        self._events = EventStreamEndpoint(stream)

    def routes(self) -> list[RawRoute]:
        """The HTTP routes."""
        return [
            RawRoute(path="/widget/loader.js", method="GET", handler=self._assets.loader),
            RawRoute(path=STATIC, method="GET", handler=self._assets.static, prefix=True),
            RawRoute(path=FRAME, method="GET", handler=self.frame, prefix=True),
            RawRoute(path="/widget/session", method="POST", handler=self.session, operation=_SESSION),
            RawRoute(path="/widget/conversations", method="POST", handler=self.start, operation=_START),
            RawRoute(path="/widget/sse", method="GET", handler=self._events.events),
            RawRoute(path="/widget/send", method="POST", handler=self.send, operation=_SEND),
        ]

    def sockets(self) -> list[SocketRoute]:
        """The WebSocket route."""
        return [SocketRoute(path="/widget/ws", handler=SocketEndpoint(self._stream, self._origin))]

    async def frame(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """The iframe's page; 403 with a readable page where the widget is not allowed, 404 when there is none."""
        widget = await self._find(scope["path"].removeprefix(FRAME))
        asked = parse_qs(scope["query_string"].decode("latin-1")).get("origin", [""])[-1]
        origin = parse_origin(asked)
        if origin is None or not self._allows(scope, widget, origin):
            body = refused_page(widget.name, origin, self._base + self._assets.prefix)
            # Only this text without any power may stand in every page: its reader is whoever embeds the widget.
            await send_bytes(send, 403, body.encode(), _page_headers(policy(["*"], ())))
            return
        accept = (header(scope, b"accept-language") or b"").decode("latin-1")
        page = frame_page(widget, base=self._base, static=self._assets.prefix, origin=origin, accept_language=accept)
        ancestors = ["'self'", *widget.allowed_origins]
        await send_bytes(send, 200, page.encode(), _page_headers(policy(ancestors, [self._socket_origin])))

    async def session(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Open or renew the visitor's session."""
        check_origin(scope, self._origin)
        throttle(self._limits, "address.session", client_address(scope))
        asked = decode(_session, await read_body(receive, MAX_BODY))
        widget = await self._find(asked.widget_id)
        token, visitor = self._stream.visitors.session(asked.token)
        # A fresh token cannot have a conversation yet.
        known = token == asked.token
        conversation = await self._stream.conversations.find_open(visitor, widget.id) if known else None
        language = texts.choose(widget.look.language, (header(scope, b"accept-language") or b"").decode("latin-1"))
        config = WidgetConfig(
            widget_id=widget.id,
            title=widget.look.title,
            subtitle=widget.look.subtitle,
            bot_name=widget.look.bot_name,
            accent=widget.look.accent,
            language=language,
            dir=texts.direction(language),
            texts=texts.table(language),
            max_file_bytes=self._max_file_bytes if widget.look.attachments else 0,
        )
        await send_json(send, SessionAnswer(token, config, conversation, self._incarnation))

    async def start(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Begin a conversation; the bot greets."""
        check_origin(scope, self._origin)
        visitor = self._stream.visitors.authenticate(bearer(scope))
        asked = decode(_start, await read_body(receive, MAX_BODY))
        widget = await self._find(asked.widget_id)
        throttle(self._limits, "visitor.start", visitor)
        throttle(self._limits, "address.start", client_address(scope))
        page = Page(**{name: value[:PAGE_TEXT] for name, value in msgspec.structs.asdict(asked.page).items()})
        await self._stream.visitors.remember(visitor)
        conversation = await self._stream.conversations.start(
            widget=widget, visitor_id=visitor, page=page, client_id=asked.client_id
        )
        await send_json(send, StartAnswer(conversation, self._incarnation))

    async def send(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One client frame, for visitors whose network lets no WebSocket through."""
        check_origin(scope, self._origin)
        await self._events.send(scope, receive, send)

    @property
    def _incarnation(self) -> str:
        return self._stream.hub.journal.incarnation

    async def _find(self, widget_id: str) -> Widget:
        if not widget_id or len(widget_id) > 64:
            raise NotFound("There is no such widget.")
        widget: Widget = await self._widgets.get(widget_id)
        return widget

    def _allows(self, scope: Scope, widget: Widget, origin: str) -> bool:
        if origin in widget.allowed_origins or origin == self._origin:
            return True
        host = (header(scope, b"host") or b"").decode("latin-1")
        return origin == parse_origin(f"{scope['scheme']}://{host}")


def _page_headers(csp: bytes) -> list[tuple[bytes, bytes]]:
    return [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"content-security-policy", csp),
        (b"referrer-policy", b"no-referrer"),
        (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
        NOSNIFF,
    ]


_PROBLEMS = (400, 401, 403, 404, 413, 429)
_SESSION = Operation(
    id="openSession",
    summary="Open or renew a visitor's session",
    description="Gives the visitor's token, the widget's configuration and the open conversation, if there is one.",
    tags=("Widget",),
    request=SessionRequest,
    responses={200: SessionAnswer},
    problems=(400, 403, 404, 413, 429),
)
_START = Operation(
    id="startConversation",
    summary="Begin a conversation",
    description="Called when the visitor first opens the chat; the bot then greets.",
    tags=("Widget",),
    request=StartRequest,
    responses={200: StartAnswer},
    problems=_PROBLEMS,
    security=("visitor",),
)
_SEND = Operation(
    id="sendFrame",
    summary="Send one client frame",
    description="For visitors whose network lets no WebSocket through. Answers the frame's `ack` or `refused`, or {}.",
    tags=("Widget",),
    request=f.Message | f.Typing | f.Read | f.Cancel | f.End | f.Contact,
    responses={200: dict[str, Any]},
    problems=_PROBLEMS,
    security=("visitor",),
    parameters=(Parameter(name="conversation", where="query", description="The conversation.", required=True),),
)
