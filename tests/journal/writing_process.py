"""A program that appends as fast as it can and says, line by line, what was acknowledged.

python writing_process.py DATABASE_URL NODE STREAMS [COUNT]: "stream number seq" per acknowledged append; without COUNT it
goes on until it is killed.
"""

from __future__ import annotations

import asyncio
import itertools
import sys

from tests.journal.toy import COUNTER, Add, counter_kind

from warmline.journal import IdempotencyKey, Journal
from warmline.kernel.clock import SystemClock
from warmline.platform.bus import MemoryBus
from warmline.platform.database import Database


async def main(url: str, node: str, streams: int, count: int | None) -> None:
    bus = MemoryBus()
    await bus.start()
    database = Database.open(url)
    journal = Journal(database, SystemClock(), bus, [counter_kind()], node_id=node)
    await journal.start()
    numbers = iter(range(count)) if count is not None else itertools.count()

    async def work() -> None:
        for number in numbers:
            stream = f"s{number % streams}"
            note = f"{node}:{number}"
            key = IdempotencyKey(node, str(number), "h")
            done = await journal.append(COUNTER, stream, Add(note=note), actor=node, create=True, key=key)
            sys.stdout.write(f"{stream} {note} {done.seq}\n")
            sys.stdout.flush()

    await asyncio.gather(*(work() for _ in range(32)))
    await journal.stop()
    await bus.stop()
    database.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]) if len(sys.argv) > 4 else None))
