"""The one guarded HTTP client: every URL that a person or a vendor gave us is called through it.

The check stands where the socket is made, because everything before it can be talked around: aiohttp does not ask a
resolver for literal addresses, and a name may answer differently the second time (measured 2026-11, aiohttp 3.14).
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import re
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.http_exceptions import LineTooLong
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from warmline.kernel.errors import Invalid, WarmlineError
from warmline.platform.addresses import SETTING, AllowList, canonical, denied, parse_address
from warmline.platform.outgoing.errors import ReplyTooLarge, TargetRefused, TimedOut, Unreachable
from warmline.platform.outgoing.reply import Reply, read_body
from warmline.platform.outgoing.streaming import Stream

HTTP_SETTING = "WARMLINE_ALLOW_HTTP_TARGETS"
DEFAULT_MAX_BYTES = 65_536
CONNECT_S = 5.0
HELD_FROM_S = 20.0
"""Calls with more time than this do not take a place among the pooled connections."""
# uvicorn and Node close an idle connection after 5 s: leaving first keeps POSTs off connections that are just dying.
KEEPALIVE_S = 4.0
DNS_TTL_S = 10
_MAX_URL = 8_192
_MAX_HEADER_BYTES = 8_190
_MAX_HEADERS = 100
# aiohttp warns about larger bytes bodies, which block the loop while they are copied.
_DIRECT_BODY_BYTES = 1 << 20
_CACHED_TARGETS = 4_096
_DIED = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, aiohttp.ClientConnectionResetError)
_OWN_HEADERS = frozenset({"host", "content-length", "transfer-encoding", "connection", "upgrade", "expect", "te"})
_AUTHORITY_END = re.compile(r"[/?#]")
_HOST_NAME = re.compile(r"[A-Za-z0-9._-]+")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that passed the checks of form; its addresses are checked at every connection."""

    url: URL
    place: str
    trusted: bool


@dataclass(slots=True)
class _Attempt:
    target: Target
    tried: int = 0
    refused: list[str] = field(default_factory=list)


class _AddressRefusedError(OSError):
    pass


# Set while a request looks for a connection, so that the socket factory knows for whom it makes the socket.
# aiohttp connects in the caller's context (happy eyeballs in child tasks, which copy it).  Unset means: not trusted.
_attempt: ContextVar[_Attempt | None] = ContextVar("warmline_outgoing_attempt", default=None)


def prepare_headers(headers: Mapping[str, str]) -> CIMultiDictProxy[str]:
    """Check headers once, to be used for many requests.

    Raises Invalid for line breaks, names that are no tokens, and those that the client sets itself (``Host``…).
    """
    for name, value in headers.items():
        if name.lower() in _OWN_HEADERS:
            detail = f"The header {name} is set by Warmline itself and cannot be given."
            raise Invalid(detail, path="$.headers")
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            detail = f"The header {name[:60]!r} has characters that a header cannot have."
            raise Invalid(detail, path="$.headers")
    return CIMultiDictProxy(CIMultiDict(headers))


class Outgoing:
    """Calls other servers over pooled keep-alive connections.

    ``allow`` lists what is reachable besides public addresses (see AllowList); plain ``http`` needs
    ``allow_http`` or a listed target.  Needs a running loop from ``start`` on.
    """

    def __init__(
        self,
        *,
        allow: Sequence[str] = (),
        allow_http: bool = False,
        user_agent: str = "Warmline",
        per_host: int = 64,
        total: int = 1_024,
        resolver: AbstractResolver | None = None,
        dns_ttl_s: int = DNS_TTL_S,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._allow = AllowList(allow)
        self._allow_http = allow_http
        self._user_agent = user_agent
        self._per_host = per_host
        self._total = total
        self._resolver = resolver
        self._dns_ttl_s = dns_ttl_s
        self._tls = tls
        self._sessions: dict[bool, aiohttp.ClientSession] = {}
        self._targets: dict[str, Target] = {}

    async def start(self) -> None:
        """Make the pool; called by the first request when it was not."""
        self._ready()

    async def stop(self) -> None:
        """Close every connection; a later request opens a new pool."""
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            await session.close()

    def target(self, url: str) -> Target:
        """Check a URL's form: http or https, a host, no user or password, length.  Raises TargetRefused.

        Useful when a setting is saved; a name's addresses are only known when it is called.
        """
        known = self._targets.get(url)
        if known is None:
            known = self._check(url)
            if len(self._targets) >= _CACHED_TARGETS:
                self._targets.clear()
            self._targets[url] = known
        return known

    async def post(
        self,
        target: Target | str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        timeout_s: float,
        max_bytes: int = DEFAULT_MAX_BYTES,
        idempotent: bool = False,
    ) -> Reply:
        """``request`` for the busy paths: give a Target and the result of ``prepare_headers`` and both are reused."""
        return await self.request(
            "POST", target, headers=headers, body=body, timeout_s=timeout_s, max_bytes=max_bytes, idempotent=idempotent
        )

    async def request(
        self,
        method: str,
        url: str | Target,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout_s: float,
        max_bytes: int = DEFAULT_MAX_BYTES,
        idempotent: bool = False,
    ) -> Reply:
        """One exchange: names, connection, request, whole reply, all within ``timeout_s`` seconds.

        A call with more than ``HELD_FROM_S`` seconds is one the other side may hold until it has news.
        ``max_bytes`` caps the decompressed body.  A POST or PATCH is never sent twice, unless ``idempotent`` says
        that the other side recognises a repetition: then a connection that died without an answer is tried again
        once.  Raises TargetRefused, Unreachable, TimedOut, ReplyTooLarge; Invalid for bad headers.
        """
        target = url if isinstance(url, Target) else self.target(url)
        # What may be held has connections of its own: it would keep all other calls to that host waiting.
        session = self._ready(held=timeout_s > HELD_FROM_S)
        with _asking(target, timeout_s):
            prepared = headers if isinstance(headers, CIMultiDictProxy) else prepare_headers(headers or {})
            async with asyncio.timeout(timeout_s):
                try:
                    return await self._exchange(session, method, target, prepared, body, max_bytes)
                except _DIED as error:
                    if not idempotent or isinstance(error, aiohttp.ClientConnectorError):
                        raise
                return await self._exchange(session, method, target, prepared, body, max_bytes)

    @contextlib.asynccontextmanager
    async def stream(
        self,
        method: str,
        url: str | Target,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        begin_s: float = 10.0,
        idle_s: float,
    ) -> AsyncIterator[Stream]:
        """A reply without an end: status and headers within ``begin_s`` seconds, then its chunks.

        After ``idle_s`` seconds of silence it counts as broken; there is no other limit of time.  The checks are those of
        ``request``; nothing is tried again, redirects are not followed, compression is not offered.  The connection is
        closed with the block.  Raises as ``request`` does; the chunks raise as ``Stream`` says.
        """
        target = url if isinstance(url, Target) else self.target(url)
        prepared = CIMultiDict(prepare_headers(headers or {}))
        prepared["Accept-Encoding"] = "identity"
        session = self._ready(held=True)
        with _asking(target, begin_s):
            async with asyncio.timeout(begin_s):
                response = await session.request(method, target.url, headers=prepared, data=body, allow_redirects=False)
        try:
            yield Stream(response, target.place, idle_s)
        finally:
            response.close()

    async def _exchange(
        self,
        session: aiohttp.ClientSession,
        method: str,
        target: Target,
        headers: CIMultiDictProxy[str],
        body: bytes | None,
        max_bytes: int,
    ) -> Reply:
        data = io.BytesIO(body) if body is not None and len(body) > _DIRECT_BODY_BYTES else body
        response = await session.request(method, target.url, headers=headers, data=data, allow_redirects=False)
        try:
            content = await read_body(response, target.place, max_bytes)
        except ReplyTooLarge as error:
            response.close()
            error.reply = Reply(response.status, response.headers, b"")
            raise
        except BaseException:
            response.close()
            raise
        return Reply(response.status, response.headers, content)

    def _ready(self, *, held: bool = False) -> aiohttp.ClientSession:
        session = self._sessions.get(held)
        if session is None:
            connector = aiohttp.TCPConnector(
                socket_factory=self._socket,
                resolver=self._resolver or aiohttp.ThreadedResolver(),
                ttl_dns_cache=self._dns_ttl_s,
                keepalive_timeout=KEEPALIVE_S,
                limit=0 if held else self._total,
                limit_per_host=0 if held else self._per_host,
                ssl=self._tls or True,
            )
            session = self._sessions[held] = aiohttp.ClientSession(
                connector=connector,
                # The whole exchange has one deadline (asyncio.timeout); here only what can fail earlier.
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                # We decompress ourselves, so that a bomb is cut off at the cap.
                auto_decompress=False,
                headers={"User-Agent": self._user_agent, "Accept-Encoding": "gzip, deflate"},
                max_line_size=_MAX_HEADER_BYTES,
                max_field_size=_MAX_HEADER_BYTES,
                max_headers=_MAX_HEADERS,
            )
        return session

    def _check(self, text: str) -> Target:
        if len(text) > _MAX_URL:
            detail = f"The URL is longer than {_MAX_URL} characters."
            raise TargetRefused(detail)
        try:
            url = URL(text)
            host, port = url.host, url.port
        except ValueError as error:
            detail = f"Not a URL that can be called: {error}."
            raise TargetRefused(detail) from error
        if url.scheme not in ("http", "https") or not host or not port:
            detail = "Only http:// and https:// URLs with a host can be called."
            raise TargetRefused(detail)
        # yarl forgets an empty user name, so the text itself is looked at.
        if "@" in _AUTHORITY_END.split(text.partition("://")[2], maxsplit=1)[0]:
            detail = "The URL carries a user name or password; give credentials in their own fields."
            raise TargetRefused(detail)
        address = parse_address(host)
        if address is None and not _HOST_NAME.fullmatch(url.raw_host or ""):
            detail = "The host of the URL is neither a name nor an address."
            raise TargetRefused(detail)
        listed = self._allow.covers(address, port) if address else self._allow.names(host, port)
        place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        if url.scheme == "http" and not (self._allow_http or listed):
            detail = (
                f"http://{place} is not encrypted. Use https, name {place} in {SETTING}, or set {HTTP_SETTING}=true."
            )
            raise TargetRefused(detail)
        return Target(url.with_fragment(None), place, trusted=listed)

    def _socket(self, info: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, where = info
        attempt = _attempt.get()
        address = parse_address(str(where[0]))
        reason = "no address" if address is None else denied(address)
        if attempt is not None:
            attempt.tried += 1
        allowed = reason is None or (attempt is not None and attempt.target.trusted)
        if not allowed and not (address is not None and self._allow.covers(address, int(where[1]))):
            if attempt is not None:
                attempt.refused.append(f"{canonical(address) if address else where[0]} ({reason})")
            raise _AddressRefusedError(reason)
        return socket.socket(family=family, type=kind, proto=protocol)


@contextlib.contextmanager
def _asking(target: Target, seconds: float) -> Iterator[None]:
    """Make sockets for this target, and say what went wrong in our words."""
    attempt = _Attempt(target)
    before = _attempt.set(attempt)
    try:
        yield
    except aiohttp.ConnectionTimeoutError as error:
        detail = f"No connection to {target.place} within {CONNECT_S:g} seconds."
        raise TimedOut(detail, maybe_sent=False) from error
    except TimeoutError as error:
        detail = f"{target.place} did not answer within {seconds:g} seconds."
        raise TimedOut(detail) from error
    except aiohttp.ClientError as error:
        raise _translated(error, attempt) from error
    finally:
        _attempt.reset(before)


def _translated(error: aiohttp.ClientError, attempt: _Attempt) -> WarmlineError:
    place = attempt.target.place
    if attempt.tried and len(attempt.refused) == attempt.tried:
        detail = (
            f"{place} leads to {', '.join(dict.fromkeys(attempt.refused))}, which is not a public address."
            f" An operator can allow it by naming {place} in {SETTING}."
        )
        return TargetRefused(detail)
    if isinstance(error, aiohttp.InvalidURL):
        detail = f"{place} is not an address that can be called; {SETTING} cannot allow it in this spelling."
        return TargetRefused(detail)
    if _headers_too_long(error):
        detail = f"The reply of {place} has headers that are too large."
        return ReplyTooLarge(detail)
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        detail = f"The name of {place} cannot be resolved."
        return Unreachable(detail, maybe_sent=False)
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
        detail = f"No trusted TLS connection to {place}: {error}."
        return Unreachable(detail, maybe_sent=False)
    if isinstance(error, aiohttp.ClientConnectorError):
        detail = f"No connection to {place}: {error.strerror or error}."
        return Unreachable(detail, maybe_sent=False)
    detail = f"{place} gave no usable reply ({type(error).__name__})."
    return Unreachable(detail, maybe_sent=True)


def _headers_too_long(error: BaseException | None) -> bool:
    # aiohttp wraps what its parser raised once or twice.
    while error is not None and not isinstance(error, LineTooLong):
        error = error.__cause__ or error.__context__
    return error is not None
