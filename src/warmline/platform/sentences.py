"""Errors as sentences for an operator."""

from __future__ import annotations

from warmline.kernel.errors import WarmlineError


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
    said = " ".join(str(error).split()) or type(error).__name__
    return said if said.endswith((".", "!", "?")) else f"{said}."
