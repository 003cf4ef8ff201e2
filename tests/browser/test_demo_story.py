"""The whole demo, as a stranger has it: shop, widget, sample CRM, and a server that is killed in between."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from playwright.async_api import Browser, expect
from tests.browser.demo import SHOT_FOLDER, Agent, Complaints, Visitor, new_tab, running_demo
from tests.support.demo import Demo


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with running_demo(tmp_path_factory.mktemp("demo")) as running:
        yield running


@pytest.fixture
def complaints() -> Complaints:
    return Complaints()


async def meet(demo: Demo, browser: Browser, complaints: Complaints) -> tuple[Visitor, Agent]:
    """A visitor who waits for a person, and the agent who has the conversation before them."""
    context = await browser.new_context(viewport={"width": 1280, "height": 800})
    visitor = Visitor(await new_tab(context, complaints), demo.base)
    await visitor.open_chat("/products/alder-table-lamp")
    await visitor.ask_for_a_person()
    agent = Agent(await new_tab(context, complaints))
    await agent.take_up(demo.file["crm_url"])
    return visitor, agent


async def connect(visitor: Visitor, agent: Agent) -> None:
    await agent.press("Accept")
    await expect(visitor.widget.locator(".header .title")).to_have_text("Noor Haddad")
    await expect(visitor.waiting).to_be_hidden()


async def test_from_the_first_question_to_the_goodbye(demo: Demo, browser: Browser, complaints: Complaints) -> None:
    context = await browser.new_context(viewport={"width": 1280, "height": 800})
    visitor = Visitor(await new_tab(context, complaints), demo.base)
    await visitor.open_chat()
    await visitor.say("How long does delivery take?")
    await visitor.sees("2 to 3 working days")
    await visitor.say("Could a person help me, please?")
    await expect(visitor.waiting).to_contain_text("looking for")

    agent = Agent(await new_tab(context, complaints))
    await agent.take_up(demo.file["crm_url"])
    await agent.sees("How long does delivery take?")
    await agent.page.get_by_label("Position").fill("3")
    await agent.page.get_by_label("Minutes").fill("4")
    await agent.press("Update queue")
    await expect(visitor.waiting).to_contain_text("You are number 3 in the queue")
    await expect(visitor.waiting).to_contain_text("About 4 minutes")
    await visitor.page.screenshot(path=demo.folder / SHOT_FOLDER / "waiting.png")

    await agent.page.get_by_label("Agent").fill("Mina Okafor")
    await agent.press("Accept")
    await expect(visitor.widget.locator(".header .title")).to_have_text("Mina Okafor")
    await expect(visitor.widget.get_by_text("Mina Okafor joined")).to_have_count(1)
    await agent.say("Good evening! Which lamp is it?")
    await visitor.sees("Good evening! Which lamp is it?")
    await visitor.say("Alder, please")
    await agent.sees("Alder, please")
    await visitor.sees("Alder, please")

    before = await visitor.bubbles.all_inner_texts()
    await visitor.page.reload()
    await expect(visitor.bubbles).to_have_text(before)
    await expect(visitor.widget.get_by_label("Your message")).to_be_visible()
    assert await visitor.page.evaluate("document.activeElement.tagName") == "BODY", "it opens, but takes no keyboard"
    await expect(visitor.widget.locator(".header .title")).to_have_text("Mina Okafor")

    second = Visitor(await new_tab(context, complaints), demo.base)
    await second.open_chat("/products/fjell-floor-lamp")
    await expect(second.bubbles).to_have_text(before)
    await second.say("I wrote this in the other tab")
    await agent.sees("I wrote this in the other tab")
    await visitor.sees("I wrote this in the other tab")
    await agent.say("It is on its way.")
    for tab in (visitor, second):
        await tab.sees("It is on its way.")
    await visitor.page.screenshot(path=demo.folder / SHOT_FOLDER / "talking.png")

    await agent.press("End conversation")
    for tab in (visitor, second):
        await expect(tab.widget.get_by_text("Mina Okafor left")).to_have_count(1)
    await visitor.sees("I hope my colleague could help you")
    await visitor.say("Is delivery free?")
    await visitor.sees("nothing from 60.00 on")
    assert complaints.lines == []


async def test_who_is_declined_is_told_and_waits_at_the_next_desk(
    demo: Demo, browser: Browser, complaints: Complaints
) -> None:
    visitor, agent = await meet(demo, browser, complaints)
    console = await new_tab(await browser.new_context(), complaints)
    await console.goto(f"{demo.base}/console/sign-in")
    await console.get_by_label("E-mail").fill(demo.file["console_email"])
    await console.get_by_label("Password").fill(demo.file["console_password"])
    await console.keyboard.press("Enter")
    await console.wait_for_url(lambda url: "sign-in" not in url)
    await console.goto(f"{demo.base}/console/desk")

    await agent.press("Decline")
    await expect(visitor.widget.locator(".line-rung_failed")).to_contain_text("I am asking another team")
    await expect(visitor.widget.get_by_text("I am asking another team")).to_have_count(1)
    await expect(visitor.waiting).to_contain_text("Would you like to go on waiting?")
    await visitor.waiting.get_by_role("button", name="Keep waiting").click()
    await expect(visitor.waiting).not_to_contain_text("Would you like")
    await expect(visitor.widget.get_by_label("Your message")).to_be_focused()
    await expect(visitor.waiting.get_by_role("button", name="Stop waiting")).to_be_enabled()
    await expect(console.locator("#desk-board [data-conversation]")).to_have_count(1)
    await visitor.page.screenshot(path=demo.folder / SHOT_FOLDER / "declined.png")
    await visitor.waiting.get_by_role("button", name="Stop waiting").click()
    await expect(visitor.waiting).to_be_hidden()
    await expect(visitor.widget.get_by_text("You stopped waiting")).to_have_count(1)
    assert complaints.lines == []


async def test_a_killed_server_loses_and_doubles_nothing(demo: Demo, browser: Browser, complaints: Complaints) -> None:
    visitor, agent = await meet(demo, browser, complaints)
    await connect(visitor, agent)
    await agent.say("Before it happened.")
    await visitor.sees("Before it happened.")
    assert complaints.lines == []

    demo.kill()
    await visitor.say("Are you still there?")
    await visitor.say("I will just keep writing.")
    await expect(visitor.widget.locator(".is-sending")).to_have_count(2)
    await asyncio.to_thread(demo.start)

    await visitor.hears_that_the_network_is_back()
    await expect(visitor.widget.locator(".is-sending")).to_have_count(0)
    for text in ("Are you still there?", "I will just keep writing."):
        await agent.sees(text)
        await visitor.sees(text)
    written = [text for text in await agent.lines.all_inner_texts() if "?" in text or "writing" in text]
    assert ["still there" in text for text in written] == [True, False]
    await visitor.sees("Before it happened.")
    await agent.sees("Before it happened.")
    await agent.say("Yes, and nothing was lost.")
    await visitor.sees("Yes, and nothing was lost.")
    await expect(visitor.widget.get_by_text("Noor Haddad joined")).to_have_count(1)
    # A line that breaks is the only thing a browser may have to say about a killed server.
    assert [line for line in complaints.lines if "net::ERR_" not in line and "WebSocket" not in line] == []
