"""The widget without a mouse and without a screen: the keyboard is never lost, and axe finds nothing in any state."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Locator, expect
from tests.browser.demo import Agent, Visitor, running_demo
from tests.support.demo import Demo

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text(encoding="utf-8")
RUN = "async () => (await axe.run(document, {resultTypes: ['violations']})).violations"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with running_demo(tmp_path_factory.mktemp("demo")) as running:
        yield running


async def found(visitor: Visitor) -> list[Any]:
    """What axe finds in the chat as it stands: rule, and the elements."""
    frame = next(frame for frame in visitor.page.frames if "/widget/frame/" in frame.url)
    await frame.evaluate(AXE)
    return [(one["id"], [node["target"] for node in one["nodes"]]) for one in await frame.evaluate(RUN)]


async def press(visitor: Visitor, button: Locator) -> None:
    """Reach the button and press it, as somebody without a mouse does."""
    await button.focus()
    await visitor.page.keyboard.press("Enter")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_keyboard_stays_in_the_chat_whatever_ends(demo: Demo, browser: Browser, scheme: Any) -> None:
    # axe sets inline styles while it measures, which the policy of the chat would refuse.
    context = await browser.new_context(color_scheme=scheme, reduced_motion="reduce", bypass_csp=True)
    visitor, agent = Visitor(await context.new_page(), demo.base), Agent(await context.new_page())
    await visitor.open_chat()
    chat, field = visitor.widget, visitor.widget.get_by_label("Your message")
    question, end = chat.get_by_role("alertdialog"), chat.get_by_label("End conversation")
    await expect(field).to_be_focused()
    assert await found(visitor) == []

    # The wait: the question says what ends, Esc leaves it, and the button that goes takes nobody with it.
    await visitor.ask_for_a_person()
    await press(visitor, end)
    await expect(question).to_contain_text("Stop waiting for a person?")
    await expect(visitor.waiting).to_be_hidden()
    assert await found(visitor) == []
    await visitor.page.keyboard.press("Escape")
    await expect(end).to_be_focused()
    await expect(visitor.waiting).to_be_visible()
    await press(visitor, visitor.waiting.get_by_role("button", name="Stop waiting"))
    await expect(field).to_be_focused()

    # The talk: it ends, the conversation does not.
    await visitor.ask_for_a_person()
    await agent.take_up(demo.file["crm_url"])
    await agent.press("Accept")
    await expect(chat.locator(".header .title")).to_have_text("Noor Haddad")
    await press(visitor, end)
    await expect(question).to_contain_text("End the talk with Noor Haddad?")
    await press(visitor, question.get_by_role("button", name="End talk"))
    await visitor.sees("I hope my colleague could help you")
    assert await found(visitor) == []

    # The conversation: the way on has the keyboard.
    await press(visitor, end)
    await press(visitor, question.get_by_role("button", name="End conversation"))
    await expect(chat.get_by_role("button", name="Start a new conversation")).to_be_focused()
    assert await found(visitor) == []
    await visitor.page.keyboard.press("Enter")
    await expect(field).to_be_focused()
    await context.close()


async def test_every_text_runs_in_its_own_direction(demo: Demo, browser: Browser) -> None:
    context = await browser.new_context(locale="ar")
    visitor = Visitor(await context.new_page(), demo.base)
    await visitor.page.goto(demo.base)
    await visitor.page.evaluate("Warmline.open()")
    chat = visitor.widget
    assert await chat.locator("html").get_attribute("dir") == "rtl"
    await expect(visitor.bubbles).to_have_count(1)
    for text, direction in (("Thank you :)", "ltr"), ("شكرا :)", "rtl")):
        await chat.locator(".composer textarea").fill(text)
        await visitor.page.keyboard.press("Enter")
        await expect(visitor.bubbles.filter(has_text=text)).to_have_css("direction", direction)
    await expect(visitor.bubbles.first).to_have_css("direction", "ltr")
    await context.close()


@pytest.mark.parametrize(("width", "height"), [(667, 375), (320, 256)])
async def test_there_is_room_to_write_on_the_smallest_screens(
    demo: Demo, browser: Browser, width: int, height: int
) -> None:
    context = await browser.new_context(viewport={"width": width, "height": height}, reduced_motion="reduce")
    visitor = Visitor(await context.new_page(), demo.base)
    await visitor.open_chat()
    await visitor.say("I want to talk to a person, please")
    await expect(visitor.waiting).to_be_visible()
    field = visitor.widget.get_by_label("Your message")
    for button in ("Stop waiting", "Leave your details instead"):
        await visitor.waiting.get_by_role("button", name=button).scroll_into_view_if_needed()
        await expect(visitor.waiting.get_by_role("button", name=button)).to_be_in_viewport(ratio=0.9)
        await expect(field).to_be_in_viewport(ratio=0.9)
    await visitor.waiting.get_by_role("button", name="Leave your details instead").click()
    await expect(visitor.widget.get_by_label("Name")).to_be_focused()
    await expect(visitor.widget.get_by_label("Name")).to_be_in_viewport(ratio=0.9)
    await expect(field).to_be_in_viewport(ratio=0.9)
    await context.close()
