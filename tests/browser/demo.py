"""The demo in browsers: a visitor in the shop, an agent in the sample CRM, and what browsers complain about."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from playwright.async_api import BrowserContext, FrameLocator, Locator, Page, expect
from tests.support.demo import Demo

SHOT_FOLDER = "screenshots"


@contextlib.contextmanager
def running_demo(folder: Path) -> Iterator[Demo]:
    """A running demo; stopped at the end."""
    demo = Demo(folder)
    (folder / SHOT_FOLDER).mkdir()
    try:
        demo.start()
        yield demo
    finally:
        demo.stop()


@dataclass
class Complaints:
    """What browsers complained about: errors, warnings, and breaches of a page's policy (which they report as errors)."""

    lines: list[str] = field(default_factory=list)

    def listen(self, page: Page) -> None:
        """Note what the page's console says from now on."""
        page.on("pageerror", lambda error: self.lines.append(f"{page.url}: {error}"))
        page.on("console", lambda line: self._note(line.type, f"{page.url}: {line.text}"))

    def _note(self, kind: str, line: str) -> None:
        if kind in {"error", "warning"}:
            self.lines.append(line)


class Visitor:
    """A tab of the shop, with the widget in it."""

    def __init__(self, page: Page, base: str) -> None:
        self.page = page
        self.base = base
        self.widget: FrameLocator = page.frame_locator("iframe")
        self.bubbles: Locator = self.widget.locator(".message .bubble")
        self.waiting: Locator = self.widget.locator(".card.waiting")

    async def open_chat(self, path: str = "/") -> None:
        """Open the page and the chat on it; returns when the visitor can write."""
        await self.page.goto(self.base + path)
        await self.open_again()

    async def open_again(self) -> None:
        """Press the launcher."""
        await self.page.get_by_role("button", name="Open chat").click()
        await expect(self.widget.get_by_label("Your message")).to_be_visible(timeout=15_000)

    async def say(self, text: str) -> None:
        """Write a line and send it."""
        await self.widget.get_by_label("Your message").fill(text)
        await self.widget.get_by_label("Your message").press("Enter")

    async def sees(self, text: str) -> None:
        """Exactly one bubble holds ``text``."""
        await expect(self.bubbles.filter(has_text=text)).to_have_count(1, timeout=15_000)

    async def hears_that_the_network_is_back(self) -> None:
        """What a browser tells after a break: the chat tries at once instead of waiting out its pause."""
        await self.widget.locator("body").evaluate("() => dispatchEvent(new Event('online'))")

    async def ask_for_a_person(self) -> None:
        """Tap the bot's reply; returns when the card says that the chat waits."""
        await self.widget.get_by_role("button", name="Talk to a person").last.click()
        await expect(self.waiting).to_be_visible()


class Agent:
    """The page of the sample CRM."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.lines: Locator = page.locator("#lines .line")

    async def take_up(self, crm_url: str) -> None:
        """Open the CRM and choose the newest conversation."""
        await self.page.goto(crm_url)
        await self.choose()

    async def choose(self) -> None:
        """Choose the newest conversation."""
        await self.page.locator("#list button").first.click()

    async def press(self, name: str) -> None:
        """One of the buttons above the transcript."""
        await self.page.get_by_role("button", name=name).click()

    async def say(self, text: str) -> None:
        """Write a line and send it."""
        await self.page.get_by_label("Message", exact=True).fill(text)
        await self.page.get_by_label("Message", exact=True).press("Enter")

    async def sees(self, text: str) -> None:
        """Exactly one line holds ``text``; after a kill the dead one's leases are waited for first."""
        await expect(self.lines.filter(has_text=text)).to_have_count(1, timeout=45_000)


async def new_tab(context: BrowserContext, complaints: Complaints) -> Page:
    """A tab that reports what it complains about."""
    page = await context.new_page()
    complaints.listen(page)
    return page
