"""JSON as people type it: comments and trailing commas are read over, every mistake is told with its place.

Everything else is RFC 8259: double quotes, no bare words, no NaN.  A member that stands twice is a mistake, since one of
the two would silently be lost.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

import msgspec

from warmline.kernel.errors import Invalid

T = TypeVar("T")

MAX_CHARACTERS = 65_536
MAX_DEPTH = 32

_GAP = re.compile(r"(?:[ \t\r\n]+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_LONGEST_NUMBER = 40
_PLAIN = re.compile(r'[^"\\\x00-\x1f]+')
_WORD = re.compile(r"[A-Za-z0-9_.+-]+")
_PLACED = re.compile(r"(.*) - at `([^`]+)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `([^`]+)`")
_UNKNOWN = re.compile(r"Object contains unknown field `([^`]+)`")
_HEX = re.compile(r"[0-9a-fA-F]{4}")
_SIMPLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WORDS: Mapping[str, Any] = {"true": True, "false": False, "null": None}
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


class TypedJsonInvalid(Invalid):
    """A mistake in typed JSON: ``path`` is the field, ``line`` and ``column`` count from 1, in characters."""

    default_code = "typed_json"
    title = "This is not the JSON that is expected"

    def __init__(self, detail: str, *, path: str, line: int, column: int) -> None:
        super().__init__(f"Line {line}, column {column}: {detail}", path=path, line=line, column=column)
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True)
class Typed:
    """The value, and where each of its parts begins: ``$.tags[0]`` → (line, column)."""

    value: Any
    places: Mapping[str, tuple[int, int]]

    def convert(self, type_: type[T]) -> T:
        """The value as ``type_`` (a msgspec type).  Raises TypedJsonInvalid for the first field that does not fit."""
        try:
            return msgspec.convert(self.value, type_)
        except msgspec.ValidationError as error:
            said = str(error)
        placed = _PLACED.fullmatch(said)
        what, path = placed.groups() if placed else (said, "$")
        if missing := _MISSING.fullmatch(what):
            return self.refuse(f"The field {missing[1]} is missing.", f"{path}.{missing[1]}")
        if unknown := _UNKNOWN.fullmatch(what):
            return self.refuse(f"There is no field {unknown[1]} here.", f"{path}.{unknown[1]}")
        return self.refuse(f"{what.replace('`', '').rstrip('.')}.", path)

    def refuse(self, detail: str, path: str) -> NoReturn:
        """Raise TypedJsonInvalid for a part, or for the nearest one around it that stands in the text."""
        around = path
        while around not in self.places and around != "$":
            around = around[: max(around.rfind("."), around.rfind("["))] or "$"
        line, column = self.places[around]
        raise TypedJsonInvalid(detail, path=path, line=line, column=column)


def parse_typed(text: str) -> Typed:
    """Read one JSON value.  Raises TypedJsonInvalid for the first mistake."""
    reader = _Reader(text.removeprefix("\ufeff"))
    if len(text) > MAX_CHARACTERS:
        reader.refuse(f"A payload has at most {MAX_CHARACTERS:,} characters.", 0, "$")
    return Typed(reader.read(), reader.places)


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.places: dict[str, tuple[int, int]] = {}

    def refuse(self, detail: str, at: int, path: str) -> NoReturn:
        line, column = self._place(at)
        raise TypedJsonInvalid(detail, path=path, line=line, column=column)

    def read(self) -> Any:
        self._gap("$")
        value = self._value("$", 0)
        self._gap("$")
        if self.at < len(self.text):
            self.refuse(f"The value is complete here; {self._seen()} does not belong to it.", self.at, "$")
        return value

    def _place(self, at: int) -> tuple[int, int]:
        line = self.text.count("\n", 0, at) + 1
        return line, at - (self.text.rfind("\n", 0, at) + 1) + 1

    def _gap(self, path: str) -> None:
        found = _GAP.match(self.text, self.at)
        self.at = found.end() if found else self.at
        if self.text.startswith("/*", self.at):
            self.refuse("This comment has no end.", self.at, path)

    def _seen(self) -> str:
        """What stands at this place, for a sentence."""
        if self.at >= len(self.text):
            return "the end"
        word = _WORD.match(self.text, self.at)
        return f"“{word[0][:40]}”" if word else f"“{self.text[self.at]}”"

    def _value(self, path: str, depth: int) -> Any:
        if depth > MAX_DEPTH:
            self.refuse(f"This is nested more than {MAX_DEPTH} deep.", self.at, path)
        self.places[path] = self._place(self.at)
        first = self.text[self.at : self.at + 1]
        if first == "{" and not self.text.startswith("{{", self.at):
            return self._object(path, depth)
        if first == "[":
            return self._array(path, depth)
        if first == '"':
            return self._string(path)
        return self._bare(path)

    def _bare(self, path: str) -> Any:
        number = _NUMBER.match(self.text, self.at)
        word = _WORD.match(self.text, self.at)
        if number and word and number[0] == word[0]:
            return self._number(number[0], path)
        if word and word[0] in _WORDS:
            self.at = word.end()
            return _WORDS[word[0]]
        if self.text.startswith("'", self.at):
            self.refuse("Texts stand in double quotes.", self.at, path)
        if self.text.startswith("{{", self.at) or word:
            self.refuse(f"A text needs double quotes: {self._seen()}.", self.at, path)
        return self.refuse(f"A value is expected here, not {self._seen()}.", self.at, path)

    def _number(self, written: str, path: str) -> int | float:
        if len(written) > _LONGEST_NUMBER:
            self.refuse(f"A number has at most {_LONGEST_NUMBER} characters.", self.at, path)
        found = float(written) if set(written) & set(".eE") else int(written)
        if math.isinf(found):
            self.refuse("This number is too large.", self.at, path)
        self.at += len(written)
        return found

    def _object(self, path: str, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}

        def member() -> None:
            begun = self.at
            if not self.text.startswith('"', begun):
                self.refuse(f"A field name in double quotes is expected, not {self._seen()}.", begun, path)
            name = self._string(path)
            below = f"{path}.{name}" if _SIMPLE.fullmatch(name) else f"{path}['{name}']"
            if name in found:
                self.refuse(f"The field {name} stands twice.", begun, below)
            self._gap(below)
            if not self.text.startswith(":", self.at):
                self.refuse(f"A colon is expected after the field name, not {self._seen()}.", self.at, below)
            self.at += 1
            self._gap(below)
            found[name] = self._value(below, depth + 1)

        self._items("}", path, member)
        return found

    def _array(self, path: str, depth: int) -> list[Any]:
        found: list[Any] = []
        self._items("]", path, lambda: found.append(self._value(f"{path}[{len(found)}]", depth + 1)))
        return found

    def _items(self, closing: str, path: str, item: Callable[[], None]) -> None:
        """The parts of an object or array; a comma may stand after the last one, as it does in many a published example."""
        opened = self.at
        self.at += 1
        while True:
            self._gap(path)
            if self.text.startswith(closing, self.at):
                self.at += 1
                return
            if self.at >= len(self.text):
                kind = "object" if closing == "}" else "list"
                self.refuse(f"This {kind} is not closed: “{closing}” is missing.", opened, path)
            item()
            self._gap(path)
            if self.text.startswith(",", self.at):
                self.at += 1
            elif self.at < len(self.text) and not self.text.startswith(closing, self.at):
                self.refuse(f"A comma or “{closing}” is expected here, not {self._seen()}.", self.at, path)

    def _string(self, path: str) -> str:
        opened = self.at
        self.at += 1
        parts: list[str] = []
        while True:
            plain = _PLAIN.match(self.text, self.at)
            if plain:
                parts.append(plain[0])
                self.at = plain.end()
            mark = self.text[self.at : self.at + 1]
            if mark == '"':
                self.at += 1
                return self._joined(parts, opened, path)
            if mark != "\\":
                self.refuse("This text is not closed: a double quote is missing in its line.", opened, path)
            parts.append(self._escape(path))

    def _escape(self, path: str) -> str:
        mark = self.text[self.at + 1 : self.at + 2]
        if mark in _ESCAPES:
            self.at += 2
            return _ESCAPES[mark]
        code = _HEX.match(self.text, self.at + 2) if mark == "u" else None
        if code is None:
            self.refuse(f"“\\{mark}” means nothing in a text; a backslash itself is written twice.", self.at, path)
        self.at = code.end()
        return chr(int(code[0], 16))

    def _joined(self, parts: list[str], opened: int, path: str) -> str:
        text = "".join(parts)
        try:
            # Two escapes may be the halves of one character outside the basic plane.
            text = text.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            self.refuse("This text has half of a character (a lone \\u escape).", opened, path)
        if "\0" in text:
            self.refuse("This text has a NUL character.", opened, path)
        return text
