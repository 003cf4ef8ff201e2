"""The sample CRM as a stranger runs it: its own process, a fake Warmline on the other side, real HTTP between them."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from tests.support.example import running_example
from tests.support.node import free_port

from warmline.kernel.clock import SystemClock
from warmline.kernel.ids import uuid7
from warmline.platform.signing import sign

FOLDER = Path(__file__).parents[2] / "examples" / "custom_crm"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BOT = "64f0c1d2e3a4b5c6d7e8f901"


class FakeWarmline:
    """Takes agent events at the published path; ``statuses`` are its next answers (then 200)."""

    def __init__(self) -> None:
        self.got: list[tuple[str, str, dict[str, Any]]] = []
        self.statuses: list[int] = []

    async def take(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.got.append((request.headers.get("Authorization", ""), request.headers.get("botid", ""), body))
        status = self.statuses.pop(0) if self.statuses else 200
        return web.json_response({} if status == 200 else {"detail": "The conversation is closed."}, status=status)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [{key: value for key, value in body.items() if key != "messageId"} for _, _, body in self.got]


class RunningCrm:
    """The process, from Warmline's side and from the agent's browser, with a conversation that nobody else has."""

    def __init__(self, base: str, session: aiohttp.ClientSession) -> None:
        self.base = base
        self.session = session
        self.conversation = f"c-{uuid7()}"

    async def event(self, kind: str, webhook_id: str, *, secret: str = SECRET, **fields: Any) -> tuple[int, Any]:
        """What Warmline sends, signed; returns status and answer."""
        data = {"platformConversationId": self.conversation, "eventType": kind, **fields}
        body = json.dumps({"botId": BOT, "channel": "chat", "data": data}).encode()
        headers = sign([secret], f"{webhook_id}-{self.conversation}", SystemClock().now(), body)
        async with self.session.post(f"{self.base}/webhook", data=body, headers=headers) as reply:
            return reply.status, await reply.json()

    async def act(self, kind: str, conversation: str = "", **fields: Any) -> int:
        """What the agent's page sends."""
        body = {"eventType": kind, "platformConversationId": conversation or self.conversation, **fields}
        async with self.session.post(f"{self.base}/act", json=body) as reply:
            return reply.status

    async def shown(self) -> list[dict[str, Any]]:
        """What a browser that opens the page now is shown of the conversation."""
        async with self.session.get(f"{self.base}/live") as reply:
            return [one for one in await _next(reply) if one["id"] == self.conversation]


async def _next(reply: aiohttp.ClientResponse) -> list[dict[str, Any]]:
    while not (line := await asyncio.wait_for(reply.content.readline(), 20)).startswith(b"data: "):
        assert line, "the stream ended"
    return json.loads(line[6:])


@contextlib.asynccontextmanager
async def running_fake() -> AsyncIterator[tuple[FakeWarmline, str]]:
    warmline = FakeWarmline()
    app = web.Application()
    app.router.add_post("/agent/converse/send-message-to-widget", warmline.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield warmline, "http://{}:{}".format(*runner.addresses[0][:2])
    await runner.cleanup()


@contextlib.asynccontextmanager
async def running_crm() -> AsyncIterator[tuple[FakeWarmline, RunningCrm]]:
    """The process and its Warmline; it must end well, whatever was done to it."""
    async with running_fake() as (warmline, url), aiohttp.ClientSession() as session:
        environment = {
            "CRM_WARMLINE_URL": url,
            "CRM_API_KEY": "wlc_key",
            "CRM_BOT_ID": BOT,
            "CRM_SIGNING_SECRET": SECRET,
        }
        async with running_example(FOLDER / "crm.py", free_port(), environment) as base:
            yield warmline, RunningCrm(base, session)


Pair = tuple[FakeWarmline, RunningCrm]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_crm() -> AsyncIterator[Pair]:
    """One process for every test that looks at a conversation of its own only."""
    async with running_crm() as running:
        yield running


@pytest.fixture
def warmline(shared_crm: Pair) -> FakeWarmline:
    fake = shared_crm[0]
    fake.got.clear()
    fake.statuses.clear()
    return fake


@pytest.fixture
def crm(shared_crm: Pair) -> RunningCrm:
    return RunningCrm(shared_crm[1].base, shared_crm[1].session)


@pytest_asyncio.fixture(loop_scope="module")
async def new_crm() -> AsyncIterator[Pair]:
    """A process that has heard of no conversation and of no browser."""
    async with running_crm() as running:
        yield running


async def test_a_chat_from_the_first_ring_to_the_goodbye(crm: RunningCrm, warmline: FakeWarmline) -> None:
    assert await crm.event("widgetEscalate", "open_1", escalateTo="billing") == (200, {})
    assert await crm.act("escalationQueueUpdate", queuePosition="3", waitingTime="12") == 200
    assert await crm.act("escalationSuccess", agent="Noor Haddad") == 200
    assert await crm.event("widgetMessage", "message_1", text="It never arrived.") == (200, {})
    assert await crm.act("message", text="Let me look") == 200
    assert await crm.act("agentDisconnect") == 200
    common = {"platformConversationId": crm.conversation}
    assert warmline.events == [
        {"eventType": "escalationQueueUpdate", **common, "queuePosition": "3", "waitingTime": "12"},
        {"eventType": "escalationSuccess", **common, "agent": "Noor Haddad"},
        {"eventType": "message", **common, "text": "Let me look"},
        {"eventType": "agentDisconnect", **common},
    ]
    assert {(key, bot) for key, bot, _ in warmline.got} == {("wlc_key", BOT)}
    assert len({body["messageId"] for _, _, body in warmline.got}) == 4
    (shown,) = await crm.shown()
    assert (shown["state"], shown["target"]) == ("ended", "billing")
    assert [(line["author"], line["text"]) for line in shown["lines"]] == [
        ("visitor", "It never arrived."),
        ("agent", "Let me look"),
    ]


async def test_a_repeated_event_is_taken_once(crm: RunningCrm) -> None:
    await crm.event("widgetEscalate", "open_1")
    for webhook_id in ("message_1", "message_1", "message_2"):
        assert await crm.event("widgetMessage", webhook_id, text="Hello?") == (200, {})
    (shown,) = await crm.shown()
    assert len(shown["lines"]) == 2


async def test_what_is_not_signed_with_our_secret_changes_nothing(crm: RunningCrm) -> None:
    other = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
    assert (await crm.event("widgetEscalate", "open_1", secret=other))[0] == 401
    async with crm.session.post(f"{crm.base}/webhook", json={"data": {}}) as reply:
        assert reply.status == 401
    assert await crm.shown() == []


async def test_the_rich_profile_shows_who_asks_and_what_was_said(crm: RunningCrm) -> None:
    lines = [{"seq": 2, "at": "2026-11-21T08:00:00.000Z", "author": "bot", "name": "Robin", "text": "How can I help?"}]
    context = {"version": 1, "visitor": {"name": "Ana"}, "page": {"url": "https://shop.example/"}, "transcript": lines}
    await crm.event("widgetEscalate", "open_1", warmline=context)
    (shown,) = await crm.shown()
    assert (shown["name"], shown["page"], shown["lines"]) == ("Ana", "https://shop.example/", lines)


@pytest.mark.asyncio(loop_scope="module")
async def test_the_team_is_online_while_somebody_looks(new_crm: Pair) -> None:
    _warmline, crm = new_crm
    assert await crm.event("isTeamOnline", "online_1") == (200, {"isOnline": False})
    async with crm.session.get(f"{crm.base}/live") as reply:
        assert await _next(reply) == []
        assert await crm.event("isTeamOnline", "online_2") == (200, {"isOnline": True})
        await crm.event("widgetEscalate", "open_1")
        (shown,) = await _next(reply)
        assert shown["state"] == "new"
        await crm.event("widgetEndSession", "end_1")
        (shown,) = await _next(reply)
        assert shown["state"] == "ended"


async def test_trouble_is_tried_again_with_the_same_id_and_a_refusal_is_shown(
    crm: RunningCrm, warmline: FakeWarmline
) -> None:
    await crm.event("widgetEscalate", "open_1")
    warmline.statuses = [503, 429, 200]
    assert await crm.act("message", text="Hello") == 200
    assert len({body["messageId"] for _, _, body in warmline.got}) == 1
    warmline.statuses = [409]
    assert await crm.act("message", text="Too late") == 409
    (shown,) = await crm.shown()
    assert [line["text"] for line in shown["lines"]] == ["Hello", "Not delivered (409). The conversation is closed."]


async def test_another_site_cannot_act_for_the_agent(crm: RunningCrm, warmline: FakeWarmline) -> None:
    await crm.event("widgetEscalate", "open_1")
    body = {"eventType": "message", "platformConversationId": crm.conversation, "text": "x"}
    async with crm.session.post(f"{crm.base}/act", json=body, headers={"Sec-Fetch-Site": "cross-site"}) as reply:
        assert reply.status == 403
    assert await crm.act("message", "unknown", text="x") == 404
    assert warmline.got == []


def test_it_is_short_and_knows_nothing_but_the_contract() -> None:
    source = (FOLDER / "crm.py").read_text()
    assert len(source.splitlines()) < 200
    names = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(source))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert names - set(sys.stdlib_module_names) == {"aiohttp"}


@pytest.mark.browser
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
async def test_the_agents_page(new_crm: Pair, browser: Any, scheme: str, width: int) -> None:
    warmline, crm = new_crm
    page = await browser.new_page(color_scheme=scheme, viewport={"width": width, "height": 720})
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    await page.goto(crm.base)
    await page.get_by_text("Nobody is asking").wait_for()
    await crm.event("widgetEscalate", "open_1", escalateTo="billing")
    await page.get_by_role("button", name="Visitor").click()
    await page.get_by_role("button", name="Update queue").click()
    await page.get_by_text("waiting", exact=True).wait_for()
    await page.get_by_role("button", name="Accept").click()
    await page.get_by_role("textbox", name="Message").fill("Hello <b>there</b>")
    await page.get_by_role("textbox", name="Message").press("Enter")
    await page.get_by_role("log").get_by_text("Hello <b>there</b>").wait_for()
    await crm.event("widgetMessage", "message_1", text="<img src=x onerror=alert(1)>")
    await page.get_by_role("log").get_by_text("<img src=x onerror=alert(1)>").wait_for()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    if folder := os.environ.get("WARMLINE_TEST_SCREENSHOTS"):
        await page.screenshot(path=f"{folder}/sample-crm-{scheme}-{width}.png")
    await page.get_by_role("button", name="End conversation").click()
    await page.get_by_text("ended", exact=True).wait_for()
    await page.close()
    assert problems == []
    assert [event["eventType"] for event in warmline.events] == [
        "escalationQueueUpdate",
        "escalationSuccess",
        "message",
        "agentDisconnect",
    ]
