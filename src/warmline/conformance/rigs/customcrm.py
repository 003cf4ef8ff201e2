"""A custom CRM, for the kit: a small one, written from the published contract and the guide to it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import msgspec
from aiohttp import web

from warmline.accounts.access import SYSTEM
from warmline.app import Node
from warmline.conformance.rig import SCRIPT, NotAtThisVendor, Rig, SeenFile, Step
from warmline.kernel.clock import SystemClock
from warmline.kernel.ids import uuid7
from warmline.simulators.changes import Changes
from warmline.simulators.deliveries import Deliveries, Endpoint
from warmline.simulators.script import Kind, Switches
from warmline.simulators.trouble import Switchboard

_REPORTS = "/agent/converse/send-message-to-widget"
_EVENTS = {Step.OPEN: "widgetEscalate", Step.SEND: "widgetMessage", Step.CLOSE: "widgetEndSession"}
_AGENTS = ("Astrid Holm", "Noah Vinter")
_WORD = "a-word-in-the-address"


@dataclass
class Talk:
    """A conversation in the CRM."""

    id: str
    context: str
    taken: bool = False
    over: bool = False
    heard: list[str] = field(default_factory=list)
    files: list[SeenFile] = field(default_factory=list)


class Crm:
    """The webhook.  It takes each ``webhook-id`` once, as the guide advises."""

    def __init__(self) -> None:
        self.changes = Changes()
        self.trouble = Switchboard(self.changes)
        self.talks: dict[str, Talk] = {}
        self.bot_id = ""
        self.url = ""
        self._handled: set[str] = set()

    @asynccontextmanager
    async def served(self) -> AsyncIterator[None]:
        """Be there while the block runs."""
        application = web.Application()
        application.router.add_post("/webhook/{word}", self._webhook)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/webhook/"
            yield
        finally:
            await runner.cleanup()

    async def _webhook(self, request: web.Request) -> web.Response:
        if request.match_info["word"] != _WORD:
            return web.Response(status=401)
        body = await request.json()
        data = body["data"]
        kind = self.trouble.take(data["eventType"])
        if kind is Kind.TOO_MANY:
            return web.Response(status=429, headers={"Retry-After": "1"})
        if kind is Kind.FAILING:
            return web.Response(status=500)
        if kind is Kind.SILENT:
            await asyncio.sleep(SCRIPT.waits.hold_ms / 1000)
        else:
            self._handle(request.headers["webhook-id"], body["botId"], data)
        if kind is Kind.LATE:
            await asyncio.sleep(SCRIPT.waits.late_ms / 1000)
        if kind in (Kind.SILENT, Kind.LOST) and request.transport is not None:
            request.transport.abort()
        return web.json_response({"isOnline": True} if data["eventType"] == "isTeamOnline" else {})

    def _handle(self, webhook_id: str, bot_id: str, data: Mapping[str, Any]) -> None:
        if webhook_id in self._handled:
            return
        self._handled.add(webhook_id)
        ref, rich = data["platformConversationId"], data.get("warmline") or {}
        match data["eventType"]:
            case "widgetEscalate":
                self.bot_id = bot_id
                self.talks[ref] = Talk(ref, _context(rich))
            case "widgetMessage":
                talk = self.talks[ref]
                talk.heard.append(data["text"])
                talk.files += [SeenFile(name=one["name"], url=one["url"]) for one in rich.get("attachments", ())]
            case "widgetEndSession":
                self.talks[ref].over = True
        self.changes.tell()


def _context(rich: Mapping[str, Any]) -> str:
    said = [f"{line['author']}: {line['text']}" for line in rich.get("transcript", ())]
    return "\n".join([*said, *(f"{name}: {value}" for name, value in rich.get("page", {}).items())])


class CustomCrmRig(Rig):
    """A talk is a platformConversationId.  Its secret is a key of the wire, which stands in no form."""

    key: ClassVar[str] = "customcrm"
    inert: ClassVar[frozenset[Step]] = frozenset({Step.LISTEN})

    def __init__(self, crm: Crm, reports: Deliveries) -> None:
        self.crm = crm
        self._reports = reports
        self._node: Node | None = None
        self._connection_id = ""
        self._key = ""
        self._to = ""

    @classmethod
    @asynccontextmanager
    async def running(cls) -> AsyncIterator[Self]:
        """The CRM, and the one who sends its reports."""
        crm = Crm()
        reports = Deliveries(crm.changes, SystemClock(), Switches(), SCRIPT.waits)
        async with crm.served(), contextlib.AsyncExitStack() as at_the_end:
            await reports.start()
            at_the_end.push_async_callback(reports.stop)
            yield cls(crm, reports)

    @property
    def settings(self) -> Mapping[str, Any]:
        """With what is sent besides the published fields, and with the question whether the team is online."""
        return {"webhook_url": f"{self.crm.url}{_WORD}", "profile": "rich", "team_online": True}

    @property
    def wrong_credentials(self) -> Mapping[str, Any]:
        """The published wire has none for this direction; an address that the CRM does not know stands for them."""
        return {"webhook_url": f"{self.crm.url}another-word"}

    async def meet(self, node: Node) -> None:
        """The wire's key is made there."""
        self._node = node

    async def subscribe(self, address: str) -> None:
        """The wire has a path of its own; of the address, the server and the connection count."""
        base, _, self._connection_id = address.rpartition("/in/")
        self._to = base + _REPORTS
        await self._new_key()

    @property
    def webhooks(self) -> Deliveries:
        """How the CRM reports."""
        return self._reports

    async def rotate_secret(self) -> Mapping[str, Any]:
        """Another key of the wire; both are valid."""
        await self._new_key()
        return {}

    def trouble(self, step: Step, kind: Kind, times: int = 1) -> None:
        """By the events of the contract."""
        self.crm.trouble.next(_EVENTS[step], kind, times)

    # -- what the people there do --------------------------------------------------------------------------------

    async def until_waiting(self, timeout_s: float = 15.0) -> str:
        """Escalated, and taken by nobody."""

        def newest() -> Talk | None:
            return next((one for one in reversed(self.crm.talks.values()) if not (one.taken or one.over)), None)

        found = await self.crm.changes.until(newest, timeout_s=timeout_s)
        assert found is not None
        return found.id

    async def joins(self, talk: str, agent: int = 0) -> str:
        """``escalationSuccess``."""
        self.crm.talks[talk].taken = True
        self._report(talk, "escalationSuccess", agent=_AGENTS[agent])
        return _AGENTS[agent]

    async def says(self, talk: str, text: str, *, html: bool = False) -> None:
        """``message``."""
        if html:
            raise NotAtThisVendor("lines of this wire are text")
        self._report(talk, "message", text=text, messageId=uuid7())

    async def ends(self, talk: str) -> None:
        """``agentDisconnect``."""
        self.crm.talks[talk].over = True
        self._report(talk, "agentDisconnect")

    async def moves_in_queue(self, talk: str, position: int, minutes: int) -> None:
        """``escalationQueueUpdate``."""
        self._report(talk, "escalationQueueUpdate", queuePosition=str(position), waitingTime=str(minutes))

    async def transfers(self, talk: str) -> None:
        """A place in a queue, after somebody had joined."""
        self._report(talk, "escalationQueueUpdate", queuePosition="1")

    async def declines(self, talk: str) -> None:
        """``escalationFailed``."""
        self.crm.talks[talk].over = True
        self._report(talk, "escalationFailed")

    async def vanishes(self, talk: str) -> None:
        """The contract has no event for it."""

    # -- what the people there see -------------------------------------------------------------------------------

    def talks(self) -> Sequence[str]:
        """Conversations that were ever escalated."""
        return list(self.crm.talks)

    def heard(self, talk: str) -> Sequence[str]:
        """``widgetMessage``."""
        return list(self.crm.talks[talk].heard)

    def context(self, talk: str) -> str:
        """What came with ``widgetEscalate``."""
        return self.crm.talks[talk].context

    def files(self, talk: str) -> Sequence[SeenFile]:
        """By address."""
        return list(self.crm.talks[talk].files)

    def is_over(self, talk: str) -> bool:
        """Ended by either side."""
        return self.crm.talks[talk].over

    # -- inside --------------------------------------------------------------------------------------------------

    async def _new_key(self) -> None:
        assert self._node is not None, "the kit lets the rig meet the node first"
        made = await self._node.api_keys.create(SYSTEM, kind="wire", label="kit", connection_id=self._connection_id)
        self._key = made.token

    def _report(self, talk: str, event: str, **fields: Any) -> None:
        if self._reports.switches.unknown_events:
            self._send(talk, "escalationSummarised", {})
        self._send(talk, event, fields)

    def _send(self, talk: str, event: str, fields: Mapping[str, Any]) -> None:
        body = {"eventType": event, "platformConversationId": talk, **fields}
        endpoint = Endpoint(self._to, self._headers)
        self._reports.send(endpoint, event_id=uuid7(), name=event, body=msgspec.json.encode(body))

    def _headers(self, _body: bytes, _at: int) -> Mapping[str, str]:
        key = "wln_wire_of_somebody_else" if self._reports.switches.wrong_signature else self._key
        return {"Authorization": key, "botid": self.crm.bot_id}
