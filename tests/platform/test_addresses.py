from __future__ import annotations

from ipaddress import IPv4Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.kernel.errors import SettingsError
from warmline.platform.addresses import AllowList, canonical, denied, parse_address

DENIED = {
    "0.0.0.0": "this network",
    "0.1.2.3": "this network",
    "10.0.0.1": "private",
    "100.64.0.1": "carrier-grade NAT",
    "100.127.255.255": "carrier-grade NAT",
    "127.0.0.1": "loopback",
    "127.255.255.254": "loopback",
    "169.254.169.254": "link-local",
    "172.16.0.1": "private",
    "172.31.255.255": "private",
    "192.0.0.8": "protocol assignments",
    "192.0.2.1": "documentation",
    "192.88.99.1": "6to4 relay",
    "192.168.1.1": "private",
    "198.18.0.1": "benchmarking",
    "198.19.255.255": "benchmarking",
    "198.51.100.7": "documentation",
    "203.0.113.7": "documentation",
    "224.0.0.1": "multicast",
    "239.255.255.250": "multicast",
    "240.0.0.1": "reserved",
    "255.255.255.255": "broadcast",
    "::": "unspecified",
    "::1": "loopback",
    "::127.0.0.1": "loopback",
    "::10.0.0.1": "private",
    "::2": "this network",
    "::ffff:127.0.0.1": "loopback",
    "::ffff:169.254.169.254": "link-local",
    "::ffff:0:127.0.0.1": "IPv4-translated",
    "64:ff9b::7f00:1": "NAT64",
    "64:ff9b::8.8.8.8": "NAT64",
    "64:ff9b:1::1": "local NAT64",
    "100::1": "discard",
    "2001::1": "Teredo",
    "2001:0:4136:e378::1": "Teredo",
    "2001:2::1": "protocol assignments",
    "2001:20::1": "protocol assignments",
    "2001:db8::1": "documentation",
    "2002:7f00:1::": "6to4",
    "2002:808:808::1": "6to4",
    "3fff::1": "documentation",
    "3fff:fff:ffff::1": "documentation",
    "5f00::1": "segment routing",
    "fc00::1": "unique local",
    "fd12:3456::1": "unique local",
    "fe80::1": "link-local",
    "fe80::1%eth0": "link-local",
    "fec0::1": "site-local",
    "ff02::1": "multicast",
    "4000::1": "not global unicast",
    "1::1": "not global unicast",
}


@pytest.mark.parametrize(("text", "reason"), DENIED.items())
def test_special_addresses_are_denied_with_their_reason(text: str, reason: str) -> None:
    assert denied(ip_address(text)) == reason


@pytest.mark.parametrize(
    "text",
    ["8.8.8.8", "1.1.1.1", "100.63.255.255", "172.32.0.1", "192.0.1.1", "198.20.0.1", "223.255.255.255",
     "2606:4700:4700::1111", "2a00:1450:4001::5", "2001:4860:4860::8888", "2001:200::1", "::ffff:8.8.8.8", "3ffe::1"],
)  # fmt: skip
def test_ordinary_public_addresses_pass(text: str) -> None:
    assert denied(ip_address(text)) is None


@given(st.integers(0, 2**32 - 1))
def test_an_ipv4_address_is_judged_the_same_in_every_disguise(number: int) -> None:
    plain = IPv4Address(number)
    assert denied(ip_address(f"::ffff:{plain}")) == denied(plain)
    if number > 1:
        assert canonical(ip_address(f"::{plain}")) == plain


@given(st.integers(0, 2**32 - 1))
def test_what_the_standard_library_calls_private_is_denied(number: int) -> None:
    address = IPv4Address(number)
    if not address.is_global or address.is_multicast:
        assert denied(address) is not None


def test_addresses_are_told_from_names() -> None:
    assert parse_address("127.0.0.1") == IPv4Address("127.0.0.1")
    assert parse_address("[::1]") == ip_address("::1")
    for name in ("example.org", "127.1", "0177.0.0.1", "2130706433", "0x7f000001", "", "1.2.3.4.5"):
        assert parse_address(name) is None


def test_a_host_with_a_port_opens_exactly_that() -> None:
    allow = AllowList(["CRM.internal:8443", " 10.0.0.5:80 ", "[fd00::5]:80"])
    assert allow.names("crm.internal", 8443)
    assert allow.names("CRM.INTERNAL", 8443)
    assert not allow.names("crm.internal", 443)
    assert not allow.names("crm.internal.", 8443)
    assert not allow.names("x.crm.internal", 8443)
    assert allow.covers(ip_address("10.0.0.5"), 80)
    assert allow.covers(ip_address("::ffff:10.0.0.5"), 80)
    assert not allow.covers(ip_address("10.0.0.5"), 81)
    assert not allow.covers(ip_address("10.0.0.6"), 80)
    assert allow.covers(ip_address("fd00::5"), 80)
    assert not allow.names("10.0.0.5", 80)


def test_a_network_opens_its_addresses_on_every_port() -> None:
    allow = AllowList(["10.1.0.0/16", "fd00::/8", "64:ff9b::/96"])
    assert allow.covers(ip_address("10.1.2.3"), 1)
    assert allow.covers(ip_address("::ffff:10.1.2.3"), 65535)
    assert not allow.covers(ip_address("10.2.0.1"), 1)
    assert allow.covers(ip_address("fdff::1"), 443)
    assert allow.covers(ip_address("64:ff9b::7f00:1"), 443)
    assert not allow.covers(ip_address("::1"), 443)


def test_nothing_is_allowed_by_default() -> None:
    assert not AllowList().covers(ip_address("127.0.0.1"), 80)
    assert not AllowList().names("localhost", 80)


@pytest.mark.parametrize(
    "entry",
    ["", "localhost", "localhost:", ":80", "localhost:0", "localhost:65536", "localhost:+80", "localhost:8o", "10.0.0.1",
     "10.0.0.1/8", "10.0.0.0/33", "x/8", "fd00::5:80", "[fd00::5]", "[x]:80", "*:80", "*.internal:80", "u@h:80", "a b:80",
     "http://localhost:80", "localhost:٨٠"],
)  # fmt: skip
def test_an_entry_that_is_not_exact_stops_the_start(entry: str) -> None:
    with pytest.raises(SettingsError, match="WARMLINE_ALLOW_PRIVATE_TARGETS"):
        AllowList([entry])
