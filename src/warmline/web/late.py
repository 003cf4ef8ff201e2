"""The framework's application, made when it is first needed.

Making it takes a good part of a second (it looks at the types of some two hundred handlers), and neither a visitor nor
a CRM ever waits for it: they talk to the routes in front of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, cast

from warmline.web.problems import Handler, Receive, Scope, Send

if TYPE_CHECKING:
    from litestar import Litestar


class LateApplication:
    """An ASGI application that makes the real one with ``make``, once, off the event loop."""

    def __init__(self, make: Callable[[], Litestar]) -> None:
        self._make = make
        self._made: Litestar | None = None
        self._making = Lock()

    def made(self) -> Litestar:
        """The real one.  Blocks while it is being made."""
        if self._made is None:
            with self._making:
                if self._made is None:
                    self._made = self._make()
        return self._made

    async def warm(self) -> None:
        """Make it now, so that the first person does not wait for it."""
        await asyncio.to_thread(self.made)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        made = self._made or await asyncio.to_thread(self.made)
        await cast("Handler", made)(scope, receive, send)


async def _live(receive: Receive, send: Send) -> None:
    """Our own start and stop are the composition root's; the server is only told that all is well."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await send({"type": "lifespan.shutdown.complete"})
            return
