"""Lines of which nobody knows whether they have arrived: what is looked for, what is sent, and what is written down."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from tests.handover.test_parts_resumed import ROW

from warmline.conversations import events as e
from warmline.desks.dixa.desk import DixaDesk
from warmline.handover.port import (
    DeskEvent,
    Outbound,
    OutboundMessage,
    ReadsBack,
    Receipt,
    Repeats,
    Thread,
    Unreachable,
    VisitorLine,
)
from warmline.handover.worker import ThreadWorker
from warmline.kernel.clock import ManualClock
from warmline.kernel.errors import Unavailable
from warmline.platform.breaker import Breaker, BreakerPolicy

FIRST = 11
"""Its seq; each line is said a second after the one before, and the vendor dates what it got by its own clock."""
ARRIVED_AT = 900_000


class WordsDesk:
    """A vendor that keeps no id of ours: a line is known by its words, and by when it came."""

    manifest = msgspec.structs.replace(DixaDesk.manifest, repeats=Repeats.READ_BACK)

    def __init__(self, *there: str, at: int = ARRIVED_AT) -> None:
        self.lines = [(text, at) for text in there]
        self.reads = 0

    @property
    def texts(self) -> list[str]:
        return [text for text, _at in self.lines]

    async def send(self, _thread: Thread, item: Outbound) -> Receipt:
        assert isinstance(item, OutboundMessage)
        self.lines.append((item.text, ARRIVED_AT))
        return Receipt()

    async def history(self, _thread: Thread, since: int) -> Sequence[DeskEvent]:
        self.reads += 1
        return [VisitorLine(thread_ref="t", text=text) for text, at in self.lines if at >= since]


class DeafDesk:
    """One that cannot be read, and takes everything as often as it comes."""

    manifest = msgspec.structs.replace(DixaDesk.manifest, repeats=Repeats.DOUBLED)

    def __init__(self, steps: list[str]) -> None:
        self._steps = steps

    async def send(self, _thread: Thread, item: Outbound) -> Receipt:
        assert isinstance(item, OutboundMessage)
        self._steps.append(f"sent {item.text}")
        return Receipt()


class House:
    """What a worker is lent: a stream with these lines of the visitor, and a store that is away for some writes."""

    def __init__(self, desk: Any, *said: str, before: Sequence[str] = (), away: int = 0) -> None:
        self.clock = ManualClock()
        self.steps: list[str] = []
        self.away = away
        self.inbound = self.states = None
        self.files = SimpleNamespace(link=lambda _file, _at: "")
        self.journal: Any = self
        self._desk, self._breaker = desk, Breaker(self.clock, BreakerPolicy())
        first = FIRST - 1 - len(before)
        self._stream = [_posted(first + place, text) for place, text in enumerate(before)]
        asked = e.HandoverRequested(handover_id="h", reason="requested_by_visitor", by="visitor", ladder=())
        self._stream += [SimpleNamespace(seq=FIRST - 1, at=0, body=asked, actor="visitor", owner_epoch=1)]
        self._stream += [_posted(FIRST + place, text) for place, text in enumerate(said)]

    def worker(self, cursor: int = FIRST - 1) -> ThreadWorker:
        worker = ThreadWorker(self, msgspec.structs.replace(ROW, cursor=cursor, connected=True))  # type: ignore[arg-type]
        held: Any = worker._held
        held.stall = held.recover = _nothing
        return worker

    async def events(self, _kind: str, _stream: str, *, after: int, limit: int) -> list[Any]:
        return [event for event in self._stream if event.seq > after][:limit]

    async def write(self, _apply: Any) -> None:
        if self.away:
            self.away -= 1
            raise Unavailable("The store is away.")
        self.steps.append("written")

    def desk(self, _id: str) -> Any:
        return self._desk

    def breaker(self, _id: str) -> Breaker:
        return self._breaker

    def answered(self, _id: str, _refusal: Any = None) -> None:
        return

    unanswered = answered

    def fence(self) -> int | None:
        return 1

    def note_cursor(self, _id: str, seq: int) -> None:
        self.steps.append(f"noted {seq}")


def _posted(seq: int, text: str) -> Any:
    body = e.MessagePosted(message_id=f"m{seq}", author="visitor", text=text, client_id=f"c{seq}")
    return SimpleNamespace(seq=seq, at=seq * 1_000, body=body, actor="visitor", owner_epoch=2)


async def _nothing(_doing: str) -> None:
    return


async def deliver_all(worker: ThreadWorker) -> None:
    """As in its loop, until nothing is left."""
    await worker._take_over()
    while worker._pending:
        await worker._deliver()


SAID = ("Hello?", "yes", "the lamp", "yes", "yes", "it flickers")


@pytest.mark.parametrize("arrived", range(len(SAID) + 1))
async def test_all_lines_behind_the_cursor_are_looked_for_when_a_thread_is_taken_over(arrived: int) -> None:
    desk = WordsDesk(*SAID[:arrived])
    assert isinstance(desk, ReadsBack)
    house = House(desk, *SAID)
    await deliver_all(house.worker())
    assert desk.texts == list(SAID)
    assert house.steps == [f"noted {FIRST + place}" for place in range(len(SAID))]


@pytest.mark.parametrize("arrived", [3, 4])
async def test_words_that_were_brought_before_the_cursor_are_not_taken_for_a_line_behind_it(arrived: int) -> None:
    # Three lines were said long before they were brought, as by somebody who waits: their moments tell nothing.
    desk = WordsDesk(*SAID[:arrived])
    await deliver_all(House(desk, *SAID).worker(cursor=FIRST + 2))
    assert desk.texts == list(SAID)


async def test_what_the_visitor_said_to_the_bot_is_not_counted() -> None:
    desk = WordsDesk("yes")
    await deliver_all(House(desk, "yes", before=["yes", "yes"]).worker())
    assert desk.texts == ["yes"]


async def test_what_is_said_after_the_thread_was_taken_over_is_not_looked_for() -> None:
    desk = WordsDesk()
    house = House(desk, "one", "two")
    worker = house.worker()
    await deliver_all(worker)
    assert desk.reads == 2
    worker.hand_off([_posted(FIRST + 2, "three")])
    await worker._deliver()
    assert (desk.texts, desk.reads) == (["one", "two", "three"], 2)


async def test_a_desk_that_would_double_gets_the_next_line_when_the_one_before_is_written_down() -> None:
    house = House(None, "one", "two", "three")
    house._desk = DeafDesk(house.steps)
    await deliver_all(house.worker())
    assert house.steps == ["sent one", "written", "sent two", "written", "sent three", "written"]


async def test_a_store_that_is_away_holds_up_the_next_line_and_doubles_none() -> None:
    house = House(None, "one", "two", away=1)
    house._desk = DeafDesk(house.steps)
    await deliver_all(house.worker())
    assert house.steps == ["sent one", "written", "sent two", "written"]


class LosingDesk(WordsDesk):
    """The answer to its first call gets lost."""

    async def send(self, thread: Thread, item: Outbound) -> Receipt:
        answer = await super().send(thread, item)
        if len(self.lines) == 1:
            raise Unreachable("The answer was lost.", desk="x", operation="send")
        return answer


async def test_who_leaves_while_his_line_is_unanswered_does_not_say_it_twice() -> None:
    desk = LosingDesk()
    worker = House(desk, "one", "two").worker()
    await worker._take_over()
    await worker._flush()
    assert desk.texts == ["one", "two"]
    assert not worker._pending
