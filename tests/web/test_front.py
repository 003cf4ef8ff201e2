"""The dispatcher, the framework behind it, problems, health and the OpenAPI document, over a running server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

import msgspec
import pytest
from litestar import get, post
from litestar.params import Body as BodyOf
from litestar.params import Parameter as Query
from msgspec import Meta, Struct

from tests.web.toy import Web, running
from warmline.kernel.errors import Conflict, RateLimited
from warmline.web.front import RawRoute
from warmline.web.openapi_operation import Operation, Parameter
from warmline.web.problems import Receive, Scope, Send, decode, read_body, send_json


class Line(Struct):
    sku: str


class Order(Struct):
    text: Annotated[str, Meta(min_length=1, description="What to say.")]
    count: int = 1
    lines: list[Line] = []


@post("/api/v1/orders")
async def make_order(data: Annotated[Order, BodyOf()]) -> Order:
    return data


@get("/api/v1/orders")
async def list_orders(limit: Annotated[int, Query(ge=1, le=100)] = 10) -> list[Order]:
    return [Order("x", limit)]


@get("/api/v1/broken")
async def broken() -> None:
    raise RuntimeError("password=hunter2")


@get("/api/v1/refused")
async def refused() -> None:
    raise Conflict("It is over.", code="closed")


@get("/api/v1/limited")
async def limited() -> None:
    raise RateLimited(retry_after=3)


@get("/console/page")
async def page() -> str:
    return "hello"


async def hot(_scope: Scope, receive: Receive, send: Send) -> None:
    await send_json(send, decode(msgspec.json.Decoder(Order), await read_body(receive, 5_000)))


async def hot_broken(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise RuntimeError("password=hunter2")


HOT = [
    RawRoute(
        path="/converse/hot",
        method="POST",
        handler=hot,
        operation=Operation(
            id="hot",
            summary="A hot route",
            tags=("Hot",),
            request=Order,
            responses={200: Order},
            parameters=(Parameter(name="botid", where="header", description="Which bot.", required=True),),
            security=("connectionKey",),
        ),
    ),
    RawRoute(path="/converse/broken", method="GET", handler=hot_broken),
]


@pytest.fixture
async def web() -> AsyncIterator[Web]:
    handlers = [make_order, list_orders, broken, refused, limited, page]
    async with running(routes=HOT, handlers=lambda: handlers, max_body_bytes=5_000) as web:
        yield web


async def ask(web: Web, method: str, path: str, **kwargs: Any) -> tuple[int, dict[str, Any], dict[str, str]]:
    async with web.http.request(method, web.base + path, **kwargs) as answer:
        body = await answer.read()
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return answer.status, msgspec.json.decode(body) if body else {}, headers


@pytest.mark.parametrize("path", ["/api/v1/orders", "/converse/hot"])
@pytest.mark.parametrize(
    ("raw", "where"),
    [
        ("{", "$"),
        ("[]", "$"),
        ("", "$"),
        ("{}", "$.text"),
        ('{"text":""}', "$.text"),
        ('{"text":"x","count":"y"}', "$.count"),
        ('{"text":"x","lines":[{"sku":"a"},{}]}', "$.lines[1].sku"),
        ('{"text":"x","lines":[{"sku":1}]}', "$.lines[0].sku"),
        ("[" * 2_000, "$"),
        ('{"text":' * 500, "$"),
    ],
)
async def test_bad_input_gets_the_same_problem_from_both_worlds(web: Web, path: str, raw: str, where: str) -> None:
    headers = {"content-type": "application/json"}
    status, body, answered = await ask(web, "POST", path, data=raw.encode(), headers=headers)
    assert status == 400
    assert answered["content-type"] == "application/problem+json"
    assert (body["status"], body["path"]) == (400, where)
    assert body["detail"].endswith(".")
    assert set(body) >= {"type", "title", "code"}


@pytest.mark.parametrize("path", ["/api/v1/orders", "/converse/hot"])
async def test_a_body_beyond_the_limit_is_refused(web: Web, path: str) -> None:
    status, body, _ = await ask(web, "POST", path, json={"text": "x" * 6_000})
    assert (status, body["code"]) == (413, "too_large")


async def test_a_query_fault_names_its_parameter(web: Web) -> None:
    status, body, _ = await ask(web, "GET", "/api/v1/orders?limit=0")
    assert (status, body["path"]) == (400, "query.limit")
    status, body, _ = await ask(web, "GET", "/api/v1/orders?limit=x")
    assert (status, body["path"]) == (400, "query.limit")


async def test_unknown_addresses_and_methods_are_problems(web: Web) -> None:
    for path in ("/nothing", "/api/v1/nothing", "/api/openapi.json/openapi.json", "/widget/static/nothing.js"):
        status, body, headers = await ask(web, "GET", path)
        assert (path, status, body["code"]) == (path, 404, "not_found")
        assert headers["content-type"] == "application/problem+json"
    for path, allowed in (("/converse/hot", "POST"), ("/api/v1/refused", "GET")):
        status, body, headers = await ask(web, "DELETE", path)
        assert (status, body["code"]) == (405, "method_not_allowed")
        assert allowed in headers["allow"]


async def test_errors_of_the_domain_keep_their_status_and_code(web: Web) -> None:
    status, body, _ = await ask(web, "GET", "/api/v1/refused")
    assert (status, body["code"], body["detail"]) == (409, "closed", "It is over.")
    status, _, headers = await ask(web, "GET", "/api/v1/limited")
    assert (status, headers["retry-after"]) == (429, "3")


@pytest.mark.parametrize("path", ["/api/v1/broken", "/converse/broken"])
async def test_a_failure_tells_a_reference_and_nothing_else(web: Web, path: str) -> None:
    status, body, _ = await ask(web, "GET", path)
    assert status == 500
    assert body["code"] == "internal"
    assert len(body["reference"]) == 36
    assert "hunter2" not in str(body)


async def test_security_headers_by_area(web: Web) -> None:
    async with web.http.get(web.base + "/console/page") as answer:
        assert "script-src 'self'" in answer.headers["content-security-policy"]
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["strict-transport-security"].startswith("max-age=")
    async with web.http.get(web.base + "/api/v1/orders") as answer:
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "server" not in answer.headers


async def test_health(web: Web) -> None:
    assert (await ask(web, "GET", "/healthz"))[:2] == (200, {"status": "ok"})
    assert (await ask(web, "GET", "/readyz"))[0] == 200

    async def store() -> bool:
        raise OSError

    web.application.health.checks["store"] = store
    status, body, _ = await ask(web, "GET", "/readyz")
    assert (status, body) == (503, {"status": "unavailable", "checks": {"store": False}})
    web.application.health.checks.clear()
    web.application.health.draining = True
    assert (await ask(web, "GET", "/readyz"))[0] == 503


async def test_two_routes_cannot_claim_one_address() -> None:
    with pytest.raises(ValueError, match="POST /converse/hot"):
        async with running(routes=[HOT[0], HOT[0]]):
            pass


async def test_the_document_holds_both_worlds(web: Web) -> None:
    _, document, headers = await ask(web, "GET", "/api/openapi.json")
    assert document["openapi"].startswith("3.1")
    assert document["servers"] == [{"url": "https://chat.example"}]
    assert "/console/page" not in document["paths"]
    hot_one = document["paths"]["/converse/hot"]["post"]
    cold_one = document["paths"]["/api/v1/orders"]["post"]
    for operation in (hot_one, cold_one):
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        order = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        assert order["required"] == ["text"]
        assert "application/problem+json" in operation["responses"]["400"]["content"]
        assert "default" in operation["responses"]
    assert hot_one["parameters"][0]["name"] == "botid"
    async with web.http.get(web.base + "/api/openapi.json", headers={"if-none-match": headers["etag"]}) as again:
        assert again.status == 304


async def test_every_raw_route_with_json_is_in_the_document(web: Web) -> None:
    """Pages, files, streams and health need no operation; whatever else has none was forgotten."""
    _, document, _ = await ask(web, "GET", "/api/openapi.json")
    files = {
        "/healthz",
        "/readyz",
        "/api/openapi.json",
        "/api/openapi.json/",
        "/api/reference",
        "/api/reference.css",
        "/widget/loader.js",
        "/widget/static/",
        "/widget/frame/",
        "/widget/sse",
        "/converse/broken",
    }
    for route in web.application.routes:
        if route.path not in files:
            assert route.method.lower() in document["paths"][route.path]


async def test_every_reference_in_the_document_leads_somewhere(web: Web) -> None:
    _, document, _ = await ask(web, "GET", "/api/openapi.json")
    pending: list[Any] = [document]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            if "$ref" in value:
                assert value["$ref"].rpartition("/")[2] in document["components"]["schemas"]
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)


async def test_the_reference_page_needs_nothing_from_elsewhere(web: Web) -> None:
    async with web.http.get(web.base + "/api/reference") as answer:
        text = await answer.text()
        assert answer.status == 200
        assert "script" not in answer.headers["content-security-policy"].replace("default-src", "")
    assert "A hot route" in text
    assert "/converse/hot" in text
    assert "<script" not in text
    assert "//" not in text.replace("https://chat.example", "")
    async with web.http.get(web.base + "/api/reference.css") as style:
        assert style.content_type == "text/css"


async def test_a_request_under_way_is_finished_when_the_server_stops(web: Web) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(web.base.rpartition(":")[2]))
    body = b'{"text":"x"}'
    writer.write(b"POST /converse/hot HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body) + body[:5])
    await writer.drain()
    # Another request answered shows that the server has read the half one before it.
    await ask(web, "GET", "/healthz")
    web.server.should_exit = True
    writer.write(body[5:])
    async with asyncio.timeout(10):
        assert (await reader.read(15)) == b"HTTP/1.1 200 OK"
        writer.close()
        await web.finished
