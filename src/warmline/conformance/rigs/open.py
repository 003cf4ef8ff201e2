"""A helpdesk that speaks the open protocol, for the kit: a small one, written from docs/protocol.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec
from aiohttp import web

from warmline.accounts.access import SYSTEM
from warmline.app import Node
from warmline.conformance.rig import NotAtThisVendor, SeenFile, Step
from warmline.conformance.rigs.published import AGENTS, WORD, Helpdesk, PublishedRig, Talk, context_of
from warmline.kernel.clock import SystemClock
from warmline.kernel.errors import Unauthorized
from warmline.kernel.ids import uuid7
from warmline.platform.signing import new_secret, sign, verify
from warmline.simulators.deliveries import Deliveries, Endpoint
from warmline.simulators.samples import PICTURE_NAME, picture

_NEEDED = {
    "handover.offered": {"reason", "language", "visitor", "page", "transcript", "transcript_complete", "details"},
    "message.posted": {"message_id", "author", "seq", "at", "text", "attachments"},
    "note.posted": {"note_id", "seq", "text"},
    "typing": {"on"},
    "handover.released": {"reason"},
}
_OF_ATTEMPT = {"type", "id", "protocol", "conversation_id", "attempt_id", "owner_epoch"}


class OpenHelpdesk(Helpdesk):
    """It holds events to the protocol: signed, in full, each attempt offered before anything else and released last."""

    def __init__(self) -> None:
        super().__init__()
        self.secrets: list[str] = []
        self.got: list[tuple[str, str]] = []
        """Type and attempt of every event, in order."""

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """The agents' files."""
        router.add_get(f"/webhook/{PICTURE_NAME}", self._file)

    def accepts(self, headers: Mapping[str, str], raw: bytes) -> bool:
        """By the signature, and by the id that stands in both places."""
        try:
            known = verify(self.secrets, headers, raw, now=SystemClock().now())
        except Unauthorized:
            return False
        return bool(known == msgspec.json.decode(raw)["id"])

    def name_of(self, body: Any) -> str:
        """``type``."""
        name: str = body["type"]
        return name

    def answer(self, body: Any) -> Any:
        """Somebody is there."""
        return {"available": True} if body["type"] == "availability.asked" else {}

    def handle(self, body: Any) -> None:
        """What is not asked in general belongs to an attempt."""
        if body["type"] in {"ping", "availability.asked"}:
            return
        ref = body["attempt_id"]
        self._hold_to_it(body)
        self.got.append((body["type"], ref))
        if body["type"] == "handover.offered":
            facts = {**body["page"], **body["visitor"], **body["details"]}
            # One that was released before its offer arrived stays over.
            self.talks.setdefault(ref, Talk(ref, "")).context = context_of(body["transcript"], facts)
            return
        talk = self.talks.setdefault(ref, Talk(ref, ""))
        match body["type"]:
            case "message.posted":
                talk.heard.append(body["text"])
                talk.files += [SeenFile(name=one["name"], url=one["url"]) for one in body["attachments"]]
            case "typing":
                talk.typed = talk.typed or body["on"]
            case "handover.released":
                talk.over = True

    def _hold_to_it(self, body: Any) -> None:
        missing = (_OF_ATTEMPT | _NEEDED[body["type"]]) - body.keys()
        if missing:
            raise ValueError(f"{body['type']} lacks {sorted(missing)}")
        if body["attempt_id"] not in self.talks and body["type"] not in {"handover.offered", "handover.released"}:
            raise ValueError(f"{body['type']} came before the offer")

    async def _file(self, _request: web.Request) -> web.Response:
        return web.Response(body=picture(), content_type="image/png")


class OpenRig(PublishedRig):
    """A talk is an attempt's id."""

    key: ClassVar[str] = "open"
    helpdesk: ClassVar[type[Helpdesk]] = OpenHelpdesk
    events: ClassVar[Mapping[Step, str]] = {
        Step.OPEN: "handover.offered",
        Step.SEND: "message.posted",
        Step.CLOSE: "handover.released",
    }

    def __init__(self, crm: OpenHelpdesk, reports: Deliveries) -> None:
        super().__init__(crm, reports)
        self._node: Node | None = None
        self._secret = new_secret()
        self._to = ""

    @property
    def settings(self) -> Mapping[str, Any]:
        """With the question whether people are there."""
        return {"url": f"{self.crm.url}{WORD}", "sender_secret": self._secret, "ask_availability": True}

    @property
    def wrong_credentials(self) -> Mapping[str, Any]:
        """Both secrets are for who is told something; an address that is not known stands for them."""
        return {"url": f"{self.crm.url}another-word"}

    @property
    def payload(self) -> str:
        """Anything; it is an object."""
        return '{"queue": "returns", "page": "{{url}}", "priority": 2}'

    async def meet(self, node: Node) -> None:
        """Our secret is made there."""
        self._node = node

    async def subscribe(self, address: str) -> None:
        """As an administrator does it: the address into the helpdesk, with the secret that is shown once."""
        assert self._node is not None, "the kit lets the rig meet the node first"
        self._to = address
        connection_id = address.rpartition("/")[2]
        made = await self._node.connections.rotate_secret(SYSTEM, connection_id, "signing_secret", overlap_s=0)
        self.crm.secrets = list(made.secrets.values())

    async def rotate_secret(self) -> Mapping[str, Any]:
        """Another one of the helpdesk's."""
        self._secret = new_secret()
        return {"sender_secret": self._secret}

    # -- what the people there do --------------------------------------------------------------------------------

    async def joins(self, talk: str, agent: int = 0) -> str:
        """``accept``."""
        self.crm.talks[talk].taken = True
        self._report(talk, "accept", agent={"name": AGENTS[agent]})
        return AGENTS[agent]

    async def says(self, talk: str, text: str, *, html: bool = False) -> None:
        """``message``."""
        if html:
            raise NotAtThisVendor("lines of this protocol are text")
        self._report(talk, "message", text=text)

    async def sends_file(self, talk: str) -> tuple[str, bytes]:
        """``message`` with a file at an address of the helpdesk's."""
        file = {"url": f"{self.crm.url}{PICTURE_NAME}", "name": PICTURE_NAME, "media_type": "image/png"}
        self._report(talk, "message", files=[file])
        return PICTURE_NAME, picture()

    async def types(self, talk: str) -> None:
        """``typing``."""
        self._report(talk, "typing", on=True)

    async def ends(self, talk: str) -> None:
        """``release``."""
        self.crm.talks[talk].over = True
        self._report(talk, "release")

    async def moves_in_queue(self, talk: str, position: int, minutes: int) -> None:
        """``queue``."""
        self._report(talk, "queue", position=position, wait_minutes=minutes)

    async def transfers(self, talk: str) -> None:
        """``pass`` to other people there."""
        self._report(talk, "pass", to="people", name="Returns")

    async def declines(self, talk: str) -> None:
        """``decline``."""
        self.crm.talks[talk].over = True
        self._report(talk, "decline", detail="Nobody is free.")

    async def passes(self, talk: str, to: str) -> None:
        """``pass`` to the next step of the ladder, or to the bot."""
        self.crm.talks[talk].over = True
        self._report(talk, "pass", to=to)

    async def vanishes(self, talk: str) -> None:
        """The protocol has no event for it."""

    def saw_typing(self, talk: str) -> bool:
        """``typing`` of the visitor."""
        return bool(self.crm.talks[talk].typed)

    # -- inside --------------------------------------------------------------------------------------------------

    def _report(self, talk: str, kind: str, **fields: Any) -> None:
        if self._reports.switches.unknown_events:
            self._send(talk, "summarised", {})
        self._send(talk, kind, fields)

    def _send(self, talk: str, kind: str, fields: Mapping[str, Any]) -> None:
        event_id, secret = uuid7(), self._secret

        def signed(body: bytes, at: int) -> Mapping[str, str]:
            return sign([new_secret() if self._reports.switches.wrong_signature else secret], event_id, at, body)

        body = {"type": kind, "id": event_id, "attempt_id": talk, **fields}
        self._reports.send(Endpoint(self._to, signed), event_id=event_id, name=kind, body=msgspec.json.encode(body))
