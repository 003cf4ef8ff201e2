"""Calls of Oracle's chat (docs.oracle.com, B2C Service chat API v1, read 2026-11).  Vendor words only.

A session is established at the site, with the account's password; everything else goes to the chat server that the answer
names, with the session's id.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import msgspec

from warmline.desks.shared.json_api import TIMEOUT_S, JsonApi
from warmline.handover.port import AuthRejected, Refused, Unreachable
from warmline.kernel.clock import Clock
from warmline.platform.http import Outgoing, Reply

DESK = "oracle"
TITLE = "Oracle"
HELD_S = 45.0
"""A poll is held up to 30 s (documented)."""
_ESTABLISH = "/services/rest/crossChannelServices/latest/establishSessions"
_CONTEXT = {"OSvC-CREST-Application-Context": "Warmline"}
"""Documented as required for calls beside this one, with at most 40 characters."""
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")

T = TypeVar("T")


class Server(msgspec.Struct, frozen=True):
    """Where a session lives.  ``port`` is None for the usual one."""

    domain: str
    pool: str
    site: str
    port: int | None = None


class _Established(msgspec.Struct, frozen=True, rename="camel"):
    channel_token: str
    site_name: str
    session_server_response: str


class _Place(msgspec.Struct, frozen=True):
    domain: str
    pool: str
    port: int | str | None = None


class Engaged(msgspec.Struct, frozen=True, rename="camel"):
    """A chat that was begun.  Numbers are too long for some readers: their texts are read where there are some."""

    session_id: str
    client_id: int | None = None
    client_id_string: str | None = None
    engagement_id: int | None = None
    engagement_id_string: str | None = None

    @property
    def client(self) -> str:
        """The visitor's number in the chat, "" when it is not told."""
        return self.client_id_string or ("" if self.client_id is None else str(self.client_id))

    @property
    def engagement(self) -> str:
        """The chat's number; the session's id when it is not told."""
        number = "" if self.engagement_id is None else str(self.engagement_id)
        return self.engagement_id_string or number or self.session_id


class News(msgspec.Struct, frozen=True, rename="camel"):
    """What a poll brought."""

    system_messages: list[dict[str, Any]] = []
    error_messages: list[Any] = []


class SessionGone(Refused):
    """The chat server does not know the session (any more)."""


class OracleClient:
    """One site.  Every method raises a DeskError; those with a session raise SessionGone for a 403."""

    def __init__(
        self, outgoing: Outgoing, clock: Clock, *, site_url: str, user: str, password: str, domains: Sequence[str]
    ) -> None:
        self._outgoing = outgoing
        self._clock = clock
        basic = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._site = self._api(site_url, {"Authorization": f"Basic {basic}", **_CONTEXT})
        parts = urlsplit(site_url)
        self._scheme = parts.scheme
        self._own_host = (parts.hostname or "").lower()
        self._domains = tuple(domains)

    def _api(self, base: str, headers: Mapping[str, str]) -> JsonApi:
        return JsonApi(self._outgoing, self._clock, desk=DESK, title=TITLE, base=base, headers=headers)

    # -- the site ------------------------------------------------------------------------------------------------

    async def establish(self, information: str, *, operation: str, timeout_s: float = TIMEOUT_S) -> tuple[str, Server]:
        """A token for one chat, and where it will be.  ``information`` is JSON text, Oracle's sessionInformation."""
        body = {"sessionInformation": information}
        reply = await self._site.tell(operation, "POST", _ESTABLISH, body=body, timeout_s=timeout_s)
        answer = _read(reply, _Established, operation)
        place = _read_text(answer.session_server_response, _Place, operation)
        return answer.channel_token, self._checked(place, answer.site_name, operation)

    def _checked(self, place: _Place, site: str, operation: str) -> Server:
        """The answer decides whom we call, and with what: only hosts that the administrator expects."""
        host = place.domain.lower().rstrip(".")
        known = host == self._own_host or any(host == one or host.endswith(f".{one}") for one in self._domains)
        port = str(place.port or "")
        if not _HOST.fullmatch(host) or not known or (port and not (port.isdecimal() and 0 < int(port) < 65_536)):
            detail = (
                f"The site says that its chat server is {place.domain[:80]!r}, which is in none of the domains of this"
                " connection. If that is right, add its domain to “Domains of the chat servers”."
            )
            raise Refused(detail, desk=DESK, operation=operation)
        return Server(domain=host, pool=place.pool, site=site, port=int(port) if port else None)

    # -- the chat server -----------------------------------------------------------------------------------------

    async def engage(self, server: Server, token: str, transaction: str) -> Engaged:
        """Begin the chat."""
        body = {"clientTransactionId": transaction_number(transaction)}
        headers = {"Authorization": f"Bearer {token}"}
        reply = await self._tell("open", server, "requestEngagement", headers, body)
        return _read(reply, Engaged, "open")

    async def news(self, server: Server, session: str) -> News:
        """The poll: answered at once when there is something, else after up to 30 s."""
        reply = await self._in_session("listen", server, session, "getMessages", {}, timeout_s=HELD_S)
        return _read(reply, News, "listen") if reply.body else News()

    async def post(
        self, server: Server, session: str, text: str, message_id: str, *, rich: bool = False, operation: str = "send"
    ) -> None:
        """A line of the visitor; ``rich`` for HTML."""
        body = {"body": text, "messageId": message_id, "clientTransactionId": transaction_number(message_id)}
        await self._in_session(operation, server, session, "postMessage", body | ({"richText": True} if rich else {}))

    async def activity(self, server: Server, session: str, mode: str) -> None:
        """RESPONDING while the visitor types, else LISTENING."""
        await self._in_session("send", server, session, "activity", {"mode": mode})

    async def conclude(self, server: Server, session: str) -> None:
        """The visitor ends the chat."""
        await self._in_session("close", server, session, "concludeEngagement", {})

    async def free_agents(self, server: Server, queue_id: int, *, timeout_s: float) -> int | None:
        """How many agents of a queue are there; None when the answer does not say."""
        request = json.dumps({"queueId": queue_id, "chatProactiveAvailableType": "AGENTS"}, separators=(",", ":"))
        query = {"pool": server.pool, "request": request}
        api = self._api(self._base(server), {})
        reply = await api.tell("availability", "GET", "/getQueueStats", query=query, timeout_s=timeout_s)
        figures = _read(reply, dict[str, Any], "availability")
        for name in ("availableAgentSessions", "totalAvailableAgents"):
            text = str(figures.get(f"{name}String", figures.get(name, "")))
            if text.isdecimal():
                return int(text)
        return None

    def _base(self, server: Server) -> str:
        port = f":{server.port}" if server.port else ""
        return f"{self._scheme}://{server.domain}{port}/engagement/api/consumer/{quote(server.site, safe='')}/v1"

    async def _tell(
        self,
        operation: str,
        server: Server,
        call: str,
        headers: Mapping[str, str],
        body: Mapping[str, Any],
        *,
        timeout_s: float = TIMEOUT_S,
    ) -> Reply:
        api = self._api(self._base(server), headers)
        query = {"pool": server.pool}
        return await api.tell(operation, "POST", f"/{call}", body=body, query=query, timeout_s=timeout_s)

    async def _in_session(
        self,
        operation: str,
        server: Server,
        session: str,
        call: str,
        body: Mapping[str, Any],
        *,
        timeout_s: float = TIMEOUT_S,
    ) -> Reply:
        try:
            return await self._tell(operation, server, call, {"SessionId": session}, body, timeout_s=timeout_s)
        except AuthRejected as error:
            # Not the account's password, but a session that the chat server has forgotten.
            raise SessionGone(
                "Oracle does not know this chat any more.",
                desk=DESK,
                operation=operation,
                vendor_status=error.vendor_status,
                vendor_body=error.vendor_body,
            ) from error


def transaction_number(own_id: str) -> int:
    """Oracle's clientTransactionId is a number: one that the same id always has, short enough for every reader of JSON."""
    return int.from_bytes(hashlib.sha256(own_id.encode()).digest()[:6])


def _read(reply: Reply, type_: type[T], operation: str) -> T:
    return _read_text(reply.body, type_, operation)


def _read_text(text: str | bytes, type_: type[T], operation: str) -> T:
    try:
        return msgspec.json.decode(text, type=type_)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        # A proxy's page, or another contract.
        detail = f"{TITLE}'s answer could not be read: {error}."
        raise Unreachable(detail, desk=DESK, operation=operation) from error
