"""Salesforce's retired chat (Live Agent) as a custom client of its Chat REST API met it: a session per visitor, POSTs with
numbers, one long poll, and a session that may move to another server.  The product was switched off in February 2026, so
nobody can be served by it; the protocol is of use to whoever has a server that speaks it, and as a hard case of long polls.

``assumptions.py`` lists what the guide leaves open; each module says which of its fields are documented.  Not there: rules
for sensitive data, invitations, chats with bots, records found or made from pre-chat details, and the page after the chat.
There are no webhooks: what would be a delivery elsewhere is an event of a poll.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, ClassVar

from aiohttp import web

from warmline.kernel.clock import Clock
from warmline.simulators.agent import ScriptedAgent, newest_waiting, play_step
from warmline.simulators.base import Ask, Route, Simulator, VendorRefusal
from warmline.simulators.calls import Call
from warmline.simulators.salesforce_legacy import inbox
from warmline.simulators.salesforce_legacy.assumptions import Assumptions
from warmline.simulators.salesforce_legacy.board import SalesforceLegacyBoard
from warmline.simulators.salesforce_legacy.chat_api import UPLOAD, ChatApi
from warmline.simulators.salesforce_legacy.office import UNAVAILABLE, Office
from warmline.simulators.salesforce_legacy.session_api import HUNG_UP, SessionApi
from warmline.simulators.salesforce_legacy.state import Agent, Button, Chat, Line, Org, Session
from warmline.simulators.samples import sample
from warmline.simulators.script import Act, Rate, Script, Step


class SalesforceLegacySimulator(Simulator):
    """Of the webhook switches ``duplicates``, ``reorder``, ``unknown_events``, ``lose`` and ``paused`` hold for polls."""

    name: ClassVar[str] = "salesforce_legacy"
    title: ClassVar[str] = "Salesforce Live Agent (retired)"
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
        del webhook_url  # the command line gives one to every vendor; this one calls nobody
        super().__init__(script=script, clock=clock)
        self.assumptions = assumptions or Assumptions()
        self.org = Org()
        self._office = Office(self.org, self.clock, self.assumptions, self._tell)
        self._office.began_to_wait = self._began_to_wait
        self._office.visitor_spoke = lambda chat: self._scripted.visitor_spoke(chat.id)
        self._scripted = ScriptedAgent(self, self.script.steps)
        self._sessions = SessionApi(self._office, self.clock, self.changes, self.waits, self.webhooks.switches)
        self._api = ChatApi(self._office, self._sessions)
        self._api.url = lambda: self.url

    # ---------------------------------------------------------------------------------------- inspection
    @property
    def conversations(self) -> list[Chat]:
        """All chats, oldest first; ``said_by("Chasitor")`` is what the agent reads of the visitor."""
        return list(self.org.chats.values())

    @property
    def sessions(self) -> list[Session]:
        """All sessions, with a chat or without."""
        return list(self.org.sessions.values())

    @property
    def agents(self) -> list[Agent]:
        """The people."""
        return self.org.agents

    @property
    def buttons(self) -> list[Button]:
        """Support, Billing, and Night shift, at which nobody is there."""
        return self.org.buttons

    async def waiting(self, *, timeout_s: float = 5.0) -> Chat:
        """The newest chat that waits for an agent, as soon as there is one."""
        return await newest_waiting(self.changes, lambda: self.conversations, timeout_s)

    # ------------------------------------------------------------------------------------------- the acts
    async def agent_joins(self, chat_id: str, agent: Agent | None = None) -> Chat:
        """``agent`` (else the first one) accepts it."""
        chat = self._office.chat(chat_id)
        self._office.join(chat, agent or self.agents[0])
        return chat

    async def agent_says(self, chat_id: str, text: str) -> Line:
        """Its agent writes; what agents write is text."""
        return self._office.say(self._office.chat(chat_id), text)

    async def agent_sends_sample(self, chat_id: str, name: str) -> Line:
        """One of ``SAMPLES``: ``emoji``, ``rtl``, ``html`` or ``long``; of ``picture`` only the words, agents send no files."""
        text, _kind = sample(f"sample:{name}")
        return await self.agent_says(chat_id, text)

    async def agent_types(self, chat_id: str, *, on: bool = True) -> None:
        """Typing starts, or stops."""
        self._office.types(self._office.chat(chat_id), on=on)

    async def agent_asks_for_file(self, chat_id: str) -> str:
        """Its agent asks for a file; the token under which it may be uploaded, once."""
        token = secrets.token_hex(12)
        self._office.ask_for_file(self._office.chat(chat_id), token, f"{self.url}{UPLOAD}")
        return token

    async def agent_cancels_file(self, chat_id: str) -> None:
        """Its agent wants it no more."""
        self._office.ask_for_file(self._office.chat(chat_id), "", f"{self.url}{UPLOAD}")

    async def send_custom_event(self, chat_id: str, kind: str, data: str) -> None:
        """A custom event of the agent's window."""
        self._tell(self._office.chat(chat_id).session, "CustomEvent", {"type": kind, "data": data})

    async def send_unknown_event(self, chat_id: str) -> None:
        """An event of a type that no documentation names."""
        self._tell(self._office.chat(chat_id).session, inbox.UNKNOWN, {})

    async def queue_moves(self, chat_id: str, position: int | None = None, seconds: int | None = None) -> None:
        """It stands at ``position`` (else one place further ahead), with ``seconds`` to wait."""
        chat = self._office.chat(chat_id)
        first = self.assumptions.position_starts_at
        place = max(first, (chat.position or first) - 1) if position is None else position
        self._office.moves(chat, place, seconds)

    async def transfer_to_button(self, chat_id: str, button: Button) -> None:
        """It waits at ``button``; the visitor hears of it when an agent accepts."""
        self._office.to_button(self._office.chat(chat_id), button)
        self.changes.tell()

    async def transfer_to_agent(self, chat_id: str, agent: Agent) -> None:
        """``agent`` has it now."""
        self._office.to_agent(self._office.chat(chat_id), agent)

    async def disconnect_agent(self, chat_id: str) -> None:
        """The agent loses his connection; the chat goes on, and another may take it."""
        self._office.disconnect(self._office.chat(chat_id))

    async def decline(self, chat_id: str, agent: Agent | None = None) -> None:
        """An agent refuses the offer: it goes on waiting, unless it was for him alone."""
        self._office.decline(self._office.chat(chat_id), agent or self.agents[0])
        self.changes.tell()

    async def fail(self, chat_id: str, reason: str = UNAVAILABLE) -> None:
        """``ChatRequestFail``: nobody will come, or (reported) the only agent went offline in the middle."""
        self._office.fail(self._office.chat(chat_id), reason)

    async def disappear(self, chat_id: str) -> None:
        """The agent who has it goes away without a word."""
        chat = self._office.chat(chat_id)
        self._office.agent_of(chat).online = False
        self._office.note(chat, "the agent disappeared")
        self.changes.tell()

    async def close(self, chat_id: str, reason: str = "agent") -> None:
        """The agent ends it (or, by another ``reason``, somebody else)."""
        self._office.end(self._office.chat(chat_id), reason)

    async def lose_affinity(self, chat_id: str) -> None:
        """Another server has the session: 503 until it was reconnected."""
        self._office.move(self._office.chat(chat_id).session)
        self.changes.tell()

    async def forget(self, chat_id: str) -> None:
        """The session is gone, as after a restart of the vendor's: every call with it is 403."""
        self._sessions.drop(self._office.chat(chat_id).session, "forgotten")

    async def move_org(self, url: str) -> None:
        """The organization lives at ``url`` now; "" for here."""
        self._api.moved_to = url
        self.changes.tell()

    async def perform(self, conversation: str, step: Step) -> None:
        """One act of the scripted agent."""
        own: Mapping[Act, Callable[[], Awaitable[object]]] = {
            Act.TYPES: lambda: self.agent_types(conversation),
            Act.TO_QUEUE: lambda: self.transfer_to_button(conversation, self.buttons[step.queue]),
            Act.UNASSIGNS: lambda: self.disconnect_agent(conversation),
        }
        await play_step(self, conversation, step, own)

    # -------------------------------------------------------------------------------- Live Agent's answers
    def routes(self) -> Sequence[Route]:
        """The API, and the upload of files."""
        return self._api.routes()

    def board(self) -> SalesforceLegacyBoard:
        """The agent page's view of this."""
        return SalesforceLegacyBoard(self)

    def credential(self, ask: Ask) -> str:
        """The session of the key, on the server of the affinity token."""
        return self._api.caller(ask)

    def refusal(self, status: int, message: str) -> web.Response:
        """The code and a message, as text: the guide says that a body has both, and not how."""
        return web.Response(status=status, text=f"{status} {message}")

    def too_many(self, wait_s: float) -> web.Response:
        """429, which the guide does not name."""
        del wait_s
        return self.refusal(429, "Too Many Requests")

    def failing(self) -> web.Response:
        """500."""
        return self.refusal(500, "Internal Server Error")

    async def _answer(self, route: Route, request: web.Request, call: Call) -> web.StreamResponse | None:
        HUNG_UP.set(lambda: request.transport is None or request.transport.is_closing())
        return await super()._answer(route, request, call)

    async def _unknown(self, ask: Ask) -> web.StreamResponse:
        if any(route.path == ask.call.path for route in self.routes()):
            raise VendorRefusal(405, "Method Not Allowed", note=f"not by {ask.call.method}")
        return await super()._unknown(ask)

    # ---------------------------------------------------------------------------------------- what follows
    def _began_to_wait(self, chat: Chat) -> None:
        self.changes.tell()
        if self._scripted.wants(chat.id):
            self.soon(self._scripted.play(chat.id))

    def _tell(self, session: Session, kind: str, message: Mapping[str, Any]) -> None:
        switches = self.webhooks.switches
        if not switches.lose:
            if switches.unknown_events:
                session.inbox.put(inbox.UNKNOWN, {})
            session.inbox.put(kind, message, 1 + switches.duplicates)
        self.changes.tell()
