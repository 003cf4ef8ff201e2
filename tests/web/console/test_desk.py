"""The built-in desk over HTTP: who sees the queue, who takes, who may speak, and what the live stream tells."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.support.node import Stage, guest
from tests.web.console.desk_agent import Agent, only_our_desk, signed_in, waiting

from warmline.conversations.commands import MAX_TEXT
from warmline.conversations.events import MessagePosted
from warmline.handover.port import Availability, QueueRef
from warmline.kernel.ids import uuid7
from warmline.web import stream_frames

HOSTILE = '<img src=x onerror="alert(1)"></script><script>alert(2)</script>'


@pytest_asyncio.fixture(loop_scope="module")
async def stage(shared_house: Stage) -> AsyncIterator[Stage]:
    async with guest(shared_house) as opened:
        await only_our_desk(opened)
        yield opened
    async with asyncio.timeout(15):
        while opened.node.presence.members():  # noqa: ASYNC110 - nobody is told when a page was closed
            await asyncio.sleep(0.002)


@pytest_asyncio.fixture(loop_scope="module")
async def mina(stage: Stage) -> AsyncIterator[Agent]:
    async with signed_in(stage) as agent:
        yield agent


async def said(stage: Stage, conversation: str, author: str) -> list[str]:
    bodies = [event.body for event in await stage.events(conversation)]
    return [body.text for body in bodies if isinstance(body, MessagePosted) and body.author == author]


async def test_a_desk_without_visitors_says_so(mina: Agent) -> None:
    page = await mina.get("/console/desk")
    assert page.status == 200
    assert "Nobody is waiting." in page.text
    assert "Nobody here yet" in page.text


async def test_the_page_runs_no_inline_script_and_shows_hostile_words_as_text(stage: Stage, mina: Agent) -> None:
    conversation = await waiting(stage, HOSTILE)
    page = await mina.get(f"/console/desk/{conversation}")
    assert "<img src=x" not in page.text
    assert "&lt;img src=x onerror=" in page.text
    assert "script-src 'self';" in page.headers["content-security-policy"]
    assert 'onerror="' not in page.text
    assert "<script>" not in page.text


async def test_an_agent_takes_answers_and_ends_and_the_visitor_hears_it(stage: Stage, mina: Agent) -> None:
    conversation = await waiting(stage, "Where is my parcel?")
    assert "Take" in (await mina.get(f"/console/desk/{conversation}/foot")).text

    taken = await mina.post(f"/console/desk/{conversation}/take")
    assert (taken.status, taken.location) == (303, f"/console/desk/{conversation}")
    state = await stage.state(conversation)
    assert state.handover.agent.name == "Mina Okafor"
    assert "data-composer" in (await mina.get(f"/console/desk/{conversation}/foot")).text

    answer = await mina.say(conversation, "I am looking.\r\nOne moment.")
    assert answer["seq"] > 0
    assert await said(stage, conversation, "agent") == ["I am looking.\nOne moment."]

    ended = await mina.post(f"/console/desk/{conversation}/end")
    assert "The bot has the conversation again." in await mina.flash(ended)
    await stage.until_stage(conversation, None)


async def test_of_two_agents_the_first_one_takes_and_the_other_reads_why(stage: Stage, mina: Agent) -> None:
    conversation = await waiting(stage, "Hello?")
    async with signed_in(stage, "Jon Tallis") as jon:
        replies = await asyncio.gather(
            mina.post(f"/console/desk/{conversation}/take"), jon.post(f"/console/desk/{conversation}/take")
        )
        state = await stage.state(conversation)
        winner, loser = (mina, jon) if state.handover.agent.id == mina.id else (jon, mina)
        page = await loser.flash(replies[0 if loser is mina else 1])
        assert "Somebody else was faster" in page
        assert f"With {winner.name}" in page
        assert "data-composer" not in page
        refused = await loser.say(conversation, "I am here too")
        assert refused["code"] == "not_yours"
        assert await said(stage, conversation, "agent") == []


async def test_the_same_answer_twice_is_stored_once(stage: Stage, mina: Agent) -> None:
    conversation = await waiting(stage)
    await mina.post(f"/console/desk/{conversation}/take")
    key = uuid7()
    first = await mina.say(conversation, "Here I am.", key)
    again = await mina.say(conversation, "Here I am.", key)
    assert first == again
    assert await said(stage, conversation, "agent") == ["Here I am."]


@pytest.mark.parametrize("text", ["", "   \r\n ", "x" * (MAX_TEXT + 1)])
async def test_nothing_and_too_much_are_refused(stage: Stage, mina: Agent, text: str) -> None:
    conversation = await waiting(stage)
    await mina.post(f"/console/desk/{conversation}/take")
    assert (await mina.say(conversation, text))["code"] == "text_length"
    assert await said(stage, conversation, "agent") == []


async def test_put_back_keeps_the_place_and_another_agent_can_take(stage: Stage, mina: Agent) -> None:
    first, second = await waiting(stage, "first"), await waiting(stage, "second")
    await mina.post(f"/console/desk/{first}/take")
    back = await mina.post(f"/console/desk/{first}/put-back")
    assert "waits in the queue again" in await mina.flash(back)
    async with mina.watching("board=1") as board:
        html = await board.until(lambda b: next((f["html"] for f in b.of("board") if f["waiting"] == 2), ""))
    assert html.index(f"/console/desk/{first}") < html.index(f"/console/desk/{second}")
    async with signed_in(stage, "Jon Tallis") as jon:
        await jon.post(f"/console/desk/{first}/take")
        assert (await stage.state(first)).handover.agent.name == "Jon Tallis"


def lists(page: str) -> tuple[str, str]:
    """The board's two lists: who waits, and the agent's own."""
    waits, mine = page.partition('id="desk-mine-title"')[::2]
    return waits, mine


async def test_the_page_after_a_step_shows_the_step(stage: Stage, mina: Agent) -> None:
    conversation = await waiting(stage, "Hello?")
    row = f'id="desk-{conversation}"'
    for _ in range(5):
        waits, mine = lists(await mina.flash(await mina.post(f"/console/desk/{conversation}/take")))
        assert (row in waits, row in mine) == (False, True)
        waits, mine = lists(await mina.flash(await mina.post(f"/console/desk/{conversation}/put-back")))
        assert (row in waits, row in mine) == (True, False)
    await mina.post(f"/console/desk/{conversation}/take")
    waits, mine = lists(await mina.flash(await mina.post(f"/console/desk/{conversation}/end")))
    assert (row in waits, row in mine) == (False, False)


async def test_lists_that_lag_behind_never_show_what_was_undone(
    stage: Stage, mina: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = stage.node.deskwork
    conversation = await waiting(stage, "Hello?")
    row = f'id="desk-{conversation}"'
    assert row in (await mina.get("/console/desk")).text
    old_queue = await work.queue()
    await mina.post(f"/console/desk/{conversation}/take")
    old_mine = await work.mine(mina.id)
    assert (len(old_queue), len(old_mine)) == (1, 1)

    async def lagging(rows: list[Any]) -> list[Any]:
        return list(rows)

    async def unseen(_id: str) -> None:
        return None

    monkeypatch.setattr("warmline.web.console.desk_board._PATIENCE_S", 0.05)
    monkeypatch.setattr(stage.node.desk.services.listing, "find", unseen)
    monkeypatch.setattr(work, "queue", lambda **_named: lagging([]))
    monkeypatch.setattr(work, "mine", lambda *_given, **_named: lagging(old_mine))
    assert row not in await mina.flash(await mina.post(f"/console/desk/{conversation}/put-back"))
    monkeypatch.setattr(work, "queue", lambda **_named: lagging(old_queue))
    monkeypatch.setattr(work, "mine", lambda *_given, **_named: lagging([]))
    assert row in (await mina.get("/console/desk")).text
    assert row not in await mina.flash(await mina.post(f"/console/desk/{conversation}/take"))
    monkeypatch.undo()
    waits, mine = lists((await mina.get("/console/desk")).text)
    assert (row in waits, row in mine) == (False, True)


async def test_the_board_follows_the_queue_and_counts_who_is_there(stage: Stage, mina: Agent) -> None:
    async with mina.watching("board=1") as board:
        await board.until(lambda b: b.of("board"))
        assert stage.node.presence.members() == {mina.id}
        conversation = await waiting(stage, "Is anybody there?")
        shown = await board.until(lambda b: next((f for f in b.of("board") if f["waiting"] == 1), None))
        assert "Is anybody there?" in shown["html"]
        await mina.post(f"/console/desk/{conversation}/take")
        await board.until(
            lambda b: f"desk-{conversation}" in b.of("board")[-1]["html"] and not b.of("board")[-1]["waiting"]
        )


async def test_everybody_at_the_desk_sees_how_many_are_there(stage: Stage, mina: Agent) -> None:
    async with signed_in(stage, "Jon Tallis") as jon, jon.watching("board=1") as seen_by_jon:
        async with mina.watching("board=1") as seen_by_mina:
            await seen_by_mina.until(lambda b: b.of("board"))
            await seen_by_jon.until(lambda b: b.of("board") and "2 people at the desk" in b.of("board")[-1]["html"])
            assert stage.node.presence.members() == {mina.id, jon.id}
        await seen_by_jon.until(lambda b: "1 person at the desk" in b.of("board")[-1]["html"])
        assert stage.node.presence.members() == {jon.id}


async def test_the_desk_knows_whether_somebody_is_there(stage: Stage, mina: Agent) -> None:
    desk = stage.node.connections.desk(stage.desk_id)
    queue = QueueRef(ref="", bot_id=stage.bot_id)
    async with mina.watching("board=1") as board:
        await board.until(lambda b: b.of("board"))
        assert await desk.availability(queue) is Availability.AVAILABLE


async def test_a_stream_resumes_from_the_journal_without_a_gap_or_a_repeat(stage: Stage, mina: Agent) -> None:
    conversation = await waiting(stage, "one")
    await mina.post(f"/console/desk/{conversation}/take")
    query = f"conversation={conversation}"
    async with mina.watching(query) as first:
        await first.until(lambda w: w.of("sync"))
        seq = await stage.say(conversation, "two")
        await first.until(lambda w: seq in w.seqs)
        where = first.id
    for text in ("three", "four", "five"):
        await stage.say(conversation, text)
    await mina.say(conversation, "six")
    async with mina.watching(query, last_event_id=where) as second:
        await second.until(lambda w: w.of("sync"))
        assert second.of("sync")[0]["mode"] == "gap"
        last = await stage.say(conversation, "seven")
        await second.until(lambda w: last in w.seqs)
        assert second.seqs == list(range(int(where.partition(".")[2]) + 1, last + 1))
        for text in ("three", "four", "five", "six", "seven"):
            assert second.html.count(f">{text}<") == 1


async def test_typing_and_read_marks_go_both_ways(stage: Stage, mina: Agent) -> None:
    conversation = await waiting(stage, "Hello")
    await mina.post(f"/console/desk/{conversation}/take")
    async with mina.watching(f"conversation={conversation}") as watch:
        await watch.until(lambda w: w.of("sync"))
        await stage.frame(conversation, frame="typing", on=True)
        await watch.until(lambda w: {"frame": "typing", "who": "visitor", "on": True} in w.frames)
        answer = await mina.say(conversation, "Hello, what is it?")
        await stage.frame(conversation, frame="read", seq=answer["seq"])
        await watch.until(lambda w: {"frame": "read", "by": "visitor", "seq": answer["seq"]} in w.frames)
    seq = await stage.say(conversation, "The lamp is dark")
    assert (await mina.post(f"/console/desk/{conversation}/read", {"seq": str(seq)})).status == 204
    assert (await stage.node.conversations.reads(conversation))["agent"] == seq
    assert (await mina.post(f"/console/desk/{conversation}/typing", {"on": "1"})).status == 204


async def test_looking_at_a_waiting_visitor_does_not_say_that_somebody_has_read(stage: Stage, mina: Agent) -> None:
    conversation = await waiting(stage, "Hello")
    await mina.get(f"/console/desk/{conversation}")
    await mina.post(f"/console/desk/{conversation}/read", {"seq": "3"})
    assert "agent" not in await stage.node.conversations.reads(conversation)


async def test_a_forged_or_anonymous_request_changes_nothing(stage: Stage, mina: Agent) -> None:
    conversation = await waiting(stage)
    path = f"/console/desk/{conversation}/take"
    assert (await mina.post(path, {"csrf": "wrong"})).status == 403
    assert (await mina.post(path, origin="https://evil.example")).status == 403
    async with stage.http.get(f"{stage.base}/console/stream?board=1", allow_redirects=False) as answer:
        assert answer.status == 303
    assert (await stage.state(conversation)).handover.stage == "queued"


async def test_signing_out_ends_the_stream_at_the_next_look(
    stage: Stage, mina: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warmline.web.console.conversations_stream.CHECK_S", 0.05)
    async with mina.watching("board=1") as board:
        await board.until(lambda b: b.of("board"))
        await mina.post("/console/sign-out")
        await board.until(lambda b: b.over)


async def test_conversations_that_do_not_exist_are_not_found(mina: Agent) -> None:
    for path in (f"/console/desk/{uuid7()}", "/console/desk/nonsense", f"/console/stream?conversation={uuid7()}"):
        assert (await mina.get(path)).status == 404


async def test_an_agent_may_write_as_much_as_anybody_else(stage: Stage, mina: Agent) -> None:
    conversation = await waiting(stage, "Hello?")
    await mina.post(f"/console/desk/{conversation}/take")
    assert f'data-limit="{MAX_TEXT}"' in (await mina.get(f"/console/desk/{conversation}/foot")).text
    longest = "\U0001f9e1" * MAX_TEXT  # the most bytes that so many characters can have
    assert (await mina.say(conversation, longest))["seq"] > 0
    assert await said(stage, conversation, "agent") == [longest]
    refused = await mina.say(conversation, longest + "!")
    assert (refused["code"], f"{MAX_TEXT} characters" in refused["detail"]) == ("text_length", True)
    await stage.say(conversation, "x" * MAX_TEXT)


def test_every_surface_has_the_same_limit() -> None:
    assert stream_frames.MAX_TEXT == MAX_TEXT
    script = Path(stream_frames.__file__).parent / "widget/static/views/composer.js"
    assert re.findall(r"MAX_TEXT = (\d+)", script.read_text(encoding="utf-8")) == [str(MAX_TEXT)]
