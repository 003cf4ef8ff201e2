"""Calls of a vendor's JSON API: one way to ask, and every failure as a desk error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec

from warmline.desks.shared.answers import check_reply, translated
from warmline.desks.shared.multipart import Part, multipart
from warmline.desks.shared.pace import Pace
from warmline.handover.port import Unreachable
from warmline.kernel.clock import Clock
from warmline.kernel.errors import WarmlineError
from warmline.platform.http import Outgoing, Reply

TIMEOUT_S = 10.0
_MAX_REPLY_BYTES = 2_000_000
_NEEDED: Any = object()
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, KeyError, TypeError, AttributeError)

T = TypeVar("T")


class JsonApi:
    """One account at a vendor.  ``title`` is the vendor's name for sentences; ``headers`` carry the credentials.
    Calls wait for their turn in ``pace``, where one is given.

    Every method raises a DeskError; an answer that cannot be read counts as Unreachable, since nothing is known of what
    was done.
    """

    def __init__(
        self,
        outgoing: Outgoing,
        clock: Clock,
        *,
        desk: str,
        title: str,
        base: str,
        headers: Mapping[str, str],
        pace: Pace | None = None,
    ) -> None:
        self._outgoing = outgoing
        self._clock = clock
        self._pace = pace
        self._desk = desk
        self._title = title
        self._base = base.rstrip("/")
        self._headers = {**headers, "Accept": "application/json"}

    async def tell(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: Mapping[str, str] | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> Reply:
        """One call; its 2xx reply.  ``operation`` is the port's word for what is being done."""
        url = f"{self._base}{path}" + (f"?{urlencode(query)}" if query else "")
        headers = self._headers if body is None else {**self._headers, "Content-Type": "application/json"}
        content = None if body is None else msgspec.json.encode(body)
        return await self._call(operation, method, url, headers, content, timeout_s)

    async def send_form(
        self,
        operation: str,
        path: str,
        parts: Sequence[Part],
        *,
        query: Mapping[str, str] | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> Reply:
        """Post a form with files; its 2xx reply."""
        url = f"{self._base}{path}" + (f"?{urlencode(query)}" if query else "")
        content_type, content = multipart(parts)
        return await self._call(
            operation, "POST", url, {**self._headers, "Content-Type": content_type}, content, timeout_s
        )

    async def download(self, operation: str, url: str, *, max_bytes: int, timeout_s: float = TIMEOUT_S) -> bytes:
        """The bytes at an address of the vendor's, which is shown our credentials.  Refused for more than ``max_bytes``."""
        headers = {**self._headers, "Accept": "*/*"}
        reply = await self._call(operation, "GET", url, headers, None, timeout_s, max_bytes)
        return reply.body

    async def _call(
        self,
        operation: str,
        method: str,
        url: str,
        headers: Mapping[str, str],
        content: bytes | None,
        timeout_s: float,
        max_bytes: int = _MAX_REPLY_BYTES,
    ) -> Reply:
        if self._pace is not None:
            await self._pace.take()
        try:
            reply = await self._outgoing.request(
                method, url, headers=headers, body=content, timeout_s=timeout_s, max_bytes=max_bytes
            )
        except WarmlineError as error:
            raise translated(error, desk=self._desk, operation=operation) from error
        check_reply(reply, desk=self._desk, operation=operation, now=self._clock.now())
        return reply

    async def ask(
        self,
        operation: str,
        method: str,
        path: str,
        type_: type[T],
        *,
        body: Any = None,
        query: Mapping[str, str] | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> T:
        """One call; the member ``data`` of its answer."""
        reply = await self.tell(operation, method, path, body=body, query=query, timeout_s=timeout_s)
        found: T = self.read(reply, "data", type_, operation)
        return found

    def read(self, reply: Reply, name: str, type_: Any, operation: str, *, default: Any = _NEEDED) -> Any:
        """A member of an answer; without ``default`` it must be there."""
        try:
            answer = msgspec.json.decode(reply.body)
            return msgspec.convert(answer[name] if default is _NEEDED else answer.get(name, default), type_)
        except _UNREADABLE as error:
            raise self._unreadable(error, operation) from error

    def read_whole(self, reply: Reply, type_: Any, operation: str) -> Any:
        """An answer that is the thing itself."""
        try:
            return msgspec.json.decode(reply.body, type=type_)
        except _UNREADABLE as error:
            raise self._unreadable(error, operation) from error

    def _unreadable(self, error: Exception, operation: str) -> Unreachable:
        """A proxy's page, or another contract."""
        return Unreachable(f"{self._title}'s answer could not be read: {error}.", desk=self._desk, operation=operation)
