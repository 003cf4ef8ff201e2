"""The agent page: conversations, transcript, an agent's acts, the switchboard, and what goes over the wire.

Rendered here; a small module in the browser only swaps the parts that changed.  Every form works without it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import resources
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec
from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined

from warmline.simulators.board import ActRefused, Board
from warmline.simulators.samples import SAMPLES
from warmline.simulators.script import Kind, Switches

if TYPE_CHECKING:
    from warmline.simulators.base import Simulator

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_STATIC = {"page.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}
_KIND_LABELS = {
    Kind.TOO_MANY: "429 Too many requests",
    Kind.FAILING: "500 Internal error",
    Kind.SILENT: "No answer, nothing done",
    Kind.LOST: "Done, but the answer is lost",
    Kind.LATE: "Done, but answered late",
}
_SWITCH_LABELS = {
    "duplicates": "Deliver every event twice",
    "reorder": "Deliver in another order",
    "echo": "Send the caller's own messages back",
    "unknown_events": "Mix in events of unknown kinds",
    "wrong_signature": "Sign with a wrong key",
    "stale_by_s": "Sign as if an hour ago",
    "lose": "Lose all events",
    "paused": "Keep events back until this is off",
}
_OF_WEBHOOKS = frozenset({"wrong_signature", "stale_by_s"})
_ON = {"duplicates": 1, "stale_by_s": 3_600}
_TAIL = 30
_STREAM_PAUSE_S = 0.05
_PING_S = 15.0

_environment = Environment(
    loader=PackageLoader("warmline.simulators", "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters["clock"] = lambda at: datetime.fromtimestamp(at / 1000, UTC).strftime("%H:%M:%S")
_environment.filters["moment"] = lambda at: datetime.fromtimestamp(at / 1000, UTC).isoformat()


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """How Warmline is connected to a simulator; ``kind`` is the key of its desk.  Told by ``GET /simulator/connection``."""

    kind: str
    title: str
    settings: dict[str, str]
    payload: str
    sends_webhooks: bool


class AgentPage:
    """The page of one simulator."""

    def __init__(self, vendor: Simulator, board: Board) -> None:
        self._vendor = vendor
        self._board = board
        self._folder = resources.files("warmline.simulators") / "static"

    def routes(self) -> Sequence[web.RouteDef]:
        """The page and what belongs to it, none of which is a path of a vendor."""
        return (
            web.get("/", self.show),
            web.get("/simulator/static/{name}", self.static),
            web.get("/simulator/changes", self.changes),
            web.get("/simulator/connection", self.connection),
            web.post("/simulator/act", self.act),
            web.post("/simulator/trouble", self.trouble),
            web.post("/simulator/switches", self.switches),
            web.post("/simulator/target", self.target),
        )

    async def show(self, request: web.Request) -> web.Response:
        """The whole page."""
        return self._render(request)

    def _render(self, request: web.Request, *, fault: str = "", status: int = 200) -> web.Response:
        cards = self._board.cards()
        wanted = request.query.get("conversation", "")
        shown = next((card for card in cards if card.id == wanted), None)
        if shown is None and not wanted and cards:
            shown = cards[0]
        vendor = self._vendor
        inert = vendor.inert_switches | (frozenset() if vendor.sends_webhooks else _OF_WEBHOOKS)
        text = _environment.get_template("page.html").render(
            vendor=vendor,
            cards=cards,
            shown=shown,
            buttons=self._board.buttons(),
            credentials=self._board.credentials(),
            payload=self._board.payload(),
            targets=self._board.targets(),
            samples=list(SAMPLES),
            operations=sorted({route.operation for route in vendor.routes()}),
            kinds=_KIND_LABELS,
            orders=vendor.trouble.orders,
            switches=[
                (name, label, bool(getattr(vendor.webhooks.switches, name)))
                for name, label in _SWITCH_LABELS.items()
                if name not in inert
            ],
            calls=list(reversed(vendor.calls[-_TAIL:])),
            deliveries=list(reversed(vendor.webhooks.log[-_TAIL:])),
            fault=fault,
        )
        return web.Response(text=text, content_type="text/html", headers=_HEADERS, status=status)

    async def static(self, request: web.Request) -> web.Response:
        """Style, module and icon."""
        name = request.match_info["name"]
        if name not in _STATIC:
            raise web.HTTPNotFound
        body = (self._folder / name).read_bytes()
        return web.Response(body=body, content_type=_STATIC[name], charset="utf-8", headers=_HEADERS)

    async def connection(self, _request: web.Request) -> web.Response:
        """What to enter in Warmline, for a program that does so: the form's values, and a payload for a rung."""
        vendor = self._vendor
        made = Connection(
            kind=vendor.name,
            title=vendor.title,
            settings=vendor.form(),
            payload=self._board.payload(),
            sends_webhooks=vendor.sends_webhooks,
        )
        return web.Response(body=msgspec.json.encode(made), content_type="application/json", headers=_HEADERS)

    async def changes(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events: one ``change`` after each change, close ones taken together."""
        answer = web.StreamResponse(headers={**_HEADERS, "Content-Type": "text/event-stream"})
        await answer.prepare(request)
        version = self._vendor.changes.version
        with contextlib.suppress(ConnectionError):
            await answer.write(b"retry: 500\n\n")
            while True:
                try:
                    async with asyncio.timeout(_PING_S):
                        await self._vendor.changes.after(version)
                except TimeoutError:
                    await answer.write(b": still here\n\n")
                    continue
                await asyncio.sleep(_STREAM_PAUSE_S)
                version = self._vendor.changes.version
                await answer.write(b"event: change\ndata: {}\n\n")
        return answer

    # ---------------------------------------------------------------------------------------------- forms
    async def act(self, request: web.Request) -> web.Response:
        """An agent does something."""
        fields = await self._form(request)
        conversation = fields.get("conversation", "")
        try:
            await self._board.do(fields.get("act", ""), conversation, fields)
        except ActRefused as refused:
            return self._render(request, fault=str(refused), status=409)
        return self._back(conversation)

    async def trouble(self, request: web.Request) -> web.Response:
        """The next calls go wrong, or nothing does any more."""
        fields = await self._form(request)
        if fields.get("clear"):
            self._vendor.trouble.clear()
        else:
            try:
                kind, times = Kind(fields.get("kind", "")), int(fields.get("times", "1"))
            except ValueError as error:
                raise web.HTTPBadRequest from error
            self._vendor.trouble.next(fields.get("operation", ""), kind, min(max(times, 1), 99))
        return self._back(fields.get("conversation", ""))

    async def switches(self, request: web.Request) -> web.Response:
        """A habit of webhooks is changed."""
        fields = await self._form(request)
        name = fields.get("switch", "")
        if name not in Switches.__struct_fields__:
            raise web.HTTPBadRequest
        on = fields.get("on") == "1"
        self._vendor.webhooks.set(**{name: _ON.get(name, True) if on else (0 if name in _ON else False)})
        return self._back(fields.get("conversation", ""))

    async def target(self, request: web.Request) -> web.Response:
        """Webhooks go elsewhere."""
        fields = await self._form(request)
        try:
            self._board.subscribe(fields.get("url", "").strip())
        except ActRefused as refused:
            return self._render(request, fault=str(refused), status=409)
        self._vendor.changes.tell()
        return self._back(fields.get("conversation", ""))

    async def _form(self, request: web.Request) -> Mapping[str, str]:
        # A simulator is open to whoever reaches it, but not to other pages in the same browser.
        if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
            raise web.HTTPForbidden
        return {name: value for name, value in (await request.post()).items() if isinstance(value, str)}

    def _back(self, conversation: str) -> web.Response:
        where = f"/?conversation={quote(conversation, safe='')}" if conversation else "/"
        return web.Response(status=303, headers={**_HEADERS, "Location": where})
