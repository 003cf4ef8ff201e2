"""The console's forms in a real browser: all faults at once, a key that a reload does not make again, long answers."""

from __future__ import annotations

import re

from playwright.async_api import Browser, Page, expect
from tests.support.node import Stage, guest
from tests.web.console.desk_agent import only_our_desk, waiting

from warmline.accounts.access import SYSTEM
from warmline.accounts.model import Role
from warmline.conversations.commands import MAX_TEXT
from warmline.kernel.ids import uuid7

PASSWORD = "a long enough password"


async def sign_in(page: Page, stage: Stage) -> list[str]:
    """As an administrator; what the browser complains about from now on."""
    email = f"ada-{uuid7()}@console.example"
    await stage.node.accounts.create_member(SYSTEM, email, "Ada", Role.ADMIN, PASSWORD)
    await page.goto(f"{stage.base}/console/sign-in")
    await page.get_by_label("E-mail").fill(email)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("navigation", name="Main")).to_be_visible()
    told: list[str] = []
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("console", lambda line: told.append(line.text) if line.type == "error" else None)
    return told


async def test_faults_are_met_together_and_each_is_one_step_away(browser: Browser, shared_sqlite_house: Stage) -> None:
    async with guest(shared_sqlite_house) as stage:
        page = await browser.new_page()
        await sign_in(page, stage)
        await page.goto(f"{stage.base}/console/members/new")
        await page.get_by_role("button", name="Add member").click()
        summary = page.locator("#error-summary")
        await expect(summary).to_be_focused()
        await expect(summary.get_by_role("listitem")).to_have_count(3)
        await expect(page).to_have_title(re.compile("^Error: "))
        await summary.get_by_role("link", name="E-mail address").click()
        await expect(page.get_by_label("E-mail address")).to_be_focused()
        await page.goto(f"{stage.base}/console/keys/new")
        await page.get_by_role("button", name="Make key").click()
        await expect(summary).to_be_focused()
        await summary.get_by_role("link", name="Scopes").click()
        await expect(page.get_by_role("group", name="Scopes")).to_be_focused()
        await page.close()


async def test_reloading_the_new_key_neither_shows_it_nor_makes_another(
    browser: Browser, shared_sqlite_house: Stage
) -> None:
    async with guest(shared_sqlite_house) as stage:
        page = await browser.new_page()
        await sign_in(page, stage)
        await page.goto(f"{stage.base}/console/keys/new")
        await page.get_by_label("Name").fill("Reports")
        await page.get_by_label("audit:read").check()
        await page.get_by_role("button", name="Make key").click()
        await expect(page.locator("#new-key")).to_have_text(re.compile("^wlk_"))
        await page.reload()
        await expect(page.get_by_role("heading", name="This key is made already")).to_be_visible()
        assert "wlk_" not in await page.content()
        await page.get_by_role("link", name="Rotate or revoke it").click()
        await expect(page.get_by_role("heading", name="Reports")).to_be_visible()
        assert len([k for k in await stage.node.api_keys.list_keys(SYSTEM, kind="v1") if k.label == "Reports"]) == 1
        await page.close()


async def test_a_long_answer_is_counted_and_what_is_too_long_is_not_sent(
    browser: Browser, shared_sqlite_house: Stage
) -> None:
    async with guest(shared_sqlite_house) as stage:
        await only_our_desk(stage)
        conversation = await waiting(stage, "Hello?")
        page = await browser.new_page()
        told = await sign_in(page, stage)
        await page.goto(f"{stage.base}/console/desk/{conversation}")
        await page.get_by_role("button", name="Take").click()
        box, count = page.get_by_label("Answer the visitor"), page.locator("[data-count]")
        await expect(count).to_be_hidden()
        await box.fill("x" * (MAX_TEXT - 7))
        await expect(count).to_have_text("7 left")
        await box.fill("\U0001f9e1" * (MAX_TEXT + 1))
        await expect(count).to_have_text("1 too many")
        await box.press("Enter")
        await expect(box).to_have_value("\U0001f9e1" * (MAX_TEXT + 1))
        await box.fill("\U0001f9e1" * MAX_TEXT)
        await expect(count).to_have_text("0 left")
        await box.press("Enter")
        await expect(box).to_have_value("")
        await expect(count).to_be_hidden()
        await expect(page.locator("article", has_text="\U0001f9e1").first).to_be_visible()
        assert told == []
        await page.close()


async def test_nothing_that_a_browser_asks_by_itself_is_missing(browser: Browser, shared_sqlite_house: Stage) -> None:
    async with guest(shared_sqlite_house) as stage:
        page = await browser.new_page()
        missing: list[str] = []
        page.on("response", lambda answer: missing.append(answer.url) if answer.status >= 400 else None)
        for path in (f"/widget/frame/{stage.widget_id}?origin=https://shop.example", "/api/reference", "/favicon.ico"):
            await page.goto(stage.base + path)
        assert missing == []
        await page.goto(f"{stage.base}/nope")
        await expect(page.get_by_text("There is nothing here")).to_be_visible()
        await page.get_by_role("link", name="To the start").click()
        await expect(page).to_have_url(re.compile("/console/"))
        assert missing == [f"{stage.base}/nope"]
        await page.close()
