"""How fast the journal appends, beside the bare group commit of the same rows measured in the same run.

    python bench/journal_appends.py [DATABASE_URL] [--seconds 3] [--in-flight 64] [--no-keys]

Without an address it uses a SQLite file in a temporary folder.  One append = one event, one snapshot, one idempotency
key, uniform over 10,000 streams, with a trivial decision.  Read the ratios; absolute figures move with the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from warmline.journal import IdempotencyKey, Journal, StreamKind, tune_process
from warmline.kernel.clock import SystemClock
from warmline.platform import migrations
from warmline.platform.bus import MemoryBus
from warmline.platform.database import Database

STREAMS = 10_000
NOTE = "x" * 100


class Added(msgspec.Struct, frozen=True, gc=False):
    TYPE: ClassVar[str] = "counter.added"
    VERSION: ClassVar[int] = 1
    by: int
    note: str


class Counter(msgspec.Struct, frozen=True, gc=False):
    id: str
    total: int = 0


KIND: StreamKind[Counter] = StreamKind(
    name="counter",
    initial=lambda stream_id: Counter(id=stream_id),
    decide=lambda _state, command, _context: (Added(by=command, note=NOTE),),
    evolve=lambda state, body, _meta: Counter(state.id, state.total + body.by),
    events={Added.TYPE: Added},
    state_type=Counter,
    evolve_version=1,
)


class Floor:
    """The same three rows, nothing decided, nothing awaited: what SQLite itself takes."""

    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "cache_size=-32768"):
            self.connection.execute(f"PRAGMA {pragma}")
        self.position = self.connection.execute("SELECT max(position) FROM events").fetchone()[0]
        self.seqs = dict(self.connection.execute("SELECT id, seq FROM streams"))
        self.ids = list(self.seqs)

    def run(self, seconds: float, size: int, keys: bool) -> tuple[float, float]:
        done = 0
        wall, cpu = time.perf_counter(), time.process_time()
        while time.perf_counter() - wall < seconds:
            self._commit([self.ids[(done + n) * 7919 % len(self.ids)] for n in range(size)], done, keys)
            done += size
        return done / (time.perf_counter() - wall), (time.process_time() - cpu) / done * 1e6

    def _commit(self, ids: list[int], done: int, keys: bool) -> None:
        run = self.connection.executemany
        state, body, now = '{"id":"s1234","total":12}', f'{{"by":1,"note":"{NOTE}"}}', time.time_ns() // 1_000_000
        events = []
        for stream in ids:
            self.position += 1
            self.seqs[stream] += 1
            events.append((self.position, stream, self.seqs[stream], Added.TYPE, 1, now, "bench", None, 0, body))
        self.connection.execute("BEGIN IMMEDIATE")
        run(
            "UPDATE streams SET seq = ?, state = ?, updated_at = ? WHERE id = ?",
            [(self.seqs[i], state, now, i) for i in ids],
        )
        run(
            "INSERT INTO events (position, stream, seq, type, version, at, actor, conversation_id, owner_epoch, body)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            events,
        )
        if keys:
            rows = [("floor", f"{now}:{done + n}:{id(self)}", stream, 1, "h" * 64, now) for n, stream in enumerate(ids)]
            run("INSERT INTO idempotency (scope, key, stream, seq, body_hash, at) VALUES (?, ?, ?, ?, ?, ?)", rows)
        self.connection.execute("COMMIT")


async def appends(journal: Journal, seconds: float, in_flight: int, keys: bool) -> dict[str, float]:
    latencies: list[float] = []
    prefix, until = str(time.time_ns()), time.perf_counter() + seconds
    number = 0

    async def work() -> None:
        nonlocal number
        while (began := time.perf_counter()) < until:
            number += 1
            key = IdempotencyKey("bench", f"{prefix}:{number}", "h" * 64) if keys else None
            await journal.append("counter", f"s{number * 7919 % STREAMS}", 1, actor="bench", key=key)
            latencies.append(time.perf_counter() - began)

    batches, wall, cpu = journal.writer.batches, time.perf_counter(), time.process_time()
    await asyncio.gather(*(work() for _ in range(in_flight)))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    latencies.sort()
    return {
        "per second": len(latencies) / wall,
        "cpu us": cpu / len(latencies) * 1e6,
        "p50 ms": latencies[len(latencies) // 2] * 1e3,
        "p99 ms": latencies[len(latencies) * 99 // 100] * 1e3,
        "per transaction": len(latencies) / (journal.writer.batches - batches),
    }


async def main(arguments: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        url = arguments.database or f"sqlite:///{folder}/warmline.db"
        database, bus = Database.open(url), MemoryBus()
        migrations.upgrade(database)
        await bus.start()
        journal = Journal(database, SystemClock(), bus, [KIND], node_id="bench")
        await journal.start()
        names = [f"s{number}" for number in range(STREAMS)]
        await asyncio.gather(*(journal.append("counter", name, 1, actor="bench", create=True) for name in names))
        tune_process()
        for _ in range(2):
            if database.path is not None:
                await journal.write(lambda _conn: None)
                rate, cpu = Floor(database.path).run(arguments.seconds, arguments.in_flight, arguments.keys)
                print(f"bare group commit  {rate:8.0f}/s  cpu {cpu:5.1f} us")
                # The floor wrote behind the writer's back; what the writer remembers is stale.
                journal.writer.cache.clear()
                await asyncio.gather(*(journal.append("counter", name, 1, actor="bench") for name in names))
            found = await appends(journal, arguments.seconds, arguments.in_flight, arguments.keys)
            print("journal.append     " + "  ".join(f"{name} {value:.1f}" for name, value in found.items()))
        await journal.stop()
        await bus.stop()
        database.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("database", nargs="?")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--no-keys", dest="keys", action="store_false")
    asyncio.run(main(parser.parse_args()))
