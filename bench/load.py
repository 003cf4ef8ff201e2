"""Closed and open loops of requests over keep-alive connections."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.wires import Call


@dataclass
class Measured:
    """``latencies`` in milliseconds, of good answers only; ``bad`` counts every other status.

    ``cpu_us``: what one answer cost the server in microseconds of its core, whoever else was using that core.
    """

    seconds: float = 0.0
    cpu_us: float = 0.0
    latencies: list[float] = field(default_factory=list)
    bad: dict[int, int] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Good answers per second."""
        return len(self.latencies) / self.seconds if self.seconds else 0.0

    def at(self, percent: float) -> float:
        """A percentile in milliseconds."""
        if not self.latencies:
            return float("nan")
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]

    def note(self, status: int, latency_ms: float) -> None:
        """One answer."""
        if status == 200:
            self.latencies.append(latency_ms)
        else:
            self.bad[status] = self.bad.get(status, 0) + 1


async def connections(port: int, count: int) -> list[Call]:
    """Open keep-alive connections."""
    return [await Call("127.0.0.1", port).connect() for _ in range(count)]


async def closed_loop(calls: list[Call], request: Callable[[], bytes], seconds: float, *, warm_s: float) -> Measured:
    """Every connection sends its next request when the last is answered; what happens while warming is not counted."""
    clock = time.perf_counter
    measured = Measured()
    begin = clock() + warm_s
    end = begin + seconds
    finished = asyncio.Event()
    running = len(calls)

    def run(call: Call) -> None:
        sent = 0.0

        def answered(status: int, _body: bytes) -> None:
            nonlocal running
            now = clock()
            if begin <= now < end:
                measured.note(status, (now - sent) * 1_000)
            if now < end and status:
                again()
                return
            running -= 1
            if not running:
                finished.set()

        def again() -> None:
            nonlocal sent
            message = request()
            sent = clock()
            call.send(message, answered)

        again()

    for call in calls:
        run(call)
    await asyncio.wait_for(finished.wait(), warm_s + seconds + 30)
    measured.seconds = seconds
    return measured


async def paced(send: Callable[[int], None], per_second: int, seconds: float) -> None:
    """Call ``send(i)`` at the right moments, catching up when late, so that a slow answer delays nobody."""
    clock = time.perf_counter
    begin, done, total = clock(), 0, int(per_second * seconds)
    while done < total:
        due = min(total, int((clock() - begin) * per_second) + 1)
        while done < due:
            send(done)
            done += 1
        await asyncio.sleep(max(0.0, begin + done / per_second - clock()))


class Pool:
    """Connections for an open loop: a request waits where none is free."""

    def __init__(self, calls: list[Call]) -> None:
        self._free = list(calls)
        self._waiting: list[tuple[bytes, Callable[[int], None]]] = []

    def send(self, request: bytes, answered: Callable[[int], None]) -> None:
        """Send now or as soon as a connection is free."""
        if not self._free:
            self._waiting.append((request, answered))
            return
        call = self._free.pop()

        def done(status: int, _body: bytes) -> None:
            self._free.append(call)
            answered(status)
            if self._waiting:
                self.send(*self._waiting.pop(0))

        call.send(request, done)
