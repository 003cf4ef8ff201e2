"""The custom CRM's wire over HTTP: one test per cell of event × state, and the order of the checks."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.node import Stage, guest, staged
from tests.support.pair import StorePair

FIELDS: dict[str, dict[str, Any]] = {
    "escalationQueueUpdate": {"queuePosition": "3", "waitingTime": "12"},
    "escalationSuccess": {"agent": "Noor Haddad", "agentAvatar": "https://cdn.example/noor.png"},
    "message": {"text": "Hello, I am Noor."},
    "escalationFailed": {},
    "agentDisconnect": {},
}
OTHER_AGENT: dict[str, Any] = {"agent": "Sam Otieno"}

# (event, state) → (status, code or None, stage of the handover afterwards; "next" is the next rung, None no handover)
CELLS: dict[tuple[str, str], tuple[int, str | None, str | None]] = {
    ("escalationQueueUpdate", "offered"): (200, None, "queued"),
    ("escalationQueueUpdate", "queued"): (200, None, "queued"),
    ("escalationQueueUpdate", "connected"): (200, None, "transferring"),
    ("escalationQueueUpdate", "transferring"): (200, None, "transferring"),
    ("escalationQueueUpdate", "over"): (409, "stale_owner", None),
    ("escalationQueueUpdate", "closed"): (409, "closed", None),
    ("escalationSuccess", "offered"): (200, None, "connected"),
    ("escalationSuccess", "queued"): (200, None, "connected"),
    ("escalationSuccess", "connected"): (200, None, "connected"),
    ("escalationSuccess", "transferring"): (200, None, "connected"),
    ("escalationSuccess", "over"): (409, "stale_owner", None),
    ("escalationSuccess", "closed"): (409, "closed", None),
    ("message", "offered"): (409, "not_connected", "offered"),
    ("message", "queued"): (409, "not_connected", "queued"),
    ("message", "connected"): (200, None, "connected"),
    ("message", "transferring"): (200, None, "transferring"),
    ("message", "over"): (409, "stale_owner", None),
    ("message", "closed"): (409, "closed", None),
    ("escalationFailed", "offered"): (200, None, "next"),
    ("escalationFailed", "queued"): (200, None, "next"),
    ("escalationFailed", "connected"): (409, "already_connected", "connected"),
    ("escalationFailed", "transferring"): (200, None, "next"),
    ("escalationFailed", "over"): (409, "stale_owner", None),
    ("escalationFailed", "closed"): (409, "closed", None),
    ("agentDisconnect", "offered"): (200, None, "next"),
    ("agentDisconnect", "queued"): (200, None, "next"),
    ("agentDisconnect", "connected"): (200, None, None),
    ("agentDisconnect", "transferring"): (200, None, None),
    ("agentDisconnect", "over"): (409, "stale_owner", None),
    ("agentDisconnect", "closed"): (409, "closed", None),
}


async def escalated(stage: Stage) -> str:
    """A conversation whose request the CRM has just acknowledged."""
    conversation = await stage.visit()
    await stage.say(conversation, "I want to talk to a person")
    await stage.until_stage(conversation, "offered")
    return conversation


async def brought_to(stage: Stage, state: str) -> str:
    """A conversation in ``state``, reached over the wire."""
    conversation = await escalated(stage)
    steps = {
        "offered": [],
        "queued": ["escalationQueueUpdate"],
        "connected": ["escalationSuccess"],
        "transferring": ["escalationSuccess", "escalationQueueUpdate"],
        "over": ["escalationSuccess", "agentDisconnect"],
        "closed": ["escalationSuccess", "agentDisconnect"],
    }
    for step in steps[state]:
        status, answer = await stage.report(conversation, step, **FIELDS[step])
        assert status == 200, answer
    if state == "closed":
        assert (await stage.frame(conversation, frame="end"))["frame"] == "ack"
    return conversation


@pytest.mark.parametrize(("event", "state"), CELLS)
async def test_cell(shared_house: Stage, event: str, state: str) -> None:
    status, code, after = CELLS[event, state]
    async with guest(shared_house) as stage:
        conversation = await brought_to(stage, state)
        before = await stage.state(conversation)
        seen = len([e for e in await stage.events(conversation) if e.actor.startswith("desk:")])
        got, answer = await stage.report(conversation, event, **FIELDS[event])
        assert got == status, answer
        reached = await stage.state(conversation)
        if status == 409:
            assert answer["code"] == code
            now = len([e for e in await stage.events(conversation) if e.actor.startswith("desk:")])
            assert now == seen, "a refused event must change nothing"
        if after == "next":
            assert reached.handover.rung == 1
            assert reached.owner_epoch == before.owner_epoch + 1
        elif after is None:
            assert reached.handover is None
        else:
            assert reached.handover.stage == after


async def test_the_same_agent_again_changes_nothing_and_another_one_is_a_transfer(shared_house: Stage) -> None:
    async with guest(shared_house) as stage:
        conversation = await brought_to(stage, "connected")
        count = len(await stage.events(conversation))
        assert (await stage.report(conversation, "escalationSuccess", **FIELDS["escalationSuccess"]))[0] == 200
        assert len(await stage.events(conversation)) == count
        assert (await stage.report(conversation, "escalationSuccess", **OTHER_AGENT))[0] == 200
        assert (await stage.events(conversation))[-1].type == "handover.transferred"
        assert (await stage.state(conversation)).handover.agent.name == "Sam Otieno"


async def test_checks_come_in_the_order_key_form_conversation_state(shared_house: Stage) -> None:
    async with guest(shared_house) as stage:
        conversation = await brought_to(stage, "closed")
        unknown = "01900000-0000-7000-8000-000000000000"
        wrong_key = {"Authorization": "wlc_nobody"}
        assert (await stage.report(unknown, "shout", headers=wrong_key))[0] == 401
        assert (await stage.report(unknown, "message", headers={"botid": "0" * 24}))[0] == 401
        assert (await stage.report(unknown, "message", headers={"botid": ""}))[0] == 401
        status, answer = await stage.report(unknown, "message")
        assert (status, answer["path"]) == (400, "$.text")
        status, answer = await stage.report(unknown, "shout")
        assert (status, answer["path"]) == (400, "$.eventType")
        assert (await stage.report(unknown, "message", text="x"))[0] == 404
        assert (await stage.report("not-a-uuid", "message", text="x"))[0] == 404
        assert (await stage.report(conversation, "message", text="x"))[0] == 409


async def test_a_message_with_an_id_is_stored_once(shared_house: Stage) -> None:
    async with guest(shared_house) as stage:
        conversation = await brought_to(stage, "connected")
        for _again in range(3):
            status, _ = await stage.report(conversation, "message", text="Once.", messageId="m-1")
            assert status == 200
        by_header = {"Idempotency-Key": "k-1"}
        for _again in range(2):
            assert (await stage.report(conversation, "message", headers=by_header, text="Header."))[0] == 200
        status, answer = await stage.report(conversation, "message", text="Other.", messageId="m-1")
        assert (status, answer["code"]) == (422, "idempotency_key_reused")
        said = [e.body.text for e in await stage.events(conversation) if e.type == "message.posted"]
        assert said.count("Once.") == said.count("Header.") == 1
        assert "Other." not in said


async def test_nothing_acts_before_the_request_was_acknowledged(shared_house: Stage) -> None:
    async with guest(shared_house) as stage:
        inside: list[tuple[int, dict[str, Any]]] = []

        async def impatient(call: Any) -> int:
            inside.append(await stage.report(call.conversation, "escalationSuccess", agent="Too early"))
            inside.append(await stage.report(call.conversation, "message", text="Too early"))
            return 200

        stage.crm.answers["widgetEscalate"] = impatient
        conversation = await escalated(stage)
        assert [(status, answer["code"]) for status, answer in inside] == [
            (409, "not_offered"),
            (409, "not_connected"),
        ]
        assert (await stage.state(conversation)).handover.stage == "offered"


async def test_a_late_success_of_an_earlier_attempt_is_stale(pair: StorePair) -> None:
    async with staged(pair) as stage:
        conversation = await escalated(stage)
        assert (await stage.frame(conversation, frame="cancel"))["frame"] == "ack"
        status, answer = await stage.report(conversation, "escalationSuccess", agent="Late")
        assert (status, answer["code"]) == (409, "stale_owner")
        assert stage.node.inbound.refusals["stale_owner"] == 1


async def test_a_revoked_key_is_dead(shared_house: Stage) -> None:
    from warmline.accounts.access import SYSTEM

    async with guest(shared_house) as stage:
        conversation = await brought_to(stage, "connected")
        keys = await stage.node.api_keys.list_keys(SYSTEM)
        old = next(key for key in keys if key.kind == "wire")
        fresh = await stage.node.api_keys.rotate(SYSTEM, old.id, 60)
        for token in (stage.wire_key, fresh.token):
            assert (await stage.report(conversation, "message", headers={"Authorization": token}, text="x"))[0] == 200
        await stage.node.api_keys.revoke(SYSTEM, old.id)
        assert (await stage.report(conversation, "message", text="x"))[0] == 401
        stage.wire_key = fresh.token
        assert (await stage.report(conversation, "message", text="x"))[0] == 200
