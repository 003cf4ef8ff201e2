"""Files both ways in real browsers: chosen, pasted, dropped, taken back, refused with a reason, seen on the other side."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from playwright.async_api import Browser, FrameLocator, Page, expect
from tests.browser.test_desk import Told, host_page, open_widget, say, sign_in
from tests.support.files import PDF, png
from tests.support.node import Stage, staged
from tests.support.pair import StorePair
from tests.web.console.desk_agent import PASSWORD, only_our_desk

from warmline.accounts.access import SYSTEM
from warmline.accounts.model import Role

# Puts files where a real drag or a real clipboard would put them; a browser under test has neither.
_GIVE = """
(node, [kind, files]) => {
  const data = new DataTransfer();
  for (const [name, type, base64] of files) {
    const bytes = Uint8Array.from(atob(base64), (one) => one.charCodeAt(0));
    data.items.add(new File([bytes], name, { type }));
  }
  const told = { bubbles: true, cancelable: true };
  if (kind === "paste") node.dispatchEvent(new ClipboardEvent("paste", { ...told, clipboardData: data }));
  else node.dispatchEvent(new DragEvent(kind, { ...told, dataTransfer: data }));
}
"""


@pytest_asyncio.fixture(loop_scope="module")
async def stage(sqlite_pair: StorePair) -> AsyncIterator[Stage]:
    async with staged(sqlite_pair, max_file_bytes=200_000) as opened:
        await only_our_desk(opened)
        await opened.node.accounts.create_member(SYSTEM, "mina@desk.example", "Mina Okafor", Role.AGENT, PASSWORD)
        yield opened


@contextlib.asynccontextmanager
async def talking(stage: Stage, browser: Browser) -> AsyncIterator[tuple[FrameLocator, Page, Page]]:
    """A visitor's widget, the page it is on, and the desk of an agent who has taken the conversation."""
    told = Told()
    async with host_page(stage) as address:
        shop = await browser.new_page()
        shop.on("pageerror", lambda error: told.lines.append(str(error)))
        desk = await sign_in(await browser.new_context(), stage, told)
        widget = await open_widget(shop, address)
        await say(widget, "I want to talk to a person")
        await expect(desk.locator("#desk-board [data-conversation]")).to_have_count(1)
        await desk.keyboard.press("j")
        await desk.keyboard.press("Enter")
        await expect(desk.get_by_role("button", name="Take")).to_be_visible()
        await desk.keyboard.press("t")
        await expect(desk.get_by_label("Answer the visitor")).to_be_focused()
        await expect(widget.get_by_text("Mina Okafor").first).to_be_visible()
        yield widget, shop, desk
    assert told.lines == []


async def test_a_visitor_sends_a_picture_and_a_document_and_the_agent_sees_them(
    stage: Stage, browser: Browser, tmp_path: Path
) -> None:
    (tmp_path / "broken lamp.png").write_bytes(png(240, 160))
    (tmp_path / "invoice 2026.pdf").write_bytes(PDF)
    async with talking(stage, browser) as (widget, _shop, desk):
        await widget.locator("input[type=file]").set_input_files(
            [tmp_path / "broken lamp.png", tmp_path / "invoice 2026.pdf"]
        )
        await expect(widget.locator(".file-chip.is-ready")).to_have_count(2)
        await say(widget, "It came like this.")
        await expect(widget.locator(".tray")).to_be_hidden()
        await expect(widget.locator(".own .picture img")).to_have_count(1)
        await expect(widget.locator(".own .file-card")).to_contain_text("invoice 2026.pdf")

        log = desk.locator("[data-transcript]")
        await expect(log).to_contain_text("It came like this.")
        picture = log.locator(".file-picture img")
        await expect(picture).to_be_visible()
        await expect(picture).to_have_js_property("naturalWidth", 240)
        async with desk.expect_download() as saved:
            await log.locator(".file-card").click()
        assert bytes_of(await (await saved.value).path()) == PDF


def bytes_of(path: object) -> bytes:
    return Path(str(path)).read_bytes()


async def test_an_agent_sends_a_picture_and_the_visitor_sees_it(stage: Stage, browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "where it is.png").write_bytes(png(200, 120, (40, 120, 200)))
    (tmp_path / "big.txt").write_bytes(b"x" * 200_001)
    async with talking(stage, browser) as (widget, shop, desk):
        await desk.locator("#talk-foot input[type=file]").set_input_files(
            [tmp_path / "where it is.png", tmp_path / "big.txt"]
        )
        await expect(desk.locator(".tray-file.ready")).to_contain_text("where it is.png")
        await expect(desk.locator(".tray-file.failed")).to_contain_text("Too large: at most 200 KB.")
        await desk.get_by_role("button", name="Remove big.txt").click()
        await desk.get_by_label("Answer the visitor").press("Enter")

        picture = widget.locator(".from-agent .picture img")
        await expect(picture).to_be_visible()
        await expect(picture).to_have_js_property("naturalWidth", 200)
        await expect(desk.locator("[data-transcript] .message.mine .file-picture img")).to_have_js_property(
            "naturalWidth", 200
        )
        await expect(desk.locator("[data-transcript] .pending")).to_have_count(0)
        async with shop.expect_popup() as opened:
            await widget.locator(".from-agent .picture").click()
        await expect((await opened.value).locator("img")).to_have_js_property("naturalWidth", 200)
