"""What stands in the sidebar, and for whom."""

from __future__ import annotations

import msgspec

from warmline.accounts.access import Principal, Scope


class Entry(msgspec.Struct, frozen=True):
    """One link.  ``scope`` hides it from those who may not open it; ``group`` is the heading above it."""

    label: str
    path: str
    icon: str
    scope: Scope | None = None
    group: str = ""


ENTRIES: tuple[Entry, ...] = (
    Entry("Desk", "/console/desk", "desk", Scope.AGENTS_SPEAK),
    Entry("Conversations", "/console/conversations", "chat", Scope.CONVERSATIONS_READ),
    Entry("Contacts", "/console/contacts", "mail", Scope.CONVERSATIONS_READ),
    Entry("Connections", "/console/connections", "plug", Scope.CONNECTIONS_READ, "Connect"),
    Entry("Widgets", "/console/widgets", "window", Scope.WIDGETS_READ, "Connect"),
    Entry("Bots", "/console/bots", "bot", Scope.WIDGETS_READ, "Connect"),
    Entry("API keys", "/console/keys", "key", Scope.KEYS_READ, "Connect"),
    Entry("Members", "/console/members", "people", Scope.MEMBERS_READ, "Organisation"),
    Entry("Audit log", "/console/audit", "log", Scope.AUDIT_READ, "Organisation"),
)


class Group(msgspec.Struct, frozen=True):
    """A heading (may be empty) with its entries."""

    label: str
    entries: list[Entry]


def visible_groups(entries: tuple[Entry, ...], who: Principal) -> list[Group]:
    """The entries ``who`` may open, in order, under their headings."""
    groups: list[Group] = []
    for entry in entries:
        if entry.scope is not None and entry.scope not in who.scopes:
            continue
        if not groups or groups[-1].label != entry.group:
            groups.append(Group(entry.group, []))
        groups[-1].entries.append(entry)
    return groups


def home(entries: tuple[Entry, ...], who: Principal) -> str:
    """Where ``who`` lands after signing in: the first page that is theirs."""
    groups = visible_groups(entries, who)
    return groups[0].entries[0].path if groups else "/console/account"
