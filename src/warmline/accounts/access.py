"""Who may do what: scopes, roles, and one gate per noun.

A member's role and an API key's scopes are both sets of scopes, so every surface asks the same gate.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from warmline.accounts.model import ApiKey, Member, Role
from warmline.kernel.errors import Forbidden, Invalid


class Scope(StrEnum):
    """One permission.  The value is what API keys carry and what the API reference shows."""

    CONVERSATIONS_READ = "conversations:read"
    CONVERSATIONS_WRITE = "conversations:write"
    CONVERSATIONS_ERASE = "conversations:erase"
    AGENTS_SPEAK = "agents:speak"
    CONNECTIONS_READ = "connections:read"
    CONNECTIONS_WRITE = "connections:write"
    WIDGETS_READ = "widgets:read"
    WIDGETS_WRITE = "widgets:write"
    KEYS_READ = "keys:read"
    KEYS_WRITE = "keys:write"
    MEMBERS_READ = "members:read"
    MEMBERS_WRITE = "members:write"
    AUDIT_READ = "audit:read"


MEMBER_ONLY = frozenset({Scope.MEMBERS_WRITE})
"""Scopes no API key can have: a leaked key must not be able to make itself a person."""

KEY_SCOPES = tuple(scope for scope in Scope if scope not in MEMBER_ONLY)
"""What a ``v1`` key may be given, in the order the console shows them."""

_AGENT = frozenset({Scope.CONVERSATIONS_READ, Scope.CONVERSATIONS_WRITE, Scope.AGENTS_SPEAK})
_LEAD = _AGENT | {Scope.CONNECTIONS_READ, Scope.WIDGETS_READ, Scope.MEMBERS_READ}
ROLE_SCOPES: dict[Role, frozenset[Scope]] = {Role.AGENT: _AGENT, Role.LEAD: _LEAD, Role.ADMIN: frozenset(Scope)}


class Principal(msgspec.Struct, frozen=True):
    """Whoever asks: a member, an API key, or the system itself (``actor`` says which)."""

    actor: str
    scopes: frozenset[str]


SYSTEM = Principal("system", frozenset(Scope))
"""The program acting for itself: set-up, demo, command line."""


def member_principal(member: Member) -> Principal:
    """A member with what the role allows; nothing once disabled."""
    return Principal(member.actor, ROLE_SCOPES[member.role] if member.disabled_at is None else frozenset())


def key_principal(key: ApiKey) -> Principal:
    """An API key with its own scopes; a ``wire`` key has none."""
    return Principal(key.actor, key.scopes - MEMBER_ONLY if key.kind == "v1" else frozenset())


class Gate(msgspec.Struct, frozen=True):
    """The one place that answers for a noun whether somebody may read or change it."""

    noun: str
    read: Scope
    write: Scope

    def may_read(self, who: Principal) -> bool:
        """Whether ``who`` may see these."""
        return self.read in who.scopes

    def may_write(self, who: Principal) -> bool:
        """Whether ``who`` may change these."""
        return self.write in who.scopes

    def check_read(self, who: Principal) -> None:
        """Raise Forbidden unless ``who`` may see these."""
        require(who, self.read)

    def check_write(self, who: Principal) -> None:
        """Raise Forbidden unless ``who`` may change these."""
        require(who, self.write)


conversations = Gate("conversations", Scope.CONVERSATIONS_READ, Scope.CONVERSATIONS_WRITE)
desk = Gate("desk", Scope.CONVERSATIONS_READ, Scope.AGENTS_SPEAK)
connections = Gate("connections", Scope.CONNECTIONS_READ, Scope.CONNECTIONS_WRITE)
widgets = Gate("widgets", Scope.WIDGETS_READ, Scope.WIDGETS_WRITE)
keys = Gate("keys", Scope.KEYS_READ, Scope.KEYS_WRITE)
members = Gate("members", Scope.MEMBERS_READ, Scope.MEMBERS_WRITE)
audit = Gate("audit", Scope.AUDIT_READ, Scope.AUDIT_READ)

GATES = (conversations, desk, connections, widgets, keys, members, audit)


def require(who: Principal, scope: Scope) -> None:
    """Raise Forbidden, naming the scope, unless ``who`` has it."""
    if scope not in who.scopes:
        raise Forbidden(f"This needs the permission {scope}.", code="scope_missing", scope=str(scope))


def parse_scopes(names: Iterable[str], *, granted_by: Principal) -> frozenset[str]:
    """The scopes for a new ``v1`` key.  Nobody gives what they do not have.

    Raises Invalid for none or an unknown one, Forbidden for one that ``granted_by`` lacks.
    """
    wanted = frozenset(names)
    allowed = frozenset(str(scope) for scope in KEY_SCOPES)
    if unknown := sorted(wanted - allowed):
        raise Invalid(f"There is no scope “{unknown[0][:60]}”.", path="$.scopes", code="scope_unknown")
    if not wanted:
        raise Invalid("Choose at least one scope.", path="$.scopes", code="scope_none")
    for name in sorted(wanted):
        require(granted_by, Scope(name))
    return wanted
