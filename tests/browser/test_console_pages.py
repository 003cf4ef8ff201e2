"""The console's own pages in a real browser: no serious barrier, no breach of the page's policy, light and dark."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect
from tests.support.node import Stage, staged
from tests.support.pair import StorePair

from warmline.accounts.access import SYSTEM
from warmline.accounts.model import Role

EMAIL, PASSWORD = "ada@console.example", "a long enough password"
AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text(encoding="utf-8")
HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>"
PAGES = ("ui", "ui?dir=rtl", "keys", "keys/new", "members", "members/new", "account", "audit", "audit/check")
RUN = "async () => (await axe.run(document, {resultTypes: ['violations']})).violations"


@pytest_asyncio.fixture(loop_scope="module")
async def stage(sqlite_pair: StorePair) -> AsyncIterator[Stage]:
    async with staged(sqlite_pair) as opened:
        accounts, keys = opened.node.accounts, opened.node.api_keys
        await accounts.create_member(SYSTEM, EMAIL, "Ada", Role.ADMIN, PASSWORD)
        await accounts.create_member(SYSTEM, "h@console.example", HOSTILE, Role.AGENT, PASSWORD)
        await keys.create(SYSTEM, kind="v1", label=HOSTILE, scopes=["audit:read"])
        revoked = await keys.create(SYSTEM, kind="v1", label="Old", scopes=["audit:read"])
        await keys.revoke(SYSTEM, revoked.record.id)
        yield opened


async def barriers(page: Page) -> list[tuple[str, str]]:
    """What axe finds serious or critical: rule, and the element."""
    found: list[dict[str, Any]] = await page.evaluate(RUN)
    return [
        (violation["id"], f"{node['html'][:160]} — {node['failureSummary'][:300]}")
        for violation in found
        if violation["impact"] in {"serious", "critical"}
        for node in violation["nodes"]
    ]


def listen(page: Page) -> list[str]:
    """What must not happen: errors, breaches of the policy, dialogs."""
    told: list[str] = []
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("console", lambda line: told.append(line.text) if line.type == "error" else None)
    page.on("dialog", lambda dialog: told.append(dialog.message))
    return told


async def sign_in(page: Page) -> None:
    await page.get_by_label("E-mail").fill(EMAIL)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("navigation", name="Main")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_pages_have_no_serious_barriers(browser: Browser, stage: Stage, scheme: Literal["light", "dark"]) -> None:
    # axe itself sets inline styles while it measures, which the policy of the page would refuse.
    context = await browser.new_context(color_scheme=scheme, reduced_motion="reduce", bypass_csp=True)
    await context.add_init_script(AXE)
    page = await context.new_page()
    await page.goto(f"{stage.base}/console/sign-in")
    found = {"sign-in": await barriers(page)}
    await sign_in(page)
    for name in PAGES:
        await page.goto(f"{stage.base}/console/{name}")
        await expect(page.locator("h1")).to_be_visible()
        found[name] = await barriers(page)
    assert {name: barrier for name, barrier in found.items() if barrier} == {}
    await context.close()


async def test_pages_keep_their_policy_and_show_hostile_names_as_text(browser: Browser, stage: Stage) -> None:
    page = await browser.new_page()
    told = listen(page)
    await page.goto(f"{stage.base}/console/sign-in")
    await sign_in(page)
    for name in PAGES:
        await page.goto(f"{stage.base}/console/{name}", wait_until="load")
        await expect(page.locator("h1")).to_be_visible()
        if name in {"members", "keys"}:
            await expect(page.get_by_text(HOSTILE)).to_be_visible()
    assert told == []
    await page.close()


async def test_a_key_is_revoked_by_keyboard_through_its_dialog(browser: Browser, stage: Stage) -> None:
    page = await browser.new_page()
    told = listen(page)
    await page.goto(f"{stage.base}/console/keys")
    await sign_in(page)
    await expect(page).to_have_url(f"{stage.base}/console/keys")
    await page.get_by_role("row", name=HOSTILE).get_by_role("link", name="Manage").click()
    await page.get_by_role("button", name="Revoke key…").press("Enter")
    dialog = page.get_by_role("dialog", name="Revoke this key?")
    await expect(dialog).to_be_visible()
    await expect(dialog).to_contain_text(HOSTILE)
    await dialog.get_by_role("button", name="Keep it").press("Enter")
    await expect(dialog).to_be_hidden()
    await page.get_by_role("button", name="Revoke key…").press("Enter")
    await dialog.get_by_role("button", name="Revoke key").press("Enter")
    await expect(page.get_by_text("The key is revoked.")).to_be_visible()
    assert told == []
    keys = await stage.node.api_keys.list_keys(SYSTEM, kind="v1")
    assert all(key.revoked_at for key in keys if key.label == HOSTILE)
