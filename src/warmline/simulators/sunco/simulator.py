"""Sunshine Conversations v2, as its OpenAPI document describes it, with Zendesk's Agent Workspace behind its switchboard.

``assumptions.py`` lists what the documentation leaves open; each module says which of its parts are documented.
Not there: other apps and accounts, tokens signed with a key, OAuth, channels and their clients and devices, notifications,
joining and leaving group conversations, deleting users, conversations and messages, and files above 8 MB.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import ClassVar, Literal

import msgspec
from aiohttp import web

from warmline.kernel.clock import Clock
from warmline.simulators.agent import ScriptedAgent, newest_waiting, play_step
from warmline.simulators.base import Ask, Route, Simulator, VendorRefusal
from warmline.simulators.deliveries import Delivery
from warmline.simulators.samples import PICTURE_NAME, picture, sample
from warmline.simulators.script import PATIENT, Act, Rate, Script, Step, Waits
from warmline.simulators.sunco import answers, bodies
from warmline.simulators.sunco.assumptions import Assumptions
from warmline.simulators.sunco.board import SuncoBoard
from warmline.simulators.sunco.conversations_api import ConversationsApi
from warmline.simulators.sunco.keys import APP_ONLY, Key, Keys
from warmline.simulators.sunco.office import MESSAGE_LIMIT, Office
from warmline.simulators.sunco.posting import TRIGGERS, UNKNOWN, Posting, SuncoDeliveries
from warmline.simulators.sunco.setup_api import DOWNLOAD, SetupApi
from warmline.simulators.sunco.state import (
    AGENT_WORKSPACE,
    ANSWER_BOT,
    Account,
    Agent,
    Conversation,
    Group,
    Message,
    Webhook,
    fixed_id,
)

_FOUR_PAUSES = {Waits().retry_ms: (20, 40, 80, 160), PATIENT.retry_ms: (1_000, 3_000, 9_000, 27_000)}
"""Five attempts, as documented, where no waits of the test's own were asked for."""


class SuncoSimulator(Simulator):
    """``webhook_url`` is told everything from the start, by the integration Warmline with ``secret`` as its secret.

    ``scope`` says whether ``key_id`` and ``key_secret`` are the app's or that integration's; ``private_attachments`` and
    ``message_limit`` are settings of the app.
    """

    name: ClassVar[str] = "sunco"
    title: ClassVar[str] = "Sunshine Conversations"
    vendor_rate: ClassVar[Rate | None] = None
    not_found: ClassVar[str] = "Resource not found"

    def __init__(
        self,
        *,
        script: Script | None = None,
        assumptions: Assumptions | None = None,
        webhook_url: str = "",
        secret: str = "",
        scope: Literal["app", "integration"] = "app",
        private_attachments: bool = False,
        message_limit: int = MESSAGE_LIMIT,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(script=_five_attempts(script or Script()), clock=clock)
        self.webhooks = SuncoDeliveries(self.changes, self.clock, self.webhooks.switches, self.waits)
        self.assumptions = assumptions or Assumptions()
        self.account = Account(self.clock.now())
        self.secret = secret or hashlib.sha256(b"warmline simulator: sunco webhook").hexdigest()[:32]
        own = self.account.own.id if scope == "integration" else ""
        prefix = "int" if own else "app"
        self.key = Key(f"{prefix}_{fixed_id(f'{scope} key')}", hashlib.sha256(scope.encode()).hexdigest()[:43], own)
        self._keys = Keys(self.key)
        gather_s = self.waits.background_ms / 1000
        self._posting = Posting(self.account, self.clock, self.webhooks, self.assumptions, self.soon, gather_s)
        self._office = Office(self.account, self.clock, self.assumptions, self._posting, message_limit=message_limit)
        self._office.began_to_wait = self._began_to_wait
        self._office.visitor_spoke = lambda one: self._scripted.visitor_spoke(one.id)
        self._scripted = ScriptedAgent(self, self.script.steps)
        self._conversations_api = ConversationsApi(self._office, self.clock, self._keys)
        self._setup_api = SetupApi(self.account, self.assumptions, self._keys, private=private_attachments)
        if webhook_url:
            self.subscribe(webhook_url)

    # ---------------------------------------------------------------------------------------- inspection
    @property
    def conversations(self) -> list[Conversation]:
        """All of them, oldest first."""
        return list(self.account.conversations.values())

    @property
    def agents(self) -> list[Agent]:
        """The people."""
        return self.account.agents

    @property
    def groups(self) -> list[Group]:
        """Support (the default one) and Billing."""
        return self.account.groups

    @property
    def subscriptions(self) -> list[Webhook]:
        """The webhooks of all integrations."""
        return [hook for _integration, hook in self.account.webhooks]

    def subscribe(self, url: str, triggers: Sequence[str] = ()) -> Webhook:
        """Another webhook of the integration Warmline, for ``triggers`` (all when empty), with ``secret``."""
        given = bodies.NewWebhook(target=url, triggers=list(triggers) or sorted(TRIGGERS))
        return self._setup_api.add_webhook(self.account.own, given, secret=self.secret)

    def unsubscribe(self, webhook_id: str) -> None:
        """No more events there."""
        for integration in self.account.integrations.values():
            integration.webhooks.pop(webhook_id, None)

    async def waiting(self, *, timeout_s: float = 5.0) -> Conversation:
        """The newest conversation whose ticket waits for an agent, as soon as there is one."""
        return await newest_waiting(self.changes, lambda: self.conversations, timeout_s)

    # ------------------------------------------------------------------------------------------- the acts
    async def agent_joins(self, conversation_id: str, agent: Agent | None = None) -> Conversation:
        """``agent`` (else the first one) takes the ticket; nobody is told."""
        conversation = self._office.conversation(conversation_id)
        self._assign(conversation, agent or self.agents[0])
        return conversation

    async def agent_says(
        self, conversation_id: str, text: str, *, agent: Agent | None = None, html: str = ""
    ) -> Message:
        """The agent who has it (else ``agent``, else the first one) writes; ``html`` is the formatted form of ``text``."""
        content = {"type": "text", "text": text, "htmlText": html or None}
        return self._agent_writes(conversation_id, answers.without_nothing(content), agent)

    async def agent_sends_file(
        self,
        conversation_id: str,
        name: str,
        content: bytes,
        media_type: str,
        *,
        text: str = "",
        agent: Agent | None = None,
    ) -> Message:
        """A file, a picture when its type says so."""
        kept = self._setup_api.keep(name, media_type, content)
        about = {
            "type": "image" if media_type.startswith("image/") else "file",
            "mediaUrl": self._setup_api.url_of(kept),
            "mediaType": media_type,
            "mediaSize": len(content),
            "altText": name,
            "text": text or None,
        }
        return self._agent_writes(conversation_id, answers.without_nothing(about), agent)

    async def agent_sends_sample(self, conversation_id: str, name: str, *, agent: Agent | None = None) -> Message:
        """One of ``SAMPLES``: ``emoji``, ``rtl``, ``html``, ``long`` (two messages, the last is returned) or ``picture``."""
        text, kind = sample(f"sample:{name}")
        if kind == "picture":
            return await self.agent_sends_file(
                conversation_id, PICTURE_NAME, picture(), "image/png", text=text, agent=agent
            )
        html = text if kind == "html" else ""
        plain = "Please read this." if html else text
        limit = bodies.MAX_TEXT
        for start in range(0, len(plain) - limit, limit):
            await self.agent_says(conversation_id, plain[start : start + limit], agent=agent)
        rest = plain[(len(plain) - 1) // limit * limit :]
        return await self.agent_says(conversation_id, rest, agent=agent, html=html)

    async def bot_says(self, conversation_id: str, text: str) -> Message:
        """Zendesk's own bot writes while agents have the conversation."""
        bot = Agent(id="0", name="Answer Bot", email="", avatar_url="https://lumen.example/people/bot.png")
        conversation = self._office.conversation(conversation_id)
        message = self._office.agent_writes(conversation, bot, {"type": "text", "text": text}, ANSWER_BOT)
        self.changes.tell()
        return message

    async def agent_types(self, conversation_id: str, agent: Agent | None = None) -> None:
        """Typing, of which only ``Assumptions.agent_typing`` tells."""
        conversation = self._office.conversation(conversation_id)
        who = self._who(conversation, agent)
        if self.assumptions.agent_typing:
            author = {"type": "business", "displayName": who.name, "avatarUrl": who.avatar_url}
            self._office.tell_activity(conversation, "typing:start", author)
        self._note(conversation, f"{who.name} types")

    async def transfer_to_group(self, conversation_id: str, group: Group) -> None:
        """The ticket waits in ``group``; nobody is told."""
        ticket = self._office.ticket(conversation_id)
        ticket.group_id, ticket.assignee_id = group.id, ""
        self._note(self._office.conversation(conversation_id), f"waits in {group.name}")

    async def transfer_to_agent(self, conversation_id: str, agent: Agent) -> None:
        """``agent`` has the ticket; that shows with his first message only."""
        self._assign(self._office.conversation(conversation_id), agent)

    async def unassign(self, conversation_id: str) -> None:
        """Nobody has the ticket; nobody is told."""
        self._office.ticket(conversation_id).assignee_id = ""
        self._note(self._office.conversation(conversation_id), "let go")

    async def decline(self, conversation_id: str, agent: Agent | None = None) -> None:
        """An agent refuses: it goes on waiting, and nobody is told."""
        conversation = self._office.conversation(conversation_id)
        self._note(conversation, f"declined by {(agent or self.agents[0]).name}")

    async def disappear(self, conversation_id: str) -> None:
        """The agent who has it goes away without a word."""
        conversation = self._office.conversation(conversation_id)
        self._who(conversation, None).online = False
        self._note(conversation, "the agent disappeared")

    async def solve(self, conversation_id: str) -> None:
        """The ticket is solved, which is not closed: control stays with agents, and nobody is told."""
        self._office.ticket(conversation_id).status = "solved"
        self._note(self._office.conversation(conversation_id), "solved")

    async def close(self, conversation_id: str) -> None:
        """The ticket is closed: control is released."""
        self._office.close_ticket(self._office.conversation(conversation_id), "ticketClosed", "ticket:closed")
        self.changes.tell()

    async def transfer_to_email(self, conversation_id: str) -> None:
        """The agent goes on by e-mail: control is released."""
        conversation = self._office.conversation(conversation_id)
        self._office.close_ticket(conversation, "transferToEmail", "ticket:transfer:email")
        self.changes.tell()

    async def message_fails(self, conversation_id: str, message: Message) -> None:
        """A message turns out not to have reached anybody."""
        conversation = self._office.conversation(conversation_id)
        more = {
            "message": {"id": message.id},
            "destination": {"type": "api"},
            "isFinalEvent": True,
            "error": {"code": "uncategorized_error", "message": "The message could not be delivered"},
        }
        self._office.tell("conversation:message:delivery:failure", conversation, more)
        self.changes.tell()

    def next_pass_fails(self, why: str) -> None:
        """The next pass of control is answered well, and then fails."""
        self._office.failing_passes.append(why)

    async def send_unknown_event(self, conversation_id: str) -> None:
        """An event of a kind that no documentation names."""
        self._office.tell(UNKNOWN, self._office.conversation(conversation_id), {})

    async def deliver_again(self, delivery: Delivery) -> None:
        """Repeat an old delivery under its old event ids."""
        for one in self.subscriptions:
            if one.target == delivery.url:
                await self.webhooks.again(delivery, self._posting.endpoint(one))
                return

    async def perform(self, conversation: str, step: Step) -> None:
        """One act of the scripted agent."""
        own: Mapping[Act, Callable[[], Awaitable[object]]] = {
            Act.TYPES: lambda: self.agent_types(conversation),
            Act.TO_QUEUE: lambda: self.transfer_to_group(conversation, self.groups[step.queue]),
            Act.UNASSIGNS: lambda: self.unassign(conversation),
        }
        await play_step(self, conversation, step, own)

    def _assign(self, conversation: Conversation, agent: Agent) -> None:
        self._office.ticket(conversation.id).assignee_id = agent.id
        self._note(conversation, f"taken by {agent.name}")

    def _agent_writes(self, conversation_id: str, content: Mapping[str, object], agent: Agent | None) -> Message:
        conversation = self._office.conversation(conversation_id)
        message = self._office.agent_writes(conversation, self._who(conversation, agent), content, AGENT_WORKSPACE)
        self.changes.tell()
        return message

    def _who(self, conversation: Conversation, agent: Agent | None) -> Agent:
        held_by = conversation.ticket.assignee_id if conversation.ticket else ""
        return agent or self.account.agent(held_by) or self.agents[0]

    def _note(self, conversation: Conversation, what: str) -> None:
        conversation.activity.append((self.clock.now(), what))
        self.changes.tell()

    # ----------------------------------------------------------------------------------- the vendor's answers
    def routes(self) -> Sequence[Route]:
        """The API below ``/sc/v2`` (accounts of Zendesk) and ``/v2`` (older accounts)."""
        rows = (*self._conversations_api.routes(), *self._setup_api.routes())
        return [
            Route(method, f"{base}/v2/apps/{{app}}{path}", operation, handler)
            for base in ("/sc", "")
            for method, path, operation, handler in rows
        ]

    def board(self) -> SuncoBoard:
        """The agent page's view of this."""
        return SuncoBoard(self)

    def _application(self) -> web.Application:
        application = super()._application()
        application.router.add_get(DOWNLOAD, self._setup_api.download)
        return application

    def credential(self, ask: Ask) -> str:
        """The key and its scope, the app, and the size of the body."""
        self._setup_api.base_url = self.url
        key = self._keys.of(ask.headers)
        if ask.path.get("app", self.account.app_id) != self.account.app_id:
            raise VendorRefusal(404, "App not found", note=f"the app is {self.account.app_id}")
        if key.integration_id and ask.call.operation in APP_ONLY:
            raise VendorRefusal(403, "Forbidden", note="an integration's own key may not do that")
        is_file = ask.call.operation == "attachments.upload"
        if len(ask.body) > bodies.MAX_JSON and not is_file:
            raise VendorRefusal(self.assumptions.too_large_status, "Request too large", note=f"{len(ask.body)} bytes")
        return key.id

    def refusal(self, status: int, message: str) -> web.Response:
        """``{errors: [{code, title}]}``."""
        return answers.refusal(status, message)

    def too_many(self, wait_s: float) -> web.Response:
        """429; no numbers are published, and no header."""
        del wait_s
        return answers.refusal(429, "Too many requests")

    def failing(self) -> web.Response:
        """500; the sentence is assumed."""
        return answers.refusal(500, "Internal server error")

    # ---------------------------------------------------------------------------------------- what follows
    def _began_to_wait(self, conversation: Conversation) -> None:
        self.changes.tell()
        if self._scripted.wants(conversation.id):
            self.soon(self._scripted.play(conversation.id))


def _five_attempts(script: Script) -> Script:
    retry_ms = _FOUR_PAUSES.get(script.waits.retry_ms, script.waits.retry_ms)
    return msgspec.structs.replace(script, waits=msgspec.structs.replace(script.waits, retry_ms=retry_ms))
