"""Replies without an end, from servers that do not mean well."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from tests.platform.wire import Exchange, reply, serving

from warmline.kernel.errors import Invalid
from warmline.platform.http import Outgoing, ReplyTooLarge, Stream, TargetRefused, TimedOut, Unreachable
from warmline.platform.sse import SseEvent, SseParser

LOOPBACK = ("127.0.0.1/32", "::1/128")
BEGIN = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"


def piece(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


@pytest.fixture
async def outgoing() -> AsyncIterator[Outgoing]:
    one = Outgoing(allow=LOOPBACK, per_host=1)
    yield one
    await one.stop()


async def read(stream: Stream, parser: SseParser | None = None) -> list[SseEvent]:
    parser = parser or SseParser()
    return [event async for chunk in stream.chunks() for event in parser.feed(chunk)]


async def test_a_stream_brings_its_events_as_they_come(outgoing: Outgoing) -> None:
    heard = asyncio.Event()

    async def answer(exchange: Exchange) -> None:
        await exchange.send(BEGIN + piece(b"id: 1\ndata: a\n\nda"))
        await heard.wait()
        await exchange.send(piece(b"ta: b\n\n") + END)

    parser, found = SseParser(), []
    async with (
        serving(answer) as wire,
        outgoing.stream("GET", wire.url, headers={"X-Test": "1"}, idle_s=10) as stream,
    ):
        assert (stream.status, stream.ok, stream.headers["content-type"]) == (200, True, "text/event-stream")
        async for chunk in stream.chunks():
            found += parser.feed(chunk)
            heard.set()
    assert found == [SseEvent("message", "a", "1"), SseEvent("message", "b", "1")]
    assert wire.exchanges[0].header("accept-encoding") == "identity"
    assert wire.exchanges[0].header("x-test") == "1"


async def test_held_calls_and_streams_keep_no_other_call_waiting(outgoing: Outgoing) -> None:
    standing = asyncio.Event()

    async def answer(exchange: Exchange) -> None:
        if b"/hook?held" in exchange.head:
            await exchange.stopped.wait()
        elif b"/hook?stream" in exchange.head:
            await exchange.send(BEGIN)
            await exchange.stopped.wait()
        else:
            await exchange.send(reply())
        standing.set()

    async with serving(answer) as wire:
        polls = [asyncio.create_task(outgoing.request("GET", f"{wire.url}?held", timeout_s=45)) for _ in range(3)]
        async with outgoing.stream("GET", f"{wire.url}?stream", idle_s=45):
            # The client has room for one pooled connection to this host.
            assert (await outgoing.request("GET", wire.url, timeout_s=10)).status == 200
        for poll in polls:
            poll.cancel()
        await asyncio.gather(*polls, return_exceptions=True)


async def test_a_redirect_to_an_inner_address_is_handed_over_and_not_followed(outgoing: Outgoing) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.send(reply(b"", status="307 Temporary Redirect", headers="Location: http://127.0.0.1:1/\r\n"))

    async with serving(answer) as wire, outgoing.stream("GET", wire.url, idle_s=10) as stream:
        assert (stream.status, stream.ok) == (307, False)
        assert (await stream.reply(max_bytes=100)).body == b""
    assert len(wire.exchanges) == 1


async def test_a_stream_is_refused_where_a_request_is() -> None:
    guarded = Outgoing(allow_http=True)
    async with serving() as wire:
        with pytest.raises(TargetRefused):
            async with guarded.stream("GET", wire.url, idle_s=10):
                pass
        with pytest.raises(Invalid):
            async with guarded.stream("GET", wire.url, headers={"Host": "inner"}, idle_s=10):
                pass
    await guarded.stop()
    assert wire.connections == 0


async def test_silence_ends_a_stream(outgoing: Outgoing) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.send(BEGIN + piece(b": here\n"))
        await exchange.stopped.wait()

    async with serving(answer) as wire, outgoing.stream("GET", wire.url, idle_s=0.05) as stream:
        with pytest.raises(TimedOut, match="silent"):
            await read(stream)


async def test_a_stream_that_never_begins_is_given_up(outgoing: Outgoing) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.stopped.wait()

    async with serving(answer) as wire:
        with pytest.raises(TimedOut):
            async with outgoing.stream("GET", wire.url, begin_s=0.05, idle_s=10):
                pass


async def test_a_cut_is_told_from_an_end(outgoing: Outgoing) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.send(BEGIN + piece(b"data: a\n\n"))
        if exchange.number == 1:
            exchange.abort()
        else:
            await exchange.send(END)

    async with serving(answer) as wire:
        async with outgoing.stream("GET", wire.url, idle_s=10) as stream:
            with pytest.raises(Unreachable):
                await read(stream)
        async with outgoing.stream("GET", wire.url, idle_s=10) as stream:
            assert [event.data for event in await read(stream)] == ["a"]


async def test_a_line_without_an_end_is_cut_off(outgoing: Outgoing) -> None:
    sent = 0

    async def answer(exchange: Exchange) -> None:
        nonlocal sent
        await exchange.send(BEGIN)
        with contextlib.suppress(ConnectionError):
            while not exchange.stopped.is_set():
                await exchange.send(piece(b"x" * 10_000))
                sent += 10_000

    async with serving(answer) as wire, outgoing.stream("GET", wire.url, idle_s=10) as stream:
        with pytest.raises(ReplyTooLarge):
            await read(stream, SseParser(max_bytes=50_000))
    assert sent >= 50_000


async def test_an_encoded_stream_was_not_asked_for(outgoing: Outgoing) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.send(reply(b"\x1f\x8b", headers="Content-Encoding: gzip\r\n"))

    async with serving(answer) as wire, outgoing.stream("GET", wire.url, idle_s=10) as stream:
        with pytest.raises(Unreachable, match="encoded"):
            await read(stream)


async def test_a_refusal_is_read_within_its_cap(outgoing: Outgoing) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.send(reply(b"{}" if exchange.number == 1 else b"x" * 1_000, status="401 Unauthorized"))

    async with serving(answer) as wire:
        async with outgoing.stream("GET", wire.url, idle_s=10) as stream:
            assert (await stream.reply(max_bytes=100)).body == b"{}"
        async with outgoing.stream("GET", wire.url, idle_s=10) as stream:
            with pytest.raises(ReplyTooLarge):
                await stream.reply(max_bytes=100)
