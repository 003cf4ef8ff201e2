"""Periodic jobs: run, repeat, survive a failure, end."""

from __future__ import annotations

import asyncio

from warmline.platform.upkeep import Upkeep


async def test_a_job_repeats_and_a_failing_one_does_not_end_it() -> None:
    done = asyncio.Event()
    runs = 0

    async def job() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise RuntimeError("the first time goes wrong")
        if runs == 3:
            done.set()

    upkeep = Upkeep({"count": (0.0, job)}, first_after_s=0.0)
    await upkeep.start()
    async with asyncio.timeout(10):
        await done.wait()
    await upkeep.stop()
    before = runs
    await asyncio.sleep(0)
    assert runs == before
