"""Whole stories of a handover to a custom CRM: the good one, and every way down."""

from __future__ import annotations

import asyncio
from typing import Any

import sqlalchemy as sa
from tests.support.node import Stage, guest, staged
from tests.support.pair import StorePair

from warmline.accounts.access import SYSTEM
from warmline.conversations import commands as c
from warmline.conversations.events import VisitorErased
from warmline.conversations.kind import CONVERSATION
from warmline.handover.relay import Planner
from warmline.handover.thread_tables import fronts, threads
from warmline.journal.tables import idempotency


async def asked(stage: Stage) -> str:
    """A visitor who has asked for a person."""
    conversation = await stage.visit()
    await stage.say(conversation, "talk to a person")
    return conversation


async def connected(stage: Stage) -> str:
    """A visitor who talks with an agent of the CRM."""
    conversation = await asked(stage)
    await stage.until_stage(conversation, "offered")
    assert (await stage.report(conversation, "escalationSuccess", agent="Noor"))[0] == 200
    return conversation


def texts(calls: list[Any]) -> list[str]:
    return [call.body["data"]["text"] for call in calls]


async def types(stage: Stage, conversation: str) -> list[str]:
    return [event.type for event in await stage.events(conversation)]


async def test_from_the_bot_to_an_agent_and_back(shared_house: Stage) -> None:
    async with guest(shared_house) as stage:
        conversation = await asked(stage)
        (call,) = await stage.crm.until(conversation, "widgetEscalate")
        assert call.body == {
            "botId": stage.bot_id,
            "channel": "chat",
            "data": {"platformConversationId": conversation, "eventType": "widgetEscalate"},
        }
        assert {"webhook-id", "webhook-timestamp", "webhook-signature"} <= call.headers.keys()
        await stage.until_stage(conversation, "offered")
        await stage.report(conversation, "escalationQueueUpdate", queuePosition="2", waitingTime=4)
        state = await stage.state(conversation)
        assert (state.handover.position, state.handover.wait_minutes) == (2, 4)
        await stage.say(conversation, "said while waiting")
        await stage.report(conversation, "escalationSuccess", agent="Noor", agentAvatar="https://cdn.example/n.png")
        await stage.say(conversation, "said to Noor")
        sent = await stage.crm.until(conversation, "widgetMessage", 2)
        assert texts(sent) == ["said while waiting", "said to Noor"]
        await stage.report(conversation, "message", text="Hello, I am Noor.")
        await stage.report(conversation, "agentDisconnect")
        state = await stage.state(conversation)
        assert (state.status, state.owner, state.handover) == ("open", "bot", None)
        await stage.until(conversation, lambda s: s.turn_seq == 0)
        posted = [e.body for e in await stage.events(conversation) if e.type == "message.posted"]
        assert [b.author for b in posted][-1] == "bot", "the bot has its card after the agent"
        assert any(b.author == "agent" and b.name == "Noor" and b.avatar for b in posted)
        assert not stage.crm.of(conversation, "widgetEndSession"), "the CRM ended it itself"


async def test_the_visitor_ends_the_talk_and_the_crm_is_told_after_the_last_word(shared_house: Stage) -> None:
    async with guest(shared_house) as stage:
        conversation = await connected(stage)
        await stage.say(conversation, "one last thing")
        await stage.frame(conversation, frame="end")
        await stage.crm.until(conversation, "widgetEndSession")
        told = [call.event for call in stage.crm.of(conversation)]
        assert told == ["widgetEscalate", "widgetMessage", "widgetEndSession"]
        state = await stage.state(conversation)
        assert (state.status, state.owner) == ("open", "bot")


async def test_the_visitor_cancels_waiting_and_the_crm_is_told(shared_house: Stage) -> None:
    async with guest(shared_house) as stage:
        conversation = await asked(stage)
        await stage.until_stage(conversation, "offered")
        answer = await stage.frame(conversation, frame="cancel")
        assert answer["frame"] == "ack"
        await stage.crm.until(conversation, "widgetEndSession")
        again = await stage.frame(conversation, frame="cancel")
        assert (again["frame"], again["code"]) == ("refused", "no_handover")


async def test_a_crm_that_refuses_is_left_at_once(shared_house: Stage) -> None:
    async with guest(shared_house) as stage:
        stage.crm.answers["widgetEscalate"] = 422
        conversation = await asked(stage)
        state = await stage.until(conversation, lambda s: s.handover and s.handover.rung == 1)
        assert state.handover.step.connection_id == stage.desk_id
        await stage.until_stage(conversation, "queued")
        assert not stage.crm.of(conversation, "widgetEndSession")


async def test_a_crm_that_never_answers_is_left_at_its_deadline(shared_house: Stage) -> None:
    async with guest(shared_house, deadlines={"answer_within_s": 0.5}) as stage:
        conversation = await asked(stage)
        await stage.until(conversation, lambda s: s.handover and s.handover.rung == 1)
        failed = [e for e in await stage.events(conversation) if e.type == "handover.rung_failed"]
        assert [e.body.reason for e in failed] == ["no_answer"]
        await stage.crm.until(conversation, "widgetEndSession")


async def test_a_crm_that_cannot_be_reached_is_left_at_its_deadline(shared_house: Stage) -> None:
    async with guest(shared_house, deadlines={"answer_within_s": 0.5}) as stage:
        stage.crm.answers["widgetEscalate"] = [503] * 50
        conversation = await asked(stage)
        await stage.until(conversation, lambda s: s.handover and s.handover.rung == 1)
        ids = {call.headers["webhook-id"] for call in stage.crm.of(conversation, "widgetEscalate")}
        assert len(ids) == 1, "every try of an offer carries the same id"


async def test_a_queue_that_never_ends_is_left_and_updates_do_not_prolong_it(shared_house: Stage) -> None:
    async with guest(shared_house, deadlines={"connect_within_s": 0.8}) as stage:
        conversation = await asked(stage)
        await stage.until_stage(conversation, "offered")
        status = 200
        while status == 200:
            status, answer = await stage.report(conversation, "escalationQueueUpdate", queuePosition=1)
        assert answer["code"] == "stale_owner"
        failed = [e for e in await stage.events(conversation) if e.type == "handover.rung_failed"]
        assert [e.body.reason for e in failed] == ["no_agent"]


async def test_when_the_last_rung_fails_the_visitor_is_told_and_may_leave_a_contact(shared_house: Stage) -> None:
    async with guest(shared_house) as stage:
        widget = await stage.node.widgets.read(stage.widget_id)
        from msgspec.structs import replace

        await stage.node.widgets.update(replace(widget, ladder=widget.ladder[:1]))
        stage.crm.answers["widgetEscalate"] = 422
        conversation = await asked(stage)
        await stage.until(conversation, lambda s: s.handovers == 1 and s.handover is None and s.turn_seq == 0)
        seen = await types(stage, conversation)
        assert seen.index("handover.failed") < len(seen) - 1 - seen[::-1].index("message.posted")
        left = await stage.frame(
            conversation, frame="contact", name="Ada", email="ada@example.com", phone="", text="Please write"
        )
        assert left["frame"] == "ack"


async def test_messages_survive_trouble_in_order_and_one_that_is_refused_is_parked(shared_house: Stage) -> None:
    async with guest(shared_house) as stage:
        conversation = await connected(stage)
        stage.crm.answers["widgetMessage"] = [500, 429, 200, 400, 200]
        for text in ("first", "second", "third"):
            await stage.say(conversation, text)
        sent = await stage.crm.until(conversation, "widgetMessage", 2)
        assert texts(sent) == ["first", "third"]
        tries = [c.headers["webhook-id"] for c in stage.crm.of(conversation, "widgetMessage")]
        assert len(set(tries)) == 3
        assert tries[0] == tries[1] == tries[2]
        state = await stage.until(conversation, lambda s: len(s.parked) == 1)
        parked = next(e for e in await stage.events(conversation) if e.type == "delivery.parked")
        assert state.parked == (parked.body.message_id,)


async def test_a_desk_that_is_lost_while_connected_is_given_up(shared_house: Stage) -> None:
    async with guest(shared_house, deadlines={"lost_after_s": 0.5}) as stage:
        conversation = await connected(stage)
        stage.crm.answers["widgetMessage"] = [503] * 100
        await stage.say(conversation, "does anybody hear me?")
        await stage.until(conversation, lambda s: s.handover and s.handover.rung == 1)
        failed = [e for e in await stage.events(conversation) if e.type == "handover.rung_failed"]
        assert [e.body.reason for e in failed] == ["desk_lost"]


async def test_what_the_agent_did_not_get_before_leaving_is_parked(shared_house: Stage) -> None:
    async with guest(shared_house) as stage:
        conversation = await connected(stage)
        stage.crm.answers["widgetMessage"] = [503] * 50
        await stage.say(conversation, "never arrived")
        await stage.until(conversation, lambda s: s.handover.stalled_since)
        assert (await stage.report(conversation, "agentDisconnect"))[0] == 200
        state = await stage.until(conversation, lambda s: s.parked)
        assert state.owner == "bot"


async def test_words_after_the_end_are_for_the_bot_and_not_for_the_agent(shared_house: Stage) -> None:
    async with guest(shared_house) as stage:
        conversation = await connected(stage)
        stage.crm.answers["widgetMessage"] = [503, 503]
        await stage.say(conversation, "for the agent")
        await stage.until(conversation, lambda s: s.handover.stalled_since)
        await stage.frame(conversation, frame="end")
        await stage.say(conversation, "for the bot")
        await stage.crm.until(conversation, "widgetEndSession")
        assert set(texts(stage.crm.of(conversation, "widgetMessage"))) == {"for the agent"}


async def test_a_crm_is_asked_for_its_team_in_the_name_of_the_conversation(shared_house: Stage) -> None:
    async with guest(shared_house) as stage:
        known = stage.node.connections.get(stage.connection_id)
        settings = {**known.settings, "team_online": True}
        await stage.node.connections.update(SYSTEM, stage.connection_id, settings=settings)
        stage.crm.replies["isTeamOnline"] = {"isOnline": True}
        conversation = await asked(stage)
        await stage.until_stage(conversation, "offered")
        assert [call.event for call in stage.crm.of(conversation)] == ["isTeamOnline", "widgetEscalate"]


async def test_silence_ends_a_connected_handover(shared_house: Stage) -> None:
    async with guest(shared_house, deadlines={"idle_after_s": 0.5}) as stage:
        conversation = await connected(stage)
        await stage.until_stage(conversation, None)
        ended = [e for e in await stage.events(conversation) if e.type == "handover.ended"]
        assert [e.body.reason for e in ended] == ["idle"]
        await stage.crm.until(conversation, "widgetEndSession")


async def test_the_bot_is_silent_from_the_request_on(shared_house: Stage) -> None:
    async with guest(shared_house) as stage:
        conversation = await asked(stage)
        await stage.until_stage(conversation, "offered")
        for text in ("hello?", "what are your opening hours?"):
            await stage.say(conversation, text)
        await stage.report(conversation, "escalationSuccess", agent="Noor")
        await stage.say(conversation, "opening hours?")
        await stage.crm.until(conversation, "widgetMessage", 3)
        events = await stage.events(conversation)
        start = next(i for i, e in enumerate(events) if e.type == "handover.requested")
        assert not [e for e in events[start:] if e.type == "message.posted" and e.body.author == "bot"]


async def test_a_crm_with_its_own_front_end(shared_house: Stage) -> None:
    async with guest(shared_house) as stage:
        headers = {"Authorization": stage.wire_key, "botid": stage.bot_id}

        async def chat(event: str, **fields: Any) -> tuple[int, Any]:
            body = {"platformConversationId": "case-7", "eventType": event, **fields}
            async with stage.http.post(f"{stage.base}/converse/chat", json=body, headers=headers) as reply:
                return reply.status, await reply.json(content_type=None) if reply.status != 200 else None

        assert (await chat("startSession"))[0] == 200
        assert (await chat("startSession"))[0] == 200
        (welcome,) = await stage.crm.until("case-7", "sendMessage")
        assert welcome.body["data"]["type"] == "text"
        assert (await chat("message", text="talk to a person"))[0] == 200
        await stage.crm.until("case-7", "escalate")
        found = await stage.node.converse.find(stage.connection_id, "case-7")
        assert found is not None
        await stage.until_stage(found[0], "connected")
        status, answer = await chat("message", text="still there?")
        assert (status, answer["code"]) == (409, "owned_by_desk")
        status, answer = await stage.report("case-7", "message", text="x")
        assert (status, answer["code"]) == (409, "not_a_widget_conversation")
        assert (await chat("endSession"))[0] == 200
        assert (await chat("message", text="again"))[0] == 200
        later = await stage.node.converse.find(stage.connection_id, "case-7")
        assert later is not None
        assert later[0] != found[0]


async def test_an_erasure_takes_the_id_that_the_crm_chose(pair: StorePair) -> None:
    number = "+49-30-1234567"
    async with staged(pair) as stage:
        headers = {"Authorization": stage.wire_key, "botid": stage.bot_id}
        body = {"platformConversationId": number, "eventType": "message", "text": "hello", "messageId": "m1"}
        async with stage.http.post(f"{stage.base}/converse/chat", json=body, headers=headers) as reply:
            assert reply.status == 200
        await stage.crm.until(number, "sendMessage")
        found = await stage.node.converse.find(stage.connection_id, number)
        assert found is not None
        journal = stage.node.journal
        await journal.append(CONVERSATION, found[0], c.Close(reason="api", by="test"), actor="test")
        done = await journal.erase(CONVERSATION, found[0], actor="test", event=VisitorErased(by="test"))
        await journal.write(lambda conn: Planner(stage.node.clock, stage.node.bus).apply(conn, done.events))
        assert await stage.node.converse.find(stage.connection_id, number) is None
        for table in (threads, fronts, idempotency):
            query = sa.select(table)
            rows = await journal.read(lambda conn, query=query: list(conn.execute(query)))  # type: ignore[misc]
            assert number not in str(rows)


async def test_two_clicks_on_end_do_not_end_two_things(shared_house: Stage) -> None:
    async with guest(shared_house) as stage:
        conversation = await connected(stage)
        epoch = (await stage.state(conversation)).owner_epoch
        assert (await stage.frame(conversation, frame="end", owner_epoch=epoch, client_id="one"))["frame"] == "ack"
        second = await stage.frame(conversation, frame="end", owner_epoch=epoch, client_id="two")
        assert (second["frame"], second["code"]) == ("refused", "stale_owner")
        repeated = await stage.frame(conversation, frame="end", owner_epoch=epoch, client_id="one")
        assert repeated["frame"] == "ack", "a repeat of the first click is still the first click"
        assert (await stage.state(conversation)).status == "open"


async def test_a_desk_that_is_away_is_noted_and_not_waited_for(pair: StorePair) -> None:
    async with staged(pair, deadlines={"answer_within_s": 20}) as stage:
        stage.crm.answers["widgetEscalate"] = [503] * 5
        await asked(stage)
        async with asyncio.timeout(20):
            while (found := stage.node.connections.get(stage.connection_id).health) is None or found.ok:  # noqa: ASYNC110
                await asyncio.sleep(0.02)  # the note is written beside the call; there is no event for it
        second = await asked(stage)
        state = await stage.until(second, lambda s: s.handover and s.handover.rung == 1)
        assert state.handover.step.connection_id == stage.desk_id


async def test_trouble_over_one_conversation_does_not_close_the_desk_to_others(shared_house: Stage) -> None:
    async with guest(shared_house) as stage:
        conversation = await connected(stage)
        stage.crm.answers["widgetMessage"] = [500] * 6
        await stage.say(conversation, "this one is trouble")
        other = await asked(stage)
        state = await stage.until_stage(other, "offered")
        assert state.handover.rung == 0


async def test_a_repeat_after_the_end_begins_no_conversation(shared_house: Stage) -> None:
    async with guest(shared_house) as stage:
        headers = {"Authorization": stage.wire_key, "botid": stage.bot_id}

        async def chat(event: str, **fields: Any) -> int:
            body = {"platformConversationId": "case-9", "eventType": event, **fields}
            async with stage.http.post(f"{stage.base}/converse/chat", json=body, headers=headers) as reply:
                return reply.status

        assert await chat("message", text="hello", messageId="m-1", cardIndex=2) == 200
        first = await stage.node.converse.find(stage.connection_id, "case-9")
        assert first is not None
        posted = [e.body for e in await stage.events(first[0]) if e.type == "message.posted"]
        assert posted[0].card_index == 2
        assert await chat("endSession") == 200
        assert await chat("message", text="hello", messageId="m-1", cardIndex=2) == 200
        assert await stage.node.converse.find(stage.connection_id, "case-9") is not None
        assert (await stage.node.converse.find(stage.connection_id, "case-9"))[0] == first[0]  # type: ignore[index]
        assert await chat("message", text="again", messageId="m-2") == 200
        later = await stage.node.converse.find(stage.connection_id, "case-9")
        assert later is not None
        assert later[0] != first[0]


async def test_a_relay_that_starts_behind_the_joining_goes_on_delivering(pair: StorePair) -> None:
    async with staged(pair) as stage:
        conversation = await connected(stage)
        await stage.say(conversation, "before")
        await stage.crm.until(conversation, "widgetMessage", 1)
        await stage.node.relay.stop()
        await stage.say(conversation, "meanwhile")
        await stage.node.relay.start()
        assert texts(await stage.crm.until(conversation, "widgetMessage", 2))[-1] == "meanwhile"
        calls = stage.crm.of(conversation, "widgetMessage")
        assert len({call.headers["webhook-id"] for call in calls}) == 2
