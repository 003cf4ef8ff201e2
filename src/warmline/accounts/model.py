"""Members, sessions, API keys and audit entries as frozen values, and the rules for their fields.  No I/O."""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum
from typing import Literal

import msgspec

from warmline.kernel.errors import Conflict, Invalid

NAME_LENGTH = 80
EMAIL_LENGTH = 254
LABEL_LENGTH = 80
PASSWORD_MIN = 10
PASSWORD_MAX = 256
"""Longer texts are refused before hashing, so that nobody can make the server hash megabytes."""

_EMAIL = re.compile(r"[^@\s\"<>(),;:\\]+@[^@\s\"<>(),;:\\]+")
# The few that people really try once a length is asked for; a breach list belongs to an operator's policy.
_WORN_OUT = frozenset(
    {
        "1234567890",
        "12345678910",
        "password12",
        "password123",
        "passwordpassword",
        "qwertyuiop",
        "qwerty12345",
        "0123456789",
    }
)


class Role(StrEnum):
    """What a member is here for; each role may do everything the one before it may."""

    AGENT = "agent"
    LEAD = "lead"
    ADMIN = "admin"


KeyKind = Literal["v1", "wire"]
"""``v1`` opens ``/api/v1`` within its scopes; ``wire`` opens the seed-compatible paths of one connection."""


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A person who may sign in.  ``hue`` is the avatar's colour angle, 0–359."""

    id: str
    email: str
    name: str
    role: Role
    hue: int
    created_at: int
    disabled_at: int | None = None

    @property
    def actor(self) -> str:
        """How this member is named as the author of events and audit entries."""
        return f"member:{self.id}"

    @property
    def initials(self) -> str:
        """One or two letters for the avatar."""
        words = [word for word in self.name.split() if word]
        letters = [words[0][0], words[-1][0]] if len(words) > 1 else [word[0] for word in words]
        return "".join(letters).upper() or "?"


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A signed-in browser.  The token itself is only in the browser's cookie; the store has its SHA-256."""

    token_hash: str
    member_id: str
    csrf: str
    created_at: int
    last_seen_at: int
    expires_at: int
    user_agent: str
    address: str


class SignedIn(msgspec.Struct, frozen=True, kw_only=True):
    """A session together with its member."""

    session: Session
    member: Member


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about a key; never the key itself.  ``prefix`` is its public beginning, shown in lists.

    ``lifetime`` is how long it was made for (milliseconds, None: for ever); ``expires_at`` comes earlier once the key
    is rotated.
    """

    id: str
    prefix: str
    label: str
    kind: KeyKind
    scopes: frozenset[str]
    connection_id: str | None
    created_at: int
    created_by: str
    expires_at: int | None = None
    revoked_at: int | None = None
    last_used_at: int | None = None
    lifetime: int | None = None

    @property
    def actor(self) -> str:
        """How this key is named as the author of events and audit entries."""
        return f"key:{self.id}"

    def is_live(self, at: int) -> bool:
        """Whether the key opens anything at that moment."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)

    def state(self, at: int) -> Literal["live", "expiring", "expired", "revoked"]:
        """The word a list shows."""
        if self.revoked_at is not None:
            return "revoked"
        if self.expires_at is None:
            return "live"
        return "expiring" if at < self.expires_at else "expired"


class NewKey(msgspec.Struct, frozen=True):
    """A key at its making: the only moment at which its ``token`` is known."""

    record: ApiKey
    token: str


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the audit log.  ``detail`` holds ids and enumerated words, never content."""

    id: str
    node: str
    seq: int
    at: int
    actor: str
    action: str
    object_kind: str
    object_id: str
    detail: dict[str, str]
    prev_hash: str
    hash: str


def fold_email(text: str) -> str:
    """The form in which addresses are compared; ``text`` need not be an address."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).strip().casefold())


def parse_email(text: str) -> str:
    """The address in the form under which it is unique (trimmed, case-folded).  Raises Invalid."""
    email = fold_email(text)
    if len(email) > EMAIL_LENGTH or not _EMAIL.fullmatch(email) or not email.isprintable():
        raise Invalid("This is not an e-mail address.", path="$.email", code="email_invalid")
    return email


def parse_line(text: str, *, path: str, longest: int) -> str:
    """A trimmed single line of 1–``longest`` printable characters.  Raises Invalid naming ``path``."""
    line = " ".join(unicodedata.normalize("NFC", text).split())
    if not line:
        raise Invalid("This cannot be empty.", path=path, code="empty")
    if len(line) > longest:
        raise Invalid(f"This may have at most {longest} characters.", path=path, code="too_long")
    if any(unicodedata.category(char) in {"Cc", "Cs", "Co", "Cn"} for char in line):
        raise Invalid("This contains a character that cannot be shown.", path=path, code="unprintable")
    return line


def check_password(password: str, *, email: str) -> None:
    """Raise Invalid when the password is too short, too long, worn out or the address itself."""
    path = "$.password"
    if len(password) < PASSWORD_MIN:
        raise Invalid(f"Use at least {PASSWORD_MIN} characters.", path=path, code="password_short")
    if len(password) > PASSWORD_MAX:
        raise Invalid(f"Use at most {PASSWORD_MAX} characters.", path=path, code="password_long")
    folded = password.casefold()
    if folded in _WORN_OUT or folded in (email, email.partition("@")[0]) or len(set(folded)) < 4:
        raise Invalid("This password is too easy to guess.", path=path, code="password_worn_out")


def check_keeps_an_admin(admins: frozenset[str], member_id: str) -> None:
    """Raise Conflict when taking the role from, or disabling, ``member_id`` would leave nobody in charge."""
    if admins <= {member_id}:
        raise Conflict("At least one administrator must remain.", code="last_admin")
