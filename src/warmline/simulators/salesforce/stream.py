"""The event stream: one for each connection, resumed by ``Last-Event-Id``.

The switches of webhooks apply here as far as they make sense: duplicates (under the same id), echo, unknown kinds, lose, keep
back.  A stream keeps its order, and nothing in it is signed.  A ``ping`` comes after ``Waits.hold_ms`` without an event.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any, Literal

import msgspec
from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from warmline.simulators.changes import Changes
from warmline.simulators.salesforce.state import Conversation, Entry, Org
from warmline.simulators.salesforce.tokens import EXPIRED, TokenRefused, Tokens
from warmline.simulators.script import Switches

PATH = "/eventrouter/v1/sse"
_PING = b"event: ping\ndata: 0\n\n"  # the 0 was seen, it is not documented
_LINES = {
    "sentence": EXPIRED.encode() + b"\n",
    "json": msgspec.json.encode({"status": 401, "error": "Unauthorized", "path": PATH}) + b"\n",
}
_UNKNOWN = ("CONVERSATION_MOOD_CHANGED", "MoodChanged")


class Told(msgspec.Struct, frozen=True):
    """One event of a visitor's stream."""

    id: int
    name: str
    data: bytes

    @property
    def wire(self) -> bytes:
        """As it is sent."""
        return b"id:%d\nevent:%s\ndata:%s\n\n" % (self.id, self.name.encode(), self.data)


class Streams:
    """What every visitor was told, and who is listening."""

    def __init__(self, org: Org, changes: Changes, switches: Switches, started_at: int) -> None:
        self.open: list[EventStream] = []
        self.changes = changes
        self.switches = switches
        self._org = org
        self._logs: defaultdict[str, list[Told]] = defaultdict(list)
        self._last = started_at

    def log(self, visitor: str) -> list[Told]:
        """All of a visitor's events, oldest first."""
        return list(self._logs[visitor])

    def last_id(self, visitor: str) -> int:
        """The newest event's id; the id before the first one when there is none."""
        log = self._logs[visitor]
        return log[-1].id if log else self._last

    def since(self, visitor: str, after: int) -> list[Told]:
        """What came after the event ``after``."""
        return [one for one in self._logs[visitor] if one.id > after]

    def tell(self, conversation: Conversation, entry: Entry) -> None:
        """Put an entry into its visitor's stream."""
        if not self.switches.lose and (self.switches.echo or entry.role != "EndUser"):
            if self.switches.unknown_events:
                self._add(conversation.visitor, _UNKNOWN[0], self._data(conversation, _strange(entry)))
            self._add(conversation.visitor, entry.event, self._data(conversation, entry))
        self.changes.tell()

    def tell_unknown(self, conversation: Conversation, entry: Entry) -> None:
        """An event of a kind that no documentation names."""
        self._add(conversation.visitor, _UNKNOWN[0], self._data(conversation, _strange(entry)))
        self.changes.tell()

    def drop(self, visitor: str | None = None, *, clean: bool = False) -> None:
        """End the streams of one visitor (else of all), with or without (``clean``) an error on the line."""
        for one in list(self.open):
            if visitor in {None, one.visitor}:
                one.end(clean=clean)
        self.changes.tell()

    def _add(self, visitor: str, name: str, data: bytes) -> None:
        self._last += 1
        self._logs[visitor].append(Told(self._last, name, data))

    def _data(self, conversation: Conversation, entry: Entry) -> bytes:
        return msgspec.json.encode(
            {
                "channelPlatformKey": "",
                "channelType": "embedded_messaging",
                "channelAddressIdentifier": self._org.channel,
                "conversationId": conversation.id,
                "conversationEntry": {
                    **described(entry),
                    "entryPayload": msgspec.json.encode(entry.payload).decode(),
                    "clientDuration": 0,
                    "relatedRecords": [conversation.session_id],
                },
            }
        )


def described(entry: Entry) -> dict[str, Any]:
    """An entry as listed; the stream has its payload as JSON inside a string."""
    return {
        "identifier": entry.identifier,
        "entryType": entry.entry_type,
        "entryPayload": entry.payload,
        "senderDisplayName": entry.name,
        "sender": {
            "role": entry.role,
            "appType": "iamessage" if entry.role == "EndUser" else "agent" if entry.role == "Agent" else "system",
            "subject": entry.subject,
            "clientIdentifier": entry.subject,
        },
        "transcriptedTimestamp": entry.at,
        "clientTimestamp": entry.client_at,
    }


def _strange(entry: Entry) -> Entry:
    return msgspec.structs.replace(
        entry,
        identifier=f"mood-{entry.identifier}",
        entry_type=_UNKNOWN[1],
        payload={"entryType": _UNKNOWN[1], "mood": "fine"},
        role="System",
        name="Automated Process",
    )


class EventStream(web.StreamResponse):
    """One connection.  It is answered like any call, and flows while the answer is being finished."""

    def __init__(
        self,
        streams: Streams,
        tokens: Tokens,
        *,
        token: str,
        after: int,
        ping_s: float,
        expired_line: Literal["sentence", "json"],
    ) -> None:
        super().__init__(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        self.visitor = tokens.visitor(token)
        self._streams = streams
        self._tokens = tokens
        self._token = token
        self._after = after
        self._ping_s = ping_s
        self._last_words = _LINES[expired_line]
        self._ended = False
        self._request: web.BaseRequest | None = None

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """The head of the answer."""
        self._request = request
        writer = await super().prepare(request)
        self._streams.open.append(self)
        self._streams.changes.tell()
        return writer

    async def write_eof(self, data: bytes = b"") -> None:
        """The events, until the token is over or somebody ends it."""
        try:
            await self._flow()
        finally:
            self._streams.open.remove(self)
            self._streams.changes.tell()
        await super().write_eof(data)

    def end(self, *, clean: bool) -> None:
        """No more of it."""
        self._ended = True
        if not clean and self._request is not None and self._request.transport is not None:
            self._request.transport.abort()

    async def _flow(self) -> None:
        loop = asyncio.get_running_loop()
        streams = self._streams
        quiet_until = loop.time() + self._ping_s
        while not self._ended:
            version = streams.changes.version
            try:
                self._tokens.visitor(self._token)
            except TokenRefused:
                await self.write(self._last_words)
                return
            for told in [] if streams.switches.paused else streams.since(self.visitor, self._after):
                await self.write(told.wire * (1 + streams.switches.duplicates))
                self._after = told.id
                quiet_until = loop.time() + self._ping_s
            try:
                async with asyncio.timeout_at(quiet_until):
                    await streams.changes.after(version)
            except TimeoutError:
                await self.write(_PING)
                quiet_until = loop.time() + self._ping_s
