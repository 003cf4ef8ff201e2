"""What ``warmline doctor`` looks at: whether everything the server depends on is there and fit.  Leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import stat
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import aiohttp
import sqlalchemy

from warmline.kernel.clock import SystemClock
from warmline.kernel.ids import uuid7
from warmline.platform import bus as buses
from warmline.platform import migrations
from warmline.platform.blobs_place import open_blobs
from warmline.platform.crypto import KEY_FILE
from warmline.platform.database import Database
from warmline.platform.sentences import explain
from warmline.platform.settings import Settings, redacted

_WAIT_S = 5.0
# Deadlines run by the store's clock; beyond this the times people see are plainly wrong.
_DRIFT_MS = 2_000

Mark = Literal["✓", "✗", "!"]


@dataclass(frozen=True)
class Finding:
    """One line of the report: ``✓`` good, ``✗`` wrong, ``!`` worth knowing."""

    mark: Mark
    about: str
    sentence: str

    @property
    def failed(self) -> bool:
        """Whether this is a reason for a bad exit code."""
        return self.mark == "✗"

    def __str__(self) -> str:
        return f"{self.mark} {self.about:<15} {self.sentence}"


def settings_lines(settings: Settings, file: Path | None) -> list[str]:
    """The settings in effect, passwords masked, one per line."""
    shown = redacted(settings)
    width = max(map(len, shown))
    return [f"Settings (file: {file or 'none'})", *(f"  {name:<{width}}  {value}" for name, value in shown.items())]


async def diagnose(settings: Settings) -> list[Finding]:
    """Every check, in the order an operator would repair them."""
    findings = [_data_folder(settings.data), _key_file(settings.data / KEY_FILE)]
    findings += await asyncio.to_thread(_store, settings)
    findings.append(await _attempt("files", lambda: _files(settings)))
    findings.append(await _attempt("bus", lambda: _bus(settings)))
    findings += await _public_address(settings)
    return findings


def _data_folder(folder: Path) -> Finding:
    about = "data folder"
    if not folder.exists():
        above = next(parent for parent in folder.parents if parent.exists())
        if os.access(above, os.W_OK | os.X_OK):
            return Finding("✓", about, f"{folder} does not exist yet; the first start makes it.")
        return Finding("✗", about, f"{folder} does not exist, and {above} is not writable.")
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        return Finding("✗", about, f"{folder} is not a folder this user can write to.")
    return Finding("✓", about, f"{folder} is writable.")


def _key_file(path: Path) -> Finding:
    about = "key file"
    if not path.exists():
        return Finding("✓", about, f"{path} does not exist yet; the first start makes it.")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        return Finding("✗", about, f"{path} is open to other users (mode {mode:04o}). Close it: chmod 600 {path}")
    if not os.access(path, os.R_OK):
        return Finding("✗", about, f"{path} cannot be read by this user.")
    return Finding(
        "✓", about, f"{path}, mode {mode:04o}. Keep a copy apart from the store: secrets cannot be read without."
    )


def _store(settings: Settings) -> list[Finding]:
    if not settings.database_url and not (settings.data / "warmline.db").exists():
        return [Finding("✓", "store", "The SQLite file does not exist yet; the first start makes it.")]
    try:
        database = Database.open(settings.store_url, exclusive=False)  # a running server keeps its folder
        try:
            return [_schema(database), _clock(database)]
        finally:
            database.close()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
        return [Finding("✗", "store", f"Cannot be used: {explain(error)}")]


def _schema(database: Database) -> Finding:
    current, head = migrations.current(database), migrations.head()
    name = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}[database.dialect]
    if current == head:
        return Finding("✓", "store", f"{name} answers, schema {current}.")
    return Finding(
        "✗", "store", f"{name} answers, schema {current or 'missing'}, expected {head}. Run: warmline migrate"
    )


def _clock(database: Database) -> Finding:
    if database.dialect == "sqlite":
        return Finding("✓", "clock", "The store uses the clock of this machine.")
    with database.readers.connect() as connection:
        before = time.time()
        there = connection.execute(sqlalchemy.text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one()
        drift = round((float(there) - (before + time.time()) / 2) * 1000)
    if abs(drift) > _DRIFT_MS:
        return Finding("✗", "clock", f"The store's clock is {drift:+} ms from this machine's. Synchronise both (NTP).")
    return Finding("✓", "clock", f"The store's clock is {drift:+} ms from this machine's.")


async def _bus(settings: Settings) -> Finding:
    if not settings.nats_url:
        return Finding("✓", "bus", "In memory: one process.")
    bus = buses.NatsBus(settings.nats_url, prefix=settings.nats_prefix)
    heard: asyncio.Event = asyncio.Event()
    subject = f"doctor.{uuid7()}"
    try:
        async with asyncio.timeout(_WAIT_S):
            await bus.start()
            await bus.subscribe(subject, lambda _subject, _data: heard.set())
            before = time.perf_counter()
            await bus.publish(subject, b"")
            await heard.wait()
        return Finding("✓", "bus", f"NATS carries messages ({(time.perf_counter() - before) * 1000:.1f} ms).")
    finally:
        await bus.stop()


async def _files(settings: Settings) -> Finding:
    about, folder = "files", settings.data / "files"
    shared = settings.nats_url and not settings.blobs_url
    if not settings.blobs_url and not folder.exists():
        sentence = f"{folder} does not exist yet; the first file makes it."
    else:
        blobs = open_blobs(settings, SystemClock())
        try:
            async with asyncio.timeout(_WAIT_S):
                sentence = await blobs.check()
        finally:
            await blobs.stop()
    if shared:
        return Finding("!", about, f"{sentence} All processes must share it, or set WARMLINE_BLOBS_URL.")
    return Finding("✓", about, sentence)


async def _public_address(settings: Settings) -> list[Finding]:
    about, url = "public address", settings.public_url
    parts = urlsplit(url)
    findings = []
    if parts.scheme == "http" and not _is_local(parts.hostname or ""):
        findings.append(Finding("!", about, f"{url} has no TLS: what visitors write can be read on the way."))
    if _is_local(parts.hostname or "") and not _is_local(settings.host):
        sentence = (
            f"{url} works on this machine only, but the server listens on {settings.host}. Set WARMLINE_PUBLIC_URL."
        )
        findings.append(Finding("!", about, sentence))
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_WAIT_S)) as session,
            session.get(f"{url}/healthz", allow_redirects=False) as answer,
        ):
            status = answer.status
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return [*findings, Finding("!", about, f"Nobody answers at {url} (is the server running?): {explain(error)}")]
    if status != 200:
        return [
            *findings,
            Finding("✗", about, f"{url}/healthz answers {status}: another server, or a wrong path in a proxy."),
        ]
    return [*findings, Finding("✓", about, f"{url} leads to a running server.")]


def _is_local(host: str) -> bool:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


async def _attempt(about: str, check: Callable[[], Awaitable[Finding]]) -> Finding:
    try:
        return await check()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
        return Finding("✗", about, f"Cannot be used: {explain(error)}")
