"""Every desk is held to the kit: as ``warmline check`` runs it, on both pairs of store and bus."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from pathlib import Path

import msgspec
import pytest
from tests.support.pair import StorePair

from warmline.conformance.kit import Outcome, Report
from warmline.conformance.registry import RIGS
from warmline.desks.registry import desk_kinds
from warmline.handover.port import Grade

ON_POSTGRESQL = ("dixa", "oracle", "salesforce")
"""One that reports by webhook, one that is polled, one with a stream: what a store can do to a desk shows there."""


async def check(desk: str, folder: Path, *arguments: str) -> Report:
    """Run the command; its report.  Fails when the exit code does not fit the report."""
    file = folder / "report.json"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "warmline", "check", desk, "--report", str(file), *arguments),
        cwd=folder,
        env={**os.environ, "PYTHONWARNINGS": "error::ResourceWarning"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await process.communicate()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    assert file.exists(), said.decode()
    report = msgspec.json.decode(file.read_bytes(), type=Report)
    assert (process.returncode == 0) == (not report.failed), said.decode()
    return report


def fail_loudly(report: Report) -> None:
    """What failed, one line each."""
    faults = [f"{one.name}: {one.why}" for one in report.failed]
    assert not faults, "\n" + "\n".join(faults)


@pytest.mark.timeout(170)
@pytest.mark.parametrize("desk", RIGS)
async def test_a_desk_passes_the_kit_and_has_earned_its_grade(desk: str, tmp_path: Path) -> None:
    report = await check(desk, tmp_path)
    fail_loudly(report)
    passed = [one for one in report.results if one.outcome is Outcome.PASSED]
    assert len(passed) > len(report.results) // 2, "hardly anything was tried"
    order = [None, *Grade]
    assert order.index(report.earned) >= order.index(Grade(report.declared)), "the manifest says more than was shown"


@pytest.mark.timeout(170)
@pytest.mark.parametrize("desk", ON_POSTGRESQL)
async def test_a_desk_passes_the_kit_on_the_cluster_s_parts(
    desk: str, postgres_pair: StorePair, tmp_path: Path
) -> None:
    report = await check(desk, tmp_path, "--store", postgres_pair.database_url, "--bus", postgres_pair.nats_url)
    fail_loudly(report)


def test_every_desk_has_a_rig() -> None:
    kinds = desk_kinds(outgoing=None, clock=None, agents_online=None)  # type: ignore[arg-type]
    assert set(RIGS) == set(kinds)


async def test_a_case_can_be_tried_alone_and_one_that_does_not_exist_is_named(tmp_path: Path) -> None:
    report = await check("dixa", tmp_path, "--case", "check-is-good")
    assert [one.name for one in report.results] == ["check-is-good", "nothing-secret-is-logged"]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "warmline", "check", "dixa", "--case", "nonsense"),
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _out, said = await process.communicate()
    assert (process.returncode, b"no case called" in said) == (1, True)
