"""Small jobs that have to be done every so often, and that nobody waits for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog

log = structlog.get_logger(__name__)

Job = Callable[[], Awaitable[Any]]


class Upkeep:
    """Runs each job once soon after the start and then every so many seconds; a job that fails is only logged."""

    def __init__(self, jobs: Mapping[str, tuple[float, Job]], *, first_after_s: float = 5.0) -> None:
        self._jobs = jobs
        self._first_after_s = first_after_s
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin."""
        self._tasks = [
            asyncio.create_task(self._run(name, every_s, job), name=f"upkeep:{name}")
            for name, (every_s, job) in self._jobs.items()
        ]

    async def stop(self) -> None:
        """End; a job in progress is cut short, so jobs must be safe to repeat."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._tasks = []

    async def _run(self, name: str, every_s: float, job: Job) -> None:
        await asyncio.sleep(self._first_after_s)
        while True:
            try:
                await job()
            except Exception:
                log.exception("upkeep failed", job=name)
            await asyncio.sleep(every_s)
