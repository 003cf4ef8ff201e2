"""Where the guarded client goes, and where it does not, whatever the URL, the name or the answer says."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from tests.platform.wire import Exchange, reply, serving

from warmline.kernel.errors import SettingsError
from warmline.platform.http import Outgoing, TargetRefused, Unreachable


class Names(AbstractResolver):
    """A DNS whose answers a test decides, one after the other; the last one stays."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        self.asked.append(host)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if not answer:
            raise OSError("no such name")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=0,
            )
            for address in answer
        ]

    async def close(self) -> None:
        pass


@pytest.fixture
async def guarded() -> AsyncIterator[Outgoing]:
    """A client as an installation has it that allowed http, and nothing private."""
    one = Outgoing(allow_http=True)
    yield one
    await one.stop()


async def call(client: Outgoing, url: str, **options: Any) -> Any:
    return await client.post(url, {}, b"{}", timeout_s=10, **options)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.1", "127.0.1", "0", "0.0.0.0", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1",
        "017700000001", "127.0.0.1.", "localhost", "LOCALHOST", "localhost.", "①②⑦.⓪.⓪.①", "127。0。0。1", "１２７.0.0.1",
        "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[0:0:0:0:0:ffff:127.0.0.1]",
        "[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2002:7f00:1::1]",
        "[fe80::1]", "[fe80::1%25lo]", "[::1%25lo]", "[::ffff:0:127.0.0.1]", "[2001:0:7f00:1::]", "[fd00::1]",
        "169.254.169.254", "[::ffff:169.254.169.254]", "10.0.0.1", "192.168.0.1", "100.64.0.1", "255.255.255.255",
        "%31%32%37.0.0.1", "127.0.0.1%00.example.org",
    ],
)  # fmt: skip
async def test_no_spelling_of_a_private_address_is_called(guarded: Outgoing, host: str) -> None:
    async with serving() as four, serving(host="::1") as six:
        for port in (four.port, six.port):
            # A name that no resolver takes for an address is simply unknown.
            with pytest.raises((TargetRefused, Unreachable)) as caught:
                await call(guarded, f"http://{host}:{port}/")
            if isinstance(caught.value, Unreachable):
                assert "cannot be resolved" in caught.value.detail
    assert four.connections == six.connections == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]"])
async def test_the_refusal_names_the_reason_and_the_setting(guarded: Outgoing, host: str) -> None:
    with pytest.raises(TargetRefused) as caught:
        await call(guarded, f"http://{host}:9000/")
    assert "(loopback)" in caught.value.detail
    assert "WARMLINE_ALLOW_PRIVATE_TARGETS" in caught.value.detail
    assert ":9000" in caught.value.detail


@pytest.mark.parametrize(
    "url",
    [
        "", "example.org", "//example.org", "/path", "ftp://example.org/", "file:///etc/passwd", "gopher://x:1/",
        "http+unix://%2Ftmp%2Fs/", "unix:///tmp/s", "javascript:alert(1)", "ws://example.org/", "http://", "http:///x",
        "http://:80/", "http://example.org:0/", "http://example.org:99999/", "http://example.org:x/", "http://[::1/",
        "http://user@example.org/", "http://user:pass@example.org/", "http://:@example.org/", "http://@example.org/",
        "https://example.org@127.0.0.1/", "http://example.org\\@127.0.0.1/", "http://exa mple.org/", "http://[x]/",
        "https://example.org/" + "a" * 9000,
    ],
)  # fmt: skip
async def test_a_url_of_another_form_is_refused_before_any_name_is_asked(url: str) -> None:
    names = Names(["127.0.0.1"])
    client = Outgoing(allow_http=True, resolver=names)
    with pytest.raises(TargetRefused):
        await call(client, url)
    assert names.asked == []
    await client.stop()


async def test_a_redirect_to_loopback_is_not_followed() -> None:
    async with serving() as inside:

        async def answer(exchange: Exchange) -> None:
            await exchange.send(reply(b"", status="307 Temporary Redirect", headers=f"Location: {inside.url}\r\n"))

        async with serving(answer, host="::1") as outside:
            client = Outgoing(allow=[outside.place])
            got = await call(client, outside.url)
            await client.stop()
    assert got.status == 307
    assert got.headers["location"] == inside.url
    assert inside.connections == 0


async def close_after(exchange: Exchange) -> None:
    await exchange.send(reply(headers="Connection: close\r\n"))
    exchange.close()


async def test_a_name_that_changes_its_answer_is_caught_at_the_socket() -> None:
    # ::1 stands for a public address here: it is the one that the operator allowed.
    async with serving(close_after, host="::1") as outside, serving() as inside:
        names = Names(["::1"], ["127.0.0.1"])
        client = Outgoing(allow=["::1/128"], allow_http=True, resolver=names, dns_ttl_s=0)
        assert (await call(client, f"http://rebind.test:{outside.port}/")).ok
        with pytest.raises(TargetRefused, match="loopback"):
            await call(client, f"http://rebind.test:{inside.port}/")
        with pytest.raises(TargetRefused, match="loopback"):
            await call(client, f"http://rebind.test:{outside.port}/")
        await client.stop()
    assert len(names.asked) >= 2
    assert inside.connections == 0


@pytest.mark.parametrize("answer", [["127.0.0.1", "::1"], ["::1", "127.0.0.1"]])
async def test_of_several_answers_only_the_good_ones_are_called(answer: list[str]) -> None:
    async with serving(host="::1") as outside:
        client = Outgoing(allow=["::1/128"], allow_http=True, resolver=Names(answer))
        assert (await call(client, f"http://mixed.test:{outside.port}/")).ok
        await client.stop()
    assert outside.connections == 1


async def test_a_good_answer_that_does_not_answer_is_unreachable_not_refused() -> None:
    async with serving(host="::1") as gone:
        pass
    client = Outgoing(allow=["::1/128"], allow_http=True, resolver=Names(["127.0.0.1", "::1"]))
    with pytest.raises(Unreachable):
        await call(client, f"http://mixed.test:{gone.port}/")
    await client.stop()


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "fe80::1%lo", "not-an-address"]
)
async def test_a_name_that_leads_inside_is_refused(address: str) -> None:
    client = Outgoing(resolver=Names([address]))
    with pytest.raises(TargetRefused, match=r"inside\.test:443"):
        await call(client, "https://inside.test/")
    await client.stop()


async def test_an_unknown_name_is_unreachable() -> None:
    client = Outgoing(resolver=Names([]))
    with pytest.raises(Unreachable, match="cannot be resolved") as caught:
        await call(client, "https://nowhere.test/")
    assert not caught.value.maybe_sent
    await client.stop()


# --------------------------------------------------------------------------------------------- the allow-list
async def test_an_allowed_name_may_lead_inside_but_only_on_its_port() -> None:
    async with serving() as allowed, serving() as other:
        client = Outgoing(allow=[f"crm.test:{allowed.port}"], resolver=Names(["127.0.0.1"]))
        assert (await call(client, f"http://crm.test:{allowed.port}/")).ok
        assert (await call(client, f"http://CRM.test:{allowed.port}/")).ok
        for url in (
            f"https://crm.test:{other.port}/",
            f"https://crm.test.:{allowed.port}/",
            f"https://other.test:{allowed.port}/",
            f"https://127.0.0.1:{allowed.port}/",
        ):
            with pytest.raises(TargetRefused):
                await call(client, url)
        await client.stop()
    assert other.connections == 0
    assert allowed.connections == 1


async def test_an_allowed_address_is_open_on_its_port_only_under_every_name() -> None:
    async with serving() as allowed, serving() as other:
        client = Outgoing(allow=[allowed.place], allow_http=True, resolver=Names(["127.0.0.1"]))
        assert (await call(client, allowed.url)).ok
        assert (await call(client, f"http://name.test:{allowed.port}/")).ok
        for url in (other.url, f"http://name.test:{other.port}/"):
            with pytest.raises(TargetRefused):
                await call(client, url)
        await client.stop()
    assert other.connections == 0


async def test_trust_in_one_target_does_not_reach_a_request_running_beside_it() -> None:
    async with serving() as wire:
        client = Outgoing(allow=[f"crm.test:{wire.port}"], allow_http=True, resolver=Names(["127.0.0.1"]))
        assert (await call(client, f"http://crm.test:{wire.port}/")).ok
        # The same address and port, but not the allowed name: no kept connection may be lent to it either.
        with pytest.raises(TargetRefused):
            await call(client, f"http://evil.test:{wire.port}/")
        await client.stop()
    assert len(wire.exchanges) == 1


async def test_plain_http_needs_a_setting() -> None:
    client = Outgoing(resolver=Names(["127.0.0.1"]))
    with pytest.raises(TargetRefused) as caught:
        client.target("http://crm.example.org/hook")
    assert "WARMLINE_ALLOW_HTTP_TARGETS" in caught.value.detail
    assert client.target("https://crm.example.org/hook").place == "crm.example.org:443"
    assert Outgoing(allow_http=True).target("http://crm.example.org/").place == "crm.example.org:80"
    assert Outgoing(allow=["crm.example.org:80"]).target("http://crm.example.org/").trusted
    assert Outgoing(allow=["10.0.0.0/8"]).target("http://10.1.1.1/").trusted


async def test_a_bad_allow_list_stops_the_start() -> None:
    with pytest.raises(SettingsError, match="WARMLINE_ALLOW_PRIVATE_TARGETS"):
        Outgoing(allow=["localhost"])


async def test_many_different_urls_do_not_fill_the_memory() -> None:
    client = Outgoing()
    for number in range(5_000):
        client.target(f"https://example.org/{number}")
    assert len(client._targets) <= 4_096
