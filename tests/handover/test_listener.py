"""When a listener asks again: what it waits for, and how long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import pytest

from warmline.handover.held_thread import HeldThread
from warmline.handover.listener import Listener
from warmline.handover.port import (
    AgentReplied,
    DeskError,
    DeskEvent,
    Join,
    Manifest,
    Polled,
    RateLimited,
    Refused,
    Thread,
    ThreadEnded,
    Unreachable,
)
from warmline.handover.surroundings import Surroundings
from warmline.handover.thread_store import new_thread
from warmline.kernel.clock import ManualClock
from warmline.kernel.errors import Conflict, Unavailable, WarmlineError
from warmline.platform.breaker import Breaker, BreakerPolicy

DONE = Polled((), {"n": -1}, done=True)


class Around:
    """The relay as a listener sees it; it plays the thread's row as well."""

    def __init__(self, desk: Any, clock: ManualClock) -> None:
        self.clock = clock
        self.row = new_thread(
            kind="rung",
            conversation_id="c",
            handover_id="h",
            rung=0,
            owner_epoch=2,
            connection_id="k",
            bot_id="b",
            cursor=0,
        )
        self.inbound = self
        self.state: Any = {"n": 0}
        self.epoch = 2
        self.thread = Thread(ref="r", connection_id="k", conversation_id="c", request_id="h.0", bot_id="b")
        self.log: list[object] = []
        self.refusals: list[WarmlineError] = []
        self.fences: list[int | None] = []
        self.the_desk = desk
        self.the_breaker = Breaker(clock, BreakerPolicy(failures=1), jitter=lambda: 0.0)

    def fence(self) -> int | None:
        return self.fences.pop(0) if self.fences else 1

    def desk(self, _connection_id: str) -> Any:
        if isinstance(self.the_desk, WarmlineError):
            raise self.the_desk
        return self.the_desk

    def breaker(self, _connection_id: str) -> Breaker:
        return self.the_breaker

    def answered(self, _connection_id: str, refusal: DeskError | None = None) -> None:
        self.log.append("answered" if refusal is None else f"answered with {refusal.code}")

    def unanswered(self, _connection_id: str, error: DeskError) -> None:
        self.log.append(error.code)

    async def receive(self, _connection_id: str, event: DeskEvent, **more: Any) -> None:
        if self.refusals:
            raise self.refusals.pop(0)
        self.log.append((type(event).__name__, more["key"], more["epoch"]))

    async def keep(self, state: Any) -> bool:
        self.state = state
        self.log.append(state)
        return True

    async def save(self, **values: object) -> None:
        self.log.append(values)

    async def command(self, command: Any) -> None:
        self.log.append(command.reason)

    async def stall(self, doing: str) -> None:
        self.log.append(f"stall {doing}")

    async def recover(self, _doing: str) -> None:
        pass


class Desk:
    """Answers polls from a list: what to give, or to raise."""

    manifest = cast(Manifest, type("M", (), {"join": Join.EXPLICIT})())

    def __init__(self, *answers: Polled | Exception) -> None:
        self.answers = list(answers)
        self.states: list[Any] = []

    async def poll(self, _thread: Thread, state: Any) -> Polled:
        self.states.append(state)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


async def run(around: Around, *, meanwhile: Callable[[int], None] = lambda _pauses: None) -> list[float]:
    """Listen until it ends by itself; the pauses.  ``meanwhile`` is called in each with how many there were."""
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        meanwhile(len(pauses))
        around.clock.advance(round(seconds * 1000))

    listener = Listener(
        cast(Surroundings, around), cast(HeldThread, around), changed=lambda: around.log.append("changed"), sleep=sleep
    )
    listener.go_on()
    listener.start()
    task = listener._task
    assert task is not None
    async with asyncio.timeout(10):
        await task
    return pauses


def reply(id_: str) -> AgentReplied:
    return AgentReplied(thread_ref="r", vendor_event_id=id_, text=id_)


async def test_events_are_appended_in_order_before_the_state_is_saved(clock: ManualClock) -> None:
    around = Around(Desk(Polled((reply("a"), reply("b")), {"n": 1}), DONE), clock)
    await run(around)
    row = around.row.id
    assert around.log == [
        "answered",
        "changed",
        ("AgentReplied", f"a/{row}", 2),
        ("AgentReplied", f"b/{row}", 2),
        {"n": 1},
        "answered",
        ("ThreadEnded", None, 2),
        {"n": -1},
    ]


async def test_an_end_that_was_told_is_not_told_again(clock: ManualClock) -> None:
    ended = Polled((ThreadEnded(thread_ref="r", vendor_event_id="e"),), {"n": 1}, done=True)
    around = Around(Desk(ended), clock)
    await run(around)
    assert [one[:2] for one in around.log if isinstance(one, tuple)] == [("ThreadEnded", f"e/{around.row.id}")]


async def test_the_next_poll_comes_when_the_desk_says(clock: ManualClock) -> None:
    desk = Desk(Polled((), {"n": 1}, again_in_s=7.0), Polled((reply("a"),), {"n": 2}), DONE)
    assert await run(Around(desk, clock)) == [7.0, 0.0]
    assert desk.states == [{"n": 0}, {"n": 1}, {"n": 2}]


async def test_polls_that_nobody_holds_do_not_run_hot(clock: ManualClock) -> None:
    pauses = await run(Around(Desk(*[Polled((), {"n": 0})] * 8, DONE), clock))
    assert len(pauses) == 8
    assert all(0.1 <= pause <= 1.0 for pause in pauses)


async def test_pauses_grow_with_the_same_state_and_after_three_the_rung_is_stalled(clock: ManualClock) -> None:
    desk = Desk(*[Unreachable(vendor_status=500)] * 12, Polled((reply("a"),), {"n": 1}), DONE)
    around = Around(desk, clock)
    pauses = await run(around)
    assert desk.states[:13] == [{"n": 0}] * 13
    assert 0.25 <= pauses[0] <= 0.5
    assert 15 <= pauses[11] <= 30
    assert around.log[:4] == ["desk_unreachable", "desk_unreachable", "desk_unreachable", "stall listening"]


async def test_a_pause_asked_for_is_kept(clock: ManualClock) -> None:
    pauses = await run(Around(Desk(RateLimited(retry_after=42.0), DONE), clock))
    assert pauses == [42.0]


async def test_a_refusal_ends_the_rung(clock: ManualClock) -> None:
    around = Around(Desk(Refused("The session is gone.")), clock)
    await run(around)
    assert around.log == [
        "answered with desk_refused",
        "changed",
        {"error": "The session is gone."},
        "desk_lost",
    ]


@pytest.mark.parametrize("trouble", [RuntimeError("a mistake"), Unavailable("the store")])
async def test_mistakes_and_the_store_s_trouble_are_survived(clock: ManualClock, trouble: Exception) -> None:
    around = Around(Desk(trouble, DONE), clock)
    assert len(await run(around)) == 1


async def test_an_event_the_store_cannot_take_now_is_tried_again_and_one_it_refuses_is_left_out(
    clock: ManualClock,
) -> None:
    around = Around(Desk(Polled((reply("a"), reply("b")), {"n": 1}), DONE), clock)
    around.refusals = [Unavailable(), Unavailable(), Conflict("Too late.", code="stale_owner")]
    await run(around)
    assert [one[1] for one in around.log if isinstance(one, tuple)] == [f"b/{around.row.id}", None]


async def test_without_the_lease_nobody_is_asked(clock: ManualClock) -> None:
    desk = Desk(Polled((reply("a"),), {"n": 1}), DONE)
    around = Around(desk, clock)
    # Not ours; ours when asking, but not when the answer is there; then ours again.
    around.fences = [None, 1, None]
    desk.answers.insert(0, Polled((reply("a"),), {"n": 1}))
    await run(around)
    assert desk.states == [{"n": 0}, {"n": 0}, {"n": 1}]
    assert [one[1] for one in around.log if isinstance(one, tuple)] == [f"a/{around.row.id}", None]


async def test_an_open_breaker_is_waited_for_and_never_probed(clock: ManualClock) -> None:
    around = Around(Desk(DONE), clock)
    around.the_breaker.failure()
    opened_until = around.the_breaker.retry_at
    pauses = await run(around)
    assert sum(pauses) >= 5
    assert around.the_breaker.retry_at == opened_until


async def test_a_connection_that_is_switched_off_is_waited_for_in_silence(clock: ManualClock) -> None:
    around = Around(Conflict("Off.", code="connection_disabled"), clock)

    def switch_on(pauses: int) -> None:
        if pauses == 5:
            around.the_desk = Desk(DONE)

    assert len(await run(around, meanwhile=switch_on)) == 5
    assert "stall listening" not in around.log
    assert around.log[0] == "answered"


class Streaming:
    """Gives stretches, then fails or ends; remembers what was closed."""

    manifest = Desk.manifest

    def __init__(self, *streams: list[Polled | Exception]) -> None:
        self.streams = list(streams)
        self.closed = 0

    async def prepare(self, _request: Any) -> Thread:
        raise NotImplementedError

    async def listen(self, _thread: Thread, _state: Any) -> AsyncIterator[Polled]:
        try:
            for item in self.streams.pop(0):
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            self.closed += 1


async def test_a_stream_that_stood_and_broke_says_nothing_about_the_desk(clock: ManualClock) -> None:
    desk = Streaming([Polled((), {"n": 0}), Unreachable("cut")], [Unreachable("no stream")], [DONE])
    around = Around(desk, clock)
    pauses = await run(around)
    assert around.log.count("desk_unreachable") == 1
    assert len(pauses) == 2
    assert desk.closed == 3


async def test_a_stream_that_ends_at_once_is_begun_again_with_pauses(clock: ManualClock) -> None:
    desk = Streaming([], [], [Polled((), {"n": 0}, again_in_s=20.0)], [DONE])
    pauses = await run(Around(desk, clock))
    assert all(pause >= 0.25 for pause in pauses)
    assert pauses[2] == 20.0


async def test_a_listener_that_is_stopped_closes_its_stream(clock: ManualClock) -> None:
    reached = asyncio.Event()

    class Waiting(Streaming):
        async def listen(self, _thread: Thread, _state: Any) -> AsyncIterator[Polled]:
            try:
                yield Polled((reply("a"),), {"n": 1})
            finally:
                self.closed += 1

    desk = Waiting()
    around = Around(desk, clock)
    listener = Listener(cast(Surroundings, around), cast(HeldThread, around), changed=reached.set)
    listener.start()
    await reached.wait()
    assert listener.stands
    # The event waits for the offer to be accepted; the stream is held in the middle of a stretch.
    await listener.stop()
    assert desk.closed == 1
    assert not any(isinstance(one, tuple) for one in around.log)
