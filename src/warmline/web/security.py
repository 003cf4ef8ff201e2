"""Who is asking and from where: response headers per area, origins, trusted proxies, bearer tokens."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from warmline.kernel.errors import Unauthorized
from warmline.web.problems import Headers, Scope, Send

MAX_TOKEN = 512
UNKNOWN_ADDRESS = "unknown"

_NOSNIFF = (b"x-content-type-options", b"nosniff")
_NO_REFERRER = (b"referrer-policy", b"no-referrer")
_PERMISSIONS = (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()")

API_HEADERS: Headers = (
    _NOSNIFF,
    _NO_REFERRER,
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
CONSOLE_HEADERS: Headers = (
    _NOSNIFF,
    (b"referrer-policy", b"same-origin"),
    (
        b"content-security-policy",
        (
            b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https: data:; font-src 'self'; "
            b"connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
        ),
    ),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    _PERMISSIONS,
)
PLAIN_HEADERS: Headers = (_NOSNIFF, (b"referrer-policy", b"strict-origin-when-cross-origin"))
REFERENCE_POLICY = (
    b"default-src 'none'; style-src 'self'; img-src 'self' data:; font-src 'self'; frame-ancestors 'none'; "
    b"base-uri 'none'; form-action 'none'"
)
HSTS = (b"strict-transport-security", b"max-age=31536000")

_ORIGIN = re.compile(r"(https?)://([A-Za-z0-9._~-]+|\[[0-9a-fA-F:.]+\])(?::(\d{1,5}))?")
_DEFAULT_PORTS = {"http": "80", "https": "443"}


def headers_for(path: str) -> Headers:
    """The security headers of the area that ``path`` belongs to."""
    if path.startswith("/console"):
        return CONSOLE_HEADERS
    if path.startswith(("/api/", "/agent/", "/converse/", "/in/")):
        return API_HEADERS
    return PLAIN_HEADERS


def with_headers(send: Send, extra: Headers) -> Send:
    """A ``send`` that adds ``extra`` to the response's headers; those the handler set itself stay as they are."""

    async def adding(message: Any) -> None:
        if message["type"] == "http.response.start":
            present = {name.lower() for name, _ in message.get("headers", ())}
            message["headers"] = [
                *message.get("headers", ()),
                *((name, value) for name, value in extra if name not in present),
            ]
        await send(message)

    return adding


def parse_origin(text: str) -> str | None:
    """``text`` as a normal origin (lower-case, default port dropped), or None when it is none."""
    found = _ORIGIN.fullmatch(text.strip())
    if found is None:
        return None
    scheme, host, port = found[1], found[2].lower(), found[3]
    if port is None or port == _DEFAULT_PORTS[scheme]:
        return f"{scheme}://{host}"
    return f"{scheme}://{host}:{int(port)}" if int(port) < 1 << 16 else None


def origin_of(url: str) -> str:
    """The origin of an absolute http(s) URL.  Raises ValueError when it has none."""
    parts = urlsplit(url)
    origin = parse_origin(f"{parts.scheme}://{parts.netloc}")
    if origin is None:
        msg = f"{url!r} is not an absolute http or https address"
        raise ValueError(msg)
    return origin


def header(scope: Scope, name: bytes) -> bytes | None:
    """The first header called ``name`` (lower-case), or None."""
    for key, value in scope["headers"]:
        if key == name:
            return value  # type: ignore[no-any-return]
    return None


def is_own_origin(scope: Scope, public_origin: str) -> bool:
    """Whether the request's Origin is this server's: the public one, or the one the Host header names.

    A missing Origin is not ours: browsers always send it with a WebSocket handshake and with a POST.
    """
    raw = header(scope, b"origin")
    if raw is None:
        return False
    origin = parse_origin(raw.decode("latin-1"))
    if origin is None:
        return False
    if origin == public_origin:
        return True
    host = header(scope, b"host")
    scheme = {"ws": "http", "wss": "https"}.get(scope["scheme"], scope["scheme"])
    return host is not None and origin == parse_origin(f"{scheme}://{host.decode('latin-1')}")


def bearer(scope: Scope) -> str:
    """The token of ``Authorization: Bearer …``.  Raises Unauthorized.

    The work does not depend on what the token is: it is bounded in length and looked up by its hash.
    """
    raw = header(scope, b"authorization")
    if raw is None or len(raw) > MAX_TOKEN or raw[:7].lower() != b"bearer ":
        raise Unauthorized("Send the token as “Authorization: Bearer …”.")
    try:
        return raw[7:].strip().decode("ascii")
    except UnicodeDecodeError:
        raise Unauthorized from None


class TrustedProxies:
    """Whose ``X-Forwarded-For`` and ``X-Forwarded-Proto`` are believed: a list of addresses and CIDR ranges."""

    def __init__(self, entries: Sequence[str]) -> None:
        """Raises ValueError when an entry is neither an address nor a range."""
        self._networks = [ipaddress.ip_network(entry.strip(), strict=False) for entry in entries if entry.strip()]

    def __bool__(self) -> bool:
        return bool(self._networks)

    def apply(self, scope: Scope) -> None:
        """Put the client's address and scheme into the scope when the peer is a trusted proxy."""
        client = scope.get("client")
        if client is None or not self._trusts(client[0]):
            return
        forwarded: list[str] = []
        for name, value in scope["headers"]:
            if name == b"x-forwarded-for":
                forwarded += [part.strip() for part in value.decode("latin-1").split(",")]
            elif name == b"x-forwarded-proto":
                self._apply_scheme(scope, value.decode("latin-1").strip().lower())
        # From the right: the first address that is not one of our proxies is the client; what stands
        # further left was written by the client itself.
        for address in reversed(forwarded):
            if not self._trusts(address):
                scope["client"] = (address if _is_address(address) else client[0], 0)
                return

    @staticmethod
    def _apply_scheme(scope: Scope, scheme: str) -> None:
        if scheme in {"http", "https"}:
            scope["scheme"] = scheme if scope["type"] == "http" else scheme.replace("http", "ws")

    def _trusts(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._networks if network.version == parsed.version)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def client_address(scope: Scope) -> str:
    """The client's address for rate limits; an IPv6 address counts by its /64, which one customer usually owns."""
    client = scope.get("client")
    if not client:
        return UNKNOWN_ADDRESS
    host: str = client[0]
    if ":" not in host:
        return host
    try:
        parsed = ipaddress.IPv6Address(host)
    except ValueError:
        return host
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False).network_address)
