"""Many connected widgets: what they cost, and how long a word takes to their screens and to the CRM."""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from bench.load import Measured, Pool, connections, paced
from bench.seed import Town, message
from bench.wires import Socket, post
from warmline.web.api.wire import AGENT_PATH

_CLOCK = re.compile(rb"t=(\d+)")
_SEQ = re.compile(rb'"seq":(\d+)')
AT_ONCE = 128
"""Handshakes on their way at the same time."""


@dataclass
class Crowd:
    """One widget per connected conversation, in the order of ``town.connected``."""

    town: Town
    port: int
    sockets: list[Socket] = field(default_factory=list)
    since: list[int] = field(default_factory=list)
    synced: int = 0
    gaps: int = 0
    arrived: Callable[[int, float], None] | None = None
    """Called with the widget's number and the latency (s) of each event that carries its moment of sending."""
    _done: asyncio.Event = field(default_factory=asyncio.Event)

    async def connect(self, count: int) -> float:
        """Connect and say hello; the seconds until all are in sync."""
        self.since += [0] * (count - len(self.since))
        self.synced, self.gaps, self.sockets = 0, 0, []
        self._done.clear()
        begun = time.perf_counter()
        gate = asyncio.Semaphore(AT_ONCE)
        await asyncio.gather(*(self._one(number, gate) for number in range(count)))
        async with asyncio.timeout(60):
            while self.synced < count:
                self._done.clear()
                await self._done.wait()
        return time.perf_counter() - begun

    async def _one(self, number: int, gate: asyncio.Semaphore) -> None:
        async with gate:
            origin = {"origin": f"http://127.0.0.1:{self.port}"}
            socket = await Socket(self._received, number).connect("127.0.0.1", self.port, "/widget/ws", origin)
            self.sockets.append(socket)
            hello = {
                "frame": "hello",
                "token": self.town.tokens[number],
                "conversation": self.town.connected[number],
                "incarnation": self.town.incarnation,
                "since": self.since[number],
            }
            socket.send(msgspec.json.encode(hello))

    def _received(self, socket: Socket, text: bytes) -> None:
        if text.startswith(b'{"frame":"event"'):
            found = _SEQ.search(text)
            assert found is not None
            seq = int(found[1])
            self.gaps += seq != self.since[socket.number] + 1
            self.since[socket.number] = seq
            sent = _CLOCK.search(text)
            if sent is not None and self.arrived is not None:
                self.arrived(socket.number, time.perf_counter() - int(sent[1]) / 1e9)
        elif text.startswith(b'{"frame":"sync"'):
            frame = msgspec.json.decode(text)
            if self.since[socket.number] and frame["mode"] != "gap":
                self.gaps += 1
            self.since[socket.number] = frame["seq"]
            self.synced += 1
            self._done.set()
        elif text.startswith(b'{"frame":"ping"'):
            socket.send(b'{"frame":"pong"}')

    def vanish(self) -> None:
        """Everybody is gone at once."""
        for socket in self.sockets:
            socket.abort()


def stamp() -> str:
    """A text that carries the moment."""
    return f"t={time.perf_counter_ns()} and some words as people write them in a chat"


async def to_screens(crowd: Crowd, per_second: int, seconds: float) -> Measured:
    """Agents speak at that rate to random widgets; milliseconds from sending to the screen."""
    measured = Measured(seconds=seconds)
    pool = Pool(await connections(crowd.port, 64))
    crowd.arrived = lambda _number, latency: measured.note(200, latency * 1_000)
    town = crowd.town

    def failed(status: int) -> None:
        if status != 200:
            measured.note(status, 0.0)

    def speak(_index: int) -> None:
        conversation = town.connected[random.randrange(len(crowd.sockets))]
        pool.send(post(AGENT_PATH, message(conversation, stamp()), town.headers), failed)

    await paced(speak, per_second, seconds)
    await _settle(measured, int(per_second * seconds))
    crowd.arrived = None
    return measured


async def to_crm(
    crowd: Crowd, hear: Callable[[Callable[[bytes], None]], None], per_second: int, seconds: float
) -> Measured:
    """Visitors speak at that rate; milliseconds from sending to the CRM's socket.  ``hear`` sets who is told of calls."""
    measured = Measured(seconds=seconds)

    def called(body: bytes) -> None:
        sent = _CLOCK.search(body)
        if sent is not None:
            measured.note(200, time.perf_counter() * 1_000 - int(sent[1]) / 1e6)

    hear(called)
    order = list(range(len(crowd.sockets)))
    random.shuffle(order)

    def speak(index: int) -> None:
        frame = {"frame": "message", "client_id": f"c{index}-{time.monotonic_ns()}", "text": stamp()}
        crowd.sockets[order[index % len(order)]].send(msgspec.json.encode(frame))

    await paced(speak, per_second, seconds)
    await _settle(measured, int(per_second * seconds))
    hear(lambda _body: None)
    return measured


async def _settle(measured: Measured, expected: int) -> None:
    """Wait for what is still on its way; what does not come within five seconds is counted as missing."""
    until = time.perf_counter() + 5.0
    while len(measured.latencies) + sum(measured.bad.values()) < expected and time.perf_counter() < until:
        await asyncio.sleep(0.02)
    missing = expected - len(measured.latencies) - sum(measured.bad.values())
    if missing > 0:
        measured.bad[0] = missing
