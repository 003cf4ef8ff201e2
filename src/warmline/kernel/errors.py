"""The one tree of errors.  Each class knows its HTTP status, its code, and whether trying again can help."""

from __future__ import annotations

from typing import Any, ClassVar


class WarmlineError(Exception):
    """Root of everything Warmline refuses or fails at.

    ``code`` is stable and machine-readable; ``detail`` is one sentence for a person; ``fields`` go into the
    problem body (RFC 9457), where ``path`` names the offending input.
    """

    status: ClassVar[int] = 500
    default_code: ClassVar[str] = "internal"
    title: ClassVar[str] = "Something went wrong"
    retryable: ClassVar[bool] = False

    def __init__(self, detail: str = "", *, code: str | None = None, **fields: Any) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.code = code or self.default_code
        self.fields = fields


class Invalid(WarmlineError):
    """The input is malformed.  ``path`` (JSON-path like ``$.text``) names the offending part."""

    status = 400
    default_code = "invalid"
    title = "The request is not valid"

    def __init__(self, detail: str, *, path: str = "$", code: str | None = None, **fields: Any) -> None:
        super().__init__(detail, code=code, path=path, **fields)


class Unauthorized(WarmlineError):
    """No credential, or one that is not accepted."""

    status = 401
    default_code = "unauthorized"
    title = "The credential is missing or not accepted"


class Forbidden(WarmlineError):
    """The credential is good but does not open this."""

    status = 403
    default_code = "forbidden"
    title = "This credential does not allow that"


class NotFound(WarmlineError):
    """No such thing, or not visible to this caller (the two are not told apart)."""

    status = 404
    default_code = "not_found"
    title = "Not found"


class Conflict(WarmlineError):
    """The thing is in a state in which this is not possible.  ``code`` says which rule."""

    status = 409
    default_code = "conflict"
    title = "Not possible in the current state"


class TooLarge(WarmlineError):
    """The body exceeds the limit of its route."""

    status = 413
    default_code = "too_large"
    title = "The request body is too large"


class KeyReused(WarmlineError):
    """An idempotency key was used before with another body."""

    status = 422
    default_code = "idempotency_key_reused"
    title = "This idempotency key was used with another body"


class RateLimited(WarmlineError):
    """Too many requests; ``retry_after`` is in seconds."""

    status = 429
    default_code = "rate_limited"
    title = "Too many requests"
    retryable = True

    def __init__(self, detail: str = "", *, retry_after: float = 1.0, **fields: Any) -> None:
        super().__init__(detail, retry_after=retry_after, **fields)
        self.retry_after = retry_after


class Unavailable(WarmlineError):
    """The server cannot do it now (starting, draining, store gone); the caller should repeat."""

    status = 503
    default_code = "unavailable"
    title = "Not available right now"
    retryable = True


class SettingsError(WarmlineError):
    """A setting is unknown or bad; the start stops with this sentence."""

    default_code = "settings"
    title = "A setting is not valid"
