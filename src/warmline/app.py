"""The composition root: the only file that knows every ring.

``Node`` is one process of an installation: it opens the store and the bus, builds the services, runs the background
work its role asks for, and serves the web surfaces.
"""

from __future__ import annotations

import asyncio
import dataclasses
import secrets
import signal
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any, Self

import sqlalchemy as sa
import structlog

from warmline import __version__
from warmline.accounts import audit
from warmline.accounts.answers import Answers
from warmline.accounts.api_keys import ApiKeys
from warmline.accounts.service import Accounts
from warmline.app_services import administration_of, desk_services_of
from warmline.bots.runner import BotRunner
from warmline.bots.service import Bots
from warmline.conversations.attachment_links import AttachmentLinks
from warmline.conversations.attachments import AttachmentKeeper
from warmline.conversations.attachments_place import open_attachments
from warmline.conversations.index import ConversationIndex
from warmline.conversations.kind import CONVERSATION, conversation_kind
from warmline.conversations.listing import Listing
from warmline.conversations.service import Conversations
from warmline.conversations.views import visitor_state
from warmline.conversations.widgets import Widgets
from warmline.desks.customcrm.converse import ConverseBody, parse_converse_event
from warmline.desks.customcrm.inbound import AgentEventBody, parse_agent_event
from warmline.desks.registry import desk_kinds
from warmline.deskwork.queue import DeskQueue
from warmline.deskwork.service import DeskWork
from warmline.handover.connection_alerts import ConnectionAlerts
from warmline.handover.connection_watch import check_all, failing
from warmline.handover.connections import Connections
from warmline.handover.converse import Converse
from warmline.handover.files import DeskFiles
from warmline.handover.handoff import Handoffs
from warmline.handover.inbound import Inbound
from warmline.handover.inbox import Inbox, InboxEraser, InboxRunner
from warmline.handover.ladder import Deadlines, Ladders
from warmline.handover.outbound import FilesOut
from warmline.handover.parked import Parked
from warmline.handover.payloads import Payloads
from warmline.handover.relay import Planner, Relay
from warmline.handover.thread_states import ThreadStates
from warmline.journal.consumers import ConsumerRunner, ReactingConsumer, TransactionalConsumer
from warmline.journal.deadlines import DeadlineRunner
from warmline.journal.journal import Journal, tune_process
from warmline.journal.leases import LeaseKeeper
from warmline.kernel.clock import MINUTE, SECOND, Clock, SystemClock
from warmline.kernel.ids import uuid7
from warmline.platform import bus as buses
from warmline.platform import migrations
from warmline.platform.bus import Bus, MemoryBus
from warmline.platform.crypto import Keyring
from warmline.platform.data_folder import open_data_folder
from warmline.platform.database import Database
from warmline.platform.http import Outgoing
from warmline.platform.settings import Settings
from warmline.platform.upkeep import Upkeep
from warmline.visitors.service import Visitors
from warmline.web.api.services import Services as ApiServices
from warmline.web.api.transcript_link import TranscriptLinks
from warmline.web.api.wire import AGENT_PATH, WireSurface
from warmline.web.console.context import ConsoleContext
from warmline.web.console.desk_presence import DeskPresence
from warmline.web.console.desk_surface import DeskSurface
from warmline.web.console.outside import error_page, icon_route
from warmline.web.files import FileRoutes, item_with_links
from warmline.web.front import Health, RawRoute
from warmline.web.hub import Hub
from warmline.web.ingress import Ingress
from warmline.web.server import Server, WebOptions, build_application, make_server
from warmline.web.stream import VisitorStream
from warmline.web.stream_limits import WidgetLimits
from warmline.web.stream_ports import Views
from warmline.web.widget.files import WidgetFiles
from warmline.web.widget.routes import WidgetSurface

log = structlog.get_logger(__name__)

_HOUR_S = 3_600.0


class Node:
    """One process: its parts, started in order and stopped in the reverse one."""

    def __init__(self, settings: Settings, *, clock: Clock | None = None) -> None:
        self.settings = settings
        self.id = uuid7()
        self.clock = clock or SystemClock()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            await self._open_platform()
            await self._open_services()
            if self.settings.role != "web":
                await self.connections.reseal()
                await self._start_background()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._stack.aclose()

    async def _open_platform(self) -> None:
        s = self.settings
        open_data_folder(s.data)
        self.keyring = Keyring.open(s.data, self.clock)
        self.database = Database.open(s.store_url)
        self._stack.callback(self.database.close)
        await asyncio.to_thread(migrations.upgrade, self.database)
        self.bus: Bus = buses.NatsBus(s.nats_url, prefix=s.nats_prefix) if s.nats_url else MemoryBus()
        await self._started(self.bus)
        self.outgoing = Outgoing(allow=s.allow_private_targets, allow_http=s.allow_http_targets)
        await self._started(self.outgoing)
        self.journal = Journal(self.database, self.clock, self.bus, [conversation_kind], node_id=self.id)
        await self._started(self.journal)

    async def _open_services(self) -> None:
        s, journal, clock, bus = self.settings, self.journal, self.clock, self.bus
        idle, patience = s.conversation_idle_minutes * MINUTE, s.bot_answers_within_s * SECOND
        self.accounts = Accounts(journal, clock, session_hours=s.session_hours)
        self._stack.callback(self.accounts.close)
        self.api_keys = ApiKeys(journal, clock, bus)
        await self._started(self.api_keys)
        self.visitors = Visitors(journal, clock)
        self.widgets = Widgets(journal, clock, bus)
        await self.widgets.start()
        self.presence = DeskPresence(bus, clock, node_id=self.id, alone=s.role == "all" and not s.nats_url)
        await self._started(self.presence)
        kinds = desk_kinds(outgoing=self.outgoing, clock=clock, agents_online=self.presence.agents_online)
        self.connections = Connections(journal, self.keyring, bus, clock, kinds)
        await self._started(self.connections)
        # Every process notes failures, so every one tells of those that it notes.
        alerts = ConnectionAlerts(
            journal,
            self.connections,
            self.outgoing,
            clock,
            url=s.alert_url,
            secret=s.alert_secret,
            public_url=s.public_url,
        )
        await self._started(alerts)
        self.deadlines = Deadlines(
            answer_within_s=s.answer_within_s,
            connect_within_s=s.connect_within_s,
            idle_after_s=s.idle_after_s,
            lost_after_s=s.lost_after_s,
        )
        self.payloads = Payloads(journal, clock)
        self.ladders = Ladders(self.widgets, self.connections, self.deadlines, self.payloads)
        self.conversations = Conversations(
            journal, clock, bus, self.ladders.for_conversation, idle_after=idle, bot_answers_within=patience
        )
        self.converse = Converse(journal, clock, self.ladders, idle_after=idle, bot_answers_within=patience)
        self.handoffs = Handoffs(journal, self.converse, self.connections, self.widgets, self.ladders)
        self.inbox = Inbox(journal, clock, bus, self.keyring, self.connections.desk)
        self.attachments = open_attachments(s, journal, clock)
        self._stack.push_async_callback(self.attachments.stop)
        self.file_links = AttachmentLinks(self.keyring, clock, public_url=s.public_url, days=s.file_link_days)
        self.transcript_links = TranscriptLinks(journal, clock, self.keyring, self.file_links, public_url=s.public_url)
        states = ThreadStates(self.keyring)
        desk_files = DeskFiles(journal, self.attachments, self.outgoing, self.connections.desk, states)
        self.inbound = Inbound(journal, bus, files=desk_files)
        self.files_out = FilesOut(self.file_links.lasting, self.attachments.read)
        self.bots = Bots(journal, clock)
        self.deskwork = DeskWork(journal, clock, self.conversations)

    async def _start_background(self) -> None:
        journal, clock, bus = self.journal, self.clock, self.bus
        keeper = LeaseKeeper(journal, self.id)
        reply_to = f"{self.settings.public_url}{AGENT_PATH}"
        self.relay = Relay(
            journal,
            clock,
            bus,
            keeper,
            desk=self.connections.desk,
            payload_kind=self.connections.payload_kind,
            payloads=self.payloads,
            links=lambda conversation: (self.transcript_links.link(conversation), reply_to),
            note_health=self.connections.note_health,
            inbound=self.inbound,
            keyring=self.keyring,
            files=self.files_out,
        )
        await self._started(self.relay)
        inbox = InboxRunner(journal, clock, bus, keeper, self.keyring, self.inbound, self.connections.desk)
        await self._started(inbox)
        consumers: list[TransactionalConsumer | ReactingConsumer] = [
            ConversationIndex(),
            Planner(clock, bus),
            BotRunner(journal, self.bots, self.ladders.for_conversation),
            DeskQueue(journal),
            InboxEraser(),
            AttachmentKeeper(self.attachments),
        ]
        await self._started(ConsumerRunner(journal, consumers))
        await self._started(DeadlineRunner(journal))
        await self._started(
            Upkeep(
                {
                    "audit anchors": (_HOUR_S, self._anchor_audit),
                    "old deliveries": (_HOUR_S, inbox.forget_old),
                    "files nobody sent": (_HOUR_S, self.attachments.sweep),
                    "expired sessions": (_HOUR_S, self.accounts.forget_expired_sessions),
                }
            )
        )
        # Not right after a start: the desks may be starting as well.
        checks = {"connections": (_HOUR_S, lambda: check_all(self.connections))}
        await self._started(Upkeep(checks, first_after_s=_HOUR_S / 4))

    async def _anchor_audit(self) -> None:
        """Keep the ends of the audit chains: in the store, and where its owner cannot change them unseen, in the log."""
        now = self.clock.now()
        heads = await self.journal.write(lambda conn: audit.anchor(conn, now))
        log.info("audit anchored", heads={head.node: f"{head.seq} {head.hash}" for head in heads})

    async def _started(self, part: Any) -> None:
        await part.start()
        self._stack.push_async_callback(part.stop)

    # -- the web -------------------------------------------------------------------------------------------------

    async def open_web(
        self, *, ready: Callable[[str], None] | None = None, more: Sequence[RawRoute] = (), warm: bool = False
    ) -> Server:
        """The server, ready for ``serve()``; ``more`` are routes of its caller.

        With ``warm`` the pages are made right after the server listens, instead of for the first who asks.
        """
        s = self.settings

        async def events(conversation: str, *, after: int, limit: int) -> Any:
            return await self.journal.events(CONVERSATION, conversation, after=after, limit=limit)

        hub = Hub(self.journal, self.bus, item=item_with_links(self.file_links), events=events)
        await self._started(hub)
        limits = WidgetLimits(self.clock, scale=s.rate_limit_scale)
        views = Views(state=visitor_state, visitor_of=lambda state: state.visitor_id)
        stream = VisitorStream(hub, self.conversations, self.visitors, views, limits, self.attachments)
        widget = WidgetSurface(stream, self.widgets, limits, public_url=s.public_url, max_file_bytes=s.max_file_bytes)
        files = WidgetFiles(stream, self.widgets, limits, self.attachments, self.file_links, public_url=s.public_url)
        console, handlers = await self._handlers()
        application = build_application(
            WebOptions(
                public_url=s.public_url,
                version=__version__,
                max_body_bytes=s.max_body_bytes,
                trusted_proxies=s.trusted_proxies,
            ),
            routes=[
                *widget.routes(),
                *files.routes(),
                *FileRoutes(self.attachments, self.file_links).routes(),
                *self._wire().routes(),
                *Ingress(self.inbox, self.clock).routes(),
                *self.transcript_links.routes(),
                icon_route(),
                *more,
            ],
            sockets=widget.sockets(),
            handlers=handlers,
            error_page=error_page(console),
            health=Health({"store": self._store_answers, "bus": self._bus_answers}),
        )

        async def drain() -> None:
            await asyncio.gather(hub.drain(), self.desk.drain())

        return make_server(application, host=s.host, port=s.port, drain=drain, ready=ready, warm=warm)

    def _wire(self) -> WireSurface:
        return WireSurface(
            self.api_keys,
            self.inbound,
            self.converse,
            serves=self.connections.serves,
            parse_agent=parse_agent_event,
            parse_converse=parse_converse_event,
            bodies=(AgentEventBody, ConverseBody),
        )

    async def _handlers(self) -> tuple[ConsoleContext, Callable[[], list[Any]]]:
        """The console, and how to make the routes that the framework serves: it and our own API."""
        answers = Answers(self.journal, self.keyring, self.clock)
        console = ConsoleContext(
            accounts=self.accounts,
            answers=answers,
            api_keys=self.api_keys,
            journal=self.journal,
            clock=self.clock,
            public_url=self.settings.public_url,
            first_run_code=await self._first_run_code(),
        )
        listing = Listing(self.journal, self.clock)
        parked = Parked(
            self.journal,
            self.clock,
            desk=self.connections.desk,
            files=self.files_out,
            states=ThreadStates(self.keyring),
        )
        self.desk = DeskSurface(desk_services_of(self, listing, parked), console.renderer, console.live)
        await self._started(self.desk)
        console.failing = lambda: failing(self.connections)
        console.services = {"desk": self.desk, "administration": administration_of(self, listing, parked)}
        api = ApiServices(
            api_keys=self.api_keys,
            answers=answers,
            attachments=self.attachments,
            file_links=self.file_links,
            bots=self.bots,
            clock=self.clock,
            connections=self.connections,
            conversations=self.conversations,
            handoffs=self.handoffs,
            outgoing=self.outgoing,
            ladders=self.ladders,
            listing=listing,
            parked=parked,
            widgets=self.widgets,
            public_url=self.settings.public_url,
        )

        def make() -> list[Any]:
            from warmline.web.pages import page_handlers  # noqa: PLC0415 - loads the framework

            return page_handlers(console, api, scale=self.settings.rate_limit_scale)

        return console, make

    async def _first_run_code(self) -> str:
        """What the first member must know: written where only the operator reads, until somebody has signed up."""
        path = self.settings.data / "first-run-code.txt"
        if await self.accounts.has_members():
            path.unlink(missing_ok=True)
            return ""
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(secrets.token_hex(6) + "\n", encoding="ascii")
        log.warning("nobody can sign in yet", open=f"{self.settings.public_url}/console", code_in=str(path))
        return path.read_text(encoding="ascii").strip()

    async def _store_answers(self) -> bool:
        return await self.journal.read(lambda conn: conn.execute(sa.select(1)).scalar()) == 1

    async def _bus_answers(self) -> bool:
        return self.bus.connected


def run_server(settings: Settings, *, ready: Callable[[str], None] | None = None) -> None:
    """Run one process until SIGINT or SIGTERM.  Raises WarmlineError when it cannot start."""

    async def main() -> None:
        async with Node(settings) as node:
            if settings.role == "worker":
                await _until_told()
                return
            server = await node.open_web(ready=ready, warm=True)
            tune_process()
            await server.serve()

    import uvloop  # noqa: PLC0415 - only a running server needs it

    uvloop.run(main())


async def reseal(settings: Settings) -> int:
    """Encrypt every stored secret with the current key; how many were not.  Raises WarmlineError when it cannot start."""
    async with Node(dataclasses.replace(settings, role="web")) as node:
        return await node.connections.reseal()


async def _until_told() -> None:
    """Wait for SIGINT or SIGTERM."""
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    await told.wait()
