"""What a vendor posts to its connection's address: checked while it waits, kept, and brought in afterwards, once and in order."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from tests.support.node import Stage, guest, staged
from tests.support.pair import StorePair

from warmline.accounts.access import SYSTEM
from warmline.conformance.registry import load_rig
from warmline.conversations.events import VisitorErased
from warmline.conversations.kind import CONVERSATION
from warmline.handover import inbox as inbox_module
from warmline.handover.inbox_tables import inbox
from warmline.kernel.ids import uuid7
from warmline.platform.signing import new_secret, sign


async def deliver(
    stage: Stage, conversation: str, event: str, *, secret: str = "", to: str = "", **fields: Any
) -> tuple[int, dict[str, Any]]:
    """One signed event, posted as a CRM posts it to the connection's own address."""
    body = msgspec.json.encode({"eventType": event, "platformConversationId": conversation, **fields})
    signed = sign([secret or stage.signing_secret], f"msg_{uuid7()}", time.time_ns() // 1_000_000, body)
    headers = signed | {"Content-Type": "application/json"}
    async with stage.http.post(f"{stage.base}/in/{to or stage.connection_id}", data=body, headers=headers) as reply:
        return reply.status, await reply.json()


async def rows(stage: Stage) -> list[Any]:
    columns = (inbox.c.thread_ref, inbox.c.state, inbox.c.outcome, inbox.c.headers, inbox.c.body)
    return list(
        await stage.node.journal.read(lambda conn: conn.execute(sa.select(*columns).order_by(inbox.c.id)).all())
    )


async def until_settled(stage: Stage, count: int) -> list[Any]:
    async with asyncio.timeout(15):
        while True:
            found = [row for row in await rows(stage) if row.state != "waiting"]
            if len(found) >= count:
                return found
            await asyncio.sleep(0.02)


async def offered(stage: Stage) -> str:
    conversation = await stage.visit()
    await stage.say(conversation, "talk to a person")
    await stage.until_stage(conversation, "offered")
    return conversation


async def agent_lines(stage: Stage, conversation: str) -> list[str]:
    events = await stage.events(conversation)
    return [e.body.text for e in events if e.type == "message.posted" and e.body and e.body.author == "agent"]


async def test_deliveries_are_brought_in_once_and_in_order(pair: StorePair) -> None:
    async with staged(pair) as stage:
        conversation = await offered(stage)
        assert await deliver(stage, conversation, "escalationSuccess", agent="Noor") == (200, {})
        for number in range(5):
            assert (await deliver(stage, conversation, "message", text=f"line {number}", messageId=f"m{number}"))[
                0
            ] == 200
        assert (await deliver(stage, conversation, "message", text="line 4", messageId="m4"))[0] == 200
        await deliver(stage, conversation, "agentDisconnect")
        await until_settled(stage, 8)
        assert await agent_lines(stage, conversation) == [f"line {number}" for number in range(5)]
        assert (await stage.state(conversation)).owner == "bot"


async def test_what_comes_before_the_thread_is_known_waits_for_it(pair: StorePair) -> None:
    async with staged(pair) as stage:
        hold = asyncio.Event()

        async def slow(_call: Any) -> int:
            await hold.wait()
            return 200

        stage.crm.answers["widgetEscalate"] = slow
        conversation = await stage.visit()
        await stage.say(conversation, "talk to a person")
        await stage.until_stage(conversation, "requested")
        assert (await deliver(stage, conversation, "escalationSuccess", agent="Noor"))[0] == 200
        assert (await deliver(stage, conversation, "message", text="I was quick"))[0] == 200
        assert [row.state for row in await rows(stage)] == ["waiting", "waiting"]
        hold.set()
        await until_settled(stage, 2)
        assert await agent_lines(stage, conversation) == ["I was quick"]


@pytest.mark.parametrize("kind", ["oracle", "salesforce", "salesforce_legacy", "builtin"])
async def test_where_nobody_reports_there_is_nothing_to_post_to(shared_house: Stage, kind: str) -> None:
    async with guest(shared_house) as stage, load_rig(kind).running() as rig:
        settings = {} if kind == "builtin" else dict(rig.settings)
        made = await stage.node.connections.create(
            SYSTEM, kind=kind, name="Listened to", settings=settings, bot_ids=[stage.bot_id]
        )
        answers = []
        for place in (made.connection.id, uuid7()):
            async with stage.http.post(f"{stage.base}/in/{place}", json={"a": 1}) as reply:
                answers.append((reply.status, await reply.json()))
        assert answers[0][0] == 404
        assert answers[0] == answers[1]


async def test_a_wrong_signature_is_refused_and_nothing_is_kept(pair: StorePair) -> None:
    async with staged(pair) as stage:
        conversation = await offered(stage)
        status, problem = await deliver(stage, conversation, "message", text="x", secret=new_secret())
        assert (status, problem["code"]) == (401, "signature_rejected")
        for unknown in (uuid7(), "nothing", "../admin"):
            assert (await deliver(stage, conversation, "message", text="x", to=unknown))[0] == 404
        assert (await deliver(stage, conversation, "nonsense"))[0] == 400
        async with stage.http.post(f"{stage.base}/in/{stage.connection_id}", data=b"[" * 5_000) as reply:
            assert reply.status == 400
        async with stage.http.get(f"{stage.base}/in/{stage.connection_id}") as reply:
            assert reply.status == 405
        assert await rows(stage) == []
        assert stage.node.inbox.rejected[stage.connection_id] == 1


async def test_a_thread_that_is_not_ours_is_counted_and_left(pair: StorePair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox_module, "PATIENCE_MS", 0)
    async with staged(pair) as stage:
        assert (await deliver(stage, uuid7(), "message", text="for somebody else"))[0] == 200
        (row,) = await until_settled(stage, 1)
        assert row.state == "foreign"


async def test_late_words_are_dropped_and_said_so(pair: StorePair) -> None:
    async with staged(pair) as stage:
        conversation = await offered(stage)
        await deliver(stage, conversation, "escalationSuccess", agent="Noor")
        await deliver(stage, conversation, "agentDisconnect")
        await deliver(stage, conversation, "message", text="too late")
        settled = await until_settled(stage, 3)
        assert [(row.state, row.outcome) for row in settled] == [
            ("done", None),
            ("done", None),
            ("done", "stale_owner"),
        ]
        assert await agent_lines(stage, conversation) == []


async def test_what_is_kept_tells_no_secret_and_goes_with_the_visitor(pair: StorePair) -> None:
    async with staged(pair) as stage:
        conversation = await offered(stage)
        await deliver(stage, conversation, "escalationSuccess", agent="Noor")
        await deliver(stage, conversation, "message", text="my number is 555")
        kept = await until_settled(stage, 2)
        assert all("webhook-signature" not in row.headers for row in kept)
        assert b"555" in kept[1].body
        await stage.node.journal.erase(CONVERSATION, conversation, actor="test", event=VisitorErased(by="test"))
        async with asyncio.timeout(15):
            while True:
                if not await rows(stage):
                    break
                await asyncio.sleep(0.02)
