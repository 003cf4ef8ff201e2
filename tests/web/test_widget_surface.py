"""Loader, files, frame page, session, start, event stream and POST, over a running server."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import msgspec
import pytest

from tests.web.toy import SHOP, Web, message, note, running
from warmline.web.widget import texts


@pytest.fixture
async def web() -> AsyncIterator[Web]:
    async with running() as web:
        yield web


async def post(
    web: Web, path: str, body: Any, *, token: str | None = None, **headers: str
) -> tuple[int, dict[str, Any]]:
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    async with web.http.post(web.base + path, json=body, headers=headers) as answer:
        return answer.status, await answer.json(content_type=None)


async def test_loader_and_files_are_cached_as_they_should(web: Web) -> None:
    async with web.http.get(web.base + "/widget/loader.js") as answer:
        assert answer.status == 200
        assert answer.content_type == "text/javascript"
        assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
        etag = answer.headers["etag"]
    async with web.http.get(web.base + "/widget/loader.js", headers={"if-none-match": etag}) as again:
        assert again.status == 304
        assert await again.read() == b""
    async with web.http.get(web.base + f"/widget/frame/w1?origin={SHOP}") as frame:
        page = await frame.text()
    async with web.http.get(web.base + "/widget/static/app.js") as plain:
        assert "no-cache" in plain.headers["cache-control"]
    addresses = re.findall(r'(?:href|src)="([^"]+)"', page)
    assert any(address.endswith("/app.js") for address in addresses)
    for address in addresses:
        async with web.http.get(web.base + address) as file:
            assert (file.status, "immutable" in file.headers["cache-control"]) == (200, True), address
        other = re.sub("/static/[0-9a-f]{16}/", f"/static/{'0' * 16}/", address)
        async with web.http.get(web.base + other) as file:
            assert (file.status, file.headers["cache-control"]) == (200, "no-store")


@pytest.mark.parametrize("origin", [SHOP, "https://other.example"])
async def test_the_page_names_its_icon_so_that_no_browser_guesses_one(web: Web, origin: str) -> None:
    async with web.http.get(web.base + f"/widget/frame/w1?origin={origin}") as frame:
        found = re.search(r'rel="icon" type="image/svg\+xml" href="([^"]+)"', await frame.text())
        assert "img-src 'self'" in frame.headers["content-security-policy"]
    assert found is not None
    async with web.http.get(web.base + found[1]) as icon:
        assert (icon.status, icon.content_type) == (200, "image/svg+xml")


@pytest.mark.parametrize("path", ["/widget/static/../routes.py", "/widget/static/%2e%2e/routes.py", "/widget/static/"])
async def test_only_the_files_of_the_widget_are_served(web: Web, path: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(web.base.rpartition(":")[2]))
    writer.write(f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
    assert (await reader.readline()).startswith(b"HTTP/1.1 404")
    writer.close()


async def test_the_frame_may_stand_only_where_the_widget_is_allowed(web: Web) -> None:
    async with web.http.get(web.base + f"/widget/frame/w1?origin={SHOP}") as answer:
        assert answer.status == 200
        policy = answer.headers["content-security-policy"]
        assert "x-frame-options" not in answer.headers
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' https: data: blob:",
        "connect-src": "'self' wss://chat.example",
        "frame-ancestors": f"'self' {SHOP}",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


@pytest.mark.parametrize("origin", ["https://other.example", "http://shop.example", "https://shop.example:8443"])
async def test_elsewhere_the_frame_says_which_origin_to_add(web: Web, origin: str) -> None:
    async with web.http.get(web.base + "/widget/frame/w1", params={"origin": origin}) as answer:
        page = await answer.text()
        assert answer.status == 403
        assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert origin in page
    assert "Shop &amp; Co" in page
    assert "<script" not in page


async def test_an_origin_that_is_none_is_not_shown(web: Web) -> None:
    async with web.http.get(web.base + "/widget/frame/w1", params={"origin": "https://x<script>alert(1)"}) as answer:
        assert answer.status == 403
        assert "alert" not in await answer.text()
    for widget in ("nothing", "", "x" * 5_000):
        async with web.http.get(web.base + f"/widget/frame/{widget}?origin={SHOP}") as answer:
            assert answer.status == 404


async def test_a_session_begins_goes_on_and_finds_the_open_conversation(web: Web) -> None:
    status, fresh = await post(web, "/widget/session", {"widget_id": "w1", "token": None}, origin=web.base)
    assert status == 200
    assert fresh["conversation"] is None
    assert fresh["incarnation"] == "inc1"
    assert fresh["config"]["title"] == "Hello"
    assert (fresh["config"]["language"], fresh["config"]["dir"]) == ("en", "ltr")
    assert fresh["config"]["texts"] == texts.table("en")
    token = fresh["token"]
    body = {"widget_id": "w1", "client_id": "c", "page": {"userAgent": "UA", "screenRes": "1x1", "url": "u" * 9_000}}
    status, begun = await post(web, "/widget/conversations", body, token=token)
    assert status == 200
    _, again = await post(web, "/widget/session", {"widget_id": "w1", "token": token})
    assert (again["token"], again["conversation"]) == (token, begun["conversation"])
    _, renewed = await post(web, "/widget/session", {"widget_id": "w1", "token": "of another server"})
    assert renewed["token"] not in {token, "of another server"}


@pytest.mark.parametrize(
    ("path", "body", "token", "status", "where"),
    [
        ("/widget/session", {}, None, 400, "$.widget_id"),
        ("/widget/session", {"widget_id": "nothing"}, None, 404, None),
        ("/widget/conversations", {"widget_id": "w1", "client_id": "c"}, None, 401, None),
        ("/widget/conversations", {"widget_id": "w1", "client_id": "c"}, "forged", 401, None),
        ("/widget/conversations", {"widget_id": "w1"}, "t-v", 400, "$.client_id"),
        ("/widget/conversations", {"widget_id": "w1", "client_id": "c", "page": {"url": 1}}, "t-v", 400, "$.page.url"),
        ("/widget/send", {"frame": "message", "client_id": "c", "text": "x"}, None, 401, None),
        ("/widget/send", {"frame": "message", "client_id": "c", "text": "x"}, "t-v", 400, "$.conversation"),
        ("/widget/send", {"frame": "pong", "conversation": "no-such"}, "t-v", 404, None),
    ],
)
async def test_bad_requests(
    web: Web, path: str, body: dict[str, Any], token: str | None, status: int, where: str | None
) -> None:
    answered, problem = await post(web, path, body, token=token)
    assert (answered, problem.get("path")) == (status, where)


@pytest.mark.parametrize("path", ["/widget/session", "/widget/conversations", "/widget/send"])
async def test_a_foreign_page_may_not_act(web: Web, path: str) -> None:
    status, problem = await post(web, path, {"widget_id": "w1"}, token="t-v", origin=SHOP)
    assert (status, problem["code"]) == (403, "origin")


async def test_starting_is_limited_per_visitor() -> None:
    async with running(rules={"visitor.start": (0.01, 2)}) as web:
        body = {"widget_id": "w1", "client_id": "c"}
        answers = [(await post(web, "/widget/conversations", body, token="t-v"))[0] for _ in range(3)]
        assert answers == [200, 200, 429]
        assert (await post(web, "/widget/conversations", body, token="t-other"))[0] == 200


async def test_starting_is_limited_per_address() -> None:
    async with running(rules={"address.start": (0.01, 2)}) as web:
        body = {"widget_id": "w1", "client_id": "c"}
        answers = [(await post(web, "/widget/conversations", body, token=f"t-{n}"))[0] for n in range(3)]
        assert answers == [200, 200, 429]


async def test_a_frame_sent_by_post_is_acknowledged_or_refused(web: Web) -> None:
    conversation = web.conversations.open("v")
    said = {"frame": "message", "client_id": "c", "text": "x", "conversation": conversation}
    assert await post(web, "/widget/send", said, token="t-v") == (200, {"frame": "ack", "client_id": "c", "seq": 2})
    assert await post(web, "/widget/send", said, token="t-v") == (200, {"frame": "ack", "client_id": "c", "seq": 2})
    status, refused = await post(web, "/widget/send", {**said, "text": "closed"}, token="t-v")
    assert (status, refused["frame"], refused["code"]) == (200, "refused", "closed")
    status, refused = await post(web, "/widget/send", {**said, "text": ""}, token="t-v")
    assert (status, refused["frame"], refused["path"]) == (400, "refused", "$.text")
    assert await post(
        web, "/widget/send", {"frame": "typing", "on": True, "conversation": conversation}, token="t-v"
    ) == (200, {})
    assert (await post(web, "/widget/send", said, token="t-other"))[0] == 404


class Events:
    """Messages of an event stream."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self.answer = answer

    async def next(self) -> dict[str, str]:
        async with asyncio.timeout(10):
            fields: dict[str, str] = {}
            while line := (await self.answer.content.readline()).decode().rstrip("\n"):
                name, _, value = line.partition(": ")
                fields[name] = value
            return fields

    async def frame(self) -> dict[str, Any]:
        found: dict[str, Any] = msgspec.json.decode((await self.next())["data"])
        return found


async def follow(web: Web, visitor: str, conversation: str, query: str = "", **headers: str) -> aiohttp.ClientResponse:
    headers["authorization"] = f"Bearer t-{visitor}"
    return await web.http.get(f"{web.base}/widget/sse?conversation={conversation}{query}", headers=headers)


async def test_the_event_stream_resumes_and_goes_on_like_the_socket(web: Web) -> None:
    conversation = web.conversations.open("v")
    web.journal.commit(conversation, message("one"), note(), message("two"))
    async with await follow(web, "v", conversation, "&since=2&incarnation=inc1") as answer:
        assert answer.content_type == "text/event-stream"
        events = Events(answer)
        first = await events.next()
        sync = msgspec.json.decode(first["data"])
        assert first["id"] == "inc1.4"
        assert (sync["mode"], [item["seq"] for item in sync["events"]]) == ("gap", [3, 4])
        web.journal.commit(conversation, note(), message("three"))
        skip, live = await events.next(), await events.next()
        assert (skip["id"], live["id"]) == ("inc1.5", "inc1.6")
        assert msgspec.json.decode(live["data"])["event"]["data"]["text"] == "three"
        web.hub.ping(web.hub.everyone())
        assert await events.next() == {"data": '{"frame":"ping","seq":6}'}
    async with await follow(web, "v", conversation, **{"last-event-id": "inc1.5"}) as answer:
        sync = await Events(answer).frame()
        assert (sync["mode"], [item["seq"] for item in sync["events"]]) == ("gap", [6])


async def test_the_event_stream_asks_who_it_is_and_whose_it_is(web: Web) -> None:
    conversation = web.conversations.open("v")
    async with web.http.get(f"{web.base}/widget/sse?conversation={conversation}") as answer:
        assert answer.status == 401
    async with await follow(web, "other", conversation) as answer:
        assert answer.status == 404
    for query in ("&since=-1", "&since=x", "&since=" + "9" * 30):
        async with await follow(web, "v", conversation, query) as answer:
            assert answer.status == 400
            assert (await answer.json(content_type=None))["path"] == "query.since"


async def test_an_event_stream_ends_with_its_code_when_the_server_stops(web: Web) -> None:
    conversation = web.conversations.open("v")
    async with await follow(web, "v", conversation) as answer:
        events = Events(answer)
        await events.next()
        web.server.should_exit = True
        assert (await events.frame())["frame"] == "drain"
        assert await events.next() == {"event": "close", "data": '{"code":4002,"reason":"restarting"}'}
        assert await events.next() == {}
    async with asyncio.timeout(10):
        await web.finished


async def test_an_event_stream_that_is_left_is_forgotten(web: Web) -> None:
    conversation = web.conversations.open("v")
    answer = await follow(web, "v", conversation)
    await Events(answer).next()
    assert web.hub.connections == 1
    answer.close()
    await web.until_left()
    assert web.hub.watched == 0


@pytest.mark.parametrize(
    ("wanted", "accept", "language"),
    [
        ("en", "de", "en"),
        ("en-GB", "", "en"),
        ("", "xx, en;q=0.5", "en"),
        ("", "", "en"),
        ("", "*;q=0, ,;q=x", "en"),
        ("zz", "", "en"),
    ],
)
def test_the_language_is_the_widgets_then_the_browsers(wanted: str, accept: str, language: str) -> None:
    assert texts.choose(wanted, accept) == language


def test_direction_of_a_language() -> None:
    assert texts.direction("ar-eg") == "rtl"
    assert texts.direction("de") == "ltr"
