"""The operator's own check of every file: a command that is given its path."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
from pathlib import Path
from typing import Protocol

import structlog

from warmline.kernel.errors import Invalid, Unavailable

log = structlog.get_logger(__name__)

REFUSED = 1
"""The exit code that means "not this file"; 0 means clean, anything else that the check itself failed (as in clamscan)."""


class Scan(Protocol):
    """Looks at a file before it is kept."""

    async def __call__(self, path: Path) -> None:
        """Raises Invalid for a file that is refused, Unavailable when it could not be checked."""


async def no_scan(path: Path) -> None:
    """What is called where no command is set."""
    del path


class CommandScan:
    """Runs ``command`` with the file's path as its last argument, without a shell; at most so many seconds."""

    def __init__(self, command: str, *, within_s: float) -> None:
        self._words = shlex.split(command)
        self._within_s = within_s

    async def __call__(self, path: Path) -> None:
        """See ``Scan``."""
        try:
            code = await self._run(path)
        except (OSError, TimeoutError) as error:
            log.warning("a file could not be scanned", command=self._words[0], reason=str(error) or "too slow")
            raise _unchecked() from error
        if code == REFUSED:
            raise Invalid("This file was refused by the virus check.", path="$.file", code="file_refused")
        if code != 0:
            log.warning("a file could not be scanned", command=self._words[0], exit_code=code)
            raise _unchecked()

    async def _run(self, path: Path) -> int:
        nothing = asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(
            *self._words, str(path), stdin=nothing, stdout=nothing, stderr=nothing
        )
        try:
            async with asyncio.timeout(self._within_s):
                return await process.wait()
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            raise


def _unchecked() -> Unavailable:
    # Never let through: an operator who asks for a check does not want unchecked files on a bad day.
    return Unavailable("The file could not be checked just now. Please try again.", code="scan_failed")
