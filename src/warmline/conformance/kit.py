"""Running the kit: every case against one desk, and what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import time
import traceback
from collections.abc import AsyncIterator, Callable, Sequence
from enum import StrEnum
from pathlib import Path

import msgspec

from warmline.accounts.access import SYSTEM
from warmline.conformance.case import CASES, Case, NotApplicable, Topic, Tried
from warmline.conformance.rig import NotAtThisVendor, Rig
from warmline.conformance.secrecy import Listener
from warmline.conformance.stand import Stand, free_port, standing
from warmline.conversations.commands import Close
from warmline.handover.port import Grade
from warmline.kernel.errors import NotFound
from warmline.kernel.ids import uuid7
from warmline.platform.settings import Settings, load_settings

_CASE_S = 60.0
_TOPICS = ("opening", "talking", "paced", "trouble", "reports", "ending", "content", "files")


class Outcome(StrEnum):
    """What came of a case."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_APPLICABLE = "not applicable"


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One case's.  ``why`` says what was wrong, or why it says nothing about this desk; ``seconds`` how long it took."""

    name: str
    title: str
    topic: str
    grade: str
    outcome: Outcome
    why: str = ""
    seconds: float = 0.0


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All of them, in the order of the kit.  ``account`` says that they were seen on a real account."""

    desk: str
    title: str
    declared: str
    results: tuple[Result, ...]
    account: bool = False

    @property
    def failed(self) -> tuple[Result, ...]:
        """The cases that failed."""
        return tuple(one for one in self.results if one.outcome is Outcome.FAILED)

    @property
    def earned(self) -> Grade | None:
        """The highest grade of which every case passed, at most silver: gold is seen on a real account."""
        lacking = {one.grade for one in self.failed}
        if Grade.BRONZE in lacking:
            return None
        return Grade.BRONZE if Grade.SILVER in lacking else Grade.SILVER


def load_cases() -> Sequence[Case]:
    """Every case, by topic."""
    for topic in _TOPICS:
        importlib.import_module(f"warmline.conformance.{topic}")
    order = list(Topic)
    return sorted(CASES, key=lambda one: order.index(one.topic))


def choose(names: Sequence[str]) -> Sequence[Case]:
    """The cases of these names, all for none.  Raises NotFound naming the first that does not exist."""
    known = load_cases()
    for name in names:
        if name not in {one.name for one in known}:
            raise NotFound(f"The kit has no case called “{name}”. `warmline check` lists them.")
    return [one for one in known if not names or one.name in names]


async def run_kit(
    rig_class: type[Rig],
    cases: Sequence[Case],
    folder: Path,
    *,
    store: str = "",
    bus: str = "",
    told: Callable[[Result], None] = lambda _result: None,
) -> Report:
    """Try a desk.  ``folder`` is an empty one; ``store`` and ``bus`` are addresses, "" for the embedded ones.

    ``told`` hears of every result at once.
    """
    results: list[Result] = []
    with Listener.listening() as listener:
        async with _tried(rig_class, _settings(folder, store, bus)) as tried:
            for one in cases:
                results.append(await _try(one, tried))
                told(results[-1])
            manifest = tried.manifest
            results.append(_secrecy(listener.fault(tried)))
        told(results[-1])
    return Report(desk=rig_class.key, title=manifest.title, declared=str(manifest.grade), results=tuple(results))


def _secrecy(fault: str) -> Result:
    return Result(
        name="nothing-secret-is-logged",
        title="Nothing that was logged meanwhile holds a secret, or what people said",
        topic=str(Topic.SECRECY),
        grade=str(Grade.BRONZE),
        outcome=Outcome.FAILED if fault else Outcome.PASSED,
        why=fault,
    )


def _settings(folder: Path, store: str, bus: str) -> Settings:
    environment = {
        "WARMLINE_DATA": str(folder),
        "WARMLINE_PORT": str(free_port()),
        # The vendor's server runs beside this one, on a port that nobody knows before.
        "WARMLINE_ALLOW_PRIVATE_TARGETS": "127.0.0.0/8",
        "WARMLINE_RATE_LIMIT_SCALE": "100",
        "WARMLINE_DATABASE_URL": store,
        "WARMLINE_NATS_URL": bus,
        # The bus may be somebody's; what is tried here is nobody else's business.
        "WARMLINE_NATS_PREFIX": f"check{uuid7().replace('-', '')}" if bus else "",
    }
    return load_settings({name: value for name, value in environment.items() if value}, None)


@contextlib.asynccontextmanager
async def _tried(rig_class: type[Rig], settings: Settings) -> AsyncIterator[Tried]:
    # The vendor outlives Warmline, as everywhere.
    async with rig_class.running() as rig, standing(settings, rig.meet) as stand:
        manifest = stand.node.connections.kinds[rig.key].manifest
        await stand.furnish(rig.key, dict(rig.settings), rig.payload)
        await rig.subscribe(stand.address)
        yield Tried(stand, rig, manifest)


async def _try(one: Case, tried: Tried) -> Result:
    begun = time.monotonic()
    outcome, why = await _play(one, tried)
    try:
        await _clear_up(tried.stand)
    except Exception as error:  # noqa: BLE001 - what a case leaves behind is part of its result
        outcome, why = Outcome.FAILED, why or f"nobody could clear up after it: {error!r}"
    return Result(
        name=one.name,
        title=one.title,
        topic=str(one.topic),
        grade=str(one.grade),
        outcome=outcome,
        why=why,
        seconds=round(time.monotonic() - begun, 2),
    )


async def _play(one: Case, tried: Tried) -> tuple[Outcome, str]:
    try:
        async with asyncio.timeout(_CASE_S):
            await one.play(tried)
    except NotApplicable as reason:
        return Outcome.NOT_APPLICABLE, str(reason)
    except NotAtThisVendor:
        return Outcome.NOT_APPLICABLE, "the people at this vendor cannot do that"
    except AssertionError as wrong:
        return Outcome.FAILED, str(wrong) or _where(wrong)
    except TimeoutError as late:
        return Outcome.FAILED, f"it was waited for in vain ({_where(late)})"
    except Exception as error:  # noqa: BLE001 - one broken case must not hide the others
        return Outcome.FAILED, f"{error!r} ({_where(error)})"
    return Outcome.PASSED, ""


def _where(error: BaseException) -> str:
    """The line of the kit at which it happened."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "conformance" in f.filename]
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno} {frames[-1].line}" if frames else ""


async def _clear_up(stand: Stand) -> None:
    """Close what the case has left open, so that nobody waits at the vendor in the next one."""
    for conversation in list(stand.tokens):
        state, _seq = await stand.node.conversations.snapshot(conversation)
        if state.status == "open":
            await stand.node.conversations.command(conversation, Close(reason="agent"), actor=SYSTEM.actor)
    stand.tokens.clear()
