"""What an agent would like to know: asked again while the vendor is too busy, given up before the visitor waits long."""

from __future__ import annotations

import pytest

from warmline.desks.shared.context import tell_if_possible
from warmline.handover.port import DeskError, RateLimited, Refused, Unreachable

BUSY = RateLimited("Too many.")


@pytest.mark.parametrize(
    ("failures", "told", "paused"),
    [
        ([], True, []),
        ([BUSY, BUSY], True, [0.5, 1.0]),
        ([RateLimited("Too many.", retry_after=0.1), BUSY], True, [0.1, 1.0]),
        ([BUSY] * 3, True, [0.5, 1.0, 2.0]),
        ([BUSY] * 4, False, [0.5, 1.0, 2.0]),
        ([RateLimited("Too many.", retry_after=60)], False, []),
        ([BUSY, Refused("No such tag.")], False, [0.5]),
        ([Unreachable("Gone.")], False, []),
    ],
)
async def test_only_what_came_too_fast_is_told_again(
    failures: list[DeskError], told: bool, paused: list[float]
) -> None:
    left, slept, taken = list(failures), list[float](), list[str]()

    async def call() -> None:
        if left:
            raise left.pop(0)
        taken.append("note")

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    assert await tell_if_possible(call, desk="dixa", what="note", thread="1", sleep=sleep) is told
    assert (slept, taken, left) == (paused, ["note"] if told else [], [])
