"""What every changing request of the widget is asked first."""

from __future__ import annotations

from warmline.kernel.errors import Forbidden, RateLimited
from warmline.web.problems import Scope
from warmline.web.security import header, is_own_origin
from warmline.web.stream_ports import Limits


def check_origin(scope: Scope, public_origin: str) -> None:
    """A page of somebody else's must not act with a token it got hold of; programs send no Origin.  Raises Forbidden."""
    if header(scope, b"origin") is not None and not is_own_origin(scope, public_origin):
        raise Forbidden("This Origin may not do that.", code="origin")


def throttle(limits: Limits, rule: str, key: str) -> None:
    """Raises RateLimited when it was too much."""
    if wait := limits.take(rule, key):
        raise RateLimited("That was a lot at once; wait a moment.", retry_after=round(wait, 1))
