"""The agent page: what it shows, what its forms do, and that it is live and harmless in a real browser."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import aiohttp
import pytest
from playwright.async_api import Browser, expect
from tests.simulators.account import FREE, handed_over, inbound, meeting
from tests.simulators.receiver import Stranger, receiving

from warmline.simulators.script import Kind

AXE = (Path(__file__).parents[1] / "browser" / "vendor" / "axe.min.js").read_text(encoding="utf-8")


async def post(me: Stranger, path: str, **fields: str) -> tuple[int, str]:
    """Status and text of the answer to a form, redirects not followed; ``site`` is where the browser says it is from."""
    headers = {"Sec-Fetch-Site": fields.pop("site")} if "site" in fields else {}
    async with me.session.post(me.base + path, data=fields, headers=headers, allow_redirects=False) as answer:
        return answer.status, await answer.text()


async def test_the_page_shows_everything_without_a_script() -> None:
    async with meeting(script=FREE) as (vendor, me, _hook):
        async with me.session.get(vendor.url) as answer:
            assert "Waiting for the first handover" in await answer.text()
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
        number = await handed_over(vendor, me)
        line = inbound("<b>bold</b>", attachments=[{"url": "javascript:alert(1)"}, {"url": "https://x.example/a.png"}])
        await me.good("POST", f"/v1/conversations/{number}/messages", line)
        async with me.session.get(vendor.url) as answer:
            page = await answer.text()
        assert "Where is my lamp?" in page
        assert "&lt;b&gt;bold&lt;/b&gt;" in page
        assert "Waits in Support" in page
        assert vendor.token in page
        assert "javascript:" not in page
        assert 'href="https://x.example/a.png"' in page


async def test_forms_do_what_an_agent_does() -> None:
    async with meeting(script=FREE) as (vendor, me, hook):
        number = await handed_over(vendor, me)
        told = {"conversation": str(number)}
        status, page = await post(me, "/simulator/act", act="say", text="Too early", **told)
        assert (status, "Take the conversation first" in page) == (409, True)
        assert (await post(me, "/simulator/act", act="join", agent=vendor.agents[1].id, **told))[0] == 303
        await post(me, "/simulator/act", act="type", **told)
        await post(me, "/simulator/act", act="say", text="Hello", **told)
        await post(me, "/simulator/act", act="sample", sample="rtl", **told)
        await post(me, "/simulator/act", act="unknown", **told)
        await post(me, "/simulator/act", act="unassign", **told)
        await post(me, "/simulator/act", act="decline", **told)
        await post(me, "/simulator/act", **{"act": "to-agent", "agent": vendor.agents[2].id, **told})
        await post(me, "/simulator/act", **{"act": "to-queue", "queue": vendor.queues[1].id, **told})
        await post(me, "/simulator/act", act="join", **told)
        await post(me, "/simulator/act", act="disappear", **told)
        await post(me, "/simulator/act", act="close", **told)
        await post(me, "/simulator/act", act="reopen", **told)
        await hook.of("CONVERSATION_OPEN")
        assert [name for name in ("TYPING_STARTED", "CONVERSATION_SUMMARISED") if name not in hook.names] == []
        assert [line.text for line in vendor.conversations[0].messages][2] == "Hello"
        assert vendor.conversations[0].queue_id == vendor.queues[1].id
        for wrong in ({"act": "explode", **told}, {"act": "close", "conversation": "7"}, {"act": "close"}):
            assert (await post(me, "/simulator/act", **wrong))[0] == 409


async def test_the_switchboard_is_turned_by_forms() -> None:
    async with meeting(script=FREE) as (vendor, me, _hook):
        await post(me, "/simulator/trouble", operation="queues.list", kind="500", times="2")
        assert (await me.ask("GET", "/v1/queues"))[0] == 500
        assert vendor.trouble.orders[0].left == 1
        await post(me, "/simulator/trouble", clear="1")
        assert vendor.trouble.orders == ()
        for name, on in (("duplicates", 1), ("paused", True), ("stale_by_s", 3_600)):
            await post(me, "/simulator/switches", switch=name, on="1")
            assert getattr(vendor.webhooks.switches, name) == on
            await post(me, "/simulator/switches", switch=name, on="0")
            assert not getattr(vendor.webhooks.switches, name)
        assert (await post(me, "/simulator/switches", switch="nonsense", on="1"))[0] == 400
        assert (await post(me, "/simulator/trouble", operation="*", kind="nonsense"))[0] == 400


async def test_webhooks_are_sent_elsewhere_by_a_form() -> None:
    async with meeting(script=FREE) as (vendor, me, _hook), receiving() as other:
        assert (await post(me, "/simulator/target", url="ftp://nowhere"))[0] == 409
        assert (await post(me, "/simulator/target", url=other.url))[0] == 303
        assert [one.url for one in vendor.subscriptions] == [other.url]
        await handed_over(vendor, me)
        await other.of("CONVERSATION_ENQUEUED")


async def test_other_pages_cannot_use_the_forms() -> None:
    async with meeting(script=FREE) as (vendor, me, _hook):
        number = await handed_over(vendor, me)
        status, _ = await post(me, "/simulator/act", site="cross-site", act="close", conversation=str(number))
        assert (status, vendor.conversations[0].state) == (403, "Open")
        async with me.session.get(f"{vendor.url}/simulator/static/../page.py") as answer:
            assert answer.status == 401  # a path like any other of the vendor


async def test_changes_are_streamed() -> None:
    patience = aiohttp.ClientTimeout(total=10)
    async with (
        meeting(script=FREE) as (vendor, me, _hook),
        me.session.get(f"{vendor.url}/simulator/changes", timeout=patience) as stream,
    ):
        assert stream.content_type == "text/event-stream"
        await stream.content.readuntil(b"\n\n")
        vendor.trouble.next("*", Kind.FAILING)
        assert await stream.content.readuntil(b"\n\n") == b"event: change\ndata: {}\n\n"


@pytest.mark.parametrize("width", [1280, 360])
async def test_a_conversation_is_led_in_a_browser(browser: Browser, width: int) -> None:
    async with meeting(script=FREE) as (vendor, me, hook):
        page = await browser.new_page(viewport={"width": width, "height": 760})
        faults: list[str] = []
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        await page.goto(vendor.url)
        number = await handed_over(vendor, me)
        await expect(page.get_by_role("log")).to_contain_text("Where is my lamp?")
        await page.get_by_role("button", name="Take it").click()
        await expect(page.locator("#head .state")).to_have_text("Astrid Holm")
        answer = page.get_by_role("textbox", name="Answer")
        await answer.fill("I look it up")
        await answer.press("Enter")
        await expect(page.get_by_role("log")).to_contain_text("I look it up")
        await expect(answer).to_have_value("")

        await answer.fill("half a sen")
        await me.good("POST", f"/v1/conversations/{number}/messages", inbound("Any news?"))
        await expect(page.get_by_role("log")).to_contain_text("Any news?")
        await expect(answer).to_have_value("half a sen")
        await expect(answer).to_be_focused()

        await page.get_by_role("switch", name="Deliver every event twice").press("Space")
        await expect(page.get_by_role("switch", name="Deliver every event twice")).to_be_checked()
        await page.get_by_role("button", name="Close").click()
        await expect(page.locator("#head .state")).to_have_text("Closed")
        await hook.of("CONVERSATION_CLOSED", 2)
        await page.get_by_role("button", name="Send").click()  # nothing to send but the half sentence
        await expect(page.get_by_role("alert")).to_contain_text("Take the conversation first")
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert [fault for fault in faults if "409" not in fault] == []
        await page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing(browser: Browser, scheme: Literal["light", "dark"]) -> None:
    # axe sets inline styles while it measures, which the page's policy would refuse.
    context = await browser.new_context(color_scheme=scheme, bypass_csp=True)
    async with meeting(script=FREE) as (vendor, me, _hook):
        number = await handed_over(vendor, me)
        await vendor.agent_joins(number)
        for name in ("html", "picture"):
            await vendor.agent_sends_sample(number, name)
        await me.good("POST", f"/v1/conversations/{number}/notes", {"message": "A note"})
        vendor.trouble.next("queues.list", Kind.LOST, times=2)
        with pytest.raises(aiohttp.ClientError):
            await me.ask("GET", "/v1/queues")
        page = await context.new_page()
        await page.goto(f"{vendor.url}/?conversation={number}")
        await page.locator("summary").evaluate_all("all => all.forEach((one) => one.click())")
        await page.evaluate(AXE)
        found = await page.evaluate("async () => (await axe.run(document, {resultTypes: ['violations']})).violations")
        assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []
    await context.close()
