"""The account behind a stored connection is asked for what can be tried without an agent."""

from __future__ import annotations

import pytest
from tests.support.pair import StorePair
from tests.support.thrift import thrift

from warmline.accounts.access import SYSTEM
from warmline.app import Node
from warmline.conformance.account import check_account
from warmline.conformance.kit import Outcome, Report
from warmline.conformance.registry import load_rig
from warmline.conformance.rig import Rig
from warmline.kernel.errors import Conflict, NotFound
from warmline.platform.settings import Settings


async def connect(settings: Settings, rig: Rig, **changes: object) -> str:
    """A connection of the installation with these settings; its id."""
    with thrift():
        async with Node(settings) as node:
            made = await node.connections.create(
                SYSTEM, kind=rig.key, name="Theirs", settings={**rig.settings, **changes}, bot_ids=["ab" * 12]
            )
            return made.connection.id


def outcomes(report: Report) -> dict[str, str]:
    return {
        one.name: f"{one.outcome} {one.why}" if one.outcome is Outcome.FAILED else one.outcome for one in report.results
    }


@pytest.mark.parametrize("desk", ["dixa", "oracle", "salesforce", "gorgias"])
async def test_an_account_is_tried(desk: str, sqlite_pair: StorePair) -> None:
    settings = sqlite_pair.settings(allow_private_targets="127.0.0.0/8")
    async with load_rig(desk).running() as rig:
        connection_id = await connect(settings, rig)
        await rig.subscribe(f"{settings.public_url}/in/{connection_id}")
        quiet = await check_account(settings, desk, connection_id, traces=False)
        assert set(outcomes(quiet).values()) <= {"passed", "not applicable"}, outcomes(quiet)
        assert list(rig.talks()) == [], "a check without leave left a trace"
        report = await check_account(settings, desk, connection_id, traces=True)
        assert report.account
        left = {
            name: outcome for name, outcome in outcomes(report).items() if outcome not in {"passed", "not applicable"}
        }
        # Oracle knows no repetition: asked again it opens another engagement, and the check has to say so.
        assert set(left) == ({"open-again"} if desk == "oracle" else set()), left
        assert rig.is_over(rig.talks()[0])


async def test_wrong_credentials_are_said(sqlite_pair: StorePair) -> None:
    settings = sqlite_pair.settings(allow_private_targets="127.0.0.0/8")
    async with load_rig("dixa").running() as rig:
        connection_id = await connect(settings, rig, **rig.wrong_credentials)
        report = await check_account(settings, "dixa", connection_id, traces=True)
        failed = {one.name: one.why for one in report.failed}
        assert "credentials" in failed["check-is-good"]
        assert "opens" in failed
        assert list(rig.talks()) == []


async def test_what_is_no_such_connection_is_said(sqlite_pair: StorePair) -> None:
    settings = sqlite_pair.settings(allow_private_targets="127.0.0.0/8")
    async with load_rig("dixa").running() as rig:
        connection_id = await connect(settings, rig)
        with pytest.raises(Conflict, match="kind “dixa”"):
            await check_account(settings, "oracle", connection_id, traces=False)
        with pytest.raises(NotFound):
            await check_account(settings, "dixa", "nothing", traces=False)
