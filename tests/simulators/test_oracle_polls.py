"""Oracle's long poll: held, empty, one at a time, lost, moved, forgotten; and the agent's page without webhooks."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from tests.simulators.oracle_account import chatting, meeting

from warmline.simulators.board import ActRefused
from warmline.simulators.oracle import Assumptions
from warmline.simulators.run import announcement
from warmline.simulators.script import Kind, Script, Waits

PATIENT = Script(waits=Waits(hold_ms=5_000))


async def test_a_poll_is_held_and_then_empty() -> None:
    async with chatting(script=Script(waits=Waits(hold_ms=20))) as (_vendor, caller, _one):
        assert await caller.news() == []
        assert await caller.news() == []


async def test_a_held_poll_is_answered_as_soon_as_there_is_something() -> None:
    async with chatting(script=PATIENT) as (vendor, caller, one):
        held = asyncio.create_task(caller.names())
        await vendor.changes.until(lambda: one.polling)
        await vendor.agent_says(one.id, "Hi")
        assert await held == ["MessagePosted"]
        assert one.overlaps == 0


async def test_a_second_poll_ends_the_first() -> None:
    async with chatting(script=PATIENT) as (vendor, caller, one):
        first = asyncio.create_task(caller.names())
        await vendor.changes.until(lambda: one.polling)
        second = asyncio.create_task(caller.names())
        assert await first == []
        await vendor.agent_says(one.id, "Hi")
        assert await second == ["MessagePosted"]
        assert one.overlaps == 1


async def test_a_second_poll_may_be_refused() -> None:
    async with chatting(script=PATIENT, assumptions=Assumptions(second_poll="refused")) as (vendor, caller, one):
        first = asyncio.create_task(caller.names())
        await vendor.changes.until(lambda: one.polling)
        assert (await caller.chat("getMessages", {}))[0] == 400
        await vendor.agent_says(one.id, "Hi")
        assert await first == ["MessagePosted"]


@pytest.mark.parametrize("notices", [True, False])
async def test_messages_for_a_caller_who_hung_up(notices: bool) -> None:
    async with chatting(script=PATIENT, assumptions=Assumptions(notices_hang_up=notices)) as (vendor, caller, one):
        held = asyncio.create_task(caller.names())
        await vendor.changes.until(lambda: one.polling)
        held.cancel()
        await asyncio.gather(held, return_exceptions=True)
        polls = len(vendor.calls.of("chat.poll"))
        await vendor.agent_says(one.id, "Hi")
        await vendor.calls.wait("chat.poll", polls)
        await vendor.agent_types(one.id)
        assert ("MessagePosted" in await caller.names()) is notices


@pytest.mark.parametrize(("reading", "heard"), [("gone", [6]), ("again", [5, 6])])
async def test_messages_of_a_lost_answer(reading: Any, heard: list[int]) -> None:
    async with chatting(assumptions=Assumptions(lost_answer=reading)) as (vendor, caller, one):
        while one.sent[-1]["sequenceNumber"] < 4:
            await vendor.agent_says(one.id, "Hi")
        await caller.news()
        await vendor.agent_says(one.id, "Did you hear that?")
        vendor.trouble.next("chat.poll", Kind.LOST)
        with pytest.raises(aiohttp.ClientError):
            await caller.news()
        await vendor.agent_says(one.id, "Hello?")
        assert [each["sequenceNumber"] for each in await caller.news()] == heard


async def test_a_moved_pool_is_the_only_right_one_once_it_was_told() -> None:
    for field in ("pool", "poolId"):
        async with chatting(assumptions=Assumptions(pool_field=field)) as (vendor, caller, one):
            await vendor.move_pool(one.id)
            await caller.good("postMessage", {"body": "in between"})
            (moved,) = await caller.news()
            assert moved["messageName"] == "RNEngagementConfigurationChangedMessage"
            assert (await caller.chat("postMessage", {"body": "too late"}))[0] == 404
            caller.pool = moved[field]
            await caller.good("postMessage", {"body": "there"})
            assert [line.body for line in one.lines] == ["in between", "there"]


async def test_a_forgotten_session_is_403_everywhere() -> None:
    async with chatting() as (vendor, caller, one):
        await vendor.forget(one.id)
        for operation, body in (("getMessages", {}), ("postMessage", {"body": "hello"}), ("concludeEngagement", {})):
            assert (await caller.chat(operation, body))[0] == 403


async def test_the_switches_of_deliveries_hold_for_polls() -> None:
    async with chatting() as (vendor, caller, one):
        vendor.webhooks.set(duplicates=1)
        await vendor.agent_says(one.id, "twice")
        first, again = await caller.news()
        assert first == again
        vendor.webhooks.set(duplicates=0, reorder=True)
        await vendor.agent_says(one.id, "one")
        await vendor.agent_says(one.id, "two")
        assert [each["body"] for each in await caller.news()] == ["two", "one"]
        vendor.webhooks.set(reorder=False, paused=True)
        await vendor.agent_says(one.id, "later")
        assert await caller.news() == []
        vendor.webhooks.set(paused=False, lose=True)
        await vendor.agent_says(one.id, "never")
        vendor.webhooks.set(lose=False, unknown_events=True)
        await vendor.agent_says(one.id, "known")
        heard = await caller.news()
        assert [each.get("body") for each in heard] == ["later", None, "known"]
        assert len({each["sequenceNumber"] for each in heard}) == 3


async def test_own_posts_come_back_where_that_reading_is_chosen() -> None:
    async with chatting(assumptions=Assumptions(echo=True)) as (_vendor, caller, one):
        await caller.good("postMessage", {"body": "hello"})
        (echo,) = await caller.news()
        assert (echo["clientIdString"], echo["body"]) == (str(one.client_id), "hello")


async def test_the_page_leads_a_chat_and_says_that_nothing_is_called() -> None:
    async with meeting() as (vendor, caller):
        await caller.begin(firstName="Kim", lastName="Berg")
        board = vendor.board()
        one = str((await vendor.waiting()).id)
        with pytest.raises(ActRefused, match="Take the chat first"):
            await board.do("say", one, {"text": "Hi"})
        for act in ("advance", "join", "type", "stop", "confer", "unconfer", "say", "pool", "unknown", "to-queue"):
            agent = vendor.agents[2 if act == "confer" else 1]
            await board.do(act, one, {"text": "Hi", "agent": agent.id, "queue": "2"})
        (card,) = board.cards()
        assert (card.title, card.state, card.state_text) == ("Kim Berg", "waiting", "Number 1 in Billing")
        for act in ("join", "leave", "to-agent", "disappear", "close"):
            await board.do(act, one, {})
        (card,) = board.cards()
        assert (card.state, [line.text for line in card.lines]) == ("ended", ["Hi"])
        with pytest.raises(ActRefused, match="over"):
            await board.do("join", one, {})
        with pytest.raises(ActRefused, match="calls nobody"):
            board.subscribe("http://127.0.0.1:1/hook")
        async with caller.me.session.get(vendor.url) as page:
            shown = await page.text()
        assert "Kim Berg" in shown
        assert "Deliveries" not in shown
        assert "webhook" not in " ".join(announcement(vendor, "")).replace("It sends no webhooks", "")
        values = {one.label: one.value for one in board.credentials()}
        assert (values["Address of the site"], values["User name"]) == (vendor.url, vendor.user)
