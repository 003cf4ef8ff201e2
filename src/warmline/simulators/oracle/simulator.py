"""The chat of an Oracle B2C Service site, as its documentation describes it: one long poll per chat, and no webhooks.

The vendor is reached over https only; this speaks plain http, on one port for the site and for the chat server that the
site's answer leads to.  ``assumptions.py`` lists what the documentation leaves open; each module says which of its fields
are documented.  Not there: Fusion Service's ``chatAuthenticate``, surveys, upload of files, video and co-browsing, and the
rules of a site (every question for a queue is answered with the first one).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, ClassVar

import msgspec
from aiohttp import web

from warmline.kernel.clock import Clock
from warmline.simulators.agent import ScriptedAgent, newest_waiting, play_step
from warmline.simulators.base import FILES, Ask, Route, Simulator, VendorRefusal
from warmline.simulators.oracle import messages
from warmline.simulators.oracle.assumptions import Assumptions
from warmline.simulators.oracle.board import OracleBoard
from warmline.simulators.oracle.chat_api import ChatApi
from warmline.simulators.oracle.office import Office
from warmline.simulators.oracle.state import CONFEREE, LEAD, Agent, Engagement, Participant, Post, Queue, Site
from warmline.simulators.samples import PICTURE_NAME, sample
from warmline.simulators.script import Act, Rate, Script, Step

_GREETING = "Hello, how can I help you?"


class OracleSimulator(Simulator):
    """Of the webhook switches ``duplicates``, ``reorder``, ``unknown_events``, ``lose`` and ``paused`` hold for polls."""

    name: ClassVar[str] = "oracle"
    title: ClassVar[str] = "Oracle B2C Service"
    sends_webhooks: ClassVar[bool] = False
    inert_switches: ClassVar[frozenset[str]] = frozenset({"echo"})
    vendor_rate: ClassVar[Rate | None] = None
    """No limit is documented in numbers."""

    def __init__(
        self,
        *,
        script: Script | None = None,
        assumptions: Assumptions | None = None,
        webhook_url: str = "",
        clock: Clock | None = None,
    ) -> None:
        super().__init__(script=script, clock=clock)
        del webhook_url  # the command line gives one to every vendor; this one calls nobody
        self.assumptions = assumptions or Assumptions()
        self.site = Site()
        self._office = Office(self.site, self.clock, self.assumptions, self._send)
        self._office.began_to_wait = self._began_to_wait
        self._office.visitor_spoke = lambda one: self._scripted.visitor_spoke(str(one.id))
        self._office.mixes_in_unknown = lambda: self.webhooks.switches.unknown_events
        self._scripted = ScriptedAgent(self, self.script.steps)
        self._api = ChatApi(self._office, self.clock, self.changes, self.waits, self.webhooks.switches)
        self._api.url = lambda: self.url

    # ---------------------------------------------------------------------------------------- inspection
    @property
    def user(self) -> str:
        """The service account."""
        return self._api.user

    @property
    def password(self) -> str:
        """Its password."""
        return self._api.password

    @property
    def conversations(self) -> list[Engagement]:
        """All engagements, oldest first."""
        return list(self.site.engagements.values())

    @property
    def agents(self) -> list[Agent]:
        """The people."""
        return self.site.agents

    @property
    def queues(self) -> list[Queue]:
        """Support, Billing, and Night shift, which is closed: the rules dequeue whoever asks for it."""
        return self.site.queues

    async def waiting(self, *, timeout_s: float = 5.0) -> Engagement:
        """The newest chat that waits for an agent, as soon as there is one."""
        return await newest_waiting(self.changes, lambda: self.conversations, timeout_s)

    # ------------------------------------------------------------------------------------------- the acts
    async def agent_joins(self, conversation_id: int, agent: Agent | None = None) -> Engagement:
        """``agent`` (else the first one) takes it, and greets."""
        engagement = self._office.engagement(conversation_id)
        self._office.join(engagement, agent or self.agents[0], LEAD, self._greeting())
        self.changes.tell()
        return engagement

    async def conferee_joins(self, conversation_id: int, agent: Agent) -> None:
        """A second agent comes in."""
        self._office.join(self._office.engagement(conversation_id), agent, CONFEREE, None)
        self.changes.tell()

    async def conferee_leaves(self, conversation_id: int) -> None:
        """The second agent goes."""
        engagement = self._office.engagement(conversation_id)
        for one in [one for one in engagement.participants if one.role == CONFEREE]:
            self._office.leave(engagement, one, "PARTICIPANT_LEFT")
        self.changes.tell()

    async def agent_says(
        self, conversation_id: int, text: str, *, agent: Agent | None = None, html: bool = False
    ) -> Post:
        """The lead (else ``agent``) writes; with ``html`` the text goes out as it is."""
        engagement = self._office.engagement(conversation_id)
        post = self._office.say(engagement, self._who(engagement, agent), text, rich=html)
        self.changes.tell()
        return post

    async def agent_sends_sample(self, conversation_id: int, name: str, *, agent: Agent | None = None) -> Post:
        """One of ``SAMPLES``: ``emoji``, ``rtl``, ``html``, ``long`` or ``picture``."""
        text, kind = sample(f"sample:{name}")
        if kind != "picture":
            return await self.agent_says(conversation_id, text, agent=agent, html=kind == "html")
        engagement = self._office.engagement(conversation_id)
        who = self._who(engagement, agent)
        await self.agent_says(conversation_id, text, agent=who.agent)
        post = self._office.send_file(engagement, who, PICTURE_NAME, f"{self.url}{FILES}/{PICTURE_NAME}")
        self.changes.tell()
        return post

    async def agent_types(self, conversation_id: int, agent: Agent | None = None, *, on: bool = True) -> None:
        """Typing starts, or stops."""
        engagement = self._office.engagement(conversation_id)
        who = self._who(engagement, agent)
        mode = "RESPONDING" if on else "LISTENING"
        fields = messages.activity(who.client_id, engagement.id, mode)
        self._office.tell(engagement, messages.ACTIVITY, fields)
        self.changes.tell()

    async def queue_moves(self, conversation_id: int, position: int | None = None, seconds: int = 60) -> None:
        """It stands at ``position`` (else one place further ahead), with ``seconds`` to wait."""
        engagement = self._office.engagement(conversation_id)
        first = self.assumptions.position_starts_at
        place = max(first, (engagement.position or first) - 1) if position is None else position
        self._office.moves(engagement, place, seconds)
        self.changes.tell()

    async def transfer_to_queue(self, conversation_id: int, queue: Queue) -> None:
        """It waits in ``queue``."""
        self._office.to_queue(self._office.engagement(conversation_id), queue)
        self.changes.tell()

    async def transfer_to_agent(self, conversation_id: int, agent: Agent) -> None:
        """``agent`` has it now."""
        self._office.to_agent(self._office.engagement(conversation_id), agent, self._greeting())
        self.changes.tell()

    async def agent_connection(self, conversation_id: int, state: str) -> None:
        """The lead's connection is ACTIVE, ABSENT or DISCONNECTED; that ends nothing."""
        engagement = self._office.engagement(conversation_id)
        fields = {"clientId": self._who(engagement, None).client_id, "connectionState": state}
        self._office.tell(engagement, messages.CONNECTION, fields)
        self.changes.tell()

    async def lead_leaves(self, conversation_id: int) -> None:
        """The lead goes, nobody follows, and nothing is concluded: posts are refused with 409."""
        engagement = self._office.engagement(conversation_id)
        self._office.leave(engagement, self._who(engagement, None), "PARTICIPANT_LEFT")
        self.changes.tell()

    async def decline(self, conversation_id: int, agent: Agent | None = None) -> None:
        """An agent refuses the offer: it goes on waiting, and nothing says so."""
        engagement = self._office.engagement(conversation_id)
        engagement.activity.append((self.clock.now(), f"declined by {(agent or self.agents[0]).name}"))
        self.changes.tell()

    async def disappear(self, conversation_id: int) -> None:
        """The agent who has it goes away without a word."""
        engagement = self._office.engagement(conversation_id)
        self._who(engagement, None).agent.online = False
        engagement.activity.append((self.clock.now(), "the agent disappeared"))
        self.changes.tell()

    async def conclude(self, conversation_id: int, reason: str) -> None:
        """It ends for ``reason``: QUEUE_TIMEOUT, IDLE_TIMEOUT, NO_AGENTS_AVAILABLE, …"""
        self._office.conclude(self._office.engagement(conversation_id), reason)
        self.changes.tell()

    async def close(self, conversation_id: int) -> None:
        """The agent ends it; without an agent ever having had it, the queue times out."""
        engagement = self._office.engagement(conversation_id)
        reason, role = ("AGENT_CONCLUDED", LEAD) if engagement.had_lead else ("QUEUE_TIMEOUT", None)
        self._office.conclude(engagement, reason, role)
        self.changes.tell()

    async def move_pool(self, conversation_id: int, pool: str = "pool02:lumen") -> None:
        """The session moves; as soon as its caller was told, the old pool is wrong."""
        self._office.move_pool(self._office.engagement(conversation_id), pool)
        self.changes.tell()

    async def forget(self, conversation_id: int) -> None:
        """The session is gone, as after a restart of the chat server: every call with it is 403."""
        self._office.engagement(conversation_id).known = False
        self.changes.tell()

    async def send_unknown_event(self, conversation_id: int) -> None:
        """A system message of a kind that no documentation names."""
        self._office.tell(self._office.engagement(conversation_id), messages.UNKNOWN, {})
        self.changes.tell()

    async def perform(self, conversation: str, step: Step) -> None:
        """One act of the scripted agent."""
        one = int(conversation)
        own: Mapping[Act, Callable[[], Awaitable[object]]] = {
            Act.TYPES: lambda: self.agent_types(one),
            Act.TO_QUEUE: lambda: self.transfer_to_queue(one, self.queues[step.queue]),
            Act.UNASSIGNS: lambda: self.lead_leaves(one),
        }
        await play_step(self, one, step, own)

    def _greeting(self) -> str | None:
        return _GREETING if self.assumptions.greeting else ""

    @staticmethod
    def _who(engagement: Engagement, agent: Agent | None) -> Participant:
        fit = (one for one in engagement.participants if one.agent is agent or (agent is None and one.role == LEAD))
        found = next(fit, None)
        if found is None:
            raise VendorRefusal(409, "Conflict", note="that agent is not in it: take it first")
        return found

    # ------------------------------------------------------------------------------------ Oracle's answers
    def routes(self) -> Sequence[Route]:
        """The site's token call and the consumer operations."""
        return self._api.routes()

    def board(self) -> OracleBoard:
        """The agent page's view of this."""
        return OracleBoard(self)

    def credential(self, ask: Ask) -> str:
        """Basic for the site, a channel token for a new engagement, then the session's id."""
        return self._api.caller(ask)

    def refusal(self, status: int, message: str) -> web.Response:
        """``{status, title, errorMessages}``: the statuses are documented, the body is assumed."""
        body = {"status": status, "title": message, "errorMessages": [message]}
        return web.Response(status=status, body=msgspec.json.encode(body), content_type="application/json")

    def too_many(self, wait_s: float) -> web.Response:
        """429, which the documentation does not name."""
        del wait_s
        return self.refusal(429, "Too Many Requests")

    def failing(self) -> web.Response:
        """500."""
        return self.refusal(500, "Internal Server Error")

    # ---------------------------------------------------------------------------------------- what follows
    def _began_to_wait(self, engagement: Engagement) -> None:
        self.changes.tell()
        if self._scripted.wants(str(engagement.id)):
            self.soon(self._scripted.play(str(engagement.id)))

    def _send(self, engagement: Engagement, message: dict[str, Any]) -> None:
        switches = self.webhooks.switches
        if switches.lose:
            return
        engagement.outgoing.extend([message] * (1 + switches.duplicates))
        self.changes.tell()
