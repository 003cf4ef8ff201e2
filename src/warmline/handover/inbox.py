"""Deliveries of vendors: checked and kept while the vendor waits, worked off afterwards.

A vendor wants its answer within seconds and repeats what it did not get one for, so a delivery is only read and stored
before the receipt.  Working off is done by one node, per thread in the order of arrival.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Sequence

import msgspec
import sqlalchemy as sa
import structlog

from warmline.conversations import events as e
from warmline.handover import inbox_store as store
from warmline.handover import thread_store
from warmline.handover.inbound import Inbound
from warmline.handover.port import (
    AgentJoined,
    AgentReplied,
    Answers,
    Desk,
    DeskEvent,
    Enriches,
    InboundDelivery,
    InboundReply,
    Join,
    QueueMoved,
    SignatureRejected,
    ThreadTransferred,
    Unsupported,
)
from warmline.journal.consumers import TransactionalConsumer
from warmline.journal.journal import Journal
from warmline.journal.leases import Lease, LeaseKeeper
from warmline.kernel.clock import DAY, SECOND, Clock
from warmline.kernel.envelope import Recorded
from warmline.kernel.errors import Conflict, Invalid, KeyReused, NotFound, Unavailable
from warmline.platform.bus import Bus, Subscription
from warmline.platform.crypto import KeyMissing, Keyring
from warmline.platform.waking import woken

log = structlog.get_logger(__name__)

ARRIVED = "inbox.arrived"
"""Bus subject: something waits to be worked off."""
LEASE = "inbox"
LEASE_MS = 10_000
PATIENCE_MS = 30 * SECOND
"""How long a delivery waits for its thread: vendors report a thread's first event before they answer who it is."""
LOOK_AGAIN_MS = 250
LONGEST_PAUSE_MS = 5_000
KEPT_MS = 3 * DAY
"""Settled deliveries stay this long, for finding out what a vendor really sent."""
JOIN_PATIENCE_MS = 2 * SECOND
"""How long a reply waits for the joining that it has overtaken; after that somebody who replies has joined."""
_EARLY = frozenset({"not_offered"})
_OPENING = (AgentJoined, QueueMoved, ThreadTransferred)
"""What may be brought in before a reply that waits for it."""
_UNREADABLE = (NotFound, Conflict, SignatureRejected, Invalid, KeyMissing)
_PAGE = 100
_POLL_S = 1.0
_REF_LENGTH = 200
_CONTEXT = "inbox"
_NOBODY = "There is no such connection."


class Inbox:
    """Takes deliveries.  ``desk`` finds a connection's desk and raises NotFound or Conflict."""

    def __init__(self, journal: Journal, clock: Clock, bus: Bus, keyring: Keyring, desk: Callable[[str], Desk]) -> None:
        self._journal = journal
        self._keyring = keyring
        self._clock = clock
        self._bus = bus
        self._desk = desk
        self.rejected: Counter[str] = Counter()

    async def receive(self, connection_id: str, delivery: InboundDelivery) -> InboundReply | None:
        """Check and keep one delivery; what the vendor wants to hear, None for the usual receipt.

        Raises NotFound, SignatureRejected, Invalid with the path.  Answers after the commit.
        """
        try:
            desk = self._desk(connection_id)
        except (NotFound, Conflict):
            raise NotFound(_NOBODY) from None
        try:
            reply = desk.reply(delivery) if isinstance(desk, Answers) else None
            events = desk.parse(delivery)
        except Unsupported:
            # Nobody can report here, whoever it is: that is no fault of the vendor's.
            raise NotFound(_NOBODY) from None
        except SignatureRejected:
            self.rejected[connection_id] += 1
            raise
        refs = list(dict.fromkeys(event.thread_ref for event in events))
        if any(not ref or len(ref) > _REF_LENGTH or "\0" in ref for ref in refs):
            raise Invalid("The delivery names a thread by an id that no vendor gives.", path="$")
        if refs:
            # Among the headers may be the connection's secret itself.
            headers = self._keyring.encrypt(msgspec.json.encode(dict(delivery.headers)), _CONTEXT)
            await self._journal.write(lambda conn: store.insert_delivery(conn, connection_id, refs, delivery, headers))
            await self._bus.publish(ARRIVED, b"")
        return reply


class InboxRunner:
    """Works deliveries off on the one node that holds the lease.  ``foreign`` and ``dropped`` count per connection."""

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        bus: Bus,
        leases: LeaseKeeper,
        keyring: Keyring,
        inbound: Inbound,
        desk: Callable[[str], Desk],
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._bus = bus
        self._leases = leases
        self._keyring = keyring
        self._inbound = inbound
        self._desk = desk
        self._lease: Lease | None = None
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._subscription: Subscription | None = None
        self.foreign: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()

    async def start(self) -> None:
        """Begin to compete for the lease and to work."""
        self._subscription = await self._bus.subscribe(ARRIVED, lambda _subject, _data: self._wake.set())
        self._task = asyncio.create_task(self._run(), name="inbox")

    async def stop(self) -> None:
        """Stop after the present delivery and hand the lease over."""
        if self._subscription is not None:
            await self._subscription.unsubscribe()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._lease is not None:
            with contextlib.suppress(Unavailable):
                await self._leases.release(self._lease)

    async def _run(self) -> None:
        while True:
            pause = _POLL_S
            try:
                if await self._holds_lease():
                    pause = await self.work_off()
            except Unavailable:
                pass  # said by the writer; the next look tries again
            except Exception:
                log.exception("working vendors' deliveries off failed")
            await woken(self._wake, pause)
            self._wake.clear()

    async def _holds_lease(self) -> bool:
        lease = self._lease
        if lease is None:
            self._lease = await self._leases.acquire(LEASE, LEASE_MS)
        elif lease.until - self._clock.now() < LEASE_MS * 2 // 3:
            self._lease = await self._leases.renew(lease)
        return self._lease is not None

    async def work_off(self) -> float:
        """Work off what is due; seconds until something may be due again."""
        while True:
            now = self._clock.now()
            rows = await self._journal.read(lambda conn, now=now: store.list_waiting(conn, now, _PAGE))  # type: ignore[misc]
            lines: dict[tuple[str, str], list[store.DeliveryRow]] = {}
            for row in rows:
                lines.setdefault((row.connection_id, row.thread_ref), []).append(row)
            # Threads beside each other, one thread's deliveries strictly in order.
            await asyncio.gather(*(self._work_line(line) for line in lines.values()))
            if len(rows) < _PAGE:
                break
            await self._holds_lease()
        due = await self._journal.read(store.next_due)
        return _POLL_S if due is None else max(0.01, min(_POLL_S, (due - self._clock.now()) / SECOND))

    async def _work_line(self, line: Sequence[store.DeliveryRow]) -> None:
        left = list(line)
        while left:
            row = left[0]
            if await self._work(row):
                left.pop(0)
                continue
            # Reports overtake each other: a joining behind the reply that waits for it goes first.
            opened = [one for one in left[1:] if self._opens(one) and await self._work(one)]
            if not opened:
                return
            left = [one for one in left if one not in opened]

    def _opens(self, row: store.DeliveryRow) -> bool:
        """Whether a delivery says nothing but who is there."""
        try:
            events = self._events(self._desk(row.connection_id), row)
        except _UNREADABLE:
            return False
        return bool(events) and all(isinstance(event, _OPENING) for event in events)

    async def _work(self, row: store.DeliveryRow) -> bool:
        """Bring one delivery in; False when it has to wait, and what follows it with it."""
        thread = await self._journal.read(
            lambda conn: thread_store.find_by_ref(conn, row.connection_id, row.thread_ref)
        )
        early = self._clock.now() < row.received_at + PATIENCE_MS
        if thread is None:
            if early:
                return await self._later(row)
            self.foreign[row.connection_id] += 1
            return await self._settle(row, store.FOREIGN, None, "This thread was not opened by us.")
        try:
            desk = self._desk(row.connection_id)
            events = self._events(desk, row)
        except _UNREADABLE as error:
            return await self._settle(row, store.FAILED, thread.conversation_id, error.detail)
        said: list[str] = []
        joining = self._clock.now() < row.received_at + JOIN_PATIENCE_MS
        for place, event in enumerate(events):
            key = f"{event.vendor_event_id or f'delivery-{row.id}'}/{place if event.vendor_event_id is None else ''}"
            try:
                await self._bring_in(desk, thread, event, key, desk.manifest.join if joining else Join.INFERRED)
            except Conflict as refused:
                waits_to_join = refused.code == "not_connected" and isinstance(event, AgentReplied) and joining
                if (refused.code in _EARLY and early) or waits_to_join:
                    return await self._later(row)
                said.append(refused.code)
            except (NotFound, KeyReused) as refused:
                said.append(refused.code)
        self.dropped[row.connection_id] += len(said)
        return await self._settle(row, store.DONE, thread.conversation_id, ", ".join(said) or None)

    def _events(self, desk: Desk, row: store.DeliveryRow) -> list[DeskEvent]:
        return [event for event in desk.parse(self._opened(row)) if event.thread_ref == row.thread_ref]

    def _opened(self, row: store.DeliveryRow) -> InboundDelivery:
        headers = msgspec.json.decode(self._keyring.decrypt(row.headers, _CONTEXT), type=dict[str, str])
        query = msgspec.json.decode(row.query, type=dict[str, str])
        return InboundDelivery(headers=headers, body=row.body, query=query, received_at=row.received_at)

    async def _bring_in(
        self, desk: Desk, thread: thread_store.ThreadRow, event: DeskEvent, key: str, join: Join
    ) -> None:
        if isinstance(desk, Enriches):
            event = await desk.enrich(event)
        await self._inbound.receive(
            thread.connection_id,
            event,
            conversation_id=thread.conversation_id,
            epoch=thread.owner_epoch,
            key=key,
            join=join,
        )

    async def _later(self, row: store.DeliveryRow) -> bool:
        now = self._clock.now()
        # Soon at first, then less and less often: an account's webhook may also tell of threads that are not ours.
        due = now + min(max(LOOK_AGAIN_MS, (now - row.received_at) // 2), LONGEST_PAUSE_MS)
        await self._journal.write(lambda conn: store.postpone(conn, row.id, due))
        return False

    async def _settle(
        self, row: store.DeliveryRow, state: str, conversation_id: str | None, outcome: str | None
    ) -> bool:
        await self._journal.write(lambda conn: store.settle(conn, row.id, state, conversation_id, outcome))
        return True

    async def forget_old(self) -> None:
        """Delete settled deliveries after three days."""
        before = self._clock.now() - KEPT_MS
        while await self._journal.write(lambda conn: store.forget_before(conn, before, _PAGE)) == _PAGE:
            pass


class InboxEraser(TransactionalConsumer):
    """The consumer ``inbox_eraser``: what was delivered for a conversation goes when its visitor is erased."""

    name = "inbox_eraser"
    types = frozenset({e.VisitorErased.TYPE})

    def apply(self, conn: sa.Connection, events: Sequence[Recorded]) -> None:
        """Purge the conversations of ``events``."""
        for event in events:
            store.forget_conversation(conn, event.stream_id)
