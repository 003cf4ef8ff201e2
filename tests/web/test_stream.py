"""The visitor's stream over a WebSocket: resume, live feed, sending, refusals, closing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from tests.web.toy import Socket, Web, message, note, running


@pytest.fixture
async def web() -> AsyncIterator[Web]:
    async with running() as web:
        yield web


def numbers(frames: list[dict[str, Any]]) -> list[int]:
    """Every seq the items cover, ranges written out."""
    return [seq for item in frames for seq in range(item["seq"], item.get("to", item["seq"]) + 1)]


async def test_a_gap_is_answered_whole_and_hidden_events_are_ranges(web: Web) -> None:
    conversation = web.conversations.open("v")
    web.journal.commit(conversation, message("one"), note(), note(), message("two"))
    sync = await (await web.socket()).hello("v", conversation, since=1)
    assert sync["mode"] == "gap"
    assert [item["type"] for item in sync["events"]] == ["message.posted", "skip", "message.posted"]
    assert sync["events"][1] == {"seq": 3, "type": "skip", "to": 4}
    assert numbers(sync["events"]) == [2, 3, 4, 5]
    assert sync["seq"] == 5
    assert sync["reads"] == {"agent": 0, "visitor": 0}
    assert sync["state"] == {"status": "open", "owner": "bot", "owner_epoch": 1, "handover": None}


@pytest.mark.parametrize(
    ("incarnation", "since", "mode"),
    [("inc1", 5, "gap"), ("inc1", 6, "snapshot"), ("other", 5, "snapshot"), (None, 0, "snapshot"), ("inc1", 0, "gap")],
)
async def test_only_the_same_incarnation_and_a_known_seq_give_a_gap(
    web: Web, incarnation: str | None, since: int, mode: str
) -> None:
    conversation = web.conversations.open("v")
    web.journal.commit(conversation, *[message(str(n)) for n in range(4)])
    sync = await (await web.socket()).hello("v", conversation, since=since, incarnation=incarnation)
    assert sync["mode"] == mode
    assert sync["incarnation"] == "inc1"
    assert [item["seq"] for item in sync["events"]] == (list(range(since + 1, 6)) if mode == "gap" else [1, 2, 3, 4, 5])


async def test_a_gap_too_long_becomes_a_snapshot_of_the_latest_visible_events(web: Web) -> None:
    conversation = web.conversations.open("v")
    web.journal.commit(conversation, *[message(str(n)) for n in range(150)], *[note() for _ in range(150)])
    sync = await (await web.socket()).hello("v", conversation, since=5)
    assert sync["mode"] == "snapshot"
    assert sync["seq"] == 301
    assert [item["seq"] for item in sync["events"]] == list(range(1, 152))


async def test_a_gap_too_large_becomes_a_snapshot_that_is_not(web: Web) -> None:
    conversation = web.conversations.open("v")
    web.journal.commit(conversation, *[message("x" * 9_000) for _ in range(20)])
    sync = await (await web.socket()).hello("v", conversation, since=1)
    assert sync["mode"] == "snapshot"
    assert [item["seq"] for item in sync["events"]] == list(range(21 - len(sync["events"]) + 1, 22))
    assert 1 <= len(sync["events"]) < 20


async def test_after_the_sync_the_live_feed_goes_on_without_a_hole(web: Web) -> None:
    conversation = web.conversations.open("v")
    socket = await web.socket()
    await socket.hello("v", conversation)
    for _ in range(5):
        web.journal.commit(conversation, message(), note())
    frames = [await socket.receive() for _ in range(10)]
    assert numbers([frame["event"] for frame in frames]) == list(range(2, 12))
    assert {frame["conversation"] for frame in frames} == {conversation}


async def test_events_committed_while_the_sync_is_read_come_once(web: Web) -> None:
    conversation = web.conversations.open("v")
    web.journal.before_read = lambda: web.journal.commit(conversation, message(), message(), message())
    socket = await web.socket()
    sync = await socket.hello("v", conversation)
    assert numbers(sync["events"]) == [1]
    web.journal.commit(conversation, message("last"))
    got = [(await socket.receive())["event"]["seq"] for _ in range(4)]
    assert got == [2, 3, 4, 5]


async def test_a_second_tab_joins_while_the_first_is_ahead(web: Web) -> None:
    conversation = web.conversations.open("v")
    first = await web.socket()
    await first.hello("v", conversation)
    second = await web.socket()
    web.journal.before_read = lambda: web.journal.commit(conversation, message(), message(), message())
    sync = await second.hello("v", conversation)
    assert sync["seq"] == 1
    assert [(await second.receive())["event"]["seq"] for _ in range(3)] == [2, 3, 4]
    assert [(await first.receive())["event"]["seq"] for _ in range(3)] == [2, 3, 4]


async def test_a_lost_wake_up_is_repaired_by_the_next(web: Web) -> None:
    conversation = web.conversations.open("v")
    socket = await web.socket()
    await socket.hello("v", conversation)
    web.journal.deaf = True
    web.journal.commit(conversation, message("lost"), note(), note())
    web.journal.deaf = False
    web.journal.commit(conversation, message("heard"))
    frames = [(await socket.receive())["event"] for _ in range(3)]
    assert [frame["seq"] for frame in frames] == [2, 3, 5]
    assert frames[0]["data"]["text"] == "lost"
    assert frames[1] == {"seq": 3, "type": "skip", "to": 4}


async def test_a_lost_wake_up_after_which_nothing_happens_is_found_in_the_store(web: Web) -> None:
    conversation = web.conversations.open("v")
    socket = await web.socket()
    await socket.hello("v", conversation)
    web.journal.deaf = True
    web.journal.commit(conversation, message("lost"))
    await web.hub.look_for_missed(web.hub.everyone())
    assert (await socket.receive())["event"]["data"]["text"] == "lost"


async def test_a_hand_off_that_comes_twice_or_late_is_dropped(web: Web) -> None:
    conversation = web.conversations.open("v")
    socket = await web.socket()
    await socket.hello("v", conversation)
    web.journal.commit(conversation, message("a"), message("b"))
    web.journal.hand_off(web.journal.streams[conversation])
    web.journal.commit(conversation, message("c"))
    assert [(await socket.receive())["event"]["seq"] for _ in range(3)] == [2, 3, 4]


async def test_a_message_is_acknowledged_after_the_commit_and_stored_once(web: Web) -> None:
    conversation = web.conversations.open("v")
    socket = await web.socket()
    await socket.hello("v", conversation)
    for _ in range(2):
        await socket.send(frame="message", client_id="c1", text="hello")
    ack = await socket.until("ack")
    assert ack == {"frame": "ack", "client_id": "c1", "seq": 2}
    assert await socket.until("ack") == ack
    assert len(web.journal.streams[conversation]) == 2


@pytest.mark.parametrize(
    ("raw", "code", "path"),
    [
        ("{", "bad_json", "$"),
        ('"text"', "invalid", "$"),
        ('{"frame":"nonsense","client_id":"c"}', "unknown_frame", "$.frame"),
        ('{"client_id":"c"}', "unknown_frame", "$.frame"),
        ('{"frame":"message","client_id":"c","text":""}', "invalid", "$.text"),
        ('{"frame":"message","client_id":"c","text":7}', "invalid", "$.text"),
        ('{"frame":"message","client_id":"c"}', "invalid", "$.text"),
        ('{"frame":"message","client_id":"c","text":"%s"}' % ("x" * 10_001), "invalid", "$.text"),
        ('{"frame":"message","client_id":"","text":"x"}', "invalid", "$.client_id"),
        ("[" * 60_000, "invalid", "$"),
    ],
)
async def test_a_bad_frame_is_refused_and_the_connection_stays(web: Web, raw: str, code: str, path: str) -> None:
    conversation = web.conversations.open("v")
    socket = await web.socket()
    await socket.hello("v", conversation)
    await socket.ws.send_str(raw)
    refused = await socket.receive()
    assert (refused["frame"], refused["code"], refused["path"]) == ("refused", code, path)
    assert refused["client_id"] == ("c" if '"client_id":"c"' in raw else "" if '"client_id":""' in raw else None)
    assert refused["detail"].endswith(".")
    assert refused["retryable"] is False
    await socket.send(frame="message", client_id="next", text="still here")
    assert (await socket.until("ack"))["client_id"] == "next"


async def test_a_refusal_of_the_domain_names_its_rule(web: Web) -> None:
    conversation = web.conversations.open("v")
    socket = await web.socket()
    await socket.hello("v", conversation)
    await socket.send(frame="message", client_id="c", text="closed")
    assert await socket.receive() == {
        "frame": "refused",
        "client_id": "c",
        "code": "closed",
        "detail": "The conversation is over.",
        "retryable": False,
    }


async def test_a_failure_inside_is_retryable_and_says_nothing_of_its_cause(web: Web) -> None:
    conversation = web.conversations.open("v")
    socket = await web.socket()
    await socket.hello("v", conversation)
    web.conversations.failing = RuntimeError("password=hunter2")
    await socket.send(frame="message", client_id="c", text="x")
    refused = await socket.receive()
    assert refused["retryable"] is True
    assert "hunter2" not in str(refused)


@pytest.mark.parametrize(
    ("frame", "path"),
    [({"frame": "message", "text": " \n"}, "$.text"), ({"frame": "contact", "name": "Ada", "phone": " "}, "$.email")],
)
async def test_what_says_nothing_is_refused(web: Web, frame: dict[str, str], path: str) -> None:
    conversation = web.conversations.open("v")
    socket = await web.socket()
    await socket.hello("v", conversation)
    await socket.send(client_id="c", **frame)
    answer = await socket.receive()
    assert (answer["frame"], answer["path"], answer["retryable"]) == ("refused", path, False)


async def test_frames_before_hello_are_refused(web: Web) -> None:
    socket = await web.socket()
    await socket.send(frame="message", client_id="c", text="x")
    assert (await socket.receive())["code"] == "hello_first"


async def test_a_frame_over_64_kib_ends_the_connection(web: Web) -> None:
    socket = await web.socket()
    await socket.ws.send_str('{"frame":"message","text":"' + "x" * 70_000 + '"}')
    assert await socket.close_code() == 4503


async def test_a_bad_token_and_a_foreign_conversation_are_final(web: Web) -> None:
    conversation = web.conversations.open("v")
    socket = await web.socket()
    await socket.send(frame="hello", token="forged", conversation=conversation)
    assert await socket.close_code() == 4501
    for visitor, wanted in (("other", conversation), ("v", "no-such")):
        socket = await web.socket()
        await socket.send(frame="hello", token=f"t-{visitor}", conversation=wanted)
        assert await socket.close_code() == 4502


@pytest.mark.parametrize("origin", [None, "https://evil.example", "https://chat.example.evil.example", "null"])
async def test_a_foreign_origin_gets_no_stream(web: Web, origin: str | None, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await web.socket(origin)
    assert refused.value.status == 403
    assert not caplog.records, "a stranger's try is no error of ours"


async def test_the_public_origin_is_ours(web: Web) -> None:
    conversation = web.conversations.open("v")
    assert (await (await web.socket("https://chat.example")).hello("v", conversation))["frame"] == "sync"


async def test_typing_and_reading_of_the_other_side_are_shown(web: Web) -> None:
    conversation = web.conversations.open("v")
    socket = await web.socket()
    await socket.hello("v", conversation)
    await web.conversations.typing(conversation, "visitor", on=True)
    await web.conversations.typing(conversation, "agent", on=True)
    assert await socket.receive() == {"frame": "typing", "who": "agent", "on": True}
    web.hub.expire_typing(asyncio.get_running_loop().time() + 60)
    assert await socket.receive() == {"frame": "typing", "who": "agent", "on": False}
    await web.conversations.mark_read(conversation, "agent", 1)
    assert await socket.receive() == {"frame": "read", "by": "agent", "seq": 1}


async def test_typing_and_reading_of_the_visitor_go_to_the_bus(web: Web) -> None:
    conversation = web.conversations.open("v")
    heard: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
    for subject in ("typing.*", "read.*"):
        await web.bus.subscribe(subject, lambda *signal: heard.put_nowait(signal))
    socket = await web.socket()
    await socket.hello("v", conversation)
    await socket.send(frame="typing", on=True)
    await socket.send(frame="read", seq=1 << 53)
    async with asyncio.timeout(5):
        assert await heard.get() == (f"typing.{conversation}", b"visitor 1")
        assert await heard.get() == (f"read.{conversation}", b"visitor 1"), "not beyond what is written"
    assert web.conversations.marks[conversation] == {"visitor": 1}


async def test_pings_carry_the_top_seq_and_silence_ends_the_connection(web: Web) -> None:
    conversation = web.conversations.open("v")
    socket = await web.socket()
    await socket.hello("v", conversation)
    (outlet,) = web.hub.everyone()
    web.hub.ping([outlet])
    assert await socket.receive() == {"frame": "ping", "seq": 1}
    for _ in range(3):
        web.hub.ping([outlet])
    assert await socket.close_code() == 4003


async def test_a_pong_is_a_sign_of_life(web: Web) -> None:
    conversation = web.conversations.open("v")
    socket = await web.socket()
    await socket.hello("v", conversation)
    (outlet,) = web.hub.everyone()
    for _ in range(5):
        web.hub.ping([outlet])
        await socket.until("ping")
        await socket.send(frame="pong")
        # A message behind the pong shows that the pong has been taken.
        await socket.send(frame="cancel", client_id="c")
        await socket.until("ack")
    assert outlet.closing is None


async def test_a_reader_that_does_not_read_is_cut_off_and_others_are_not(web: Web) -> None:
    conversation = web.conversations.open("v")
    slow, quick = await web.socket(), await web.socket()
    await slow.hello("v", conversation)
    await quick.hello("v", conversation)
    stuck = next(iter(web.hub.everyone()))
    quick_seqs: list[int] = []
    transport = slow.ws.get_extra_info("socket")
    assert transport is not None
    slow.ws._response.connection.transport.pause_reading()  # type: ignore[union-attr]
    for _ in range(900):
        web.journal.commit(conversation, message("x" * 10_000))
        quick_seqs.append((await quick.until("event"))["event"]["seq"])
        if any(outlet.closing for outlet in web.hub.everyone()):
            break
    assert stuck.closing is not None
    assert stuck.closing[0] == 4001
    assert quick_seqs == list(range(2, 2 + len(quick_seqs)))


async def test_too_many_messages_are_refused_and_may_be_sent_again() -> None:
    async with running(rules={"visitor.message": (1.0, 3)}) as web:
        conversation = web.conversations.open("v")
        socket = await web.socket()
        await socket.hello("v", conversation)
        for n in range(4):
            await socket.send(frame="message", client_id=str(n), text="x")
        refused = await socket.until("refused")
        assert (refused["client_id"], refused["code"], refused["retryable"]) == ("3", "rate_limited", True)
        web.clock.advance(1_000)
        await socket.send(frame="message", client_id="3", text="x")
        assert (await socket.until("ack"))["client_id"] == "3"


async def test_stopping_drains_first_and_closes_with_the_retry_code(web: Web) -> None:
    conversation = web.conversations.open("v")
    socket = await web.socket()
    await socket.hello("v", conversation)
    web.server.should_exit = True
    assert await socket.receive() == {"frame": "drain", "within_ms": 50}
    assert await socket.close_code() == 4002
    async with asyncio.timeout(10):
        await web.finished


async def test_connections_and_channels_are_forgotten(web: Web) -> None:
    conversation = web.conversations.open("v")
    sockets: list[Socket] = [await web.socket() for _ in range(3)]
    for socket in sockets:
        await socket.hello("v", conversation)
    assert web.hub.connections == 3
    for socket in sockets:
        await socket.ws.close()
    await web.until_left()
    assert web.hub.watched == 0


async def test_a_second_hello_follows_another_conversation(web: Web) -> None:
    first, second = web.conversations.open("v"), web.conversations.open("v")
    socket = await web.socket()
    await socket.hello("v", first)
    assert (await socket.hello("v", second))["conversation"] == second
    web.journal.commit(first, message("old"))
    web.journal.commit(second, message("new"))
    assert (await socket.receive())["conversation"] == second
