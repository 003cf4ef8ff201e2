"""What a browser meets where nothing is, and the icon it asks for; programs get problems as ever."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from tests.support.node import Stage
from tests.web.console.desk_agent import signed_in
from tests.web.console.test_admission import check_policy

from warmline.accounts.model import Role
from warmline.conversations.attachment_links import AttachmentLinks
from warmline.conversations.events import Attachment
from warmline.kernel.clock import ManualClock
from warmline.kernel.ids import uuid7
from warmline.web.error_pages import wants_page

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
PROGRAM = {"application/problem+json"}


@pytest.fixture
def stage(shared_sqlite_house: Stage) -> Stage:
    return shared_sqlite_house


async def ask(stage: Stage, path: str, accept: str = BROWSER, method: str = "GET") -> tuple[int, str, Any]:
    """Status, text and headers."""
    url = stage.base + path
    async with stage.http.request(method, url, headers={"accept": accept}, allow_redirects=False) as answer:
        return answer.status, await answer.text(), answer.headers


@pytest.mark.parametrize("path", ["/nope", "/", "/x/y?z=<b>", "/transcript/none", "/assets/x/none.css"])
async def test_a_browser_gets_a_page_where_nothing_is(stage: Stage, path: str) -> None:
    status, text, headers = await ask(stage, path)
    assert (status, headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "There is nothing here" in text
    assert "console/css/console" in text
    assert 'href="/console/sign-in"' in text
    assert "<b>" not in text
    assert headers["cache-control"] == "no-store"
    assert "set-cookie" not in headers
    check_policy(path, text, headers)


async def test_a_file_link_that_is_over_says_so(stage: Stage) -> None:
    long_ago = AttachmentLinks(stage.node.keyring, ManualClock(), public_url=stage.base, days=7)
    file = Attachment(id=uuid7(), name="lamp.png", media_type="image/png", size=1)
    path = long_ago.shown(file)
    status, text, headers = await ask(stage, path)
    assert (status, headers["content-type"]) == (403, "text/html; charset=utf-8")
    assert "<title>This link has expired" in text
    assert "<h3>This link has expired</h3>" in text
    assert "Open the conversation again for a new one." in text
    assert "This is not yours to open" not in text
    assert "To the start" not in text, "an account would not help"
    check_policy(path, text, headers)
    _status, forged, _headers = await ask(stage, path + "x")
    assert "<h3>This link does not work</h3>" in forged
    _status, problem, headers = await ask(stage, path, accept="application/json")
    assert headers["content-type"] == "application/problem+json"
    assert '"code":"link_expired"' in problem


async def test_it_tells_nobody_who_is_signed_in(stage: Stage) -> None:
    _status, stranger, _headers = await ask(stage, "/nope")
    async with signed_in(stage, "Ada Boss", Role.ADMIN) as ada:
        reply = await ada.get("/nope", accept=BROWSER)
        assert reply.text == stranger
        assert "Ada" not in reply.text


@pytest.mark.parametrize("path", ["/nope", "/api/v1/nope", "/api/v1/conversations", "/agent/nope", "/widget/nope"])
@pytest.mark.parametrize(
    "accept", ["*/*", "application/json", "application/json, text/html;q=0.5", "", "text/html;q=x"]
)
async def test_a_program_gets_a_problem(stage: Stage, path: str, accept: str) -> None:
    status, text, headers = await ask(stage, path, accept)
    assert status in {401, 404}
    assert headers["content-type"] == "application/problem+json"
    assert text.startswith("{")


@pytest.mark.parametrize("path", ["/api/v1/nope", "/api/v1/conversations", "/agent/converse/send-message-to-widget"])
async def test_the_interfaces_of_programs_answer_a_browser_as_a_program(stage: Stage, path: str) -> None:
    _status, _text, headers = await ask(stage, path)
    assert headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/console/sign-out"), ("PUT", "/console/keys"), ("POST", "/console/nope"), ("DELETE", "/console")],
)
async def test_a_wrong_method_below_the_console_is_a_page(stage: Stage, method: str, path: str) -> None:
    status, text, headers = await ask(stage, path, method=method)
    assert status in {404, 405}
    assert headers["content-type"].startswith("text/html")
    assert "console/css/console" in text
    check_policy(path, text, headers)
    if status == 405:
        assert headers["allow"]


async def test_a_failure_below_the_console_is_a_page_with_a_reference(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with signed_in(stage, "Ada Boss", Role.ADMIN) as ada:

        async def fail(*_a: Any, **_n: Any) -> list[Any]:
            raise RuntimeError("password=hunter2")

        monkeypatch.setattr(stage.node.accounts, "list_sessions", fail)
        reply = await ada.get("/console/account", accept=BROWSER)
        assert (reply.status, "Something went wrong" in reply.text, "reference" in reply.text) == (500, True, True)
        assert "hunter2" not in reply.text
        check_policy("failure", reply.text, reply.headers)


async def test_the_icon_is_a_real_one(stage: Stage) -> None:
    async with stage.http.get(f"{stage.base}/favicon.ico") as answer:
        body = await answer.read()
        assert (answer.status, answer.headers["content-type"]) == (200, "image/x-icon")
        assert "max-age" in answer.headers["cache-control"]
    reserved, kind, count = struct.unpack("<HHH", body[:6])
    assert (reserved, kind, count) == (0, 1, 3)
    for place in range(count):
        width, height, _colours, _zero, _planes, bits, size, offset = struct.unpack_from(
            "<BBBBHHII", body, 6 + 16 * place
        )
        picture = body[offset : offset + size]
        assert picture.startswith(b"\x89PNG")
        assert (width, height, bits) == (*struct.unpack(">II", picture[16:24]), 32)
    async with stage.http.head(f"{stage.base}/favicon.ico") as answer:
        assert answer.status == 200


def test_what_a_browser_prefers_is_asked_for_exactly() -> None:
    def scope(accept: bytes, method: str = "GET", path: str = "/x") -> dict[str, Any]:
        return {"path": path, "method": method, "headers": [(b"accept", accept)]}

    assert wants_page(scope(BROWSER.encode()))
    assert wants_page(scope(b"text/html"))
    assert not wants_page(scope(b"text/html;q=0"))
    assert not wants_page(scope(b"text/html;q=0.4, application/json;q=0.5"))
    assert not wants_page(scope(b"application/json, text/html"))
    assert not wants_page(scope(b"text/html", method="POST"))
    assert wants_page(scope(b"text/html", method="POST", path="/console/x"))
    assert not wants_page({"path": "/x", "method": "GET", "headers": []})
