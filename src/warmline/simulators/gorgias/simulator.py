"""Gorgias, as its documentation describes it: tickets with messages, customers, HTTP integrations, and agents.

``assumptions.py`` lists what the documentation leaves open.  Not there: OAuth, events, views, macros and their actions,
rules, surveys, native chat, merging customers, search, custom fields' definitions, voice, and integrations that are not called
by POST.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, ClassVar

import msgspec
from aiohttp import web

from warmline.kernel.clock import Clock
from warmline.simulators.agent import ScriptedAgent, newest_waiting, play_step
from warmline.simulators.base import Ask, Route, Simulator, VendorRefusal
from warmline.simulators.deliveries import Delivery
from warmline.simulators.gorgias import bodies
from warmline.simulators.gorgias.account_api import AccountApi
from warmline.simulators.gorgias.answers import Answers
from warmline.simulators.gorgias.assumptions import Assumptions
from warmline.simulators.gorgias.board import GorgiasBoard
from warmline.simulators.gorgias.hooks import USUAL_TRIGGERS, WHOLE, Hooks, Integration
from warmline.simulators.gorgias.limits import COUNT_HEADER, ENTERPRISE_WINDOW_S, WINDOW_S, Bucket
from warmline.simulators.gorgias.office import NOT_FOUND, Office
from warmline.simulators.gorgias.state import Account, File, Mail, Message, Team, Ticket, User
from warmline.simulators.gorgias.tickets_api import TicketsApi
from warmline.simulators.samples import PICTURE_NAME, picture, sample
from warmline.simulators.script import Act, Rate, Script, Step

SECRET_HEADER = "X-Handover-Secret"
"""The header in which the integration that is there from the start carries ``secret``."""
_API = "/api"
_TOO_MANY = "Too many requests."


class GorgiasSimulator(Simulator):
    """``webhook_url`` is called for every trigger from the start, with the whole context as its body and ``secret`` in
    ``X-Handover-Secret``.

    With ``auto_merge`` a new ticket of a customer who has an open one becomes a part of that, unless it carries the tag
    ``excluded_tag`` (what an account's rule says that excludes tickets from merging).
    """

    name: ClassVar[str] = "gorgias"
    title: ClassVar[str] = "Gorgias"
    vendor_rate: ClassVar[Rate | None] = None
    about_webhooks: ClassVar[str] = (
        "Warmline reads a body of its own design: make the HTTP integration as its guide for Gorgias says, with this address as SHOP."
    )
    """The account's bucket (``limits.py``) says more than a rate per credential could."""
    not_found: ClassVar[str] = NOT_FOUND

    def __init__(
        self,
        *,
        script: Script | None = None,
        assumptions: Assumptions | None = None,
        webhook_url: str = "",
        token: str = "",
        secret: str = "",
        enterprise: bool = False,
        auto_merge: bool = False,
        excluded_tag: str = "handover",
        clock: Clock | None = None,
    ) -> None:
        assumptions = assumptions or Assumptions()
        super().__init__(script=_patient(script or Script(), assumptions), clock=clock)
        self.assumptions = assumptions
        self.auto_merge, self.excluded_tag = auto_merge, excluded_tag
        self.account = Account(self.clock.now())
        self.email = self.account.owner.email
        self.token = token or hashlib.sha256(b"warmline simulator: gorgias key").hexdigest()
        self.secret = secret or hashlib.sha256(b"warmline simulator: gorgias").hexdigest()
        self._window_s = ENTERPRISE_WINDOW_S if enterprise else WINDOW_S
        self.bucket = Bucket(self.clock, self._window_s if self.script.rate == "vendor" else None)
        self._answers = Answers(self.account)
        self._office = Office(self.account, self.clock, self.assumptions, self._emit)
        self._office.created = self._created
        self._office.visitor_spoke = lambda one: self._scripted.visitor_spoke(str(one.id))
        self._office.to_send = lambda message: self.soon(self._send_later(message))
        self._hooks = Hooks(self.account, self.clock, self.webhooks, self.assumptions)
        self._scripted = ScriptedAgent(self, self.script.steps)
        self._tickets_api = TicketsApi(self._office, self._answers)
        self._account_api = AccountApi(self._office, self._hooks, self.clock)
        if webhook_url:
            self.subscribe(webhook_url)

    # ---------------------------------------------------------------------------------------- inspection
    @property
    def conversations(self) -> list[Ticket]:
        """All tickets, oldest first."""
        return list(self.account.tickets.values())

    @property
    def agents(self) -> list[User]:
        """The people; whose key it is does not count."""
        return self.account.agents

    @property
    def teams(self) -> list[Team]:
        """Support, Billing and Night shift."""
        return self.account.teams

    @property
    def mailed(self) -> list[Mail]:
        """What really went to somebody's inbox: nothing, when a handover is done right."""
        return self._office.mailed

    @property
    def integrations(self) -> list[Integration]:
        """The HTTP integrations."""
        return list(self._hooks.all.values())

    def subscribe(
        self, url: str, triggers: Sequence[str] = (), *, form: Any = WHOLE, headers: Mapping[str, str] | None = None
    ) -> Integration:
        """Another integration: for ``triggers`` (the usual ones when empty), with ``form`` as its template."""
        http = bodies.Http(
            url=url,
            method="POST",
            request_content_type="application/json",
            response_content_type="application/json",
            triggers=dict.fromkeys(triggers or sorted(USUAL_TRIGGERS), True),
            headers={SECRET_HEADER: self.secret} if headers is None else dict(headers),
            form=form,
        )
        return self._hooks.make("Warmline", http)

    def subscribe_again(self, integration: Integration, url: str) -> None:
        """An integration calls another address.  Raises VendorRefusal."""
        self._hooks.change_http(integration, msgspec.structs.replace(integration.http, url=url))

    def unsubscribe(self, integration_id: int) -> None:
        """No more calls there."""
        self._hooks.all.pop(integration_id, None)

    def deactivate(self, integration_id: int) -> None:
        """It falls silent, and nobody is told."""
        self._hooks.all[integration_id].deactivated_at = self.clock.now()
        self.changes.tell()

    async def waiting(self, *, timeout_s: float = 5.0) -> Ticket:
        """The newest ticket that nobody has, as soon as there is one."""
        return await newest_waiting(self.changes, lambda: self.conversations, timeout_s)

    # ------------------------------------------------------------------------------------------- the acts
    async def agent_joins(self, ticket_id: int, agent: User | None = None) -> Ticket:
        """``agent`` (else the first one) takes it."""
        ticket = self._office.ticket(ticket_id)
        self._office.assign(ticket, agent or self.agents[0])
        return ticket

    async def agent_says(
        self,
        ticket_id: int,
        text: str,
        *,
        html: str = "",
        agent: User | None = None,
        files: Sequence[tuple[str, str, bytes]] = (),
    ) -> Message:
        """The assigned agent (else ``agent``, else the first one) answers; ``files`` are name, media type and content."""
        ticket = self._office.ticket(ticket_id)
        kept = [self._keep(*one) for one in files]
        return self._office.say(ticket, self._who(ticket, agent), text, html, kept)

    async def agent_notes(self, ticket_id: int, text: str, *, agent: User | None = None) -> Message:
        """An internal note, which is not for the customer."""
        ticket = self._office.ticket(ticket_id)
        return self._office.say(ticket, self._who(ticket, agent), text, "", [], note=True)

    async def agent_sends_sample(self, ticket_id: int, name: str, *, agent: User | None = None) -> Message:
        """One of ``SAMPLES``: ``emoji``, ``rtl``, ``html``, ``long`` or ``picture``."""
        text, kind = sample(f"sample:{name}")
        files = [(PICTURE_NAME, "image/png", picture())] if kind == "picture" else []
        return await self.agent_says(ticket_id, text, html=text if kind == "html" else "", agent=agent, files=files)

    async def transfer_to_team(self, ticket_id: int, team: Team) -> None:
        """It belongs to ``team``, and nobody has it."""
        ticket = self._office.ticket(ticket_id)
        self._office.to_team(ticket, team)
        self._office.assign(ticket, None)

    async def transfer_to_agent(self, ticket_id: int, agent: User) -> None:
        """``agent`` has it now."""
        self._office.assign(self._office.ticket(ticket_id), agent)

    async def unassign(self, ticket_id: int) -> None:
        """The agent lets it go; it waits again."""
        self._office.assign(self._office.ticket(ticket_id), None)

    async def decline(self, ticket_id: int, agent: User | None = None) -> None:
        """Tickets are not offered, so there is nothing to refuse but to leave it: nobody is told."""
        ticket = self._office.ticket(ticket_id)
        ticket.activity.append((self.clock.now(), f"left alone by {(agent or self.agents[0]).name}"))
        self.changes.tell()

    async def disappear(self, ticket_id: int) -> None:
        """The agent who has it goes away without a word."""
        ticket = self._office.ticket(ticket_id)
        self._who(ticket, None).online = False
        ticket.activity.append((self.clock.now(), "the agent disappeared"))
        self.changes.tell()

    async def close(self, ticket_id: int) -> None:
        """It is closed."""
        self._office.set_status(self._office.ticket(ticket_id), "closed")

    async def reopen(self, ticket_id: int) -> None:
        """It goes on."""
        self._office.set_status(self._office.ticket(ticket_id), "open")

    async def merge(self, ticket_id: int, into: int) -> None:
        """An agent merges a ticket into another: its number is gone."""
        self._office.merge(self._office.ticket(ticket_id), self._office.ticket(into))

    async def fail_last(self, ticket_id: int, error: str = "The message could not be sent.") -> Message:
        """The newest answer of the shop cannot be sent.  Raises VendorRefusal when there is none."""
        for message in reversed(self._office.ticket(ticket_id).messages):
            if message.from_agent and message.public:
                self._office.fail(message, error)
                return message
        raise VendorRefusal(404, NOT_FOUND, note="nobody has answered yet")

    async def send_unknown_event(self, ticket_id: int) -> None:
        """A webhook whose body follows no template."""
        self._office.ticket(ticket_id)
        self._hooks.raise_nonsense()

    async def deliver_again(self, delivery: Delivery) -> None:
        """Repeat an old delivery."""
        await self._hooks.again(delivery)

    async def perform(self, conversation: str, step: Step) -> None:
        """One act of the scripted agent; Gorgias has no typing."""
        one = int(conversation)
        own: Mapping[Act, Callable[[], Awaitable[object]]] = {
            Act.TYPES: lambda: asyncio.sleep(0),
            Act.TO_QUEUE: lambda: self.transfer_to_team(one, self.teams[step.queue]),
            Act.UNASSIGNS: lambda: self.unassign(one),
        }
        await play_step(self, one, step, own)

    def _who(self, ticket: Ticket, agent: User | None) -> User:
        return agent or self.account.user(ticket.assignee_user_id) or self.agents[0]

    def _keep(self, name: str, media_type: str, content: bytes) -> File:
        self._account_api.base_url = self.url
        return self._account_api.keep(name, media_type, content, private=True)

    # ---------------------------------------------------------------------------------- Gorgias' answers
    def routes(self) -> Sequence[Route]:
        """The API below ``/api``, with and without a stroke at the end."""
        rows = [*self._tickets_api.routes(), *self._account_api.routes()]
        return [Route(method, f"{_API}{path}{end}", name, do) for method, path, name, do in rows for end in ("", "/")]

    def keep_limits(self, on: bool) -> None:
        """The account's bucket."""
        self.bucket.hold_to(self._window_s if on else None)

    def board(self) -> GorgiasBoard:
        """The agent page's view of this."""
        return GorgiasBoard(self)

    def _application(self) -> web.Application:
        application = super()._application()
        application.on_response_prepare.append(self._count)
        return application

    def credential(self, ask: Ask) -> str:
        """E-mail and key as Basic authorization, and what is left in the bucket."""
        self._account_api.base_url = self.url
        if ask.call.operation == "files.download" and self._account_api.is_open(ask.path["key"]):
            return ""
        wanted = "Basic " + base64.b64encode(f"{self.email}:{self.token}".encode()).decode()
        if not hmac.compare_digest(ask.headers.get("Authorization", "").encode(), wanted.encode()):
            raise VendorRefusal(401, "Unauthorized.", note="another e-mail or key, or none (Basic)")
        if wait_s := self.bucket.take():
            raise VendorRefusal(429, _TOO_MANY, note=f"the bucket is full; again in {wait_s} s")
        return self.email

    def refusal(self, status: int, message: str) -> web.Response:
        """``{error: {msg}}`` (that there is an ``error`` is documented, its fields are assumed)."""
        body = msgspec.json.encode({"error": {"msg": message}})
        answer = web.Response(status=status, body=body, content_type="application/json")
        if status == 429:
            answer.headers["Retry-After"] = str(max(self.bucket.wait_s, 1))
        return answer

    def too_many(self, wait_s: float) -> web.Response:
        """429 with the documented headers."""
        del wait_s  # the bucket knows
        return self.refusal(429, _TOO_MANY)

    def failing(self) -> web.Response:
        """500; the sentence is assumed."""
        return self.refusal(500, "Something went wrong on our side.")

    async def _count(self, request: web.Request, answer: web.StreamResponse) -> None:
        if self.bucket.header and request.path.startswith(_API):
            answer.headers[COUNT_HEADER] = self.bucket.header

    # ---------------------------------------------------------------------------------------- what follows
    def _created(self, ticket: Ticket) -> None:
        self.changes.tell()
        if self.auto_merge and self.excluded_tag not in ticket.tags:
            self.soon(self._merge_later(ticket))
        if ticket.waiting and self._scripted.wants(str(ticket.id)):
            self.soon(self._scripted.play(str(ticket.id)))

    async def _merge_later(self, ticket: Ticket) -> None:
        await asyncio.sleep(self.waits.background_ms / 1000)
        for other in self.conversations:
            if other.id != ticket.id and other.customer_id == ticket.customer_id and other.status == "open":
                self._office.merge(ticket, other)
                return

    async def _send_later(self, message: Message) -> None:
        await asyncio.sleep(self.waits.background_ms / 1000)
        self._office.deliver(message)
        self.changes.tell()

    def _emit(self, trigger: str, ticket: Ticket, message: Message | None, own: bool) -> None:
        self.changes.tell()  # also where nobody subscribed
        if own and not self.webhooks.switches.echo:
            return
        if self.webhooks.switches.unknown_events:
            self._hooks.raise_nonsense()
        self._hooks.raise_trigger(trigger, self._answers.context(ticket, message))


def _patient(script: Script, assumptions: Assumptions) -> Script:
    """Without repeats of failed webhooks, where the assumption is that there are none."""
    if assumptions.webhooks_repeat:
        return script
    return msgspec.structs.replace(script, waits=msgspec.structs.replace(script.waits, retry_ms=()))
