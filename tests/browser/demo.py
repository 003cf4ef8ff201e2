"""The demo as somebody starts it: ``warmline demo`` in a process of its own, which may be killed and started again."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from playwright.async_api import BrowserContext, FrameLocator, Locator, Page, expect
from tests.support.node import free_port

START_S = 30.0
SHOT_FOLDER = "screenshots"


class Demo:
    """One data folder and one port; ``file`` is its demo.json."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        # Of its own: while a killed demo is down, another one must not take its CRM's place.
        self.crm_port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.file: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; returns when shop and CRM answer."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("WARMLINE_")}
        environment = inherited | {
            "WARMLINE_PORT": str(self.port),
            "WARMLINE_DATA": str(self.folder / "data"),
            "CRM_PORT": str(self.crm_port),
        }
        with (self.folder / "demo.log").open("ab") as said:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "warmline", "demo"],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                cwd=self.folder,
            )
            self._until_it_answers(f"{self.base}/readyz")
            self.file = json.loads((self.folder / "data" / "demo.json").read_text())
            self._until_it_answers(self.file["crm_url"])

    def _until_it_answers(self, address: str) -> None:
        deadline = time.monotonic() + START_S
        while True:
            if self._process is None or self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the demo did not start: {(self.folder / 'demo.log').read_text()[-4_000:]}")
            with contextlib.suppress(urllib.error.URLError), urllib.request.urlopen(address, timeout=5):
                return
            time.sleep(0.02)  # a port that nobody listens on cannot be waited for

    def kill(self) -> None:
        """SIGKILL: nothing is finished, nothing is said."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM, if it still runs."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)
            self._process.wait(START_S)


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
