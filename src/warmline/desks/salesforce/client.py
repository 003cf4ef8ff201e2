"""Calls of Enhanced Chat's REST API v2 and its event stream (developer.salesforce.com, read 2026-11).  Vendor words only.

A token belongs to one visitor, so every call but the one for a token is made with one.  How a repetition under the same id
is answered is not documented: 409 is taken for "there already", like 2xx.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import msgspec

from warmline.desks.shared.answers import check_reply, translated
from warmline.desks.shared.json_api import JsonApi
from warmline.desks.shared.multipart import Part
from warmline.handover.port import DeskError, Refused
from warmline.kernel.clock import Clock
from warmline.kernel.errors import WarmlineError
from warmline.platform.http import Outgoing, Stream

DESK = "salesforce"
TITLE = "Salesforce"
SILENCE_S = 90.0
"""A stream without a word for so long is broken: Salesforce's own sample client says so."""
PAGE = 50
"""Entries a call, the documented most."""
_API = "/iamessage/api/v2"
_NEW_TOKEN = f"{_API}/authorization/unauthenticated/access-token"
_RENEWED = f"{_API}/authorization/continuation-access-token"
_MAX_REFUSAL_BYTES = 100_000
_UPLOAD_S = 11.0


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A visitor's token; ``expires_at`` (ms) is what stands in it, None where nothing can be read in it."""

    value: str
    expires_at: int | None = None
    last_event_id: str = ""


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """A file on its way; ``id`` is ours, and another one than its message's."""

    id: str
    name: str
    media_type: str
    body: bytes


class Entry(msgspec.Struct, frozen=True, rename="camel"):
    """An entry of a conversation.  ``entry_payload`` is JSON as text in the stream, and an object in lists."""

    identifier: str = ""
    entry_type: str = ""
    entry_payload: Any = None
    sender: Any = None
    sender_display_name: str | None = None
    transcripted_timestamp: int | None = None
    client_timestamp: int | None = None


class MessagingClient:
    """One deployment.  Every method raises a DeskError."""

    def __init__(self, outgoing: Outgoing, clock: Clock, *, base: str, org: str, developer_name: str) -> None:
        self._outgoing = outgoing
        self._clock = clock
        self._base = base.rstrip("/")
        self._org = org
        self._name = developer_name
        self._nobody = self._api({})

    def _api(self, headers: Mapping[str, str]) -> JsonApi:
        return JsonApi(self._outgoing, self._clock, desk=DESK, title=TITLE, base=self._base, headers=headers)

    def _of(self, token: str) -> JsonApi:
        return self._api({"Authorization": f"Bearer {token}"})

    # -- tokens --------------------------------------------------------------------------------------------------

    async def new_token(self, operation: str) -> Token:
        """A token for a visitor whom Salesforce does not know yet."""
        body = {
            "orgId": self._org,
            "esDeveloperName": self._name,
            "capabilitiesVersion": "1",
            "platform": "Web",
            "context": {"appName": "Warmline", "clientVersion": "1"},
        }
        return await self._token(self._nobody, operation, "POST", _NEW_TOKEN, body)

    async def renewed(self, token: str, operation: str) -> Token:
        """Another token for the same visitor."""
        return await self._token(self._of(token), operation, "GET", _RENEWED, None)

    async def _token(self, api: JsonApi, operation: str, method: str, path: str, body: Any) -> Token:
        reply = await api.tell(operation, method, path, body=body)
        value: str = api.read(reply, "accessToken", str, operation)
        last: str | None = api.read(reply, "lastEventId", str | None, operation, default=None)
        return Token(value=value, expires_at=expiry(value), last_event_id=last or "")

    # -- conversations -------------------------------------------------------------------------------------------

    async def start(self, token: str, conversation: str, attributes: Mapping[str, str], language: str) -> None:
        """A conversation under an id of ours."""
        body = {
            "conversationId": conversation,
            "esDeveloperName": self._name,
            "routingAttributes": dict(attributes),
            "language": language,
        }
        await self._once(token, "open", f"{_API}/conversation", body)

    async def say(self, token: str, conversation: str, message: str, text: str, operation: str, **first: Any) -> None:
        """A message of the visitor under an id of ours; ``first`` goes along with the first one of a session."""
        body = {
            "message": {
                "id": message,
                "messageType": "StaticContentMessage",
                "staticContent": {"formatType": "Text", "text": text},
            },
            "esDeveloperName": self._name,
            "isNewMessagingSession": bool(first),
            **first,
        }
        await self._once(token, operation, f"{_API}/conversation/{conversation}/message", body)

    async def upload(self, token: str, conversation: str, message: str, file: Upload) -> None:
        """A file of the visitor, as a message of its own."""
        entry = {"esDeveloperName": self._name, "message": {"id": message, "fileId": file.id, "text": ""}}
        parts = [
            Part("messageEntry", msgspec.json.encode(entry), "application/json"),
            Part("fileData", file.body, file.media_type or "application/octet-stream", file.name),
        ]
        with _there_already():
            await self._of(token).send_form(
                "send", f"{_API}/conversation/{conversation}/file", parts, timeout_s=_UPLOAD_S
            )

    async def typing(self, token: str, conversation: str, entry: str, *, on: bool) -> None:
        """The visitor types, or stopped."""
        body = {"entryType": f"Typing{'Started' if on else 'Stopped'}Indicator", "id": entry}
        await self._of(token).tell("send", "POST", f"{_API}/conversation/{conversation}/entry", body=body)

    async def entries(self, token: str, conversation: str, since: int, operation: str) -> list[Entry]:
        """One page of what happened in a conversation since a moment (ms), oldest first."""
        query = {"limit": str(PAGE), "startTimestamp": str(since), "direction": "FromStart"}
        api = self._of(token)
        reply = await api.tell(operation, "GET", f"{_API}/conversation/{conversation}/entries", query=query)
        found: list[Entry] = api.read(reply, "conversationEntries", list[Entry], operation)
        return found

    async def routing_status(self, token: str, conversation: str, operation: str) -> str:
        """INITIAL, ROUTED, NEEDS_ROUTING or TRANSFER; "" when it is not told."""
        api = self._of(token)
        reply = await api.tell(operation, "GET", f"{_API}/conversation/{conversation}")
        status: str | None = api.read(reply, "routingStatus", str | None, operation, default=None)
        return status or ""

    async def end(self, token: str, conversation: str, *, session: bool) -> None:
        """End the conversation's ``session``, or close all of it."""
        path = f"{_API}/conversation/{conversation}" + ("/session" if session else "")
        await self._of(token).tell("close", "DELETE", path, query={"esDeveloperName": self._name})

    async def _once(self, token: str, operation: str, path: str, body: Any) -> None:
        with _there_already():
            await self._of(token).tell(operation, "POST", path, body=body)

    # -- the stream ----------------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def stream(self, token: str, last_event_id: str) -> AsyncIterator[Stream]:
        """The visitor's events from ``last_event_id`` on."""
        headers = {"Accept": "text/event-stream", "Authorization": f"Bearer {token}", "X-Org-Id": self._org}
        headers |= {"Last-Event-Id": last_event_id} if last_event_id else {}
        url = f"{self._base}/eventrouter/v1/sse"
        try:
            async with self._outgoing.stream("GET", url, headers=headers, idle_s=SILENCE_S) as stream:
                if not stream.ok:
                    reply = await stream.reply(max_bytes=_MAX_REFUSAL_BYTES)
                    check_reply(reply, desk=DESK, operation="listen", now=self._clock.now())
                yield stream
        except DeskError:
            raise
        except WarmlineError as error:
            raise translated(error, desk=DESK, operation="listen") from error


def expiry(token: str) -> int | None:
    """When a JSON Web Token expires (ms); None for one that does not say.  It is not verified: it is not ours to trust."""
    try:
        part = token.split(".")[1]
        claims = msgspec.json.decode(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        return int(claims["exp"]) * 1000
    except (IndexError, KeyError, TypeError, ValueError, binascii.Error, msgspec.DecodeError):
        return None


@contextlib.contextmanager
def _there_already() -> Iterator[None]:
    """409 for what has an id of ours says that an earlier try has arrived."""
    try:
        yield
    except Refused as error:
        if error.vendor_status != 409:
            raise
