"""The chat over reloads, tabs and networks: open where it was open, marked where it was closed, back on the socket."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.async_api import Browser, Page, WebSocketRoute, expect
from tests.browser.demo import Agent, Complaints, Visitor, new_tab, running_demo
from tests.support.demo import Demo

MARK = "() => document.querySelector('warmline-widget').shadowRoot.querySelector('.badge:not([hidden])')?.textContent"

KEPT = "(Object.entries(sessionStorage).find(([key]) => key.endsWith('{}'))?.[1] ?? 'null')"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with running_demo(tmp_path_factory.mktemp("demo")) as running:
        yield running


async def marked(page: Page, text: str) -> None:
    """The launcher's mark shows ``text``, and its name tells it too."""
    await page.wait_for_function(f"text => ({MARK})() === text", arg=text, polling=50)  # tabs behind draw no frames
    await expect(page.get_by_role("button", name=f"Open chat ({text} unread)")).to_be_visible()


async def test_what_came_while_closed_is_marked_in_every_tab(demo: Demo, browser: Browser) -> None:
    complaints = Complaints()
    context = await browser.new_context()
    first = Visitor(await new_tab(context, complaints), demo.base)
    second = Visitor(await new_tab(context, complaints), demo.base)
    await second.page.goto(demo.base)
    assert await second.page.locator("iframe").count() == 0, "nothing is loaded before anybody wanted it"
    await first.open_chat()
    await first.ask_for_a_person()
    # The second tab hears of the conversation, but its panel stays closed.
    await expect(second.page.locator("iframe")).to_have_count(1)
    await expect(second.page.get_by_role("button", name="Open chat")).to_be_visible()
    await first.page.get_by_role("button", name="Close chat").first.click()

    agent = Agent(await new_tab(context, complaints))
    await agent.take_up(demo.file["crm_url"])
    await agent.press("Accept")
    await marked(first.page, "1")
    await agent.say("Good evening!")
    await marked(first.page, "2")
    await marked(second.page, "2")
    await first.page.reload()
    await marked(first.page, "2")

    await second.open_again()
    await expect(second.page.get_by_role("button", name="Open chat (2 unread)")).to_have_count(0)
    await first.page.wait_for_function(f"() => !({MARK})()", polling=50)
    assert complaints.lines == []


async def test_an_open_panel_opens_again_until_the_conversation_is_over(demo: Demo, browser: Browser) -> None:
    complaints = Complaints()
    visitor = Visitor(await new_tab(await browser.new_context(), complaints), demo.base)
    await visitor.open_chat()
    await visitor.sees("welcome")
    await visitor.page.goto(f"{demo.base}/products/alder-table-lamp")
    await visitor.sees("welcome")
    await expect(visitor.widget.get_by_label("Your message")).not_to_be_focused()
    await visitor.widget.get_by_label("End conversation").click()
    await visitor.widget.get_by_role("alertdialog").get_by_role("button", name="End conversation").click()
    await expect(visitor.widget.get_by_role("button", name="Start a new conversation")).to_be_visible()
    await visitor.page.reload()
    await expect(visitor.page.locator("iframe")).to_have_count(1)
    await visitor.page.wait_for_function(f"() => {KEPT.format('/open')} === 'null'")
    await expect(visitor.page.get_by_role("button", name="Open chat")).to_be_visible()
    assert complaints.lines == []


async def test_a_chat_that_fell_back_returns_to_the_socket(demo: Demo, browser: Browser) -> None:
    context = await browser.new_context()
    page = await context.new_page()
    await page.clock.install()
    broken, opened = True, 0

    async def socket(route: WebSocketRoute) -> None:
        nonlocal opened
        opened += 1
        if broken:
            await route.close(code=1011)
        else:
            route.connect_to_server()

    await page.route_web_socket("**/widget/ws", socket)
    visitor = Visitor(page, demo.base)
    await page.goto(demo.base)
    await page.get_by_role("button", name="Open chat").click()
    async with page.expect_response("**/widget/sse?*"):
        await page.clock.fast_forward(10_000)
    await visitor.say("How long does delivery take?")
    await visitor.sees("2 to 3 working days")
    tried = opened

    await page.reload()
    await visitor.sees("2 to 3 working days")
    assert opened == tried, "the way that worked is taken at once"
    broken = False
    await page.clock.fast_forward(60_000)
    await visitor.widget.locator("body").evaluate("() => dispatchEvent(new Event('online'))")
    await page.wait_for_function(f"() => {KEPT.format(':line')} === 'null'")
    assert opened == tried + 1
    await visitor.say("Is delivery free?")
    await visitor.sees("nothing from 60.00 on")
