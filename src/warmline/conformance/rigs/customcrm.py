"""A custom CRM, for the kit: a small one, written from the published contract and the guide to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from warmline.accounts.access import SYSTEM
from warmline.app import Node
from warmline.conformance.rig import NotAtThisVendor, SeenFile, Step
from warmline.conformance.rigs.published import AGENTS, WORD, Helpdesk, PublishedRig, Talk, context_of
from warmline.kernel.ids import uuid7
from warmline.simulators.deliveries import Deliveries, Endpoint

_REPORTS = "/agent/converse/send-message-to-widget"


class Crm(Helpdesk):
    """The webhook."""

    def __init__(self) -> None:
        super().__init__()
        self.bot_id = ""

    def name_of(self, body: Any) -> str:
        """``data.eventType``."""
        name: str = body["data"]["eventType"]
        return name

    def answer(self, body: Any) -> Any:
        """Somebody is online."""
        return {"isOnline": True} if self.name_of(body) == "isTeamOnline" else {}

    def handle(self, body: Any) -> None:
        """The three events of a handover."""
        data = body["data"]
        ref, rich = data["platformConversationId"], data.get("warmline") or {}
        match data["eventType"]:
            case "widgetEscalate":
                self.bot_id = body["botId"]
                self.talks[ref] = Talk(ref, context_of(rich.get("transcript", ()), rich.get("page", {})))
            case "widgetMessage":
                talk = self.talks[ref]
                talk.heard.append(data["text"])
                talk.files += [SeenFile(name=one["name"], url=one["url"]) for one in rich.get("attachments", ())]
            case "widgetEndSession":
                self.talks[ref].over = True


class CustomCrmRig(PublishedRig):
    """A talk is a platformConversationId.  Its secret is a key of the wire, which stands in no form."""

    key: ClassVar[str] = "customcrm"
    helpdesk: ClassVar[type[Helpdesk]] = Crm
    events: ClassVar[Mapping[Step, str]] = {
        Step.OPEN: "widgetEscalate",
        Step.SEND: "widgetMessage",
        Step.CLOSE: "widgetEndSession",
    }

    def __init__(self, crm: Crm, reports: Deliveries) -> None:
        super().__init__(crm, reports)
        self._node: Node | None = None
        self._connection_id = ""
        self._key = ""
        self._to = ""

    @property
    def settings(self) -> Mapping[str, Any]:
        """With what is sent besides the published fields, and with the question whether the team is online."""
        return {"webhook_url": f"{self.crm.url}{WORD}", "profile": "rich", "team_online": True}

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

    async def rotate_secret(self) -> Mapping[str, Any]:
        """Another key of the wire; both are valid."""
        await self._new_key()
        return {}

    # -- what the people there do --------------------------------------------------------------------------------

    async def joins(self, talk: str, agent: int = 0) -> str:
        """``escalationSuccess``."""
        self.crm.talks[talk].taken = True
        self._report(talk, "escalationSuccess", agent=AGENTS[agent])
        return AGENTS[agent]

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
