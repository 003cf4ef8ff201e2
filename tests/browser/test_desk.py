"""A visitor in the real widget and an agent at the real desk, in two browsers, from the first hello to the end."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import msgspec
import pytest_asyncio
from aiohttp import web
from playwright.async_api import Browser, BrowserContext, FrameLocator, Page, expect
from tests.support.node import Stage, staged
from tests.support.pair import StorePair
from tests.web.console.desk_agent import PASSWORD, only_our_desk

from warmline.accounts.access import SYSTEM
from warmline.accounts.model import Role

HOSTILE = '<img src=x onerror="document.title=1"><script>document.title=2</script>'
_HOST = """<!doctype html><html lang="en"><meta charset="utf-8"><title>A lamp</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><h1>A lamp</h1>
<script src="{base}/widget/loader.js" data-widget="{widget}" async></script></html>"""


@dataclass
class Told:
    """What a browser complains about: errors, and breaches of the page's policy (Chromium reports them as errors)."""

    lines: list[str] = field(default_factory=list)

    def listen(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.lines.append(str(error)))
        page.on("console", lambda line: self.lines.append(line.text) if line.type == "error" else None)


@pytest_asyncio.fixture(loop_scope="module")
async def stage(sqlite_pair: StorePair) -> AsyncIterator[Stage]:
    async with staged(sqlite_pair) as opened:
        await only_our_desk(opened)
        await opened.node.accounts.create_member(SYSTEM, "mina@desk.example", "Mina Okafor", Role.AGENT, PASSWORD)
        yield opened


@contextlib.asynccontextmanager
async def host_page(stage: Stage) -> AsyncIterator[str]:
    """A page of somebody else's with the widget on it; its address."""

    async def answer(_request: web.Request) -> web.Response:
        html = _HOST.format(base=stage.base, widget=stage.widget_id)
        return web.Response(text=html, content_type="text/html")

    application = web.Application()
    application.router.add_get("/", answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    address = f"http://localhost:{runner.addresses[0][1]}"
    widget = await stage.node.widgets.read(stage.widget_id)
    await stage.node.widgets.update(msgspec.structs.replace(widget, allowed_origins=(address,)))
    try:
        yield address
    finally:
        await runner.cleanup()


async def open_widget(page: Page, address: str) -> FrameLocator:
    await page.goto(address)
    await page.get_by_role("button").first.click()
    frame = page.frame_locator("iframe")
    await expect(frame.get_by_role("textbox")).to_be_visible(timeout=15_000)
    return frame


async def sign_in(context: BrowserContext, stage: Stage, told: Told) -> Page:
    page = await context.new_page()
    told.listen(page)
    await page.goto(f"{stage.base}/console/sign-in")
    await page.get_by_label("E-mail").fill("mina@desk.example")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/console/desk")
    return page


async def say(frame: FrameLocator, text: str) -> None:
    await frame.get_by_role("textbox").fill(text)
    await frame.get_by_role("textbox").press("Enter")


async def test_a_visitor_and_an_agent_talk_from_hello_to_the_end(stage: Stage, browser: Browser) -> None:
    told = Told()
    async with host_page(stage) as address:
        shop = await browser.new_page()
        desk = await sign_in(await browser.new_context(), stage, told)
        widget = await open_widget(shop, address)
        await say(widget, HOSTILE)
        await say(widget, "I want to talk to a person")

        row = desk.locator("#desk-board [data-conversation]")
        await expect(row).to_have_count(1)
        await expect(desk).to_have_title("(1) Desk · Warmline")
        await desk.keyboard.press("j")
        await desk.keyboard.press("Enter")
        log = desk.locator("[data-transcript]")
        await expect(log).to_contain_text(HOSTILE)
        await desk.keyboard.press("t")
        box = desk.get_by_label("Answer the visitor")
        await expect(box).to_be_focused()
        await expect(desk).to_have_title("Desk · Warmline")
        await expect(widget.get_by_text("Mina Okafor").first).to_be_visible()

        await box.press_sequentially("Good morn")
        await expect(widget.locator(".typing").first).to_be_visible()
        await box.press_sequentially("ing!")
        await box.press("Enter")
        await expect(widget.get_by_text("Good morning!")).to_have_count(1)
        await expect(log.locator(".message.mine .bubble")).to_have_text(["Good morning!"])
        await expect(log.locator(".pending")).to_have_count(0)
        await expect(log.locator(".seen")).to_have_text("Seen")

        await widget.get_by_role("textbox").press_sequentially("My lamp")
        await expect(desk.locator("[data-typing]")).to_be_visible()
        await widget.get_by_role("textbox").press("Enter")
        await expect(log.get_by_text("My lamp", exact=True)).to_have_count(1)
        await expect(desk.locator("[data-typing]")).to_be_hidden()

        await desk.get_by_role("button", name="Put back").click()
        await expect(desk.get_by_text("waits in the queue again")).to_be_visible()
        await row.click()
        await desk.get_by_role("button", name="Take").click()
        await expect(box).to_be_visible()
        await box.fill("Back again")
        await box.press("Enter")
        await expect(widget.get_by_text("Back again")).to_have_count(1)

        await desk.get_by_role("button", name="End…").click()
        await desk.get_by_role("button", name="End it").click()
        await expect(desk.get_by_text("You are not talking to anybody.")).to_be_visible()
    assert told.lines == []


async def test_the_desk_survives_a_lost_connection_without_a_gap_or_a_repeat(stage: Stage, browser: Browser) -> None:
    told = Told()
    context = await browser.new_context()
    desk = await sign_in(context, stage, told)
    conversation = await stage.visit()
    await stage.say(conversation, "talk to a person")
    await stage.until_stage(conversation, "queued")
    await desk.goto(f"{stage.base}/console/desk/{conversation}")
    await desk.get_by_role("button", name="Take").click()
    box = desk.get_by_label("Answer the visitor")
    await expect(box).to_be_visible()
    second = await context.new_page()
    await second.goto(f"{stage.base}/console/desk/{conversation}")

    await stage.node.desk.hub.drain(within_ms=50)  # what every page sees when its server stops
    await expect(desk.locator("[data-lost]")).to_be_visible()
    await stage.say(conversation, "while you were away")
    await box.fill("I write all the same")
    await box.press("Enter")
    stage.node.desk.hub.draining = False

    for page in (desk, second):
        log = page.locator("[data-transcript]")
        await expect(log.get_by_text("while you were away", exact=True)).to_have_count(1, timeout=15_000)
        await expect(log.get_by_text("I write all the same", exact=True)).to_have_count(1, timeout=15_000)
        await expect(page.locator(".pending")).to_have_count(0)


async def test_a_message_that_cannot_be_sent_stays_and_is_sent_once_on_request(stage: Stage, browser: Browser) -> None:
    desk = await sign_in(await browser.new_context(), stage, Told())
    conversation = await stage.visit()
    await stage.say(conversation, "talk to a person")
    await stage.until_stage(conversation, "queued")
    await desk.goto(f"{stage.base}/console/desk/{conversation}")
    await desk.get_by_role("button", name="Take").click()
    box = desk.get_by_label("Answer the visitor")
    await expect(box).to_be_visible()
    refusals = 0

    async def refuse(route: object) -> None:
        nonlocal refusals
        refusals += 1
        await route.fulfill(  # type: ignore[attr-defined]
            status=409, content_type="application/json", body='{"code":"x","detail":"Not now.","retryable":false}'
        )

    await desk.route("**/say", refuse)
    await box.fill("Only once, please")
    await box.press("Enter")
    await expect(desk.locator(".message.failed")).to_contain_text("Not now.")
    await desk.unroute("**/say")
    await desk.get_by_role("button", name="Try again").click()
    await expect(desk.locator(".message.mine:not(.failed) .bubble")).to_have_text(["Only once, please"])
    await expect(desk.locator(".pending")).to_have_count(0)
    assert refusals == 1


async def test_a_small_screen_shows_the_list_or_the_conversation(stage: Stage, browser: Browser) -> None:
    context = await browser.new_context(viewport={"width": 360, "height": 720})
    desk = await sign_in(context, stage, Told())
    conversation = await stage.visit()
    await stage.say(conversation, "talk to a person")
    await expect(desk.locator("#desk-board [data-conversation]")).to_be_visible()
    await desk.locator("#desk-board [data-conversation]").click()
    await expect(desk.get_by_role("button", name="Take")).to_be_visible()
    await expect(desk.locator("#desk-board")).to_be_hidden()
    assert await desk.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await desk.get_by_role("link", name="Desk", exact=True).click()
    await expect(desk.locator("#desk-board")).to_be_visible()
