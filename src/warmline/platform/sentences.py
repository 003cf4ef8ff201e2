"""Errors as sentences for an operator."""

from __future__ import annotations

import sqlite3

from warmline.kernel.errors import WarmlineError

_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def explain(error: BaseException) -> str:
    """One sentence, on one line, for an error of our own or of a library."""
    if isinstance(error, WarmlineError):
        return error.detail
    if isinstance(error, TimeoutError):
        return str(error) or "There was no answer in time."
    # SQLAlchemy wraps what the driver said in a page of statement and link.
    original = getattr(error, "orig", None)
    if isinstance(original, BaseException):
        error = original
    if isinstance(error, sqlite3.DatabaseError) and getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
        return f"The database file is damaged ({error}). Restore it from a backup."
    said = " ".join(str(error).split()) or type(error).__name__
    return said if said.endswith((".", "!", "?")) else f"{said}."
