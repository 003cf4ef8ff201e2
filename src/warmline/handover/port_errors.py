"""What can go wrong between Warmline and a desk, in five words the relay can act on."""

from __future__ import annotations

from typing import Any, ClassVar

from warmline.kernel.errors import WarmlineError


class DeskError(WarmlineError):
    """A desk could not do what was asked.

    ``desk`` is the manifest's key, ``operation`` what was tried (``open``, ``send``, ``close``, ``availability``,
    ``check``), ``vendor_status`` the HTTP status when there was an answer, ``vendor_body`` the beginning of that
    answer.  Neither of the last two goes into a problem body: they are for the operator.
    """

    status: ClassVar[int] = 502
    default_code: ClassVar[str] = "desk_failed"
    title: ClassVar[str] = "The desk could not do this"

    def __init__(
        self,
        detail: str = "",
        *,
        desk: str = "",
        operation: str = "",
        vendor_status: int | None = None,
        vendor_body: str = "",
        **fields: Any,
    ) -> None:
        super().__init__(detail, desk=desk, operation=operation, **fields)
        self.desk = desk
        self.operation = operation
        self.vendor_status = vendor_status
        self.vendor_body = vendor_body


class AuthRejected(DeskError):
    """The desk does not accept the connection's credentials.  Permanent until somebody reconnects it."""

    default_code = "desk_auth_rejected"
    title = "The desk does not accept the connection's credentials"


class Refused(DeskError):
    """The desk understood and said no.  Permanent for this item."""

    default_code = "desk_refused"
    title = "The desk refused this"


class Unsupported(DeskError):
    """This cannot be accurately communicated to the desk.  Permanent for this item."""

    default_code = "desk_unsupported"
    title = "The desk has no way to carry this"


class RateLimited(DeskError):
    """The desk asks for a pause.  ``retry_after`` is in seconds, None when the desk did not say how long."""

    default_code = "desk_rate_limited"
    title = "The desk asks for a pause"
    retryable = True

    def __init__(self, detail: str = "", *, retry_after: float | None = None, **fields: Any) -> None:
        super().__init__(detail, **fields)
        self.retry_after = retry_after


class Unreachable(DeskError):
    """No answer, or one that says the desk is in trouble (408, 5xx, time-outs, connect errors)."""

    default_code = "desk_unreachable"
    title = "The desk cannot be reached"
    retryable = True


class SignatureRejected(DeskError):
    """An inbound delivery is not signed as the connection requires."""

    status = 401
    default_code = "signature_rejected"
    title = "The signature of the delivery is not valid"
