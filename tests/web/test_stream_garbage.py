"""What a stranger may write into a WebSocket: it ends that connection, and says nothing of an error in the log."""

from __future__ import annotations

import asyncio
import logging
import struct
from collections.abc import AsyncIterator

import pytest

from tests.web.toy import Web, running

TEXT, CONTINUATION, CLOSE = 1, 0, 8
HANDSHAKE = (
    "GET /widget/ws HTTP/1.1\r\nhost: {host}\r\norigin: http://{host}\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
    "sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
)


@pytest.fixture
async def web() -> AsyncIterator[Web]:
    async with running() as web:
        yield web


def frame(kind: int, data: bytes, *, last: bool = True, masked: bool = True, reserved: int = 0) -> bytes:
    """One frame of a client, under a mask of zeros."""
    head = bytes([(0x80 if last else 0) | reserved << 4 | kind, (0x80 if masked else 0) | len(data)])
    return head + (bytes(4) if masked else b"") + data


async def connect(web: Web, more: str = "") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = web.base.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(HANDSHAKE.format(host=f"{host}:{port}", more=more).encode())
    return reader, writer


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ([frame(TEXT, b"\xff\xfe{")], 4503),
        ([frame(TEXT, b"{\xc3", last=False), frame(CONTINUATION, b"(")], 4503),
        ([frame(TEXT, b"\xff"), frame(TEXT, b"\xff")], 4503),
        ([frame(TEXT, b"{}", masked=False)], 1002),
        ([frame(TEXT, b"{}", reserved=4)], 1002),
        ([frame(5, b"")], 1002),
        ([frame(CLOSE, b"\x03\xe8\xff")], 1007),
        ([b"GET / HTTP/1.1\r\n\r\n"], 1002),
        ([b"\x81\xff" + struct.pack("!Q", 1 << 62) + bytes(4)], 1009),
    ],
)
async def test_garbage_ends_its_connection_and_only_that(
    web: Web, written: list[bytes], code: int, caplog: pytest.LogCaptureFixture
) -> None:
    reader, writer = await connect(web)
    async with asyncio.timeout(10):
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
        writer.write(b"".join(written))
        said = await reader.read()
    writer.close()
    assert said[0] == 0x80 | CLOSE
    assert struct.unpack("!H", said[2:4])[0] == code
    await web.until_left()
    assert [record for record in caplog.records if record.levelno > logging.INFO or record.exc_info] == []
    conversation = web.conversations.open("v")
    assert (await (await web.socket()).hello("v", conversation))["frame"] == "sync"


async def test_a_text_in_pieces_that_cut_a_letter_is_whole(web: Web) -> None:
    reader, writer = await connect(web)
    async with asyncio.timeout(10):
        await reader.readuntil(b"\r\n\r\n")
        raw = '{"frame":"message","client_id":"ü","text":"x"}'.encode()
        cut = raw.index("ü".encode()) + 1
        writer.write(frame(TEXT, raw[:cut], last=False) + frame(CONTINUATION, raw[cut:]))
        assert b"hello_first" in await reader.readuntil(b"}")
    writer.close()


async def test_a_handshake_too_large_is_answered_and_closed(web: Web, caplog: pytest.LogCaptureFixture) -> None:
    reader, writer = await connect(web, "".join(f"x-{n}: 1\r\n" for n in range(200)))
    async with asyncio.timeout(10):
        assert (await reader.read()).startswith(b"HTTP/1.1 431")
    writer.close()
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []
