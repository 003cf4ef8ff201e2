"""The token of one form that makes something: it says when the form was drawn, and no two are alike."""

from __future__ import annotations

import secrets

from warmline.accounts.answers import KEPT_MS
from warmline.kernel.errors import Invalid

FIELD = "once"
_LONGEST = 64


def new_token(now: int) -> str:
    """A token for a form that is drawn now (milliseconds)."""
    return f"{now:x}.{secrets.token_urlsafe(16)}"


def check_fresh(token: str, now: int) -> None:
    """Raises Invalid for no token of ours, or one so old that what came of its form may be forgotten by now."""
    drawn, dot, _rest = token.partition(".")
    try:
        age = now - int(drawn, 16)
    except ValueError:
        age = KEPT_MS
    if not dot or len(token) > _LONGEST or not token.isascii() or not -KEPT_MS < age < KEPT_MS:
        raise Invalid("This form was too old to be sent. Here is a fresh one; send that.", code="form_old")
