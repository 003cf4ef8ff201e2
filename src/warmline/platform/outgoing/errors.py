"""What can go wrong when another server is called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from warmline.kernel.errors import WarmlineError

if TYPE_CHECKING:
    from warmline.platform.outgoing.reply import Reply


class TargetRefused(WarmlineError):
    """The URL leads where this server must not go.  Permanent until the URL or a setting changes."""

    status = 422
    default_code = "target_refused"
    title = "This address must not be called"


class Unreachable(WarmlineError):
    """No usable reply.  ``maybe_sent`` tells whether the request may have reached the other side."""

    status = 502
    default_code = "target_unreachable"
    title = "The other side cannot be reached"
    retryable = True

    def __init__(self, detail: str = "", *, maybe_sent: bool = True, **fields: Any) -> None:
        super().__init__(detail, **fields)
        self.maybe_sent = maybe_sent


class TimedOut(WarmlineError):
    """No complete reply within the time given.  ``maybe_sent`` as in Unreachable."""

    status = 504
    default_code = "target_timed_out"
    title = "The other side did not answer in time"
    retryable = True

    def __init__(self, detail: str = "", *, maybe_sent: bool = True, **fields: Any) -> None:
        super().__init__(detail, **fields)
        self.maybe_sent = maybe_sent


class ReplyTooLarge(WarmlineError):
    """The reply (decompressed body, or headers) exceeds its cap; the request was worked on.

    ``reply`` has status and headers, without the body, when it was the body: often the status is all one needs.
    """

    reply: Reply | None = None

    status = 502
    default_code = "reply_too_large"
    title = "The other side's reply is too large"
