"""Calls of Salesforce's Chat REST API (guide of 2026; its product has been retired).  Vendor words only.

Documented: routes, headers, bodies, 403 (session over), 409 on a poll (chat over), 503 (affinity lost).  Told by an
integrator only: that a POST out of step is answered 409 with the server's last number at the end.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from warmline.desks.shared.answers import check_reply, translated
from warmline.handover.port import DeskError, Refused, Unreachable
from warmline.kernel.clock import Clock
from warmline.kernel.errors import WarmlineError
from warmline.platform.http import Outgoing, Reply, TimedOut

DESK = "salesforce_legacy"
API_VERSION = "47"
NO_AFFINITY = "null"
"""The literal that stands for "no token yet", also while reconnecting."""
_TIMEOUT_S = 10.0
_MAX_REPLY_BYTES = 2_000_000
T = TypeVar("T")

_ID_CHARACTERS = 15
"""Ids are told with 15 or 18 characters; the last three only repeat the case of the others."""
_LAST_NUMBER = re.compile(rb"([0-9]{1,10})\D*$")


class SessionOver(Refused):
    """The server knows this session no longer."""


class AffinityLost(Unreachable):
    """The session moved to another server: it has to be reconnected before anything else."""


class OutOfStep(Refused):
    """A POST whose number is not the next one; ``last`` is the last number that the server has."""

    def __init__(self, detail: str = "", *, last: int, **fields: Any) -> None:
        super().__init__(detail, **fields)
        self.last = last


@dataclass(frozen=True, slots=True)
class Keys:
    """What opens a session.  The key is a secret."""

    key: str = field(repr=False)
    affinity: str


class Session(msgspec.Struct, frozen=True, rename="camel"):
    """A new session; ``client_poll_timeout`` is in seconds."""

    id: str
    key: str
    affinity_token: str
    client_poll_timeout: float = 40


class Message(msgspec.Struct, frozen=True):
    """One event of the session."""

    type: str
    message: dict[str, Any] | None = None


class Batch(msgspec.Struct, frozen=True):
    """The events of one poll; ``sequence`` is acknowledged by the next one."""

    messages: tuple[Message, ...] = ()
    sequence: int | None = None
    offset: int | None = None


class LiveAgent:
    """One chat server.  Every method raises a DeskError."""

    def __init__(self, outgoing: Outgoing, clock: Clock, *, base: str) -> None:
        self._outgoing = outgoing
        self._clock = clock
        self._base = f"{base}/chat/rest"

    async def session(self, operation: str) -> Session:
        """A new session; the first call of every chat."""
        reply = await self._call(operation, "GET", "/System/SessionId", {"X-LIVEAGENT-AFFINITY": NO_AFFINITY})
        return _read(reply, Session, operation)

    async def post(self, operation: str, noun: str, body: Mapping[str, Any], keys: Keys, number: int | None) -> None:
        """A request of the visitor; ``number`` is None for the one that takes none (ChasitorResyncState)."""
        headers = _headers(keys)
        if number is not None:
            headers["X-LIVEAGENT-SEQUENCE"] = str(number)
        await self._call(operation, "POST", f"/Chasitor/{noun}", headers, body=msgspec.json.encode(body))

    async def delete(self, operation: str, keys: Keys) -> None:
        """End a session, and the chat in it."""
        headers = {"X-LIVEAGENT-AFFINITY": keys.affinity}
        await self._call(operation, "DELETE", f"/System/SessionId/{quote(keys.key, safe='')}", headers)

    async def messages(self, keys: Keys, ack: int, wait_s: float) -> Batch | None:
        """What happened since ``ack``; None when nothing did within the server's time, or ``wait_s``."""
        try:
            reply = await self._call("poll", "GET", f"/System/Messages?ack={ack}", _headers(keys), timeout_s=wait_s)
        except Unreachable as error:
            if isinstance(error.__cause__, TimedOut) and error.__cause__.maybe_sent:
                return None
            raise
        return None if reply.status == 204 else _read(reply, Batch, "poll")

    async def reconnect(self, keys: Keys, offset: int | None) -> str:
        """The affinity token of the server that has the session now."""
        query = urlencode({"ReconnectSession.offset": 0 if offset is None else offset})
        headers = _headers(Keys(keys.key, NO_AFFINITY))
        reply = await self._call("poll", "GET", f"/System/ReconnectSession?{query}", headers)
        token = _of_type(reply, "ReconnectSession", "poll").get("affinityToken")
        if not isinstance(token, str):
            raise Unreachable("Salesforce's answer names no affinity token.", desk=DESK, operation="poll")
        return token

    async def available(self, organization: str, deployment: str, button: str, operation: str) -> bool | None:
        """Whether somebody takes chats of a button; None when the server does not say."""
        query = {
            "org_id": organization,
            "deployment_id": deployment[:_ID_CHARACTERS],  # Documented for this call alone.
            "Availability.ids": f"[{button}]",
        }
        reply = await self._call(operation, "GET", f"/Visitor/Availability?{urlencode(query)}", {}, timeout_s=3.0)
        for result in _of_type(reply, "Availability", operation).get("results") or ():
            if isinstance(result, dict) and str(result.get("id"))[:_ID_CHARACTERS] == button[:_ID_CHARACTERS]:
                return result.get("isAvailable") is True  # one that is missing means false
        return None

    async def deployment(self, organization: str, deployment: str, button: str | None) -> dict[str, Any]:
        """The deployment's settings.  Raises Refused where the organisation lives on another server."""
        query = {"org_id": organization, "deployment_id": deployment, "Settings.needEstimatedWaitTime": "1"}
        query |= {"Settings.buttonIds": f"[{button}]"} if button else {}
        reply = await self._call("check", "GET", f"/Visitor/Settings?{urlencode(query)}", {})
        return _of_type(reply, "Settings", "check")

    async def _call(
        self,
        operation: str,
        method: str,
        path: str,
        headers: Mapping[str, str],
        *,
        body: bytes | None = None,
        timeout_s: float = _TIMEOUT_S,
    ) -> Reply:
        named = {"X-LIVEAGENT-API-VERSION": API_VERSION, **headers}
        if body is not None:
            named["Content-Type"] = "application/json"
        url = self._base + path
        try:
            reply = await self._outgoing.request(
                method, url, headers=named, body=body, timeout_s=timeout_s, max_bytes=_MAX_REPLY_BYTES
            )
        except WarmlineError as error:
            raise translated(error, desk=DESK, operation=operation) from error
        if reply.status in (403, 409, 503):
            _refuse(reply, operation, method)
        check_reply(reply, desk=DESK, operation=operation, now=self._clock.now())
        return reply


def _headers(keys: Keys) -> dict[str, str]:
    return {"X-LIVEAGENT-AFFINITY": keys.affinity, "X-LIVEAGENT-SESSION-KEY": keys.key}


def _refuse(reply: Reply, operation: str, method: str) -> NoReturn:
    """The three statuses to which this protocol gives a meaning of its own."""
    told: dict[str, Any] = {"desk": DESK, "operation": operation, "vendor_status": reply.status}
    if reply.status == 503:
        raise AffinityLost("The session is being moved to another server of Salesforce (status 503).", **told)
    last = _LAST_NUMBER.search(reply.body[-200:]) if reply.status == 409 and method == "POST" else None
    if last:
        detail = "Salesforce counts our requests differently (status 409)."
        raise OutOfStep(detail, last=int(last[1]), **told)
    detail = f"The session is over at Salesforce (status {reply.status})."
    raise SessionOver(detail, **told)


def _read(reply: Reply, type_: type[T], operation: str) -> T:
    try:
        # Numbers stand in quotes in the guide's example of a session.
        return msgspec.json.decode(reply.body, type=type_, strict=False)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        detail = f"Salesforce's answer could not be read: {error}."
        raise Unreachable(detail, desk=DESK, operation=operation) from error


def _of_type(reply: Reply, type_: str, operation: str) -> dict[str, Any]:
    """The answer's body, alone or in an envelope of messages: the guide shows both.

    Raises Refused where the organisation lives elsewhere.
    """
    told = _read(reply, dict[str, Any], operation)
    if "messages" not in told:
        return told
    for one in _read(reply, Batch, operation).messages:
        if one.type == "SwitchServer":
            where = (one.message or {}).get("newUrl")
            detail = f"This organisation's chats live at {where}; enter that address in the connection."
            raise Refused(detail, desk=DESK)
        if one.type == type_:
            return one.message or {}
    raise DeskError("Salesforce's answer has another form than it documents.", desk=DESK)
