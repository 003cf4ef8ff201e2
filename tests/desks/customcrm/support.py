"""A CRM that remembers what it was sent and answers as told, and a desk that talks to it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from warmline.desks.customcrm import CustomCrmDesk
from warmline.desks.customcrm.settings import FORM
from warmline.desks.shared.signed_posts import SIGNING_SECRET
from warmline.handover.connection_forms import parse_form
from warmline.handover.desk_kinds import Linked, Secret
from warmline.handover.port import AuthorKind, EndReason, HandoverRequest, TranscriptLine, VisitorCard
from warmline.kernel.clock import Clock, SystemClock
from warmline.platform.http import Outgoing

BOT = "64f0c1d2e3a4b5c6d7e8f901"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OLD_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
PAYLOADS = Path(__file__).parent / "payloads"


def payload(name: str) -> Any:
    """The body of a payload file, like ``in/message``."""
    return json.loads((PAYLOADS / f"{name}.json").read_text())["body"]


@dataclass
class Received:
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)


Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Crm:
    """``answer`` may be replaced by a test; ``got`` holds every request in order."""

    url: str = ""
    got: list[Received] = field(default_factory=list)
    answer: Answer | None = None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.got.append(Received(headers, await request.read()))
        return await self.answer(request) if self.answer else web.Response()

    def answers(self, status: int, body: Any = None, headers: dict[str, str] | None = None) -> None:
        async def fixed(_request: web.Request) -> web.StreamResponse:
            return web.json_response(body, status=status, headers=headers)

        self.answer = fixed


@contextlib.asynccontextmanager
async def running_crm() -> AsyncIterator[Crm]:
    """A CRM on a real loopback port."""
    crm = Crm()
    app = web.Application()
    app.router.add_post("/hook", crm.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    crm.url = f"http://{host}:{port}/hook"
    try:
        yield crm
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def outgoing_to(url: str) -> AsyncIterator[Outgoing]:
    """A guarded client that may call the host and port of ``url``."""
    place = url.split("/")[2]
    outgoing = Outgoing(allow=(place,))
    await outgoing.start()
    try:
        yield outgoing
    finally:
        await outgoing.stop()


def make_desk(
    outgoing: Outgoing,
    url: str,
    *,
    clock: Clock | None = None,
    secrets: tuple[Secret, ...] = (Secret(SECRET),),
    **settings: Any,
) -> CustomCrmDesk:
    values, _ = parse_form(FORM, {"webhook_url": url, **settings}, base="$.settings")
    linked = Linked(
        connection_id="con-1", name="CRM", bot_ids=(BOT,), settings=values, secrets={SIGNING_SECRET: secrets}
    )
    return CustomCrmDesk(linked, outgoing, clock or SystemClock())


def make_request(**changes: Any) -> HandoverRequest:
    values: dict[str, Any] = {
        "id": "h-1.0",
        "conversation_id": "c-8841",
        "handover_id": "h-1",
        "rung": 0,
        "owner_epoch": 2,
        "bot_id": BOT,
        "reason": EndReason.REQUESTED_BY_VISITOR,
        "language": "pt-BR",
        "visitor": VisitorCard(id="v-1", name="Ana", email="ana@example.com"),
        "page": {"url": "https://shop.example/cart", "title": "Cart", "referrer": ""},
        "transcript": (
            TranscriptLine(2, 1_700_000_000_123, AuthorKind.BOT, "Robin", "How can I help?"),
            TranscriptLine(3, 1_700_000_001_000, AuthorKind.VISITOR, "", "A person, please"),
        ),
        "transcript_url": "https://desk.example/t/abc",
        "reply_to": "reply+abc@desk.example",
    }
    return HandoverRequest(**{**values, **changes})
