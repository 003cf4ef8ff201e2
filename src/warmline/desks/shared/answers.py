"""From an HTTP exchange to the desk errors: one table for every vendor that speaks plain HTTP."""

from __future__ import annotations

import math
from email.utils import parsedate_to_datetime

from warmline.handover.port import AuthRejected, DeskError, RateLimited, Refused, Unreachable
from warmline.kernel.clock import to_rfc3339
from warmline.kernel.errors import Invalid, WarmlineError
from warmline.platform import http

LONGEST_PAUSE_S = 3_600.0
"""A vendor that asks for more than an hour is asked again after one."""

_SHOWN_BODY = 500
_RETRYABLE_4XX = frozenset({408, 425})


def check_reply(reply: http.Reply, *, desk: str, operation: str, now: int) -> None:
    """Raise the DeskError for a reply that is not 2xx; ``now`` is in milliseconds, for Retry-After dates."""
    status = reply.status
    if 200 <= status < 300:
        return
    body = reply.body[:_SHOWN_BODY].decode("utf-8", "replace")
    if status in (401, 403):
        detail = f"The desk does not accept our credentials (status {status})."
        raise AuthRejected(detail, desk=desk, operation=operation, vendor_status=status, vendor_body=body)
    if status == 429:
        pause = retry_after(reply.headers.get("Retry-After"), now)
        raise RateLimited(retry_after=pause, desk=desk, operation=operation, vendor_status=status, vendor_body=body)
    if status >= 500 or status in _RETRYABLE_4XX:
        detail = f"The desk is in trouble (status {status})."
        raise Unreachable(detail, desk=desk, operation=operation, vendor_status=status, vendor_body=body)
    if 300 <= status < 400:
        detail = f"The desk's address redirects (status {status}), which is not followed; enter the final address."
    else:
        detail = f"The desk refused this (status {status})."
    raise Refused(detail, desk=desk, operation=operation, vendor_status=status, vendor_body=body)


def translated(error: WarmlineError, *, desk: str, operation: str) -> DeskError:
    """The DeskError for what the outgoing client raised; one that is a DeskError already stays what it is."""
    if isinstance(error, DeskError):
        return error
    if isinstance(error, http.TargetRefused | http.ReplyTooLarge | Invalid):
        # Trying again would meet the same limit; the sentence says which.
        return Refused(error.detail, desk=desk, operation=operation)
    return Unreachable(error.detail, desk=desk, operation=operation)


def retry_after(value: str | None, now: int) -> float | None:
    """Seconds to wait, from a Retry-After of seconds or of an HTTP date; None when it says neither.

    ``now`` is in milliseconds.  The answer lies in 0…LONGEST_PAUSE_S.
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - now / 1000
        except (ValueError, OverflowError):
            return None
    if math.isnan(seconds):
        return None
    return min(max(seconds, 0.0), LONGEST_PAUSE_S)


def moment(at: int) -> str:
    """A moment in milliseconds as RFC 3339, for payloads."""
    return to_rfc3339(at)
