"""A long line in parts whose answers get lost: where the desk can be read back, every part arrives once and in order."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from warmline.desks.dixa.desk import DixaDesk
from warmline.handover import thread_store as store
from warmline.handover.port import DeskEvent, Outbound, OutboundMessage, Receipt, Thread, Unreachable, VisitorLine
from warmline.handover.worker import ThreadWorker
from warmline.kernel.clock import ManualClock
from warmline.platform.breaker import Breaker, BreakerPolicy

ROW = store.new_thread(
    kind="rung",
    conversation_id="c",
    handover_id="h",
    rung=0,
    owner_epoch=2,
    connection_id="x",
    bot_id="b",
    cursor=1,
    ref="t",
    phase="open",
)


class ReadableDesk:
    """Takes texts of ten characters; ``lost`` says for which calls the answer gets lost after the text was taken."""

    manifest = msgspec.structs.replace(DixaDesk.manifest, text_limit=10)

    def __init__(self, *lost: int, kept: Sequence[str] = ()) -> None:
        self.lost = lost
        self.lines = list(kept)
        self.calls = 0

    async def send(self, _thread: Thread, item: Outbound) -> Receipt:
        assert isinstance(item, OutboundMessage)
        self.calls += 1
        self.lines.append(item.text)
        if self.calls in self.lost:
            raise Unreachable("The answer was lost.", desk="x", operation="send", vendor_status=500)
        return Receipt()

    async def history(self, _thread: Thread, since: int) -> Sequence[DeskEvent]:
        del since
        return [VisitorLine(thread_ref="t", text=text) for text in self.lines]


def worker_for(desk: ReadableDesk) -> tuple[ThreadWorker, list[int]]:
    """A worker with one pending line of 25 equal characters; and where its cursor moves."""
    clock, cursors = ManualClock(), list[int]()
    breaker = Breaker(clock, BreakerPolicy())
    around: Any = SimpleNamespace(
        journal=SimpleNamespace(events=_nothing_said),
        clock=clock,
        states=None,
        files=None,
        desk=lambda _id: desk,
        breaker=lambda _id: breaker,
        answered=lambda _id: None,
        unanswered=lambda _id, _error: None,
        fence=lambda: 1,
        note_cursor=lambda _id, seq: cursors.append(seq),
    )
    worker = ThreadWorker(around, ROW)
    worker._pending.append(OutboundMessage(id="m", seq=7, text="x" * 25, at=5_000))
    # Nothing of the conversation is told here: no pause, and no event that deliveries stall.
    worker._behind = True
    held: Any = worker._held
    held.stall = held.recover = _nothing
    return worker, cursors


async def _nothing_said(*_stream: str, after: int, limit: int) -> list[Any]:
    del after, limit
    return []


async def _nothing(_doing: str) -> None:
    return


@pytest.mark.parametrize("lost", [(), (1,), (2,), (3,), (1, 2, 3)])
async def test_no_part_is_repeated_or_left_out(lost: tuple[int, ...]) -> None:
    desk = ReadableDesk(*lost)
    worker, cursors = worker_for(desk)
    while worker._pending:
        await worker._deliver()
    assert desk.lines == ["x" * 10, "x" * 10, "x" * 5]
    assert cursors == [7]


@pytest.mark.parametrize("arrived", [0, 1, 2, 3])
async def test_who_goes_on_after_a_crash_sends_what_is_missing(arrived: int) -> None:
    desk = ReadableDesk(kept=["x" * 10, "x" * 10, "x" * 5][:arrived])
    worker, _cursors = worker_for(desk)
    worker._in_doubt = 7
    while worker._pending:
        await worker._deliver()
    assert desk.lines == ["x" * 10, "x" * 10, "x" * 5]
    assert desk.calls == 3 - arrived
