"""An example program as a stranger runs it: its own process, which must end well whatever was done to it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path


@contextlib.asynccontextmanager
async def running_example(script: Path, port: int, environment: Mapping[str, str]) -> AsyncIterator[str]:
    """Serve at a port while the block runs; the address."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(script), "--port", str(port)),
        env={**os.environ, **environment, "PYTHONUNBUFFERED": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    try:
        said = b""
        while b"Running on" not in said:
            line = await asyncio.wait_for(process.stdout.readline(), 30)
            said += line
            assert line, said.decode()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        rest = await asyncio.wait_for(process.stdout.read(), 20)
        assert b"Traceback" not in rest, rest.decode()
        assert await process.wait() == 0
        process._transport.close()  # type: ignore[attr-defined]
