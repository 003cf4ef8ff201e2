"""Which addresses the server may be made to connect to: an explicit deny list and the operator's exceptions.

``ipaddress.is_global`` is not enough: on Python 3.11 it calls NAT64, 6to4, site-local, 3fff::/20, 5f00::/16,
multicast and 192.0.0.8 global.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from warmline.kernel.errors import SettingsError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

SETTING = "WARMLINE_ALLOW_PRIVATE_TARGETS"

# IANA special-purpose address registries, read 2026-11.  The first match names the reason.
_DENIED_V4 = tuple(
    (IPv4Network(network), reason)
    for network, reason in (
        ("0.0.0.0/8", "this network"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "carrier-grade NAT"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "protocol assignments"),
        ("192.0.2.0/24", "documentation"),
        ("192.88.99.0/24", "6to4 relay"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "benchmarking"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("255.255.255.255/32", "broadcast"),
        ("240.0.0.0/4", "reserved"),
    )
)
_DENIED_V6 = tuple(
    (IPv6Network(network), reason)
    for network, reason in (
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("::ffff:0:0:0/96", "IPv4-translated"),
        ("64:ff9b::/96", "NAT64"),
        ("64:ff9b:1::/48", "local NAT64"),
        ("100::/64", "discard"),
        ("100:0:0:1::/64", "dummy"),
        ("2001::/32", "Teredo"),
        ("2001::/23", "protocol assignments"),
        ("2001:db8::/32", "documentation"),
        ("2002::/16", "6to4"),
        ("3fff::/20", "documentation"),
        ("5f00::/16", "segment routing"),
        ("fc00::/7", "unique local"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "site-local"),
        ("ff00::/8", "multicast"),
    )
)
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_MAPPED = IPv6Network("::ffff:0:0/96")
_COMPATIBLE = IPv6Network("::/96")


def canonical(address: Address) -> Address:
    """The address that packets really go to: v4-mapped and v4-compatible ones become IPv4; zones are dropped."""
    if isinstance(address, IPv4Address):
        return address
    number = int(address)
    plain = IPv6Address(number)
    if plain in _MAPPED or (plain in _COMPATIBLE and number > 1):
        return IPv4Address(number & 0xFFFFFFFF)
    return plain


def denied(address: Address) -> str | None:
    """Why nobody may be sent there (``loopback``, ``NAT64`` …), or None for an ordinary public address."""
    address = canonical(address)
    if isinstance(address, IPv4Address):
        return next((reason for network, reason in _DENIED_V4 if address in network), None)
    for network, reason in _DENIED_V6:
        if address in network:
            return reason
    return None if address in _GLOBAL_UNICAST else "not global unicast"


def parse_address(text: str) -> Address | None:
    """The address written in ``text`` in its usual form (brackets and a zone allowed), or None for a name."""
    try:
        return ip_address(text.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None


class AllowList:
    """The operator's exceptions: ``host:port``, ``192.0.2.1:port``, ``[fd00::1]:port`` or ``10.0.0.0/8``.

    A host with a port opens exactly that pair, under exactly that spelling (case aside); a network opens its
    addresses on every port.  Raises SettingsError for anything else.
    """

    def __init__(self, entries: Sequence[str] = ()) -> None:
        self._names: set[tuple[str, int]] = set()
        self._pairs: set[tuple[Address, int]] = set()
        self._networks: list[Network] = []
        for entry in entries:
            self._add(entry.strip())

    def names(self, host: str, port: int) -> bool:
        """Whether the host *name* with this port was allowed, whatever it resolves to."""
        return (host.lower(), port) in self._names

    def covers(self, address: Address, port: int) -> bool:
        """Whether the address about to be connected was allowed with this port, or by a network."""
        for one in {address, canonical(address)}:
            if (one, port) in self._pairs or any(one in network for network in self._networks):
                return True
        return False

    def _add(self, entry: str) -> None:
        if "/" in entry:
            try:
                self._networks.append(ip_network(entry))
            except ValueError as error:
                raise _bad(entry, str(error)) from error
            return
        host, colon, port_text = entry.rpartition(":")
        if not colon or not host or not (port_text.isascii() and port_text.isdigit()) or not 0 < int(port_text) < 65536:
            raise _bad(entry, "it needs a port between 1 and 65535")
        address = parse_address(host)
        if address is not None and (isinstance(address, IPv4Address) or host.startswith("[")):
            self._pairs.add((canonical(address), int(port_text)))
        elif address is None and not set(host) & set("[]:@* \t"):
            self._names.add((host.lower(), int(port_text)))
        else:
            raise _bad(entry, "the host is not understood (IPv6 addresses stand in brackets)")


def _bad(entry: str, why: str) -> SettingsError:
    detail = f"{SETTING}: {entry!r} is neither host:port nor a network like 10.0.0.0/8: {why}."
    return SettingsError(detail, code="bad_setting")
