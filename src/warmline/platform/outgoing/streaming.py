"""A reply that goes on for as long as the other side has something to tell."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
from multidict import CIMultiDictProxy

from warmline.platform.outgoing.errors import TimedOut, Unreachable
from warmline.platform.outgoing.reply import Reply, read_body


class Stream:
    """The beginning of a reply, any status, and its body while it comes.  ``headers`` ignores case."""

    def __init__(self, response: aiohttp.ClientResponse, place: str, idle_s: float) -> None:
        self._response = response
        self._place = place
        self._idle_s = idle_s
        self.status = response.status
        self.headers: CIMultiDictProxy[str] = response.headers

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives, in pieces of any size; ends when the other side ends it.

        Its length has no cap: whoever reads caps what it keeps (``sse.SseParser`` does).  Raises TimedOut after
        ``idle_s`` without a byte, Unreachable when the connection breaks or the body is encoded.
        """
        if self._response.headers.get("Content-Encoding", "").strip().lower() not in ("", "identity"):
            detail = f"The stream of {self._place} is encoded, which was not asked for."
            raise Unreachable(detail)
        while True:
            try:
                async with asyncio.timeout(self._idle_s):
                    chunk = await self._response.content.readany()
            except TimeoutError as error:
                detail = f"{self._place} was silent for {self._idle_s:g} seconds."
                raise TimedOut(detail) from error
            except (aiohttp.ClientError, OSError) as error:
                detail = f"The stream of {self._place} broke off ({type(error).__name__})."
                raise Unreachable(detail) from error
            if not chunk:
                return
            yield chunk

    async def reply(self, *, max_bytes: int) -> Reply:
        """All of it as a plain reply, for one that turned out to be a refusal.  Raises as ``Outgoing.request`` does."""
        try:
            async with asyncio.timeout(self._idle_s):
                body = await read_body(self._response, self._place, max_bytes)
        except TimeoutError as error:
            detail = f"{self._place} did not end its reply within {self._idle_s:g} seconds."
            raise TimedOut(detail) from error
        except (aiohttp.ClientError, OSError) as error:
            detail = f"The reply of {self._place} broke off ({type(error).__name__})."
            raise Unreachable(detail) from error
        return Reply(self.status, self.headers, body)
