"""Origins, trusted proxies, bearer tokens and client addresses."""

from __future__ import annotations

from typing import Any

import pytest

from warmline.kernel.errors import Unauthorized
from warmline.web.security import (
    TrustedProxies,
    bearer,
    client_address,
    headers_for,
    is_own_origin,
    origin_of,
    parse_origin,
)


def scope(
    headers: dict[str, str] | None = None, *, client: str = "10.0.0.9", scheme: str = "http", kind: str = "http"
) -> dict[str, Any]:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
    return {"type": kind, "scheme": scheme, "client": (client, 1234), "headers": raw, "path": "/"}


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://Shop.Example", "https://shop.example"),
        ("https://shop.example:443", "https://shop.example"),
        ("http://shop.example:80", "http://shop.example"),
        ("http://shop.example:443", "http://shop.example:443"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("https://shop.example/", None),
        ("https://shop.example/path", None),
        ("https://user@shop.example", None),
        ("https://shop.example:99999", None),
        ("https://shop.example\nx", None),
        ("ftp://shop.example", None),
        ("//shop.example", None),
        ("null", None),
        ("", None),
        ("*", None),
        ("https://*.example", None),
        ("https://a.example; script-src *", None),
    ],
)
def test_an_origin_is_exact(text: str, origin: str | None) -> None:
    assert parse_origin(text) == origin


def test_origin_of_an_address() -> None:
    assert origin_of("https://Chat.example:443/base/") == "https://chat.example"
    with pytest.raises(ValueError, match="absolute"):
        origin_of("chat.example")


@pytest.mark.parametrize(
    ("headers", "scheme", "own"),
    [
        ({"origin": "https://chat.example"}, "ws", True),
        ({"origin": "http://127.0.0.1:8080", "host": "127.0.0.1:8080"}, "ws", True),
        ({"origin": "https://127.0.0.1:8080", "host": "127.0.0.1:8080"}, "ws", False),
        ({"origin": "https://inner.example", "host": "inner.example"}, "wss", True),
        ({"origin": "https://evil.example", "host": "chat.example"}, "ws", False),
        ({"origin": "null", "host": "null"}, "ws", False),
        ({"host": "chat.example"}, "ws", False),
    ],
)
def test_our_own_origin(headers: dict[str, str], scheme: str, own: bool) -> None:
    assert is_own_origin(scope(headers, scheme=scheme), "https://chat.example") is own


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("10.0.0.9", "203.0.113.7", "203.0.113.7"),
        ("10.0.0.9", "1.1.1.1, 203.0.113.7, 10.0.0.8", "203.0.113.7"),
        ("10.0.0.9", "10.0.0.8", "10.0.0.9"),
        ("10.0.0.9", "", "10.0.0.9"),
        ("10.0.0.9", "1.1.1.1, not-an-address", "10.0.0.9"),
        ("198.51.100.1", "203.0.113.7", "198.51.100.1"),
    ],
)
def test_only_trusted_proxies_say_who_the_client_is(peer: str, forwarded: str, client: str) -> None:
    seen = scope({"x-forwarded-for": forwarded}, client=peer)
    TrustedProxies(["10.0.0.0/8", "::1"]).apply(seen)
    assert seen["client"][0] == client


@pytest.mark.parametrize(
    ("kind", "said", "scheme"),
    [("http", "https", "https"), ("websocket", "https", "wss"), ("http", "ftp", "http"), ("http", "HTTPS", "https")],
)
def test_a_trusted_proxy_says_how_the_client_came(kind: str, said: str, scheme: str) -> None:
    seen = scope({"x-forwarded-proto": said}, scheme="ws" if kind == "websocket" else "http", kind=kind)
    TrustedProxies(["10.0.0.9"]).apply(seen)
    assert seen["scheme"] == scheme
    unknown = scope({"x-forwarded-proto": said}, client="203.0.113.7")
    TrustedProxies(["10.0.0.9"]).apply(unknown)
    assert unknown["scheme"] == "http"


def test_a_bad_proxy_setting_stops_the_start() -> None:
    with pytest.raises(ValueError, match="nonsense"):
        TrustedProxies(["nonsense"])
    assert not TrustedProxies([])


@pytest.mark.parametrize("value", [None, "", "Bearer", "Basic abc", "Bearer " + "x" * 600, "Bearer caf\xe9", "token"])
def test_no_usable_bearer_token(value: str | None) -> None:
    with pytest.raises(Unauthorized):
        bearer(scope({} if value is None else {"authorization": value}))


def test_a_bearer_token() -> None:
    assert bearer(scope({"authorization": "bearer abc"})) == "abc"


@pytest.mark.parametrize(
    ("client", "counted"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("testclient", "testclient"),
    ],
)
def test_addresses_are_counted_by_customer(client: str, counted: str) -> None:
    assert client_address(scope(client=client)) == counted


@pytest.mark.parametrize(
    "path", ["/console", "/console/x", "/api/v1/x", "/agent/converse/x", "/converse/chat", "/in/1"]
)
def test_guarded_areas_run_no_foreign_code_and_stand_in_no_frame(path: str) -> None:
    policy = dict(headers_for(path))[b"content-security-policy"]
    assert b"frame-ancestors 'none'" in policy
    assert b"unsafe" not in policy
    assert policy.startswith(b"default-src 'none'")
