"""The browser fixture drives a real Chromium against a real port."""

from __future__ import annotations

from typing import Any

from playwright.async_api import Browser

from tests.support.server import serve


async def _hello(scope: Any, _receive: Any, send: Any) -> None:
    assert scope["type"] == "http"
    headers = [(b"content-type", b"text/html")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"<title>Hello</title><p>It works</p>"})


async def test_a_page_of_our_own_server_is_shown(browser: Browser) -> None:
    async with serve(_hello, lifespan="off") as address:
        page = await browser.new_page()
        await page.goto(address)
        assert await page.title() == "Hello"
        assert await page.inner_text("p") == "It works"
