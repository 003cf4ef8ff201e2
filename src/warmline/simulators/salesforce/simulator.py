"""Salesforce Enhanced Chat (Messaging for In-App and Web, REST API v2) as a custom client meets it: tokens of unverified
visitors, conversations with their sessions, files, the event stream, and agents with Omni-Channel routing.

``assumptions.py`` lists what the documentation leaves open; each module says which of its fields are documented.
Not there: verified visitors (``authenticated/access-token``), captchas, the transcript as PDF, forms and the answers to
choices, progress indicators and streamed tokens, results of attachments that fail later, and the limit of 11,000 sessions.
Salesforce sends no webhooks here: what would be a delivery elsewhere is an event of the stream.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import ClassVar

import msgspec
from aiohttp import web

from warmline.kernel.clock import Clock
from warmline.kernel.ids import uuid7
from warmline.simulators.agent import ScriptedAgent, newest_waiting, play_step
from warmline.simulators.base import FILES, Ask, Route, Simulator
from warmline.simulators.salesforce import entries
from warmline.simulators.salesforce.assumptions import Assumptions
from warmline.simulators.salesforce.board import SalesforceBoard
from warmline.simulators.salesforce.messaging_api import TOKEN_PATH, MessagingApi
from warmline.simulators.salesforce.office import Office
from warmline.simulators.salesforce.state import DEVELOPER_NAME, Agent, Conversation, Entry, FileOf, Org, Queue
from warmline.simulators.salesforce.stream import Streams
from warmline.simulators.salesforce.tokens import Tokens
from warmline.simulators.samples import PICTURE_NAME, sample
from warmline.simulators.script import Act, Rate, Script, Step


class SalesforceSimulator(Simulator):
    """``webhook_url`` is taken, because every simulator is started alike, and not used."""

    name: ClassVar[str] = "salesforce"
    title: ClassVar[str] = "Salesforce"
    sends_webhooks: ClassVar[bool] = False
    inert_switches: ClassVar[frozenset[str]] = frozenset({"reorder"})
    vendor_rate: ClassVar[Rate | None] = None

    def __init__(
        self,
        *,
        script: Script | None = None,
        assumptions: Assumptions | None = None,
        webhook_url: str = "",
        clock: Clock | None = None,
    ) -> None:
        del webhook_url
        super().__init__(script=script, clock=clock)
        self.assumptions = assumptions or Assumptions()
        self.org = Org()
        self.tokens = Tokens(self.org, self.clock, self.assumptions.token_life_s)
        self.streams = Streams(self.org, self.changes, self.webhooks.switches, self.clock.now())
        limited = self.script.rate == "vendor"
        self._office = Office(self.org, self.clock, self.assumptions, self.streams, self.soon, limited=limited)
        self._office.routing_s = self.waits.routing_ms / 1000
        self._office.began_to_wait = self._began_to_wait
        self._office.visitor_spoke = lambda one: self._scripted.visitor_spoke(one.id)
        self._scripted = ScriptedAgent(self, self.script.steps)
        ping_s = self.waits.hold_ms / 1000
        self._api = MessagingApi(self._office, self.tokens, self.streams, self.clock, limited=limited, ping_s=ping_s)

    # ---------------------------------------------------------------------------------------- inspection
    @property
    def conversations(self) -> list[Conversation]:
        """All of them, oldest first; ``said_by("EndUser")`` is what the agent reads of the visitor."""
        return list(self.org.conversations.values())

    @property
    def agents(self) -> list[Agent]:
        """The service reps."""
        return self.org.agents

    @property
    def queues(self) -> list[Queue]:
        """Support (the fallback queue) and Billing."""
        return self.org.queues

    @property
    def developer_name(self) -> str:
        """The API name of the deployment."""
        return DEVELOPER_NAME

    async def waiting(self, *, timeout_s: float = 5.0) -> Conversation:
        """The newest conversation that waits for an agent, as soon as there is one."""
        return await newest_waiting(self.changes, lambda: self.conversations, timeout_s)

    # ------------------------------------------------------------------------------------------- the acts
    async def agent_joins(self, conversation_id: str, agent: Agent | None = None) -> Conversation:
        """``agent`` (else the first one) accepts it."""
        conversation = self._office.conversation(conversation_id)
        self._office.join(conversation, agent or self.agents[0])
        return conversation

    async def agent_says(
        self,
        conversation_id: str,
        text: str,
        *,
        agent: Agent | None = None,
        files: Sequence[tuple[str, str]] = (),
        role: str = "Agent",
        options: Sequence[str] = (),
    ) -> Entry:
        """The agent who has it (else ``agent``, else the first one) writes.

        ``files`` are pairs of address and name; ``options`` make it a message of choices.  With ``role`` ``System`` it is an
        automated response, with ``Chatbot`` a bot speaks.
        """
        conversation, message_id = self._office.conversation(conversation_id), uuid7()
        made = [FileOf(id=uuid7(), name=name, media_type="image/png", url=url) for url, name in files]
        reason = "AutomatedResponse" if role == "System" else None
        payload = (
            entries.choices(message_id, text, options)
            if options
            else entries.message(message_id, text, made, reason=reason)
        )
        who = None if role == "System" else self._who(conversation, agent)
        return self._office.say(conversation, payload, role=role, who=who)

    async def agent_sends_sample(self, conversation_id: str, name: str, *, agent: Agent | None = None) -> Entry:
        """One of ``SAMPLES``: ``emoji``, ``rtl``, ``html``, ``long`` or ``picture``; the agents of Salesforce write plain text."""
        text, kind = sample(f"sample:{name}")
        files = [(f"{self.url}{FILES}/{PICTURE_NAME}", PICTURE_NAME)] if kind == "picture" else []
        return await self.agent_says(conversation_id, text, agent=agent, files=files)

    async def agent_types(self, conversation_id: str, *, on: bool = True) -> None:
        """Typing starts, or stops."""
        conversation = self._office.conversation(conversation_id)
        self._office.types(conversation, self._who(conversation, None), on=on)

    async def agent_reads(self, conversation_id: str) -> None:
        """The agent has read the visitor's last message."""
        conversation = self._office.conversation(conversation_id)
        self._office.receipt(conversation, conversation.said_by("EndUser")[-1], "ReadAcknowledgement")

    async def tell_position(self, conversation_id: str, position: int) -> None:
        """Salesforce says where the visitor stands."""
        self._office.tell_position(self._office.conversation(conversation_id), position)

    async def transfer_to_queue(self, conversation_id: str, queue: Queue) -> None:
        """It waits in ``queue``."""
        self._office.transfer_to_queue(self._office.conversation(conversation_id), queue)

    async def transfer_to_agent(self, conversation_id: str, agent: Agent) -> None:
        """``agent`` has it now."""
        self._office.transfer_to_agent(self._office.conversation(conversation_id), agent)

    async def unassign(self, conversation_id: str) -> None:
        """The agent leaves; it waits again."""
        self._office.unassign(self._office.conversation(conversation_id))

    async def decline(self, conversation_id: str, agent: Agent | None = None) -> None:
        """An agent refuses the offer: it goes on waiting."""
        self._office.decline(self._office.conversation(conversation_id), agent or self.agents[0])

    async def fail_routing(self, conversation_id: str, reason: str = "No agents are available.") -> None:
        """Nobody will come, and Salesforce says so.  ``org.staffed`` decides it for conversations to come."""
        self._office.fail(self._office.conversation(conversation_id), reason)

    async def disappear(self, conversation_id: str) -> None:
        """The agent who has it goes away without a word: no event, and no longer online."""
        conversation = self._office.conversation(conversation_id)
        self._who(conversation, None).online = False
        self._office.note(conversation, "the agent disappeared")
        self.changes.tell()

    async def go_quiet(self, conversation_id: str) -> None:
        """The agent sets the session to inactive; it may go on."""
        self._office.go_quiet(self._office.conversation(conversation_id))

    async def close(self, conversation_id: str, *, by: str = "Agent") -> None:
        """The session ends, by ``Agent``, ``Supervisor`` or ``System`` (who was inactive too long)."""
        conversation = self._office.conversation(conversation_id)
        if not conversation.over:
            self._office.end(conversation, by=by)

    async def expire_tokens(self, conversation_id: str) -> None:
        """The visitor's tokens are over: calls get 401, a stream ends with a line of raw text."""
        self.tokens.expire(self._office.conversation(conversation_id).visitor)
        self.changes.tell()

    async def drop_stream(self, conversation_id: str, *, clean: bool = False) -> None:
        """The connection of the stream breaks (``clean``: ends)."""
        self.streams.drop(self._office.conversation(conversation_id).visitor, clean=clean)

    async def send_unknown_event(self, conversation_id: str) -> None:
        """An event of a kind that no documentation names."""
        self._office.strange(self._office.conversation(conversation_id))

    async def perform(self, conversation: str, step: Step) -> None:
        """One act of the scripted agent."""
        own: Mapping[Act, Callable[[], Awaitable[object]]] = {
            Act.TYPES: lambda: self.agent_types(conversation),
            Act.TO_QUEUE: lambda: self.transfer_to_queue(conversation, self.queues[step.queue]),
            Act.UNASSIGNS: lambda: self.unassign(conversation),
        }
        await play_step(self, conversation, step, own)

    def _who(self, conversation: Conversation, agent: Agent | None) -> Agent:
        return agent or self.org.agent(conversation.agent_id) or self.agents[0]

    # -------------------------------------------------------------------------------- Salesforce's answers
    def routes(self) -> Sequence[Route]:
        """The API, and the event router."""
        return self._api.routes()

    def keep_limits(self, on: bool) -> None:
        """Those of tokens, of new conversations, and of a conversation's messages."""
        self._office.limited = on
        self._api.keep_limits(on)

    def board(self) -> SalesforceBoard:
        """The agent page's view of this."""
        return SalesforceBoard(self)

    def credential(self, ask: Ask) -> str:
        """The visitor of the bearer token; nobody in particular for a call that asks for one."""
        return "" if ask.call.path == TOKEN_PATH else self._api.visitor(ask)

    def refusal(self, status: int, message: str) -> web.Response:
        """``{status, error, message}``."""
        body = {"status": status, "error": _PHRASES.get(status, "Bad Request"), "message": message}
        answer = web.Response(status=status, body=msgspec.json.encode(body), content_type="application/json")
        if status == 429 and self.assumptions.retry_after_s is not None:
            answer.headers["Retry-After"] = str(self.assumptions.retry_after_s)
        return answer

    def too_many(self, wait_s: float) -> web.Response:
        """429."""
        del wait_s  # no header that would say it is documented
        return self.refusal(429, "Too Many Requests")

    def failing(self) -> web.Response:
        """500."""
        return self.refusal(500, "Internal Server Error")

    def _began_to_wait(self, conversation: Conversation) -> None:
        if self._scripted.wants(conversation.id):
            self.soon(self._scripted.play(conversation.id))


_PHRASES = {
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    409: "Conflict",
    413: "Payload Too Large",
    415: "Unsupported Media Type",
    429: "Too Many Requests",
    500: "Internal Server Error",
}
