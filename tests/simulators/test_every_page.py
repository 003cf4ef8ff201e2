"""What every simulator tells of itself, to people on its page and in the terminal, and to programs."""

from __future__ import annotations

import json

import aiohttp
import pytest

from warmline.simulators.page import Connection
from warmline.simulators.registry import SIMULATORS
from warmline.simulators.run import announcement


@pytest.mark.parametrize("name", SIMULATORS)
async def test_it_says_what_to_enter_and_offers_only_what_has_an_effect(name: str) -> None:
    listed = SIMULATORS[name]
    async with listed.load().running() as vendor, aiohttp.ClientSession(vendor.url) as http:
        async with http.get("/simulator/connection") as answer:
            told = Connection(**await answer.json())
        assert (told.kind, told.title) == (name, listed.title)
        assert any(one.startswith(vendor.url) for one in told.settings.values())
        assert isinstance(json.loads(told.payload), dict)
        async with http.get("/") as page:
            shown = await page.text()
        printed = "\n".join(announcement(vendor, ""))
        for one in vendor.board().credentials():
            assert f"<dt>{one.label}</dt>" in shown
            assert one.value in printed
        assert told.payload in printed
        for words in ("<h2>Deliveries</h2>", 'id="switch-wrong_signature"', 'action="/simulator/target"'):
            assert (words in shown) == told.sends_webhooks, words
        for switch in vendor.inert_switches:
            assert f'id="switch-{switch}"' not in shown
        assert 'id="switch-paused"' in shown
        async with http.post(
            "/simulator/target", data={"url": "http://127.0.0.1:9/in"}, allow_redirects=False
        ) as set_to:
            assert set_to.status == (303 if told.sends_webhooks else 409)
