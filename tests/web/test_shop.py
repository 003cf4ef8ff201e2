"""The demo's shop over a running server: its pages, its policy, the snippet, and what stands where nothing stands."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from xml.etree import ElementTree as ET

import aiohttp
import pytest

from tests.web.toy import running
from warmline.web.shop.pages import Places, Shop, load_products

CRM = "http://127.0.0.1:8090"
PAGES = ["/", *(f"/products/{product.slug}" for product in load_products())]


@pytest.fixture
async def shop() -> AsyncIterator[aiohttp.ClientSession]:
    places = Places(public_url="http://127.0.0.1:1", widget_id='w"1', crm_url=CRM)
    async with running(routes=Shop(places).routes()) as web, aiohttp.ClientSession(web.base) as http:
        yield http


async def page(shop: aiohttp.ClientSession, path: str) -> tuple[aiohttp.ClientResponse, str]:
    async with shop.get(path) as answer:
        return answer, await answer.text()


@pytest.mark.parametrize("path", PAGES)
async def test_every_page_stands_by_itself_under_a_strict_policy(shop: aiohttp.ClientSession, path: str) -> None:
    answer, html = await page(shop, path)
    assert answer.status == 200
    assert answer.content_type == "text/html"
    policy = dict(part.split(maxsplit=1) for part in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert {policy[name] for name in ("script-src", "style-src", "img-src", "frame-src")} == {"'self'"}
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?! src=)", html), "nothing inline"
    files = set(re.findall(r'(?:src|href)="(/shop/static/[^"]+)"', html))
    assert files
    for file in files:
        async with shop.get(file) as found:
            assert found.status == 200, file
            assert "immutable" in found.headers["cache-control"]
            if file.endswith(".svg"):
                assert found.content_type == "image/svg+xml"
                ET.fromstring(await found.text())


@pytest.mark.parametrize("path", PAGES[:2])
async def test_the_widget_is_embedded_by_the_public_snippet(shop: aiohttp.ClientSession, path: str) -> None:
    answer, html = await page(shop, path)
    # From the address that the visitor came by: only then is the loader of the same origin as the page.
    base = f"http://{answer.url.host}:{answer.url.port}"
    assert f'<script src="{base}/widget/loader.js" data-widget="w&#34;1" async></script>' in html
    assert html.count("<script") == 1


async def test_a_host_that_is_none_gets_the_public_address(shop: aiohttp.ClientSession) -> None:
    async with shop.get("/", headers={"host": '"><script>'}) as answer:
        html = await answer.text()
    assert '<script src="http://127.0.0.1:1/widget/loader.js"' in html
    assert html.count("<script") == 1


async def test_the_start_page_names_what_to_try_and_leads_there(shop: aiohttp.ClientSession) -> None:
    _, html = await page(shop, "/")
    panel = html[html.index('<details class="try" open>') : html.index("</details>")]
    for words in ("Ask about delivery", "Talk to a person", "Decline", "Reload in the middle"):
        assert words in panel
    assert f'href="{CRM}/"' in panel
    assert 'href="/console"' in panel
    for product in load_products():
        assert f'href="/products/{product.slug}"' in html


@pytest.mark.parametrize(
    "path", ["/products/", "/products/nothing", "/products/alder-table-lamp/more", "/products/%3Cb%3E"]
)
async def test_an_address_without_a_product_gets_a_friendly_page(shop: aiohttp.ClientSession, path: str) -> None:
    answer, html = await page(shop, path)
    assert answer.status == 404
    assert answer.content_type == "text/html"
    assert "It is dark in this corner" in html
    assert 'href="/#collection"' in html
    assert "<b>" not in html


@pytest.mark.parametrize("path", ["/shop/static/", "/shop/static/x/../pages.py", "/shop/static/x/none.svg"])
async def test_only_the_files_of_the_shop_are_served(shop: aiohttp.ClientSession, path: str) -> None:
    async with shop.get(path) as answer:
        assert answer.status == 404
