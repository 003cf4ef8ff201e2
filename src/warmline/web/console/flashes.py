"""Short messages that survive one redirect.

The cookie carries only the name of a sentence from this table, so nobody can plant words of his own on the page.
"""

from __future__ import annotations

import msgspec

COOKIE = "warmline_flash"


class Flash(msgspec.Struct, frozen=True):
    """``tone`` is good, wait, bad or info."""

    text: str
    tone: str = "good"


FLASHES: dict[str, Flash] = {
    "signed-out": Flash("You are signed out."),
    "signed-out-everywhere": Flash("Your other sessions are signed out."),
    "password-changed": Flash("Your password is changed. Your other sessions are signed out."),
    "name-changed": Flash("Your name is changed."),
    "member-added": Flash("The member is added and can sign in now."),
    "member-role": Flash("The role is changed."),
    "member-disabled": Flash("The member is disabled and signed out."),
    "member-enabled": Flash("The member can sign in again."),
    "key-revoked": Flash("The key is revoked. Every server refuses it within five seconds."),
    "set-up": Flash("Welcome. You are the first administrator."),
}


def register(name: str, text: str, tone: str = "good") -> None:
    """Add a sentence of another page.  Raises ValueError when the name is taken by another sentence."""
    flash = Flash(text, tone)
    if FLASHES.setdefault(name, flash) != flash:
        msg = f"the flash message {name!r} exists already"
        raise ValueError(msg)
