"""An administrator, in a real browser, from nothing to a widget whose visitors reach people."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect
from tests.support.node import Stage, staged
from tests.support.pair import StorePair

from warmline.accounts.access import SYSTEM
from warmline.accounts.model import Role

EMAIL, PASSWORD = "ada@console.example", "a long enough password"


@pytest_asyncio.fixture(loop_scope="module")
async def stage(sqlite_pair: StorePair) -> AsyncIterator[Stage]:
    async with staged(sqlite_pair) as opened:
        await opened.node.accounts.create_member(SYSTEM, EMAIL, "Ada", Role.ADMIN, PASSWORD)
        yield opened


def listen(page: Page) -> list[str]:
    """What the browser will complain about: errors, and breaches of the page's policy."""
    told: list[str] = []
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("console", lambda line: told.append(line.text) if line.type == "error" else None)
    return told


async def sign_in(page: Page, stage: Stage) -> None:
    await page.goto(f"{stage.base}/console/sign-in")
    await page.get_by_label("E-mail").fill(EMAIL)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("navigation", name="Main")).to_be_visible()


async def add_connection(page: Page, stage: Stage) -> None:
    """Add a custom CRM, try it, and make a key."""
    await page.get_by_role("link", name="Connections").click()
    await page.get_by_role("link", name="Add connection").click()
    await page.get_by_role("link", name="Custom CRM").click()
    await page.get_by_label("Name", exact=True).fill("Front office")
    await page.get_by_label("Webhook address").fill(stage.crm.url)
    await page.get_by_role("button", name="Add connection").click()
    await expect(page.locator("#secret-signing_secret")).to_contain_text("whsec_")
    await page.get_by_role("link", name="Go on").click()

    await page.get_by_role("button", name="Test", exact=True).click()
    await expect(page.locator("#health")).to_contain_text("The webhook answers; the team is online.")
    await expect(page.get_by_role("button", name="Test", exact=True)).to_be_focused()

    await page.get_by_role("link", name="Keys and secrets").click()
    await page.get_by_label("Name of the new key").fill("Front office server")
    await page.get_by_role("button", name="Make key").click()
    await expect(page.locator("#new-key")).to_have_text(re.compile("^wlc_"))
    await page.get_by_role("link", name="I have copied it").click()
    await expect(page.get_by_role("table")).to_contain_text("Front office server")


async def add_widget(page: Page) -> None:
    """Make a widget with a ladder of two rungs, by the keyboard where that matters."""
    await page.get_by_role("link", name="Widgets").click()
    await page.get_by_role("link", name="Add widget").click()
    await page.get_by_label("Name", exact=True).fill("Lamp shop")
    await page.get_by_label("Allowed origins").fill("https://lamps.example")
    await page.get_by_label("Title", exact=True).fill("Lamps")
    for _rung in range(2):
        await page.get_by_role("button", name="Add a rung").click()
        await expect(page.get_by_label("Connection").last).to_be_focused()
    connections = page.get_by_label("Connection")
    await expect(connections).to_have_count(2)
    await connections.nth(0).select_option(label="Our desk")
    await connections.nth(1).select_option(label="Front office")
    await page.get_by_label("Words to the visitor").nth(1).fill("I am asking the front office.")

    up = page.get_by_role("button", name="Move rung 2 up")
    await up.focus()
    await page.keyboard.press("Enter")
    # Moved to the top: what was pressed cannot go on, so its opposite has the focus.
    await expect(page.get_by_role("button", name="Move rung 1 down")).to_be_focused()
    await expect(connections.nth(0).locator("option:checked")).to_have_text("Front office")
    await expect(page.get_by_label("Words to the visitor").nth(0)).to_have_value("I am asking the front office.")

    # Enter in a text field saves; it does not press a button of the ladder.
    await page.get_by_label("Title", exact=True).press("Enter")
    await expect(page.get_by_role("heading", name="Lamp shop", level=1)).to_be_visible()
    ladder = page.get_by_role("list").filter(has_text="Front office")
    await expect(ladder.get_by_role("listitem")).to_have_text([re.compile("Front office"), re.compile("Our desk")])


async def test_from_a_connection_to_a_previewed_widget(stage: Stage, browser: Browser) -> None:
    stage.crm.replies["isTeamOnline"] = {"isOnline": True}
    page = await browser.new_page()
    told = listen(page)
    await sign_in(page, stage)
    await add_connection(page, stage)
    await add_widget(page)

    await page.get_by_role("link", name="Preview").click()
    await page.get_by_role("button", name="Open chat").click()
    chat = page.frame_locator("iframe")
    await expect(chat.get_by_text("I am the shop's assistant")).to_be_visible()
    await chat.get_by_role("button", name="Talk to a person").click()
    async with stage.crm.arrived:
        await stage.crm.arrived.wait_for(lambda: any(call.event == "widgetEscalate" for call in stage.crm.calls))
    assert told == []
    await page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_no_page_is_wider_than_a_phone_or_breaks_when_read_from_the_right(
    stage: Stage, browser: Browser, scheme: str
) -> None:
    context = await browser.new_context(viewport={"width": 360, "height": 740}, color_scheme=scheme)  # type: ignore[arg-type]
    page = await context.new_page()
    told = listen(page)
    await page.goto(f"{stage.base}/console/sign-in")
    await page.get_by_label("E-mail").fill(EMAIL)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("main")).to_be_visible()
    one = f"connections/{stage.connection_id}"
    for path in (
        "connections",
        "connections/new",
        "connections/new?kind=customcrm",
        one,
        f"{one}/settings",
        f"{one}/keys",
        f"{one}/parked",
        "widgets",
        f"widgets/{stage.widget_id}",
        f"widgets/{stage.widget_id}/edit",
        f"widgets/{stage.widget_id}/preview",
        "bots",
        f"bots/{stage.bot_id}",
    ):
        await page.goto(f"{stage.base}/console/{path}")
        for direction in ("ltr", "rtl"):
            await page.evaluate("direction => { document.documentElement.dir = direction }", direction)
            wider = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wider == 0, (path, direction)
    assert told == []
    await context.close()
