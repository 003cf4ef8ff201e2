"""The payload of a rung: what a desk is told besides the handover itself, as an administrator writes it.

It is JSON as people type it, with placeholders.  What is wrong with it is found when it is saved: the fields a desk must
have, their types, and placeholders that nobody will ever fill.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import sqlalchemy as sa

from warmline.handover.payload_tables import payloads
from warmline.handover.port_values import HandoverRequest
from warmline.journal.journal import Journal
from warmline.kernel.clock import Clock
from warmline.kernel.errors import NotFound
from warmline.platform.templating import TemplateInvalid, Unknown, fill_json, placeholders
from warmline.platform.typed_json import Typed, TypedJsonInvalid, parse_typed

PLACEHOLDERS: Mapping[str, str] = {
    "conversationId": "the conversation's id",
    "name": "the visitor's name, if it is known",
    "visitorName": "the visitor's name, else “Visitor”",
    "email": "the visitor's e-mail address, if it is known",
    "phone": "the visitor's telephone number, if it is known",
    "language": "the language of the conversation, like en or de-AT",
    "userAgent": "the visitor's browser, from the page",
    "screenRes": "the size of the visitor's screen, like 1920x1080",
    "url": "the address of the page on which the chat was opened",
    "title": "the title of that page",
    "referrer": "where the visitor came to that page from",
    "reason": "why a person is wanted, like requested_by_visitor",
}
"""What may stand between double braces, besides ``details.…``."""
_DETAIL = re.compile(r"details\.[A-Za-z0-9_-]{1,100}")
_FILLED = re.compile(r"\{\{[^{}]*\}\}")
_STRAY = re.compile(r"\{\{|\}\}")
_PLACE = re.compile(r"^Line \d+, column \d+: ")
_ALWAYS: Mapping[str, Any] = {
    "conversationId": "01a1ff58-d512-704a-8aa4-b8e290d61c9d",
    "visitorName": "Visitor",
    "language": "en",
    "reason": "requested_by_visitor",
    "details": {},
}
"""What is known of every visitor."""
_PAGE = ("userAgent", "screenRes", "url", "title", "referrer")


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadKind:
    """The payload of one kind of desk.

    ``body`` is a msgspec type that forbids unknown fields; ``example`` is a payload to begin with, as published where
    there is one; ``check`` refuses (``Typed.refuse``) what types cannot tell.  ``json_texts`` names fields whose text is
    JSON itself: it is filled inside, so that no value of a placeholder can break out of its own text.
    """

    body: Any
    example: str
    check: Callable[[Any, Typed], None] = lambda _body, _typed: None
    json_texts: tuple[str, ...] = ()


def check_payload(kind: PayloadKind, text: str) -> None:
    """Raise TypedJsonInvalid, with line, column and field, for the first thing that is wrong with a payload.

    That is: what cannot be read, what the desk does not know or misses, placeholders that nothing fills, and fields that
    would be wrong for a visitor of whom nothing is known.
    """
    typed = parse_typed(text)
    _check_names(typed, typed.value, "$")
    for path, string in _strings(typed.value, "$"):
        # Braces within JSON within a text are that JSON's; what stands in it is looked at below.
        _check_string(typed, path, string, whole=path.removeprefix("$.") not in kind.json_texts)
    kind.check(typed.convert(kind.body), typed)
    for name in kind.json_texts:
        inner = typed.value.get(name)
        if isinstance(inner, str):
            inside = parse_typed(inner).value
            _check_names(typed, inside, f"$.{name}")
            for _path, string in _strings(inside, "$"):
                _check_string(typed, f"$.{name}", string)
    try:
        fill_payload(kind, text, _ALWAYS)
    except TypedJsonInvalid as error:
        where = str(error.fields["path"])
        typed.refuse(f"For a visitor of whom nothing is known: {_sentence(error.detail)}", where)


def _check_string(typed: Typed, path: str, string: str, *, whole: bool = True) -> None:
    try:
        names = placeholders(string)
    except TemplateInvalid as error:
        typed.refuse(error.detail, path)
    for name in names:
        if name not in PLACEHOLDERS and not _DETAIL.fullmatch(name):
            near = difflib.get_close_matches(name, PLACEHOLDERS, 1, 0.6)
            hint = f" Is {near[0]} meant?" if near else ""
            typed.refuse(f"Nothing fills the placeholder {name}.{hint}", path)
    if whole and _STRAY.search(_FILLED.sub("", string)):
        typed.refuse("A placeholder is written {{name}}, with two braces on either side.", path)


def _check_names(typed: Typed, value: Any, path: str) -> None:
    for name, below in _names(value, path):
        if _STRAY.search(name):
            typed.refuse("Placeholders are filled in values, not in the names of fields.", below)


def _sentence(detail: str) -> str:
    """Without the place, which is named again."""
    return _PLACE.sub("", detail)


def fill_payload(kind: PayloadKind, text: str, values: Mapping[str, Any]) -> Any:
    """The payload for one conversation, as ``kind.body``.

    A placeholder without a value is null, empty within a text, and no item of a list.

    Raises TypedJsonInvalid where the filled payload does not fit any more.
    """
    typed = parse_typed(text)
    filled = _without_holes(fill_json(typed.value, values, unknown=Unknown.EMPTY), typed.value)
    for name in kind.json_texts:
        given = parse_typed(typed.value[name]).value
        inner = _without_holes(fill_json(given, values, unknown=Unknown.EMPTY), given)
        filled[name] = msgspec.json.encode(inner).decode()
    return Typed(filled, typed.places).convert(kind.body)


def values_of(request: HandoverRequest, details: Mapping[str, str]) -> dict[str, Any]:
    """The placeholders' values; those that are not known are left out."""
    card, page = request.visitor, request.page
    known: dict[str, Any] = {
        "conversationId": request.conversation_id,
        "name": card.name,
        "visitorName": card.name or "Visitor",
        "email": card.email,
        "phone": card.phone,
        "language": request.language,
        "reason": str(request.reason),
        "details": dict(details),
    }
    known |= {name: page.get(name) for name in _PAGE}
    return {name: value for name, value in known.items() if value not in (None, "")}


def _strings(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _strings(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _strings(inner, f"{path}[{place}]")


def _names(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name, f"{path}.{name}"
            yield from _names(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _names(inner, f"{path}[{place}]")


def _without_holes(filled: Any, typed: Any) -> Any:
    """Without the items of lists whose placeholder had no value: a list of fewer is what its writer meant."""
    if isinstance(filled, dict) and isinstance(typed, dict):
        return {name: _without_holes(inner, typed[name]) for name, inner in filled.items()}
    if isinstance(filled, list) and isinstance(typed, list):
        pairs = zip(filled, typed, strict=True)
        return [_without_holes(inner, given) for inner, given in pairs if inner is not None or given is None]
    return filled


class Payloads:
    """Keeps payload texts under their digests: a conversation's ladder names a text that never changes."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._kept: set[str] = set()

    async def keep(self, text: str) -> str:
        """The digest (32 hexadecimal digits) under which the text is found from now on."""
        digest = hashlib.sha256(text.encode()).hexdigest()[:32]
        if digest not in self._kept:
            row = {"digest": digest, "text": text, "at": self._clock.now()}
            await self._journal.write(lambda conn: conn.execute(_KEEP, row))
            self._kept.add(digest)
        return digest

    async def read(self, digest: str) -> str:
        """The text.  Raises NotFound."""
        query = sa.select(payloads.c.text).where(payloads.c.digest == digest)
        found: str | None = await self._journal.read(lambda conn: conn.execute(query).scalar())
        if found is None:
            raise NotFound("There is no such payload.")
        return found


_KEEP = sa.text("INSERT INTO payloads (digest, text, at) VALUES (:digest, :text, :at) ON CONFLICT (digest) DO NOTHING")


def shown(body: Any) -> str:
    """A filled payload for people to look at."""
    return msgspec.json.format(msgspec.json.encode(body), indent=2).decode()
