"""Dixa, as its documentation describes it: the generic API messaging channel, agents, and webhooks.

``assumptions.py`` lists what the documentation leaves open; each module says which of its fields are documented.
Not there: the older ``POST /conversations`` (chat widgets, e-mail, SMS), search, ratings, activity log, anonymization, the
daily quota of 864,000 calls, and the filters of webhooks (kept, not applied).
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
from warmline.simulators.base import FILES, Ask, Route, Simulator, VendorRefusal
from warmline.simulators.deliveries import Delivery, Endpoint
from warmline.simulators.dixa import bodies, events
from warmline.simulators.dixa.account_api import AccountApi
from warmline.simulators.dixa.assumptions import Assumptions
from warmline.simulators.dixa.board import DixaBoard
from warmline.simulators.dixa.conversations_api import ConversationsApi, versions
from warmline.simulators.dixa.office import NOT_FOUND, Office
from warmline.simulators.dixa.state import Account, Agent, Attachment, Conversation, Message, Queue
from warmline.simulators.samples import PICTURE_NAME, sample
from warmline.simulators.script import Act, Rate, Script, Step

FAILURE = "There was an internal server error while processing the request"
_WEBHOOK = "Warmline"


def _segment(content: Mapping[str, str]) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(content)).rstrip(b"=").decode()


class DixaSimulator(Simulator):
    """``webhook_url`` is subscribed to every event from the start, with ``secret`` as its key.

    ``token`` is shaped like the token of a third-party AI agent, which is a JWT that holds the agent's id (documented); the
    name of that claim (``agentId``) is assumed.
    """

    name: ClassVar[str] = "dixa"
    title: ClassVar[str] = "Dixa"
    inert_switches: ClassVar[frozenset[str]] = frozenset()
    vendor_rate: ClassVar[Rate | None] = Rate(per_second=10, burst=4)
    not_found: ClassVar[str] = NOT_FOUND

    def __init__(
        self,
        *,
        script: Script | None = None,
        assumptions: Assumptions | None = None,
        webhook_url: str = "",
        token: str = "",
        secret: str = "",
        clock: Clock | None = None,
    ) -> None:
        super().__init__(script=script, clock=clock)
        self.assumptions = assumptions or Assumptions()
        self.account = Account(self.clock.now())
        self.secret = secret or hashlib.sha256(b"warmline simulator: dixa").hexdigest()
        self.token = token or f"{_segment({'alg': 'none'})}.{_segment({'agentId': self.account.bot.id})}.simulated"
        self._office = Office(self.account, self.clock, self.assumptions, self._emit)
        self._office.began_to_wait = self._began_to_wait
        self._office.visitor_spoke = lambda one: self._scripted.visitor_spoke(str(one.id))
        self._office.taken_over = self._taken_over
        self._scripted = ScriptedAgent(self, self.script.steps)
        self._conversations = ConversationsApi(self._office, self.soon, self.waits.background_ms / 1000)
        self._account_api = AccountApi(self._office, self.clock, self.webhooks)
        if webhook_url:
            self.subscribe(webhook_url)

    # ---------------------------------------------------------------------------------------- inspection
    @property
    def conversations(self) -> list[Conversation]:
        """All of them, oldest first."""
        return list(self.account.conversations.values())

    @property
    def agents(self) -> list[Agent]:
        """The people; the bot is ``bot``."""
        return self.account.agents

    @property
    def bot(self) -> Agent:
        """The third-party AI agent that the token belongs to."""
        return self.account.bot

    @property
    def queues(self) -> list[Queue]:
        """Support (the default one), Billing, and Night shift, which is closed."""
        return self.account.queues

    @property
    def subscriptions(self) -> list[events.Subscription]:
        """The webhooks."""
        return list(self._account_api.subscriptions.values())

    def subscribe(self, url: str, names: Sequence[str] = ()) -> events.Subscription:
        """Another webhook for ``names`` (all events when empty), without authorization, signed with ``secret``."""
        chosen = list(names) or sorted(events.EVENT_TYPES)
        given = bodies.NewWebhook(
            name=_WEBHOOK, url=url, authorization=bodies.NoAuth(), custom_headers={}, events=chosen
        )
        return self._account_api.subscribe(given, secret=self.secret)

    def unsubscribe(self, subscription_id: str) -> None:
        """No more events there."""
        self._account_api.subscriptions.pop(subscription_id, None)

    async def waiting(self, *, timeout_s: float = 5.0) -> Conversation:
        """The newest conversation that waits for an agent, as soon as there is one."""
        return await newest_waiting(self.changes, lambda: self.conversations, timeout_s)

    # ------------------------------------------------------------------------------------------- the acts
    async def agent_joins(self, conversation_id: int, agent: Agent | None = None) -> Conversation:
        """``agent`` (else the first one) takes it."""
        conversation = self._office.conversation(conversation_id)
        self._office.assign(conversation, agent or self.agents[0])
        self.changes.tell()
        return conversation

    async def agent_says(
        self,
        conversation_id: int,
        text: str,
        *,
        agent: Agent | None = None,
        content_type: str = "Text",
        files: Sequence[tuple[str, str]] = (),
    ) -> Message:
        """The assigned agent (else ``agent``, else the first one) writes; ``files`` are pairs of address and name."""
        conversation = self._office.conversation(conversation_id)
        attachments = [Attachment(url, name) for url, name in files]
        message = self._office.say(conversation, self._who(conversation, agent), text, content_type, attachments)
        self.changes.tell()
        return message

    async def agent_sends_sample(self, conversation_id: int, name: str, *, agent: Agent | None = None) -> Message:
        """One of ``SAMPLES``: ``emoji``, ``rtl``, ``html``, ``long`` or ``picture``."""
        text, kind = sample(f"sample:{name}")
        files = [(f"{self.url}{FILES}/{PICTURE_NAME}", PICTURE_NAME)] if kind == "picture" else []
        content_type = "Html" if kind == "html" else "Text"
        return await self.agent_says(conversation_id, text, agent=agent, content_type=content_type, files=files)

    async def agent_types(self, conversation_id: int, agent: Agent | None = None) -> None:
        """Typing starts; Dixa never says that it stopped."""
        conversation = self._office.conversation(conversation_id)
        self._office.typing(conversation, self._who(conversation, agent))

    async def transfer_to_queue(self, conversation_id: int, queue: Queue) -> None:
        """It waits in ``queue``."""
        self._office.put_into_queue(self._office.conversation(conversation_id), queue, transfer=True)
        self.changes.tell()

    async def transfer_to_agent(self, conversation_id: int, agent: Agent) -> None:
        """``agent`` has it now."""
        self._office.hand_to_agent(self._office.conversation(conversation_id), agent)
        self.changes.tell()

    async def unassign(self, conversation_id: int) -> None:
        """The agent lets it go; it waits again."""
        self._office.unassign(self._office.conversation(conversation_id))
        self.changes.tell()

    async def decline(self, conversation_id: int, agent: Agent | None = None) -> None:
        """An agent refuses the offer: it goes on waiting, and no webhook says so."""
        conversation = self._office.conversation(conversation_id)
        conversation.activity.append((self.clock.now(), f"declined by {(agent or self.agents[0]).name}"))
        self.changes.tell()

    async def disappear(self, conversation_id: int) -> None:
        """The agent who has it goes away without a word: no event, and no longer online."""
        conversation = self._office.conversation(conversation_id)
        self._who(conversation, None).online = False
        conversation.activity.append((self.clock.now(), "the agent disappeared"))
        self.changes.tell()

    async def close(self, conversation_id: int) -> None:
        """It ends; without an agent ever having had it, it is abandoned."""
        self._office.close(self._office.conversation(conversation_id))
        self.changes.tell()

    async def reopen(self, conversation_id: int) -> None:
        """It goes on, and waits."""
        self._office.reopen(self._office.conversation(conversation_id))
        self.changes.tell()

    async def send_unknown_event(self, conversation_id: int) -> None:
        """An event of a kind that no documentation names."""
        self._post(
            "ConversationMessageAdded", "CONVERSATION_SUMMARISED", self._office.conversation(conversation_id), {}
        )

    async def deliver_again(self, delivery: Delivery) -> None:
        """Repeat an old delivery under its old event id, signed anew."""
        for one in self.subscriptions:
            if one.url == delivery.url:
                await self.webhooks.again(delivery, self._endpoint(one))
                return

    async def perform(self, conversation: str, step: Step) -> None:
        """One act of the scripted agent."""
        one = int(conversation)
        own: Mapping[Act, Callable[[], Awaitable[object]]] = {
            Act.TYPES: lambda: self.agent_types(one),
            Act.TO_QUEUE: lambda: self.transfer_to_queue(one, self.queues[step.queue]),
            Act.UNASSIGNS: lambda: self.unassign(one),
        }
        await play_step(self, one, step, own)

    def _who(self, conversation: Conversation, agent: Agent | None) -> Agent:
        if agent is not None:
            return agent
        held_by = self.account.agent(conversation.assignee_id) if conversation.assignee_id else None
        return held_by or self.agents[0]

    # -------------------------------------------------------------------------------------- Dixa's answers
    def routes(self) -> Sequence[Route]:
        """The API below ``/v1`` and ``/beta``."""
        return versions([*self._conversations.routes(), *self._account_api.routes()])

    def board(self) -> DixaBoard:
        """The agent page's view of this."""
        return DixaBoard(self)

    def credential(self, ask: Ask) -> str:
        """The token, without any word before it."""
        given = ask.headers.get("Authorization", "")
        if self.assumptions.accept_bearer:
            given = given.removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), self.token.encode()):
            note = "no token" if not given else "another token (Dixa takes it without the word Bearer)"
            raise VendorRefusal(self.assumptions.refused_status, "Unauthorized", note=note)
        return given

    def refusal(self, status: int, message: str) -> web.Response:
        """``{message}``."""
        return web.Response(
            status=status, body=msgspec.json.encode({"message": message}), content_type="application/json"
        )

    def too_many(self, wait_s: float) -> web.Response:
        """429; the sentence is assumed."""
        del wait_s  # no header that would say it is documented
        answer = self.refusal(429, "Too Many Requests")
        if self.assumptions.retry_after_s is not None:
            answer.headers["Retry-After"] = str(self.assumptions.retry_after_s)
        return answer

    def failing(self) -> web.Response:
        """500 with the documented sentence."""
        return self.refusal(500, FAILURE)

    # ---------------------------------------------------------------------------------------- what follows
    def _began_to_wait(self, conversation: Conversation) -> None:
        if self._scripted.wants(str(conversation.id)):
            self.soon(self._scripted.play(str(conversation.id)))

    def _taken_over(self, conversation: Conversation) -> None:
        if self.assumptions.default_routing:
            self.soon(self._route(conversation))

    async def _route(self, conversation: Conversation) -> None:
        await asyncio.sleep(self.waits.routing_ms / 1000)
        untouched = conversation.queue_id is None and conversation.assignee_id is None
        if untouched and conversation.state == "Open":
            self._office.put_into_queue(conversation, self._office.default_queue(), transfer=False)

    def _emit(self, event_type: str, name: str, conversation: Conversation, data: Mapping[str, Any]) -> None:
        self.changes.tell()  # also where nobody subscribed
        author = data.get("author", {})
        own = data.get("direction") == "inbound" or author.get("id") == self.bot.id
        if event_type == "ConversationMessageAdded" and own and not self.webhooks.switches.echo:
            return
        if self.webhooks.switches.unknown_events:
            self._post(event_type, "CONVERSATION_SUMMARISED", conversation, {})
        self._post(event_type, name, conversation, data)

    def _post(self, event_type: str, name: str, conversation: Conversation, data: Mapping[str, Any]) -> None:
        about = events.conversation(
            conversation,
            self.account.end_users[conversation.requester_id],
            self.account.agent(conversation.assignee_id) if conversation.assignee_id else None,
            self.account.queue(conversation.queue_id),
        )
        event_id, body = events.envelope(
            name, self.account.organization, self.clock.now(), {**data, "conversation": about}
        )
        for one in self.subscriptions:
            if one.enabled and event_type in one.events:
                self.webhooks.send(self._endpoint(one), event_id=event_id, name=name, body=body)

    def _endpoint(self, one: events.Subscription) -> Endpoint:
        def sign(body: bytes, at: int) -> Mapping[str, str]:
            secret = "00" * 32 if self.webhooks.switches.wrong_signature else one.secret
            return {**one.headers, events.SIGNATURE_HEADER: events.signature(secret, body, at)}

        return Endpoint(one.url, sign)
