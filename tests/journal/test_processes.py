"""Real processes: two that write to the same streams, and one that is killed in the middle."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

from tests.journal.toy import COUNTER, open_journal
from tests.support.pair import StorePair

from warmline.kernel.envelope import Recorded

ROOT = Path(__file__).parents[2]
STREAMS = 10
Acknowledged = dict[tuple[str, int], str]


async def start(pair: StorePair, node: str, count: int | None = None) -> Process:
    program = Path(__file__).parent / "writing_process.py"
    arguments = [pair.database_url, node, str(STREAMS), *([str(count)] if count is not None else [])]
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    return await asyncio.create_subprocess_exec(sys.executable, program, *arguments, stdout=PIPE, env=environment)


def note_down(line: bytes, into: Acknowledged) -> None:
    stream, note, seq = line.decode().split()
    place = stream, int(seq)
    assert place not in into, "one seq was given twice"
    into[place] = note


async def read_all(process: Process, into: Acknowledged) -> None:
    assert process.stdout is not None
    async for line in process.stdout:
        if line.endswith(b"\n"):  # the last one of a killed process may be cut
            note_down(line, into)


async def stored_events(pair: StorePair) -> dict[tuple[str, int], Recorded]:
    """Everything stored, after checking that seqs have no gap, states fit, and nothing is there twice."""
    found: dict[tuple[str, int], Recorded] = {}
    async with open_journal(pair, node="reader") as journal:
        for number in range(STREAMS):
            stream = f"s{number}"
            events = await journal.events(COUNTER, stream, limit=100_000)
            assert [event.seq for event in events] == list(range(1, len(events) + 1))
            state, seq = await journal.snapshot(COUNTER, stream)
            assert (state.adds, seq) == (len(events), len(events))
            found |= {(stream, event.seq): event for event in events}
    notes = [event.body.note for event in found.values()]
    assert len(notes) == len(set(notes))
    return found


async def test_two_processes_append_to_the_same_streams_without_gap_or_loss(postgres_pair: StorePair) -> None:
    acknowledged: Acknowledged = {}
    processes = [await start(postgres_pair, node, 1_000) for node in ("one", "two")]
    await asyncio.wait_for(asyncio.gather(*(read_all(process, acknowledged) for process in processes)), 50)
    assert [await process.wait() for process in processes] == [0, 0]
    assert len(acknowledged) == 2_000
    stored = await stored_events(postgres_pair)
    assert {place: event.body.note for place, event in stored.items()} == acknowledged
    by_stream = [event.actor for (stream, _seq), event in stored.items() if stream == "s0"]
    assert set(by_stream) == {"one", "two"}


async def test_what_was_acknowledged_before_a_kill_is_there_once(pair: StorePair) -> None:
    acknowledged: Acknowledged = {}
    for life in range(3):
        process = await start(pair, f"life{life}")
        assert process.stdout is not None
        enough = len(acknowledged) + 200 + 137 * life
        while len(acknowledged) < enough:
            note_down(await asyncio.wait_for(process.stdout.readline(), 30), acknowledged)
        process.kill()
        await read_all(process, acknowledged)
        assert await process.wait() == -9
        stored = await stored_events(pair)
        for place, note in acknowledged.items():
            assert stored[place].body.note == note
