"""The typed form of a connection: the console draws it, the API reads it, and a desk is made from what it holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from yarl import URL

from warmline.kernel.errors import Invalid

WAITING_TEXT = "waiting_text"
"""A field of this name holds what the visitor reads while he waits on a rung that has no text of its own."""
LADDER_OF_WIDGET = "ladder_of_widget"
"""A field of this name holds the id of the widget whose ladder the conversations of a bot elsewhere go down."""
LONGEST_TEXT = 500
LONGEST_URL = 2_048
_YES = frozenset({"true", "on", "yes", "1"})
_NO = frozenset({"false", "off", "no", "0", ""})


class FieldKind(StrEnum):
    """How a field is drawn and read."""

    TEXT = "text"
    URL = "url"
    BOOLEAN = "boolean"
    CHOICE = "choice"
    NUMBER = "number"


@dataclass(frozen=True, slots=True)
class Choice:
    """One option of a choice field."""

    value: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FormField:
    """One field.

    ``secret`` fields are stored encrypted and never shown again; a ``generated`` one is made by Warmline, shown once,
    and can be rotated with an overlap.  One that ``verifies`` what the vendor sends overlaps by itself when another is
    entered: what is on its way was signed with the old one.  ``lowest`` and ``highest`` bound a number.
    ``fault`` says in a sentence, which must not show the value, what is wrong with a text; "" when nothing is.
    """

    name: str
    label: str
    help: str
    kind: FieldKind = FieldKind.TEXT
    required: bool = False
    default: str | float | bool | None = None
    choices: tuple[Choice, ...] = ()
    lowest: float = 0
    highest: float = 0
    secret: bool = False
    generated: bool = False
    verifies: bool = False
    fault: Callable[[str], str] = lambda _text: ""

    def parse(self, value: Any, path: str) -> str | float | bool | None:
        """The typed value; None for "not given" where that is allowed.

        Takes JSON values and the texts of an HTML form alike.  Raises Invalid with ``path``.
        """
        if value is None or (isinstance(value, str) and not value.strip() and self.kind is not FieldKind.BOOLEAN):
            if self.required and self.default is None:
                raise Invalid(f"“{self.label}” is needed.", path=path, code="empty")
            return self.default
        match self.kind:
            case FieldKind.BOOLEAN:
                return self._boolean(value, path)
            case FieldKind.NUMBER:
                return self._number(value, path)
            case FieldKind.URL:
                return check_url(self._text(value, path, LONGEST_URL), path, self.label)
            case FieldKind.CHOICE:
                return self._choice(value, path)
            case FieldKind.TEXT:
                text = self._text(value, path, LONGEST_TEXT)
                if fault := self.fault(text):
                    raise Invalid(f"“{self.label}”: {fault}", path=path, code="shape")
                return text

    def _text(self, value: Any, path: str, longest: int) -> str:
        if not isinstance(value, str):
            raise Invalid(f"“{self.label}” is a text.", path=path, code="type")
        text = value.strip()
        if len(text) > longest:
            raise Invalid(f"“{self.label}” has at most {longest} characters.", path=path, code="too_long")
        if not text.isprintable():
            raise Invalid(f"“{self.label}” is one line without control characters.", path=path, code="control")
        return text

    def _boolean(self, value: Any, path: str) -> bool:
        if isinstance(value, bool):
            return value
        word = value.strip().lower() if isinstance(value, str) else None
        if word in _YES:
            return True
        if word in _NO:
            return False
        raise Invalid(f"“{self.label}” is yes or no.", path=path, code="type")

    def _number(self, value: Any, path: str) -> float:
        try:
            number = float(value) if not isinstance(value, bool) else None
        except (TypeError, ValueError, OverflowError):
            number = None
        # Not-a-number fails both comparisons.
        if number is None or not self.lowest <= number <= self.highest:
            detail = f"“{self.label}” is a number between {self.lowest:g} and {self.highest:g}."
            raise Invalid(detail, path=path, code="range")
        return number

    def _choice(self, value: Any, path: str) -> str:
        if value in (known := [choice.value for choice in self.choices]):
            return str(value)
        raise Invalid(f"“{self.label}” is one of: {', '.join(known)}.", path=path, code="choice")


def check_url(text: str, path: str, label: str) -> str:
    """``text``, when it is an http or https URL with a host and without user or fragment.  Raises Invalid."""
    try:
        url = URL(text)
        host, port = url.host, url.port
    except ValueError:
        host, port = None, None
        url = URL()
    if url.scheme not in ("http", "https") or not host or not port:
        raise Invalid(f"“{label}” is an address like https://crm.example/hook.", path=path, code="url")
    if "@" in url.raw_authority or url.raw_fragment:
        raise Invalid(f"“{label}” has no user, password or #fragment.", path=path, code="url")
    return text


def parse_form(
    fields: Sequence[FormField], given: Mapping[str, Any], *, base: str
) -> tuple[dict[str, Any], dict[str, str]]:
    """Settings with every default filled in, and the secrets that were given (a missing one keeps its old value).

    ``base`` is the JSON path of ``given``.  Raises Invalid for an unknown field, a bad value or a missing one.
    """
    known = {field.name: field for field in fields}
    for name in given:
        if name not in known or known[name].generated:
            raise Invalid("There is no such setting.", path=f"{base}.{name[:60]}", code="unknown_setting")
    settings: dict[str, Any] = {}
    secrets: dict[str, str] = {}
    for field in fields:
        if field.generated:
            continue
        if not field.secret:
            settings[field.name] = field.parse(given.get(field.name), f"{base}.{field.name}")
        elif given.get(field.name) not in (None, ""):
            secrets[field.name] = str(field.parse(given[field.name], f"{base}.{field.name}"))
    return settings, secrets
