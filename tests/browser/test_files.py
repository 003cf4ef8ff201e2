"""Files both ways in real browsers: chosen, pasted, dropped, taken back, refused with a reason, seen on the other side."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Frame, FrameLocator, Page, Route, expect
from playwright.async_api import Error as PlaywrightError
from tests.browser.test_desk import Told, host_page, open_widget, say, sign_in
from tests.browser.test_widget_access import AXE, RUN
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
async def talking(stage: Stage, browser: Browser, **context: Any) -> AsyncIterator[tuple[FrameLocator, Page, Page]]:
    """A visitor's widget, the page it is on, and the desk of an agent who has taken the conversation."""
    told = Told()
    async with host_page(stage) as address:
        shop = await browser.new_page(**context)
        shop.on("pageerror", lambda error: told.lines.append(str(error)))
        desk = await sign_in(await browser.new_context(**context), stage, told)
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


def b64(content: bytes) -> str:
    return base64.b64encode(content).decode()


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


async def test_pasted_and_dropped_files_are_taken_and_what_cannot_be_sent_says_why(
    stage: Stage, browser: Browser
) -> None:
    async with talking(stage, browser) as (widget, _shop, _desk):
        box = widget.get_by_role("textbox")
        await box.evaluate(_GIVE, ["paste", [["image.png", "image/png", b64(png(64, 64))]]])
        await expect(widget.locator(".file-chip.is-ready .thumb img")).to_be_visible()

        panel = widget.locator(".panel")
        notes = [["notes.txt", "text/plain", b64(b"Call me at noon.")]]
        await panel.evaluate(_GIVE, ["dragenter", notes])
        await expect(widget.get_by_text("Drop your files here")).to_be_visible()
        await panel.evaluate(_GIVE, ["drop", notes])
        await expect(widget.get_by_text("Drop your files here")).to_be_hidden()
        await expect(widget.locator(".file-chip.is-ready")).to_have_count(2)

        refused = [
            ["setup.exe", "image/png", b64(b"MZ\x90\x00" + bytes(60))],
            ["film.mp4", "video/mp4", b64(bytes(200_001))],
            ["nothing.txt", "text/plain", ""],
        ]
        await panel.evaluate(_GIVE, ["drop", refused])
        failed = widget.locator(".file-chip.is-failed")
        await expect(failed).to_contain_text(
            [
                "setup.exe: files of this kind cannot be sent here.",
                "film.mp4 is too large. At most 200 kB can be sent.",
                "nothing.txt is empty.",
            ]
        )
        await widget.get_by_role("button", name="Remove film.mp4").click()
        await expect(failed).to_have_count(2)
        await box.press("Enter")
        await expect(widget.locator(".own .picture")).to_have_count(1)
        await expect(widget.locator(".own .file-card")).to_have_count(1)
        await expect(failed).to_have_count(2)


async def test_a_file_on_its_way_can_be_called_off_and_a_message_waits_for_one(stage: Stage, browser: Browser) -> None:
    async with talking(stage, browser) as (widget, shop, _desk):
        let_go = asyncio.Event()

        async def hold(route: Route) -> None:
            await let_go.wait()
            with contextlib.suppress(PlaywrightError):  # called off meanwhile
                await route.continue_()

        await shop.route("**/widget/files?*", hold)
        box, picker = widget.get_by_role("textbox"), widget.locator("input[type=file]")
        await picker.set_input_files({"name": "wrong.txt", "mimeType": "text/plain", "buffer": b"wrong"})
        await expect(widget.get_by_role("progressbar", name="Uploading wrong.txt")).to_be_visible()
        await widget.get_by_role("button", name="Remove wrong.txt").click()
        await expect(widget.locator(".file-chip")).to_have_count(0)
        clip = widget.get_by_role("button", name="Attach files")
        assert await clip.evaluate("(node) => node.ownerDocument.activeElement === node")

        await picker.set_input_files({"name": "right.txt", "mimeType": "text/plain", "buffer": b"right"})
        await expect(widget.get_by_role("progressbar")).to_be_visible()
        await box.fill("With this")
        await box.press("Enter")
        await expect(box).to_have_value("With this")
        let_go.set()
        await expect(widget.locator(".own .file-card")).to_contain_text("right.txt")
        await expect(widget.locator(".own .bubble").last).to_contain_text("With this")
        await expect(box).to_have_value("")


async def test_a_link_that_is_over_is_exchanged_for_a_fresh_one(stage: Stage, browser: Browser) -> None:
    async with talking(stage, browser) as (widget, shop, _desk):
        await widget.locator("input[type=file]").set_input_files(
            {"name": "old.txt", "mimeType": "text/plain", "buffer": b"still here"}
        )
        await expect(widget.locator(".file-chip.is-ready")).to_have_count(1)
        await widget.get_by_role("textbox").press("Enter")
        card = widget.locator(".own .file-card")
        await expect(card).to_have_attribute("href", re.compile("/files/"))
        # As on a page that was left open over night.
        await shop.clock.install()
        await shop.clock.fast_forward("03:00:00")
        async with shop.expect_download() as saved:
            await card.click()
        assert bytes_of(await (await saved.value).path()) == b"still here"


async def violations(place: Page | Frame) -> list[Any]:
    await place.evaluate(AXE)
    return [(one["id"], [node["target"] for node in one["nodes"]]) for one in await place.evaluate(RUN)]


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nobody_is_shut_out_by_files(stage: Stage, browser: Browser, scheme: Any) -> None:
    """Axe finds nothing where files wait, have failed, and stand in the conversation, on both sides."""
    # axe sets inline styles while it measures, which the pages' policies would refuse.
    seen = {"color_scheme": scheme, "reduced_motion": "reduce", "bypass_csp": True}
    async with talking(stage, browser, **seen) as (widget, shop, desk):
        files: list[Any] = [
            {"name": "lamp.png", "mimeType": "image/png", "buffer": png(80, 60)},
            {"name": "bill.pdf", "mimeType": "application/pdf", "buffer": PDF},
        ]
        failing = {"name": "run.exe", "mimeType": "application/pdf", "buffer": b"MZ\x90\x00\x00"}
        picker, answer = widget.locator("input[type=file]"), desk.locator("#talk-foot input[type=file]")
        await picker.set_input_files(files)
        await expect(widget.locator(".file-chip.is-ready")).to_have_count(2)
        await widget.get_by_role("textbox").press("Enter")
        await expect(desk.locator("[data-transcript] .file-picture img")).to_be_visible()
        await answer.set_input_files(files)
        await expect(desk.locator(".tray-file.ready")).to_have_count(2)
        await desk.get_by_label("Answer the visitor").press("Enter")
        await expect(widget.locator(".from-agent .picture img")).to_be_visible()
        await picker.set_input_files([*files, failing])
        await expect(widget.locator(".file-chip.is-failed")).to_have_count(1)
        await answer.set_input_files([*files, failing | {"buffer": bytes(200_001)}])
        await expect(desk.locator(".tray-file.failed")).to_have_count(1)

        frame = next(one for one in shop.frames if "/widget/frame/" in one.url)
        assert await violations(frame) == []
        assert await violations(desk) == []
