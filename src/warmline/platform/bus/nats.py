"""The bus between processes, over a NATS server (core NATS, nothing stored)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import nats.errors
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription as NatsSubscription

from warmline.platform.bus.port import Handler, check_pattern, check_subject

_log = structlog.get_logger(__name__)

# What waits for the server while it is away.  Wake-ups that old are worth little, and the bus may lose them.
_PENDING_BYTES = 1_048_576
# What waits for one slow handler before its further messages are dropped.
_PENDING_MESSAGES = 65_536
_FLUSH_S = 2.0


class _Interest:
    def __init__(
        self, prefix: str, pattern: str, handler: Handler, forget: Callable[[_Interest], Awaitable[None]]
    ) -> None:
        self.remote_pattern = prefix + pattern
        self.active = True
        self.remote: NatsSubscription | None = None
        self._prefix = prefix
        self._handler = handler
        self._forget = forget

    async def call(self, message: Msg) -> None:
        if not self.active:
            return
        subject = message.subject.removeprefix(self._prefix)
        try:
            self._handler(subject, message.data)
        except Exception:  # noqa: BLE001 - a handler must not take the bus down
            _log.exception("bus handler failed", subject=subject)

    async def unsubscribe(self) -> None:
        await self._forget(self)


class NatsBus:
    """Carries messages through the server at ``url``, below ``prefix``; comes back by itself, for ever.

    ``dropped`` counts messages that could not be handed to the server, ``missed`` those that came faster than their
    handlers took them (the loop was blocked).
    """

    def __init__(self, url: str, *, prefix: str = "warmline", reconnect_wait_s: float = 0.5) -> None:
        check_subject(prefix)
        self._url = url
        self._prefix = prefix + "."
        self._wait_s = reconnect_wait_s
        self._client: Client | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._interests: list[_Interest] = []
        self._callbacks: list[Callable[[], None]] = []
        self._closed = asyncio.Event()
        self._first_try = asyncio.Event()
        self._warned = False
        self.dropped = 0
        self.missed = 0

    @property
    def connected(self) -> bool:
        return self._client is not None and self._client.is_connected

    async def start(self) -> None:
        """Connect; when the server does not answer at once, go on trying in the background."""
        if self._keeper is None:
            self._keeper = asyncio.get_running_loop().create_task(self._keep(), name="warmline-bus")
            await self._first_try.wait()

    async def stop(self) -> None:
        for interest in self._interests:
            interest.active = False
        self._interests.clear()
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
            self._keeper = None
        self._first_try.clear()

    async def publish(self, subject: str, data: bytes) -> None:
        check_subject(subject)
        client = self._client
        if client is None:
            self.dropped += 1
            return
        try:
            await client.publish(self._prefix + subject, data)
        except (nats.errors.Error, OSError):
            self.dropped += 1

    async def subscribe(self, subject: str, handler: Handler) -> _Interest:
        """Listen.  While the server is away the interest is remembered and made when it is back."""
        check_pattern(subject)
        interest = _Interest(self._prefix, subject, handler, self._forget)
        self._interests.append(interest)
        client = self._client
        if client is not None:
            await self._make(client, interest)
            await self._flush(client)
        return interest

    def on_reconnect(self, callback: Callable[[], None]) -> None:
        self._callbacks.append(callback)

    async def _keep(self) -> None:
        # nats-py reconnects by itself, except after a refusal by the server (authorisation, protocol error),
        # after which it closes for good: then this loop makes a new client.
        while True:
            client = Client()
            self._closed.clear()
            try:
                await self._connect(client)
                self._client = client
                for interest in list(self._interests):
                    await self._make(client, interest)
                await self._flush(client)
                if self._first_try.is_set():
                    await self._reconnected()
                self._first_try.set()
                await self._closed.wait()
            except (nats.errors.Error, OSError, TimeoutError) as error:
                await self._failed(error)
            finally:
                self._client = None
                with contextlib.suppress(nats.errors.Error, OSError, TimeoutError):
                    await client.close()
            await asyncio.sleep(self._wait_s)

    async def _connect(self, client: Client) -> None:
        await client.connect(
            self._url,
            name="warmline",
            allow_reconnect=True,
            max_reconnect_attempts=-1,
            reconnect_time_wait=self._wait_s,  # type: ignore[arg-type]  # nats-py annotates int, sleeps any number
            connect_timeout=2,
            ping_interval=15,
            pending_size=_PENDING_BYTES,
            flush_timeout=_FLUSH_S,
            error_cb=self._failed,
            disconnected_cb=self._disconnected,
            reconnected_cb=self._reconnected,
            closed_cb=self._gone,
        )

    async def _make(self, client: Client, interest: _Interest) -> None:
        if not interest.active:
            return
        try:
            interest.remote = await client.subscribe(
                interest.remote_pattern, cb=interest.call, pending_msgs_limit=_PENDING_MESSAGES
            )
        except (nats.errors.Error, OSError) as error:
            await self._failed(error)

    async def _flush(self, client: Client) -> None:
        # After the round trip the server knows the interest: a message published next is heard.
        with contextlib.suppress(nats.errors.Error, OSError, TimeoutError):
            await client.flush(_FLUSH_S)  # type: ignore[arg-type]  # the same annotation

    async def _forget(self, interest: _Interest) -> None:
        if not interest.active:
            return
        interest.active = False
        self._interests.remove(interest)
        if interest.remote is not None:
            with contextlib.suppress(nats.errors.Error, OSError):
                await interest.remote.unsubscribe()

    async def _failed(self, error: Exception) -> None:
        self._first_try.set()
        if isinstance(error, nats.errors.SlowConsumerError):
            if not self.missed:
                _log.warning("bus handler too slow, messages dropped", subject=error.subject)
            self.missed += 1
            return
        # A server that is away for an hour would fill the log: one line per gap is enough.
        if not self._warned:
            self._warned = True
            _log.warning("bus connection failed; trying again for ever", error=str(error) or type(error).__name__)

    async def _disconnected(self) -> None:
        _log.warning("bus disconnected")

    async def _reconnected(self) -> None:
        self._warned = False
        _log.info("bus reconnected")
        for callback in self._callbacks:
            try:
                callback()
            except Exception:  # noqa: BLE001 - nor must a callback
                _log.exception("bus reconnect callback failed")

    async def _gone(self) -> None:
        self._closed.set()
