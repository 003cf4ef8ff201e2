"""Live Agent's sessions: headers, numbers of POSTs, the long poll with its acknowledgements, and moves between servers."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from tests.simulators.salesforce_legacy_account import REST, Caller, chatting, meeting

from warmline.kernel.clock import ManualClock
from warmline.simulators.salesforce_legacy import Assumptions
from warmline.simulators.script import Kind, Script, Waits

PATIENT = Script(waits=Waits(hold_ms=5_000))
QUICK = Script(waits=Waits(hold_ms=20))
HELLO = {"text": "Hello"}


# --------------------------------------------------------------------------------------------- headers
async def test_a_session_has_an_id_a_key_and_a_token() -> None:
    async with meeting() as (_vendor, caller):
        given = await caller.meet()
        assert set(given) == {"id", "key", "affinityToken", "clientPollTimeout"}
        assert isinstance(given["clientPollTimeout"], int)
        assert given["key"].count("!") == 2
    async with meeting(assumptions=Assumptions(poll_timeout_as="string")) as (_vendor, caller):
        assert (await caller.meet())["clientPollTimeout"].isdecimal()


async def test_every_call_needs_its_headers() -> None:
    async with chatting() as (_vendor, caller, _chat):
        assert (await caller.post("ChatMessage", HELLO, api_version=None))[0] == 400
        assert (await caller.post("ChatMessage", HELLO, sequence=None))[0] == 400
        assert (await caller.post("ChatMessage", HELLO, sequence="0"))[0] == 400
        assert (await caller.post("ChatMessage", HELLO, session_key="another"))[0] == 403
        assert await caller.post("ChatMessage", HELLO, affinity="null") == (503, "503 Invalid Affinity Token")
        assert (await caller.call("GET", f"{REST}Chasitor/ChatMessage"))[0] == 405
        assert (await caller.call("GET", f"{REST}Chasitor/Chat"))[0] == 404
        await caller.good("ChatMessage", HELLO)


# ---------------------------------------------------------------------------------------------- numbers
async def test_the_same_number_again_is_a_repetition_and_dropped() -> None:
    async with chatting() as (_vendor, caller, chat):
        await caller.good("ChatMessage", HELLO)
        again = await caller.call("POST", f"{REST}Chasitor/ChatMessage", HELLO, number=caller.number)
        assert again == (200, "OK")
        assert [line.text for line in chat.said_by("Chasitor")] == ["Hello"]


@pytest.mark.parametrize("step", [-1, 2])
async def test_a_number_out_of_step_is_409_and_names_the_newest(step: int) -> None:
    async with chatting() as (_vendor, caller, chat):
        await caller.good("ChatMessage", HELLO)
        wrong = caller.number + step
        status, text = await caller.call("POST", f"{REST}Chasitor/ChatMessage", HELLO, number=wrong)
        assert (status, text.rpartition(" ")[2]) == (409, str(caller.number))
        await caller.good("ChatMessage", HELLO)
        assert len(chat.lines) == 2


async def test_an_older_number_may_be_dropped() -> None:
    async with chatting(assumptions=Assumptions(older_number="dropped")) as (_vendor, caller, chat):
        await caller.good("ChatMessage", HELLO)
        assert (await caller.call("POST", f"{REST}Chasitor/ChatMessage", HELLO, number=1))[0] == 200
        assert len(chat.lines) == 1


@pytest.mark.parametrize("count", [True, False])
async def test_a_refused_post_uses_its_number_up_or_not(count: bool) -> None:
    async with chatting(assumptions=Assumptions(refused_posts_count=count)) as (_vendor, caller, _chat):
        assert (await caller.post("ChatMessage", {"words": "Hello"}))[0] == 400
        assert (await caller.post("ChatMessage", HELLO))[0] == 200
        assert (await caller.post("ChatMessage", HELLO))[0] == 200
        caller.number -= 1 - count
        assert (await caller.post("ChatMessage", HELLO))[0] == 200


async def test_a_message_whose_answer_was_lost_is_there_once_after_the_repetition() -> None:
    async with chatting() as (vendor, caller, chat):
        vendor.trouble.next("chat.message", Kind.LOST)
        with pytest.raises(aiohttp.ClientError):
            await caller.post("ChatMessage", HELLO)
        await caller.good("ChatMessage", HELLO)
        assert len(chat.lines) == 1


# --------------------------------------------------------------------------------------------- the poll
async def test_a_poll_is_held_and_then_204() -> None:
    async with chatting(script=QUICK) as (_vendor, caller, _chat):
        assert await caller.poll() == (204, "")
        assert await caller.poll() == (204, "")


async def test_a_held_poll_is_answered_as_soon_as_there_is_something() -> None:
    async with chatting(script=PATIENT) as (vendor, caller, chat):
        held = asyncio.create_task(caller.types())
        await vendor.changes.until(lambda: chat.session.polling)
        await vendor.agent_says(chat.id, "Hi")
        assert await held == ["ChatMessage"]


async def test_a_batch_that_was_not_acknowledged_comes_again_under_its_number() -> None:
    async with chatting() as (vendor, caller, chat):
        await vendor.agent_says(chat.id, "one")
        first = await caller.poll()
        await vendor.agent_says(chat.id, "two")
        assert await caller.poll() == first
        assert [one["message"]["text"] for one in await caller.news()] == ["one"]
        assert [one["message"]["text"] for one in await caller.news()] == ["two"]
        assert (await caller.call("GET", f"{REST}System/Messages?ack=x"))[0] == 400


@pytest.mark.parametrize(("reading", "heard"), [("again", "one"), ("gone", "two")])
async def test_a_batch_whose_answer_got_lost(reading: Any, heard: str) -> None:
    async with chatting(assumptions=Assumptions(lost_answer=reading)) as (vendor, caller, chat):
        await vendor.agent_says(chat.id, "one")
        vendor.trouble.next("session.poll", Kind.LOST, 2)  # the client here repeats a GET once by itself
        with pytest.raises(aiohttp.ClientError):
            await caller.news()
        await vendor.agent_says(chat.id, "two")
        assert (await caller.news())[0]["message"]["text"] == heard


async def test_a_second_poll_ends_the_chat() -> None:
    async with chatting(script=PATIENT) as (vendor, caller, chat):
        first = asyncio.create_task(caller.poll())
        await vendor.changes.until(lambda: chat.session.polling)
        assert (await caller.poll())[0] == 409
        assert (await first)[0] == 403
        assert (await caller.post("ChatMessage", HELLO))[0] == 403
        assert (chat.state, chat.session.overlaps) == ("ended", 1)


@pytest.mark.parametrize("notices", [True, False])
async def test_a_poll_whose_caller_hung_up(notices: bool) -> None:
    async with chatting(script=PATIENT, assumptions=Assumptions(notices_hang_up=notices)) as (vendor, caller, chat):
        async with aiohttp.ClientSession() as other:
            first = Caller(other, vendor)
            first.key, first.affinity, first.ack = caller.key, caller.affinity, caller.ack
            held = asyncio.create_task(first.poll())
            await vendor.changes.until(lambda: chat.session.polling)
            held.cancel()
            await asyncio.gather(held, return_exceptions=True)
        second = asyncio.create_task(caller.poll())
        if not notices:
            assert (await second)[0] == 409
            return
        await vendor.calls.wait("session.poll", 3)
        await vendor.agent_says(chat.id, "Hi")
        status, body = await second
        assert (status, [one["type"] for one in body["messages"]]) == (200, ["ChatMessage"])


async def test_a_session_without_polls_is_over_after_a_while() -> None:
    clock = ManualClock()
    async with chatting(clock=clock, assumptions=Assumptions(silence_ends_after_s=60)) as (_vendor, caller, chat):
        clock.advance(59_000)
        await caller.good("ChatMessage", HELLO)
        clock.advance(2_000)
        assert (await caller.poll())[0] == 403
        assert chat.state == "ended"


async def test_the_end_is_told_and_then_the_session_is_over() -> None:
    async with chatting() as (vendor, caller, chat):
        await vendor.close(chat.id)
        assert (await caller.until("ChatEnded"))["reason"] == "agent"
        assert (await caller.poll())[0] == 403


async def test_a_session_that_is_deleted_is_over() -> None:
    async with chatting() as (_vendor, caller, chat):
        assert (await caller.call("DELETE", f"{REST}System/SessionId/{caller.key}"))[0] == 200
        assert chat.state == "ended"
        assert (await caller.poll())[0] == 403


async def test_the_switches_of_deliveries_hold_for_polls() -> None:
    async with chatting() as (vendor, caller, chat):
        vendor.webhooks.set(duplicates=1)
        await vendor.agent_says(chat.id, "twice")
        first, again = await caller.news()
        assert first == again
        vendor.webhooks.set(duplicates=0, reorder=True, paused=True)
        await vendor.agent_says(chat.id, "one")
        await vendor.agent_says(chat.id, "two")
        assert await caller.news() == []
        vendor.webhooks.set(paused=False)
        assert [one["message"]["text"] for one in await caller.news()] == ["two", "one"]
        vendor.webhooks.set(reorder=False, lose=True)
        await vendor.agent_says(chat.id, "never")
        vendor.webhooks.set(lose=False, unknown_events=True)
        await vendor.agent_says(chat.id, "known")
        unknown, known = await caller.news()
        assert (unknown["type"], known["message"]["text"]) == ("ChasitorMoodUpdate", "known")


# ------------------------------------------------------------------------------------- another server
async def moved(caller: Caller, *, offset: int) -> None:
    """The way back that the guide describes, but for the last step."""
    path = f"{REST}System/ReconnectSession?ReconnectSession.offset={offset}"
    status, body = await caller.call("GET", path, affinity="null")
    assert status == 200, body
    (told,) = body["messages"]
    assert (told["type"], told["message"]["resetSequence"]) == ("ReconnectSession", True)
    caller.affinity, caller.number, caller.ack = told["message"]["affinityToken"], 0, -1


@pytest.mark.parametrize("reading", ["told", "only in the session data"])
async def test_a_session_that_moved_goes_on_after_the_guides_steps(reading: Any) -> None:
    told = Assumptions(missed_after_reconnect=reading)
    async with chatting(script=PATIENT, assumptions=told) as (vendor, caller, chat):
        await caller.good("ChatMessage", HELLO)
        held = asyncio.create_task(caller.poll())
        await vendor.changes.until(lambda: chat.session.polling)
        await vendor.lose_affinity(chat.id)
        assert await held == (503, "503 Invalid Affinity Token")
        await vendor.agent_says(chat.id, "missed")
        assert (await caller.post("ChatMessage", HELLO))[0] == 503
        await moved(caller, offset=caller.offset)
        data, *more = await caller.news()
        assert data["type"] == "ChasitorSessionData"
        said = [(line["type"], line["content"], line["sequence"]) for line in data["message"]["chatMessages"]]
        assert said == [("Chasitor", "Hello", 1), ("Agent", "missed", 2)]
        assert [one["message"]["text"] for one in more] == (["missed"] if reading == "told" else [])
        assert (await caller.post("ChatMessage", HELLO))[0] == 500
        back = {"organizationId": vendor.org.id}
        assert (await caller.call("POST", f"{REST}Chasitor/ChasitorResyncState", {}))[0] == 400
        assert await caller.call("POST", f"{REST}Chasitor/ChasitorResyncState", back) == (200, "OK")
        await caller.good("ChatMessage", {"text": "there"})
        assert [line.text for line in chat.said_by("Chasitor")] == ["Hello", "there"]


async def test_reconnecting_needs_a_move_the_word_null_and_a_version() -> None:
    async with chatting() as (vendor, caller, chat):
        path = f"{REST}System/ReconnectSession?ReconnectSession.offset=1"
        assert (await caller.call("GET", path, affinity="null"))[0] == 405
        await vendor.lose_affinity(chat.id)
        assert (await caller.call("GET", path))[0] == 503
        assert (await caller.call("GET", path, affinity="null", api_version="36"))[0] == 404
        assert (await caller.call("GET", f"{path}x", affinity="null"))[0] == 400
        await moved(caller, offset=0)
        assert (await caller.call("GET", path, affinity="null"))[0] == 200, "again, since the answer may get lost"


async def test_the_older_way_back() -> None:
    async with chatting() as (_vendor, caller, chat):
        path = f"{REST}System/ResyncSession"
        status, given = await caller.call("GET", f"{path}?SessionId={caller.id}")
        assert (status, given["isValid"], given["key"]) == (200, True, caller.key)
        caller.affinity, caller.number, caller.ack = given["affinityToken"], 0, -1
        assert (await caller.types())[0] == "ChasitorSessionData"
        assert await caller.call("GET", f"{path}?SessionId=x") == (200, {"isValid": False})
        caller.key = "another"
        assert await caller.call("GET", path) == (200, {"isValid": False})
        assert chat.state == "held"


async def test_a_forgotten_session_is_403_everywhere() -> None:
    async with chatting() as (vendor, caller, chat):
        await vendor.forget(chat.id)
        assert (await caller.poll())[0] == 403
        assert (await caller.post("ChatMessage", HELLO))[0] == 403
        assert (await caller.post("ChatEnd", {"reason": "client"}))[0] == 403
