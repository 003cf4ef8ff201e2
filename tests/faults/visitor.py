"""A visitor with the widget's manners: one WebSocket, resume by seq, unacknowledged messages are sent again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from tests.faults.ledger import Ledger
from tests.support.node import PAGE

from warmline.kernel.ids import uuid7

AGAIN_S = 0.05
"""The widget waits up to 30 s between tries; here nobody wants to."""
AWAY = (aiohttp.ClientError, ConnectionError, TimeoutError)


class Final(Exception):
    """The server said something that a visitor cannot get over."""


@dataclass
class Visitor:
    """``bases`` are the servers' addresses; the next one is tried when one does not answer.

    ``orderly``: a message waits for the receipt of the one before.  Where messages are refused and sent again later
    (a store that is away), only that keeps their order.  ``unlucky`` tells whether the connection breaks right after
    a message was sent, so that its receipt does not arrive.
    """

    http: aiohttp.ClientSession
    bases: list[str]
    widget_id: str
    ledger: Ledger
    address: str
    orderly: bool = False
    unlucky: Callable[[], bool] = lambda: False
    token: str = ""
    conversation: str = ""
    incarnation: str | None = None
    since: int = 0
    view: dict[int, dict[str, Any]] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    syncs: int = 0
    drains: int = 0
    closed_with: list[int] = field(default_factory=list)
    _unacked: dict[str, dict[str, Any]] = field(default_factory=dict)
    _moved: asyncio.Condition = field(default_factory=asyncio.Condition)
    _socket: aiohttp.ClientWebSocketResponse | None = None

    # -- what a visitor does ---------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Open the chat, however often it takes; the same client id gives the same conversation."""
        session = await self._post("/widget/session", {"widget_id": self.widget_id})
        self.token = session["token"]
        client_id = uuid7()
        begin = {"widget_id": self.widget_id, "client_id": client_id, "page": PAGE}
        started = await self._post("/widget/conversations", begin)
        self.conversation, self.incarnation = started["conversation"], started["incarnation"]
        await self.ledger.accepted()

    async def say(self, text: str, *, wait: bool = True) -> None:
        """Send a message; with ``wait`` until it is acknowledged."""
        self.lines.append(text)
        await self._submit({"frame": "message", "client_id": uuid7(), "text": text}, wait=wait)

    async def end(self) -> None:
        """End the talk."""
        await self._submit({"frame": "end", "client_id": uuid7()}, wait=True)

    async def until(self, seen: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait for an event on the screen."""
        async with self._moved:
            while True:
                for item in self.view.values():
                    if seen(item):
                        return item
                await self._moved.wait()

    async def until_type(self, *types: str) -> dict[str, Any]:
        """Wait for an event of one of these types."""
        return await self.until(lambda item: item["type"] in types)

    async def until_said(self, text: str) -> None:
        """Wait for a message of somebody else."""
        await self.until(
            lambda item: (
                item["type"] == "message.posted"
                and item["data"]["text"] == text
                and item["data"]["author"]["kind"] != "visitor"
            )
        )

    async def until_acknowledged(self) -> None:
        """Wait until nothing waits for its receipt."""
        async with self._moved:
            await self._moved.wait_for(lambda: not self._unacked)

    async def _submit(self, frame: dict[str, Any], *, wait: bool) -> None:
        if self.orderly:
            await self.until_acknowledged()
        self._unacked[frame["client_id"]] = frame
        await self._send(frame)
        if self._socket is not None and self.unlucky():
            await self._socket.close()
        if wait:
            await self.until_acknowledged()

    # -- the connection --------------------------------------------------------------------------------------------

    async def stay(self) -> None:
        """Be connected until cancelled."""
        while True:
            try:
                await self._connect()
            except AWAY:
                self.bases.append(self.bases.pop(0))
            await asyncio.sleep(AGAIN_S)

    async def _connect(self) -> None:
        base = self.bases[0]
        headers = {"Origin": base, "X-Forwarded-For": self.address}
        async with self.http.ws_connect(f"{base}/widget/ws", headers=headers) as socket:
            hello = {
                "frame": "hello",
                "token": self.token,
                "conversation": self.conversation,
                "incarnation": self.incarnation,
                "since": self.since,
            }
            await socket.send_json(hello)
            try:
                async for message in socket:
                    await self._receive(socket, message.json())
            finally:
                self._socket = None
            code = socket.close_code or 0
            self.closed_with.append(code)
            if code >= 4500:
                raise Final(f"closed with {code}")

    async def _send(self, frame: dict[str, Any]) -> None:
        if self._socket is not None:
            try:
                await self._socket.send_json(frame)
            except AWAY:
                self._socket = None

    async def _send_again(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """What was not acknowledged, in its order; only then may new frames go directly."""
        sent: set[str] = set()
        while waiting := [frame for client_id, frame in self._unacked.items() if client_id not in sent]:
            for frame in waiting:
                sent.add(frame["client_id"])
                await socket.send_json(frame)
        self._socket = socket

    async def _receive(self, socket: aiohttp.ClientWebSocketResponse, frame: dict[str, Any]) -> None:
        match frame["frame"]:
            case "sync":
                await self._synced(frame)
                await self._send_again(socket)
            case "event":
                await self._show(frame["event"])
            case "ack":
                await self._acknowledged(frame)
            case "refused":
                await self._refused(frame)
            case "ping":
                await socket.send_json({"frame": "pong"})
            case "drain":
                self.drains += 1

    async def _synced(self, frame: dict[str, Any]) -> None:
        self.syncs += 1
        if frame["mode"] != "gap":
            # These conversations are short and the store is never restored: whoever asks for a gap must get it.
            self.ledger.unexpected.append(("snapshot", self.conversation, self.since, frame["seq"]))
        for item in frame["events"]:
            await self._show(item)
        if self.since != frame["seq"]:
            self.ledger.unexpected.append(("short sync", self.conversation, self.since, frame["seq"]))

    async def _show(self, item: dict[str, Any]) -> None:
        if item["seq"] != self.since + 1:
            self.ledger.unexpected.append(("not the next event", self.conversation, self.since, item))
        last = item.get("to", item["seq"])
        for seq in range(item["seq"], last + 1):
            self.view[seq] = {"seq": seq, "type": "skip", "to": seq} if item["type"] == "skip" else item
        async with self._moved:
            self.since = last
            self._moved.notify_all()

    async def _acknowledged(self, frame: dict[str, Any]) -> None:
        sent = self._unacked.pop(frame["client_id"], None)
        if sent is not None:
            known = self.ledger.acked[self.conversation]
            known[frame["client_id"]] = (sent.get("text", ""), frame["seq"])
            await self.ledger.accepted()
        async with self._moved:
            self._moved.notify_all()

    async def _refused(self, frame: dict[str, Any]) -> None:
        waiting = self._unacked.get(frame["client_id"] or "")
        if waiting is None:
            return
        if not frame["retryable"]:
            self.ledger.unexpected.append(("refused", self.conversation, frame))
            self._unacked.pop(frame["client_id"])
            async with self._moved:
                self._moved.notify_all()
            return
        await asyncio.sleep(frame.get("retry_after", AGAIN_S))
        await self._send(waiting)

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = {"X-Forwarded-For": self.address}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        while True:
            try:
                async with self.http.post(self.bases[0] + path, json=body, headers=headers) as reply:
                    if reply.status == 200:
                        answer: dict[str, Any] = await reply.json()
                        return answer
                    if reply.status not in {429, 503}:
                        raise Final(f"{path}: {reply.status} {await reply.text()}")
            except AWAY:
                self.bases.append(self.bases.pop(0))
            await asyncio.sleep(AGAIN_S)
