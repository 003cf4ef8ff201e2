"""The relay: brings handovers and visitors' messages to desks.  One node at a time, under a fenced lease.

A consumer of the journal plans a thread per attempt; a worker per thread does the talking.  Hand-offs from the
writer wake the workers, so that a message is on its way to the desk a moment after its commit.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Awaitable, Callable, Sequence

import sqlalchemy as sa
import structlog

from warmline.conversations import events as e
from warmline.conversations.kind import CONVERSATION
from warmline.handover import thread_store as store
from warmline.handover.bookmarks import Bookmarks
from warmline.handover.front import FRONT, FRONT_KINDS, FRONTS, FrontWorker
from warmline.handover.inbound import Inbound
from warmline.handover.outbound import FilesOut
from warmline.handover.payloads import PayloadKind, Payloads, fill_payload, values_of
from warmline.handover.port import AuthRejected, Desk, DeskError, HandoverRequest, Health, Refused, Unreachable
from warmline.handover.requests import build_request, read_history
from warmline.handover.thread_states import ThreadStates
from warmline.handover.thread_tables import threads
from warmline.handover.typing_out import Talker, TypingOut
from warmline.handover.worker import ThreadWorker
from warmline.journal.consumers import TransactionalConsumer
from warmline.journal.journal import Journal
from warmline.journal.leases import Lease, LeaseKeeper
from warmline.kernel.clock import Clock
from warmline.kernel.envelope import Recorded
from warmline.kernel.errors import WarmlineError
from warmline.platform.breaker import Breaker, BreakerPhase, BreakerPolicy
from warmline.platform.bus import Bus
from warmline.platform.crypto import Keyring
from warmline.platform.typed_json import TypedJsonInvalid
from warmline.platform.waking import woken

log = structlog.get_logger()

PLANNED = "relay.planned"
LEASE = "relay"
LEASE_MS = 18_000
"""After so long at most another node goes on where a killed one stopped."""
LOOK_EVERY_S = 2.0
"""How long an event may lie unnoticed whose hand-off was lost: with a node that died, or a commit whose answer was."""
SEND_MS = 12_000
"""A send lasts at most this long; the lease must outlast it, or two nodes could talk to one desk."""

Links = Callable[[str], tuple[str | None, str | None]]
"""Conversation id → signed transcript link and reply address."""


class Planner(TransactionalConsumer):
    """Makes a thread row for every attempt, in the transaction that moves its cursor."""

    name = "relay_planner"
    types = frozenset(
        {
            e.HandoverRequested.TYPE,
            e.HandoverRungFailed.TYPE,
            e.HandoverPutBack.TYPE,
            e.ConversationStarted.TYPE,
            e.VisitorErased.TYPE,
        }
    )

    def __init__(self, clock: Clock, bus: Bus) -> None:
        self._clock = clock
        self._bus = bus
        self._planned: list[str] = []

    def apply(self, conn: sa.Connection, events: Sequence[Recorded]) -> None:
        """Plan the attempts that these events begin."""
        self._planned = []
        for event in events:
            if event.stream_kind == CONVERSATION:
                self._plan(conn, event)

    async def applied(self, events: Sequence[Recorded]) -> None:
        """After the commit: tell the node that talks to desks which threads are new."""
        del events
        for first in range(0, len(self._planned), _NAMED_AT_ONCE):
            names = ",".join(self._planned[first : first + _NAMED_AT_ONCE])
            await self._bus.publish(PLANNED, names.encode())

    def _plan(self, conn: sa.Connection, event: Recorded) -> None:
        body = event.body
        if isinstance(body, e.HandoverRequested) and body.ladder:
            rung, connection_id, cursor = 0, body.ladder[0].connection_id, event.seq
        elif isinstance(body, e.HandoverRungFailed) and body.next_rung is not None:
            rung, connection_id, cursor = body.next_rung, body.next_connection_id or "", body.requested_seq
        elif isinstance(body, e.HandoverPutBack):
            conn.execute(
                sa.update(threads)
                .where(threads.c.conversation_id == event.stream_id, threads.c.handover_id == body.handover_id)
                .where(threads.c.rung == body.rung)
                .values(owner_epoch=event.owner_epoch)
            )
            return
        elif isinstance(body, e.ConversationStarted) and body.channel in FRONT_KINDS:
            self._plan_front(conn, event, body)
            return
        elif isinstance(body, e.VisitorErased):
            store.forget_vendor_side(conn, event.stream_id)
            return
        else:
            return
        row = store.new_thread(
            kind="rung",
            conversation_id=event.stream_id,
            handover_id=body.handover_id,
            rung=rung,
            owner_epoch=event.owner_epoch,
            connection_id=connection_id,
            bot_id=body.bot_id,
            cursor=cursor,
        )
        self._insert(conn, row)

    def _insert(self, conn: sa.Connection, row: store.ThreadRow) -> None:
        store.insert_attempt(conn, row, self._clock.now())
        self._planned.append(row.id)

    def _plan_front(self, conn: sa.Connection, event: Recorded, body: e.ConversationStarted) -> None:
        row = store.new_thread(
            kind=FRONT_KINDS[body.channel],
            conversation_id=event.stream_id,
            handover_id=FRONT,
            rung=0,
            owner_epoch=event.owner_epoch,
            connection_id=body.connection_id or "",
            bot_id=body.bot_id,
            cursor=event.seq,
            ref=body.external_id,
            phase="open",
        )
        self._insert(conn, row)


_AWAY = frozenset({None, 502, 503, 504})
"""No answer at all, or a proxy's word that nobody is behind it."""
_POLICY = BreakerPolicy(longest_pause=30_000)
_NAMED_AT_ONCE = 200
_TOLD_AGAIN_MS = 60_000
"""So often a desk that goes on answering is noted as well: somebody's test may have said something else meanwhile."""


class Relay:
    """Holds the lease and one worker per unfinished thread."""

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        bus: Bus,
        leases: LeaseKeeper,
        *,
        desk: Callable[[str], Desk],
        payload_kind: Callable[[str], PayloadKind | None],
        payloads: Payloads,
        links: Links,
        note_health: Callable[[str, Health], Awaitable[None]],
        inbound: Inbound,
        keyring: Keyring,
        files: FilesOut,
    ) -> None:
        self.journal = journal
        self.files = files
        self.clock = clock
        self.inbound = inbound
        self.states = ThreadStates(keyring)
        self._bus = bus
        self._leases = leases
        self._desk = desk
        self._payload_kind = payload_kind
        self._payloads = payloads
        self._links = links
        self._lease: Lease | None = None
        self._workers: dict[str, tuple[ThreadWorker | FrontWorker, asyncio.Task[None]]] = {}
        self._by_conversation: dict[str, list[ThreadWorker | FrontWorker]] = {}
        self._breakers: dict[str, Breaker] = {}
        self._write_health = note_health
        self._health: dict[str, tuple[bool, int]] = {}
        self._notes: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._look_at = 0.0
        self._adopt_at = 0.0
        self._planned: set[str] = set()
        self._bookmarks = Bookmarks(journal, clock, self.fence)
        self._typing = TypingOut(bus, talkers=self._talkers, desk=desk)
        self._task: asyncio.Task[None] | None = None
        self._unlisten: Callable[[], None] = lambda: None

    async def start(self) -> None:
        """Begin competing for the lease."""
        self._unlisten = self.journal.listen(self._hand_off)
        await self._bus.subscribe(PLANNED, self._told_of)
        await self._bookmarks.start()
        await self._typing.start()
        self._task = asyncio.create_task(self._run(), name="relay")

    async def stop(self) -> None:
        """Stop the workers after what they are sending, and hand the lease over."""
        self._unlisten()
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._typing.stop()
        await self._stop_workers()
        await self._bookmarks.stop()
        if self._lease:
            await self._leases.release(self._lease)
            self._lease = None

    # -- what workers are lent -----------------------------------------------------------------------------------

    def desk(self, connection_id: str) -> Desk:
        """The desk behind a connection.  Raises NotFound."""
        return self._desk(connection_id)

    def breaker(self, connection_id: str) -> Breaker:
        """The connection's breaker."""
        return self._breakers.setdefault(connection_id, Breaker(self.clock, _POLICY))

    def answered(self, connection_id: str, refusal: DeskError | None = None) -> None:
        """The desk took something, or refused it: it can be reached, which is all that is asked unless it knows us no more."""
        self.breaker(connection_id).success()
        well = not isinstance(refusal, AuthRejected)
        if self._health.get(connection_id) != (well, self.clock.now() // _TOLD_AGAIN_MS):
            sentence = "The last call was answered." if refusal is None or well else refusal.detail
            self._tell_health(connection_id, Health(ok=well, sentence=sentence))

    def unanswered(self, connection_id: str, error: DeskError) -> None:
        """The desk did not take something for now.  Only what says that the whole desk is away opens its breaker."""
        breaker = self.breaker(connection_id)
        # A desk that asks for a pause, or fails over one conversation, is there for all the others.
        if isinstance(error, Unreachable) and error.vendor_status in _AWAY:
            breaker.failure()
        if breaker.phase is not BreakerPhase.CLOSED and self._health.get(connection_id, (True, 0))[0]:
            self._tell_health(connection_id, Health(ok=False, sentence=error.detail))

    def _tell_health(self, connection_id: str, health: Health) -> None:
        self._health[connection_id] = (health.ok, self.clock.now() // _TOLD_AGAIN_MS)
        task = asyncio.create_task(self._note_health(connection_id, health))
        self._notes.add(task)
        task.add_done_callback(self._notes.discard)

    async def _note_health(self, connection_id: str, health: Health) -> None:
        try:
            await self._write_health(connection_id, health)
        except WarmlineError as error:
            self._health.pop(connection_id, None)
            log.info("relay.health_not_noted", connection=connection_id, code=error.code)

    def fence(self) -> int | None:
        """The fencing token while the lease outlasts a send."""
        lease = self._lease
        if lease is None or lease.until - self.clock.now() < SEND_MS:
            return None
        return lease.fence

    def note_cursor(self, thread_id: str, seq: int) -> None:
        """The thread's desk has everything up to ``seq``; written soon."""
        self._bookmarks.note(thread_id, seq)

    def lose_cursors(self) -> None:
        """Write no more of what ``note_cursor`` is told: what a crash leaves can then be tried without one."""
        self._bookmarks.lose()

    async def request(self, thread: store.ThreadRow) -> HandoverRequest:
        """The request to offer for a thread: state, page and transcript as of now."""
        state, seq = await self.journal.snapshot(CONVERSATION, thread.conversation_id)
        history = await read_history(self.journal, thread.conversation_id, seq, self.files)
        request = build_request(thread, state, history, links=self._links(thread.conversation_id))
        held = state.handover
        digest = held.ladder[thread.rung].payload if held else ""
        return await self._with_payload(request, thread.connection_id, digest) if digest else request

    async def _with_payload(self, request: HandoverRequest, connection_id: str, digest: str) -> HandoverRequest:
        kind = self._payload_kind(connection_id)
        if kind is None:
            return request
        try:
            filled = fill_payload(kind, await self._payloads.read(digest), values_of(request, request.details))
        except TypedJsonInvalid as error:
            raise Refused(f"The rung's payload cannot be filled: {error.detail}", operation="open") from error
        return dataclasses.replace(request, payload=filled)

    # -- inside --------------------------------------------------------------------------------------------------

    def _told_of(self, _subject: str, data: bytes) -> None:
        self._planned.update(data.decode().split(","))
        self._wake.set()

    def _hand_off(self, events: Sequence[Recorded]) -> None:
        for event in events:
            for worker in self._by_conversation.get(event.stream_id, ()):
                worker.hand_off((event,))

    def _talkers(self, conversation_id: str) -> list[Talker]:
        return [one for one in self._by_conversation.get(conversation_id, ()) if isinstance(one, ThreadWorker)]

    async def _run(self) -> None:
        while True:
            try:
                await self._hold_lease()
                if self._lease:
                    await self._adopt()
                    await self._look_for_missed()
                else:
                    self._planned.clear()
            except WarmlineError as error:
                log.warning("relay.trouble", code=error.code)
            self._wake.clear()
            await woken(self._wake, 1.0)

    async def _hold_lease(self) -> None:
        if self._lease is None:
            self._lease = await self._leases.acquire(LEASE, LEASE_MS)
            self._adopt_at = 0.0
        elif self._lease.until - self.clock.now() < LEASE_MS * 5 // 6:
            renewed = await self._leases.renew(self._lease)
            if renewed is None:
                self._lease = None
                await self._stop_workers()
            else:
                self._lease = renewed

    async def _adopt(self) -> None:
        """Take up the threads that were named to us; now and then look for those whose naming was lost."""
        now = asyncio.get_running_loop().time()
        named, self._planned = sorted(self._planned), set()
        if now >= self._adopt_at:
            self._adopt_at = now + LOOK_EVERY_S
            known = tuple(self._workers)
            rows = await self.journal.read(lambda conn: store.list_unfinished(conn, known))
        elif named:
            rows = await self.journal.read(lambda conn: store.list_named(conn, named))
        else:
            return
        for row in rows:
            if row.id not in self._workers:
                make = FRONTS.get(row.kind, ThreadWorker)
                worker = make(self, row)
                task = asyncio.create_task(self._supervise(worker, row), name=f"thread:{row.id}")
                self._workers[row.id] = (worker, task)
                self._by_conversation.setdefault(row.conversation_id, []).append(worker)

    async def _look_for_missed(self) -> None:
        now = asyncio.get_running_loop().time()
        if now < self._look_at:
            return
        self._look_at = now + LOOK_EVERY_S
        heads = await self.journal.read(store.list_heads)
        for conversation, seq in heads.items():
            for worker in self._by_conversation.get(conversation, ()):
                worker.look_up_to(seq)

    async def _supervise(self, worker: ThreadWorker | FrontWorker, row: store.ThreadRow) -> None:
        try:
            await worker.run()
        except Exception:
            # One broken thread must not stop the others; it is taken up again from its row.
            log.exception("relay.worker_failed", thread=row.id, conversation=row.conversation_id)
            await asyncio.sleep(1.0)
        finally:
            self._workers.pop(row.id, None)
            others = [w for w in self._by_conversation.get(row.conversation_id, []) if w is not worker]
            if others:
                self._by_conversation[row.conversation_id] = others
            else:
                self._by_conversation.pop(row.conversation_id, None)
            self._planned.add(row.id)  # in case something of it is left to do
            self._wake.set()

    async def _stop_workers(self) -> None:
        tasks = [task for _worker, task in self._workers.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
