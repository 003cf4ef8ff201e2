from __future__ import annotations

import asyncio
import contextlib
import gzip
import socket
import ssl
import zlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.platform.wire import Exchange, Wire, fine, reply, serving

from warmline.kernel.errors import Invalid
from warmline.platform.http import (
    Outgoing,
    ReplyTooLarge,
    TargetRefused,
    TimedOut,
    Unreachable,
    prepare_headers,
)

LOOPBACK = ("127.0.0.1/32", "::1/128")


@pytest.fixture
async def outgoing() -> AsyncIterator[Outgoing]:
    """A client that may reach loopback."""
    one = Outgoing(allow=LOOPBACK)
    await one.start()
    yield one
    await one.stop()


async def post(client: Outgoing, wire: Wire, **options: Any) -> Any:
    options.setdefault("timeout_s", 10)
    return await client.post(wire.url, {"X-Test": "1"}, b"{}", **options)


# ---------------------------------------------------------------------------------------------- ordinary
async def test_a_post_carries_its_headers_and_body_and_brings_the_reply(outgoing: Outgoing) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.send(reply(b'{"a":1}', status="202 Accepted", headers="X-Reply: yes\r\nSet-Cookie: a=b\r\n"))

    async with serving(answer) as wire:
        got = await outgoing.request("POST", wire.url, headers={"X-Test": "1"}, body=b"hello", timeout_s=10)
        await outgoing.request("GET", wire.url, timeout_s=10)
    assert (got.status, got.body, got.headers["x-reply"], got.ok) == (202, b'{"a":1}', "yes", True)
    first, second = wire.exchanges
    assert first.head.startswith(b"POST /hook HTTP/1.1\r\n")
    assert first.body == b"hello"
    assert first.header("x-test") == "1"
    assert first.header("user-agent") == "Warmline"
    assert second.header("cookie") is None
    assert wire.connections == 1


async def test_prepared_headers_and_targets_can_be_reused(outgoing: Outgoing) -> None:
    async with serving() as wire:
        target, headers = outgoing.target(wire.url), prepare_headers({"Content-Type": "application/json"})
        for _ in range(3):
            assert (await outgoing.post(target, headers, b"{}", timeout_s=10)).status == 200
        assert outgoing.target(wire.url) is target
    assert {exchange.header("content-type") for exchange in wire.exchanges} == {"application/json"}
    assert wire.connections == 1


async def test_large_uploads_arrive_whole(outgoing: Outgoing) -> None:
    async with serving() as wire:
        await outgoing.request("POST", wire.url, body=b"x" * 3_000_000, timeout_s=20)
    assert len(wire.exchanges[0].body) == 3_000_000


async def test_an_error_status_is_an_answer(outgoing: Outgoing) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.send(reply(b"no", status="503 Service Unavailable"))

    async with serving(answer) as wire:
        got = await post(outgoing, wire)
    assert (got.status, got.ok, got.body) == (503, False, b"no")


async def test_the_environment_names_no_proxy(outgoing: Outgoing, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving() as wire, serving() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, f"http://{proxy.place}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        await post(outgoing, wire)
    assert len(wire.exchanges) == 1
    assert proxy.exchanges == []


@pytest.mark.parametrize("name", ["Host", "content-length", "Transfer-Encoding", "Connection", "a b", "", "x:", "é"])
async def test_headers_that_would_change_the_request_are_refused(outgoing: Outgoing, name: str) -> None:
    with pytest.raises(Invalid):
        await outgoing.request("POST", "https://example.org", headers={name: "x"}, timeout_s=1)


@pytest.mark.parametrize("value", ["a\r\nX-Other: b", "a\nb", "a\x00b", "a\rb"])
async def test_a_line_break_in_a_header_is_refused(outgoing: Outgoing, value: str) -> None:
    with pytest.raises(Invalid):
        await outgoing.request("POST", "https://example.org", headers={"X-Name": value}, timeout_s=1)


async def test_after_stop_nothing_stays_open_and_a_later_request_works(outgoing: Outgoing) -> None:
    async with serving() as wire:
        await post(outgoing, wire)
        await outgoing.stop()
        await post(outgoing, wire)
    assert wire.connections == 2


# ------------------------------------------------------------------------------------------- slow and large
async def test_a_server_that_never_answers_is_left(outgoing: Outgoing) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.stopped.wait()

    async with serving(answer) as wire:
        with pytest.raises(TimedOut, match=wire.place) as caught:
            await post(outgoing, wire, timeout_s=0.1)
    assert caught.value.maybe_sent
    assert caught.value.retryable


@pytest.mark.parametrize(
    "start", [b"", b"HTTP/1.1 200 OK\r\nX-A: ", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"]
)
async def test_a_slow_drip_is_cut_by_the_total_time(outgoing: Outgoing, start: bytes) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.send(start)
        for byte in (b"HTTP/1.1 200 OK\r\nX-A: " if not start else b"") + b"x" * 5_000:
            if exchange.stopped.is_set():
                return
            await exchange.send(bytes([byte]))
            await exchange.pause()

    async with serving(answer) as wire:
        with pytest.raises(TimedOut):
            await post(outgoing, wire, timeout_s=0.3)


async def test_endless_interim_answers_are_cut_by_the_total_time(outgoing: Outgoing) -> None:
    async def answer(exchange: Exchange) -> None:
        while not exchange.stopped.is_set():
            await exchange.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            await exchange.pause()

    async with serving(answer) as wire:
        with pytest.raises(TimedOut):
            await post(outgoing, wire, timeout_s=0.3)


async def endless(exchange: Exchange, line: bytes) -> None:
    while not exchange.stopped.is_set():
        await exchange.send(line)


async def test_one_endless_header_is_cut(outgoing: Outgoing) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\nX-A: ")
        await endless(exchange, b"x" * 1_000)

    async with serving(answer) as wire:
        with pytest.raises(ReplyTooLarge, match="headers"):
            await post(outgoing, wire)


async def test_endlessly_many_headers_are_cut(outgoing: Outgoing) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\n")
        await endless(exchange, b"X-A: b\r\n")

    async with serving(answer) as wire:
        with pytest.raises(Unreachable, match="no usable reply"):
            await post(outgoing, wire)


@pytest.mark.parametrize("how", ["length", "chunked", "until closed"])
async def test_a_huge_body_is_cut_at_the_cap(outgoing: Outgoing, how: str) -> None:
    async def answer(exchange: Exchange) -> None:
        if how == "length":
            await exchange.send(reply(b"", length=10**12))
        elif how == "chunked":
            await exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        else:
            await exchange.send(b"HTTP/1.1 200 OK\r\n\r\n")
        await endless(exchange, b"400\r\n" + b"x" * 1024 + b"\r\n" if how == "chunked" else b"x" * 1024)

    async with serving(answer) as wire:
        with pytest.raises(ReplyTooLarge, match="larger than 65536 bytes"):
            await post(outgoing, wire)


async def test_the_cap_is_exact(outgoing: Outgoing) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.send(reply(b"x" * 1_000))

    async with serving(answer) as wire:
        assert len((await post(outgoing, wire, max_bytes=1_000)).body) == 1_000
        with pytest.raises(ReplyTooLarge):
            await post(outgoing, wire, max_bytes=999)


def deflated(data: bytes, bits: int) -> bytes:
    stream = zlib.compressobj(wbits=bits)
    return stream.compress(data) + stream.flush()


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [("gzip", gzip.compress(b"hello" * 200, mtime=0)), ("x-gzip", gzip.compress(b"hello" * 200, mtime=0)),
     ("deflate", deflated(b"hello" * 200, 15)), ("Deflate", deflated(b"hello" * 200, -15)), ("identity", b"hello" * 200)],
)  # fmt: skip
async def test_compressed_replies_are_read_up_to_the_cap(outgoing: Outgoing, encoding: str, packed: bytes) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.send(reply(b"", headers=f"Content-Encoding: {encoding}\r\n", length=len(packed)))
        for byte in packed:
            await exchange.send(bytes([byte]))

    async with serving(answer) as wire:
        assert (await post(outgoing, wire, max_bytes=1_000)).body == b"hello" * 200
        with pytest.raises(ReplyTooLarge):
            await post(outgoing, wire, max_bytes=999)


async def test_a_compression_bomb_is_cut_at_the_cap(outgoing: Outgoing) -> None:
    bomb = gzip.compress(b"\x00" * 50_000_000, mtime=0)

    async def answer(exchange: Exchange) -> None:
        await exchange.send(reply(bomb, headers="Content-Encoding: gzip\r\n"))

    async with serving(answer) as wire:
        with pytest.raises(ReplyTooLarge, match="65536"):
            await post(outgoing, wire)


async def test_a_compressed_stream_that_holds_nothing_is_cut_too(outgoing: Outgoing) -> None:
    stream = zlib.compressobj(wbits=31)
    start = stream.compress(b"") + stream.flush(zlib.Z_SYNC_FLUSH)

    async def answer(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + start)
        await endless(exchange, b"\x00\x00\x00\xff\xff" * 200)  # empty stored blocks

    async with serving(answer) as wire:
        with pytest.raises(ReplyTooLarge):
            await post(outgoing, wire)


@pytest.mark.parametrize(
    ("encoding", "body"),
    [("gzip", b"not gzip at all"), ("gzip", gzip.compress(b"hello", mtime=0)[:-4]), ("gzip", gzip.compress(b"hello", mtime=0) + b"tail"),
     ("br", b"x"), ("zstd", b"x"), ("gzip, gzip", b"x"), ("deflate", b"\xff\xff\xff")],
)  # fmt: skip
async def test_a_damaged_or_unasked_encoding_is_no_reply(outgoing: Outgoing, encoding: str, body: bytes) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.send(reply(body[:6], headers=f"Content-Encoding: {encoding}\r\n", length=len(body)))
        await exchange.pause()
        await exchange.send(body[6:])

    async with serving(answer) as wire:
        with pytest.raises(Unreachable) as caught:
            await post(outgoing, wire)
    assert caught.value.maybe_sent


async def test_an_empty_compressed_reply_is_empty(outgoing: Outgoing) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 204 No Content\r\nContent-Encoding: gzip\r\n\r\n")

    async with serving(answer) as wire:
        assert (await post(outgoing, wire)).body == b""


# ------------------------------------------------------------------------------------------------- failures
async def test_a_connection_closed_in_the_body_is_unreachable(outgoing: Outgoing) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.send(reply(b"half", length=100))
        exchange.close()

    async with serving(answer) as wire:
        with pytest.raises(Unreachable) as caught:
            await post(outgoing, wire)
    assert caught.value.maybe_sent
    assert len(wire.exchanges) == 1


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_a_post_is_not_repeated_when_a_kept_connection_dies(outgoing: Outgoing, method: str) -> None:
    async def answer(exchange: Exchange) -> None:
        if exchange.number == 2:
            exchange.abort()  # the request was read, and perhaps worked on
        else:
            await fine(exchange)

    async with serving(answer) as wire:
        await outgoing.request(method, wire.url, body=b"1", timeout_s=10)
        with pytest.raises(Unreachable) as caught:
            await outgoing.request(method, wire.url, body=b"2", timeout_s=10)
        assert caught.value.maybe_sent
        assert caught.value.retryable
        assert [exchange.body for exchange in wire.exchanges] == [b"1", b"2"]
        assert (await outgoing.request(method, wire.url, body=b"3", timeout_s=10)).ok
    assert [exchange.connection for exchange in wire.exchanges] == [1, 1, 2]


async def test_a_post_called_idempotent_is_repeated_once(outgoing: Outgoing) -> None:
    async def answer(exchange: Exchange) -> None:
        if exchange.number in (2, 4, 5):
            exchange.abort()
        else:
            await fine(exchange)

    async with serving(answer) as wire:
        await post(outgoing, wire)
        assert (await post(outgoing, wire, idempotent=True)).ok
        with pytest.raises(Unreachable):
            await post(outgoing, wire, idempotent=True)
    assert len(wire.exchanges) == 5


async def test_a_connection_that_the_server_closed_while_idle_is_not_used(outgoing: Outgoing) -> None:
    closed = asyncio.Event()

    async def answer(exchange: Exchange) -> None:
        await fine(exchange)
        exchange.close()
        closed.set()

    async with serving(answer) as wire:
        for _ in range(5):
            closed.clear()
            assert (await post(outgoing, wire)).ok
            await closed.wait()
            await wire.exchanges[-1].pause()  # the end of the connection is on its way to us
    assert wire.connections == 5


async def test_a_host_that_does_not_take_the_connection_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("warmline.platform.outgoing.client.CONNECT_S", 0.1)
    with socket.socket() as full, contextlib.ExitStack() as waiting:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):  # nobody accepts: the queue is full, and the next one gets no answer at all
            one = waiting.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        client = Outgoing(allow=LOOPBACK)
        with pytest.raises(TimedOut, match=r"No connection .* within 0\.1 seconds") as caught:
            await client.post(f"http://127.0.0.1:{full.getsockname()[1]}/", {}, b"", timeout_s=20)
        await client.stop()
    assert not caught.value.maybe_sent


async def test_a_closed_port_is_unreachable_and_surely_unsent(outgoing: Outgoing) -> None:
    async with serving() as wire:
        pass
    with pytest.raises(Unreachable, match="No connection") as caught:
        await post(outgoing, wire)
    assert not caught.value.maybe_sent


@pytest.mark.parametrize(
    "garbage", [b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 abc OK\r\n\r\n", b"\x00" * 50 + b"\r\n\r\n", b"HTTP/9.9\r\n\r\n"]
)
async def test_what_is_no_http_is_unreachable(outgoing: Outgoing, garbage: bytes) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.send(garbage)
        exchange.close()

    async with serving(answer) as wire:
        with pytest.raises(Unreachable):
            await post(outgoing, wire)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A self-signed certificate for 127.0.0.1 with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "certificate.pem"
    plain = serialization.NoEncryption()
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + secret)
    return path


async def test_only_a_trusted_certificate_is_talked_to(outgoing: Outgoing, certificate: Path) -> None:
    served = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    served.load_cert_chain(certificate)
    async with serving(tls=served) as wire:
        url = wire.url.replace("http:", "https:")
        with pytest.raises(Unreachable, match="No trusted TLS") as caught:
            await outgoing.post(url, {}, b"secret", timeout_s=10)
        assert not caught.value.maybe_sent
        assert wire.exchanges == []
        trusting = Outgoing(allow=LOOPBACK, tls=ssl.create_default_context(cafile=str(certificate)))
        assert (await trusting.post(url, {}, b"x", timeout_s=10)).ok
        await trusting.stop()


async def test_cancelling_a_request_frees_its_connection(outgoing: Outgoing) -> None:
    arrived = asyncio.Event()

    async def answer(exchange: Exchange) -> None:
        arrived.set()
        if exchange.number == 1:
            await exchange.stopped.wait()
        await fine(exchange)

    async with serving(answer) as wire:
        task = asyncio.create_task(post(outgoing, wire))
        await arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await post(outgoing, wire)).ok
    assert wire.connections == 2


async def test_a_refusal_is_permanent() -> None:
    client = Outgoing()
    with pytest.raises(TargetRefused) as caught:
        await client.post("https://127.0.0.1:1/", {}, b"", timeout_s=5)
    assert not caught.value.retryable
    assert caught.value.status == 422
    await client.stop()
