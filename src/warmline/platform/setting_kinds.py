"""What a setting may hold: reading its text or TOML value, and the sentence that says what is expected."""

from __future__ import annotations

import ipaddress
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from warmline.kernel.errors import Invalid
from warmline.platform.signing import decode_secret

_TRUE = ("true", "yes", "on", "1")
_FALSE = ("false", "no", "off", "0")
_MEDIA_TYPE = re.compile(r"[a-z*]+/[a-z0-9.+*-]+")
_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


@dataclass(frozen=True)
class Kind:
    """``expected`` finishes the sentence "It must be …"; ``read`` raises ValueError or TypeError for anything else.

    ``read`` is given the text of an environment variable, or the value of a TOML file.
    """

    name: str
    expected: str
    read: Callable[[Any], Any]


def text() -> Kind:
    """Any text on one line."""
    return Kind("text", "a text on one line", _one_line)


def number(least: int, most: int) -> Kind:
    """A whole number in these bounds, both included."""

    def read(value: Any) -> int:
        # bool is an int to Python, but `port = true` is a mistake
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise TypeError(value)
        result = int(value)
        if not least <= result <= most:
            raise ValueError(value)
        return result

    return Kind("whole number", f"a whole number from {least} to {most}", read)


def yes_no() -> Kind:
    """A switch."""

    def read(value: Any) -> bool:
        if isinstance(value, bool):
            return value
        word = str(value).strip().lower()
        if word not in _TRUE + _FALSE:
            raise ValueError(value)
        return word in _TRUE

    return Kind("true or false", "true or false", read)


def choice(*words: str) -> Kind:
    """One of a few words."""

    def read(value: Any) -> str:
        word = str(value).strip().lower()
        if word not in words:
            raise ValueError(value)
        return word

    return Kind("word", " or ".join((", ".join(words[:-1]), words[-1])), read)


def folder() -> Kind:
    """A folder; ``~`` is the home folder, and a relative path is relative to the working folder."""

    def read(value: Any) -> Path:
        return Path(_one_line(value) or _wrong(value)).expanduser().absolute()

    return Kind("folder", "the path of a folder", read)


def address(*schemes: str, example: str, path_allowed: bool = False) -> Kind:
    """A URL with one of ``schemes``, or nothing."""

    def read(value: Any) -> str:
        result = _one_line(value)
        if not result:
            return ""
        parts = urlsplit(result)
        if parts.scheme not in schemes or not (parts.netloc or "host=" in parts.query):
            raise ValueError(value)
        _ = parts.port  # raises ValueError when it is no port
        if not path_allowed and (parts.path not in {"", "/"} or parts.query or parts.fragment):
            raise ValueError(value)
        return result if path_allowed else result.rstrip("/")

    return Kind("address", f"an address like {example}, or empty", read)


def networks() -> Kind:
    """IP addresses and networks."""

    def read_one(item: str) -> str:
        return str(ipaddress.ip_network(item))

    return Kind("list", "a list of IP addresses or networks like 10.0.0.0/8", lambda value: _list(value, read_one))


def targets() -> Kind:
    """``host:port`` pairs and networks."""

    def read_one(item: str) -> str:
        if "/" in item:
            return str(ipaddress.ip_network(item))
        host, colon, port = item.rpartition(":")
        if not colon or not 1 <= int(port) <= 65_535:
            raise ValueError(item)
        if host.startswith("[") and host.endswith("]"):
            ipaddress.IPv6Address(host[1:-1])
        elif not _HOST_NAME.fullmatch(host):
            raise ValueError(item)
        return item

    return Kind(
        "list",
        "a list of host:port pairs or networks, like crm.internal:8443 or 10.1.0.0/16",
        lambda value: _list(value, read_one),
    )


def media_types() -> Kind:
    """Media types, with ``*`` for any."""

    def read_one(item: str) -> str:
        if not _MEDIA_TYPE.fullmatch(item.lower()):
            raise ValueError(item)
        return item.lower()

    return Kind("list", "a list of media types like image/* or application/pdf", lambda value: _list(value, read_one))


def command() -> Kind:
    """A program and its arguments, quoted as in a shell."""

    def read(value: Any) -> str:
        line = _one_line(value)
        shlex.split(line)
        return line

    return Kind("command", "a program and its arguments, or empty", read)


def signing_secret() -> Kind:
    """A secret of Standard Webhooks, or nothing."""

    def read(value: Any) -> str:
        secret = _one_line(value)
        try:
            if secret:
                decode_secret(secret)
        except Invalid as error:
            raise ValueError(value) from error
        return secret

    return Kind("signing secret", "whsec_ and base64 of 24 to 64 bytes, or empty", read)


def _list(value: Any, read_one: Callable[[str], str]) -> tuple[str, ...]:
    """From ``"a, b"`` or ``["a", "b"]``."""
    items: Sequence[Any] = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list):
        raise TypeError(value)
    return tuple(read_one(_one_line(item)) for item in items if _one_line(item))


def _one_line(value: Any) -> str:
    if not isinstance(value, str) or not value.isprintable():
        raise ValueError(value)
    return value.strip()


def _wrong(value: Any) -> str:
    raise ValueError(value)
