"""Kustomer, as its documentation describes it: the chat API v2.1, the records of v1, agents, and outbound webhooks.

``assumptions.py`` lists what the documentation leaves open; each module says which of its fields are documented.
Not there: drafts, bulk operations, search, custom objects, teams beyond their ids, business rules, assistants' dialogs, and
the channels of the chat SDK, through which alone an agent's typing reaches a customer.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar

import msgspec
from aiohttp import web

from warmline.kernel.clock import Clock
from warmline.simulators.agent import ScriptedAgent, newest_waiting, play_step
from warmline.simulators.base import Ask, Route, Simulator, VendorRefusal
from warmline.simulators.deliveries import Delivery
from warmline.simulators.kustomer import events, roles
from warmline.simulators.kustomer.assumptions import Assumptions
from warmline.simulators.kustomer.board import KustomerBoard
from warmline.simulators.kustomer.chat_api import ChatApi
from warmline.simulators.kustomer.limits import TOO_MANY, Budget, Plan
from warmline.simulators.kustomer.office import Office
from warmline.simulators.kustomer.org_api import DOWNLOAD, UPLOAD, OrgApi
from warmline.simulators.kustomer.posting import Posting
from warmline.simulators.kustomer.records_api import RecordsApi
from warmline.simulators.kustomer.replies import refusal
from warmline.simulators.kustomer.state import Account, Attachment, Conversation, Message, Queue, User, object_id
from warmline.simulators.kustomer.webhooks_api import WebhooksApi
from warmline.simulators.samples import PICTURE_NAME, picture, sample
from warmline.simulators.script import PATIENT, Act, Rate, Script, Step, Waits

_USUAL_EVENTS = tuple(
    f"kustomer.{subject}.{change}"
    for subject in ("conversation", "message", "customer")
    for change in ("create", "update")
)
_API = ("/v1/", "/v2.1/")


class KustomerSimulator(Simulator):
    """``webhook_url`` is subscribed to conversations, messages and customers from the start, with ``secret`` as its token.

    ``held_roles`` are what the key may do; ``plan`` sets the budget of calls per minute.
    """

    name: ClassVar[str] = "kustomer"
    title: ClassVar[str] = "Kustomer"
    vendor_rate: ClassVar[Rate | None] = None

    def __init__(
        self,
        *,
        script: Script | None = None,
        assumptions: Assumptions | None = None,
        webhook_url: str = "",
        token: str = "",
        secret: str = "",
        held_roles: Collection[str] = roles.ALL,
        plan: Plan = "enterprise",
        clock: Clock | None = None,
    ) -> None:
        super().__init__(script=_with_ladder(script or Script()), clock=clock)
        self.assumptions = assumptions or Assumptions()
        self.account = Account(self.clock.now())
        self.secret = secret or hashlib.sha256(b"warmline simulator: kustomer").hexdigest()
        self.token = token or f"eyJhbGciOiJub25lIn0.{self.account.bot.id}.simulated"
        self.held_roles = frozenset(held_roles)
        self._plan: Plan = plan
        self.budget = Budget(self.clock, plan if self.script.rate == "vendor" else None)
        background_s = self.waits.background_ms / 1000
        self._office = Office(self.account, self.clock, self.assumptions, self._emit, self.soon, background_s)
        self._office.began_to_wait = self._began_to_wait
        self._office.visitor_spoke = lambda one: self._scripted.visitor_spoke(one.id)
        self._office.taken_over = lambda one: self.soon(self._route(one))
        self._scripted = ScriptedAgent(self, self.script.steps)
        self._webhooks_api = WebhooksApi(self.clock, self.webhooks, self.assumptions)
        self._posting = Posting(self.account, self.clock, self.webhooks, self._webhooks_api)
        self._org_api = OrgApi(self._office, self.clock, self.held_roles)
        self._chat_api = ChatApi(self._office, self.budget)
        self._records_api = RecordsApi(self._office, self.clock, self.budget)
        if webhook_url:
            self.subscribe(webhook_url)

    # ---------------------------------------------------------------------------------------- inspection
    @property
    def conversations(self) -> list[Conversation]:
        """All of them, oldest first."""
        return list(self.account.conversations.values())

    @property
    def agents(self) -> list[User]:
        """The people; the bot is ``bot``."""
        return self.account.agents

    @property
    def bot(self) -> User:
        """The machine user that the key belongs to."""
        return self.account.bot

    @property
    def queues(self) -> list[Queue]:
        """Support (the default one), Billing and Night shift."""
        return self.account.queues

    @property
    def subscriptions(self) -> list[events.Webhook]:
        """The webhooks."""
        return list(self._webhooks_api.webhooks.values())

    def subscribe(self, url: str, names: Sequence[str] = ()) -> events.Webhook:
        """Another webhook for ``names`` (conversations, messages and customers when empty), with ``secret`` as its token."""
        return self._webhooks_api.make("Warmline", url, names or _USUAL_EVENTS, token=self.secret)

    def unsubscribe(self, webhook_id: str) -> None:
        """No more events there."""
        self._webhooks_api.webhooks.pop(webhook_id, None)

    def attachments_of(self, message: Message) -> list[dict[str, Any]]:
        """A message's files, as the API shows them."""
        return [self._office.answers.attachment(self.account.attachments[one]) for one in message.attachments]

    async def waiting(self, *, timeout_s: float = 5.0) -> Conversation:
        """The newest conversation that waits for an agent, as soon as there is one."""
        return await newest_waiting(self.changes, lambda: self.conversations, timeout_s)

    # ------------------------------------------------------------------------------------------- the acts
    async def agent_joins(self, conversation_id: str, agent: User | None = None) -> Conversation:
        """``agent`` (else the first one) takes it."""
        conversation = self._office.conversation(conversation_id)
        if self.assumptions.assignment_after_reply:
            self._posting.withhold(conversation.id)
        user = agent or self.agents[0]
        with self._office.as_agent(user):
            self._office.assign(conversation, user)
        self.changes.tell()
        return conversation

    async def agent_says(
        self,
        conversation_id: str,
        text: str,
        *,
        agent: User | None = None,
        files: Sequence[tuple[str, str]] = (),
        auto: bool = False,
    ) -> Message:
        """The assigned user (else ``agent``, else the first one) writes; ``files`` are pairs of address and name."""
        conversation = self._office.conversation(conversation_id)
        made = [self._attachment(name, url=url) for url, name in files]
        return self._say(conversation, agent, text, made, auto=auto)

    async def agent_sends_sample(self, conversation_id: str, name: str, *, agent: User | None = None) -> Message:
        """One of ``SAMPLES``: ``emoji``, ``rtl``, ``html``, ``long`` or ``picture``."""
        conversation = self._office.conversation(conversation_id)
        text, kind = sample(f"sample:{name}")
        made = [self._attachment(PICTURE_NAME, content=picture())] if kind == "picture" else []
        return self._say(conversation, agent, text, made)

    def _say(
        self,
        conversation: Conversation,
        agent: User | None,
        text: str,
        files: Sequence[Attachment],
        *,
        auto: bool = False,
    ) -> Message:
        author = self._who(conversation, agent)
        with self._office.as_agent(author):
            message = self._office.member_says(conversation, author.id, text, [one.id for one in files], auto=auto)
        self._posting.release(conversation.id)
        self.changes.tell()
        return message

    def _attachment(self, name: str, *, url: str = "", content: bytes | None = None) -> Attachment:
        made = Attachment(
            id=object_id(self.clock.now()),
            name=name,
            content_type="image/png",
            length=len(content or b""),
            url=url,
            content=content,
            policy=object_id(self.clock.now()),
        )
        self.account.attachments[made.id] = made
        return made

    async def agent_types(self, conversation_id: str, agent: User | None = None) -> None:
        """Typing, of which no webhook and no call tells: it is only noted here."""
        conversation = self._office.conversation(conversation_id)
        conversation.activity.append((self.clock.now(), f"{self._who(conversation, agent).name} types"))
        self.changes.tell()

    async def transfer_to_queue(self, conversation_id: str, queue: Queue) -> None:
        """It waits in ``queue``, and nobody has it."""
        with self._agent_on(conversation_id):
            self._office.put_into_queue(self._office.conversation(conversation_id), queue, transfer=True)
        self.changes.tell()

    async def transfer_to_agent(self, conversation_id: str, agent: User) -> None:
        """``agent`` has it now."""
        with self._agent_on(conversation_id):
            self._office.assign(self._office.conversation(conversation_id), agent)
        self.changes.tell()

    async def unassign(self, conversation_id: str) -> None:
        """The agent lets it go; it waits again."""
        with self._agent_on(conversation_id):
            self._office.unassign(self._office.conversation(conversation_id))
        self.changes.tell()

    async def offer(self, conversation_id: str, agent: User | None = None) -> None:
        """Routing asks an agent; only the work item tells of it."""
        self._office.offer(self._office.conversation(conversation_id), agent or self.agents[0])
        self.changes.tell()

    async def decline(self, conversation_id: str, agent: User | None = None) -> None:
        """An agent refuses the offer: it goes on waiting, and no webhook says so."""
        self._office.decline(self._office.conversation(conversation_id), agent or self.agents[0])
        self.changes.tell()

    async def disappear(self, conversation_id: str) -> None:
        """The agent who has it goes away without a word: no event, and no longer online."""
        conversation = self._office.conversation(conversation_id)
        self._who(conversation, None).online = False
        conversation.activity.append((self.clock.now(), "the agent disappeared"))
        self.changes.tell()

    async def close(self, conversation_id: str, reason: str = "") -> None:
        """The agent ends the chat (``Assumptions.closing`` says what that changes)."""
        conversation = self._office.conversation(conversation_id)
        user = self._who(conversation, None)
        with self._office.as_agent(user):
            self._office.end(conversation, by=user.id, by_type="user", reason=reason)
        self.changes.tell()

    async def mark(self, conversation_id: str, status: str) -> None:
        """The agent sets it to ``done`` or ``snoozed``, while the chat itself is not ended."""
        with self._agent_on(conversation_id):
            self._office.set_status(self._office.conversation(conversation_id), status)
        self.changes.tell()

    async def reopen(self, conversation_id: str) -> None:
        """It goes on, with the user it had."""
        with self._agent_on(conversation_id):
            self._office.reopen(self._office.conversation(conversation_id))
        self.changes.tell()

    async def message_fails(self, conversation_id: str, message: Message) -> None:
        """A message of an agent turns out to be undeliverable."""
        self._office.fail(self._office.conversation(conversation_id), message)

    async def send_unknown_event(self, conversation_id: str) -> None:
        """An event of a kind that no documentation names."""
        one = self._office.conversation(conversation_id)
        self._posting.unknown(self._office.answers.conversation(one))

    async def deliver_again(self, delivery: Delivery) -> None:
        """Repeat an old delivery under its old event id."""
        for one in self.subscriptions:
            if one.url == delivery.url:
                await self.webhooks.again(delivery, self._posting.endpoint(one, delivery.name))
                return

    async def perform(self, conversation: str, step: Step) -> None:
        """One act of the scripted agent."""
        own: Mapping[Act, Callable[[], Awaitable[object]]] = {
            Act.TYPES: lambda: self.agent_types(conversation),
            Act.TO_QUEUE: lambda: self.transfer_to_queue(conversation, self.queues[step.queue]),
            Act.UNASSIGNS: lambda: self.unassign(conversation),
        }
        await play_step(self, conversation, step, own)

    def _agent_on(self, conversation_id: str) -> AbstractContextManager[None]:
        return self._office.as_agent(self._who(self._office.conversation(conversation_id), None))

    def _who(self, conversation: Conversation, agent: User | None) -> User:
        held_by = next(iter(conversation.assigned_users), None)
        return agent or self.account.user(held_by) or self.agents[0]

    # ---------------------------------------------------------------------------------- Kustomer's answers
    def routes(self) -> Sequence[Route]:
        """The API below ``/v1`` and ``/v2.1``."""
        parts = (self._chat_api, self._records_api, self._org_api, self._webhooks_api)
        return [
            Route(method, path, operation, handler)
            for part in parts
            for method, path, operation, handler in part.routes()
        ]

    def keep_limits(self, on: bool) -> None:
        """The plan's."""
        self.budget.hold_to(self._plan if on else None)

    def board(self) -> KustomerBoard:
        """The agent page's view of this."""
        return KustomerBoard(self)

    def _application(self) -> web.Application:
        application = super()._application()
        application.on_response_prepare.append(self._count_down)
        # The more precise path is found first, although the vendor's last route takes whatever is left.
        application.router.add_post(UPLOAD, self._org_api.upload)
        application.router.add_get(DOWNLOAD, self._org_api.download)
        return application

    def credential(self, ask: Ask) -> str:
        """The key after ``Bearer``, its roles, the size of the body, and what is left of the minute."""
        self._office.answers.base_url = self.url
        given = ask.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self.token}".encode()):
            raise VendorRefusal(401, "Unauthorized", note="another key, or none (Bearer and the key)")
        both = self.assumptions.handoff_roles == "both"
        if lacking := roles.missing(ask.call.operation, self.held_roles, handoff_needs_both=both):
            raise VendorRefusal(
                self.assumptions.missing_role_status, "Forbidden", note=f"the key lacks {' or '.join(lacking)}"
            )
        if len(ask.body) > self.assumptions.max_body_bytes:
            raise VendorRefusal(413, "Request entity too large", note=f"{len(ask.body)} bytes")
        self.budget.spend()
        return given

    def refusal(self, status: int, message: str) -> web.Response:
        """``{errors: [{code, message, meta}]}``, or the form of JSON:API."""
        answer = refusal(status, message, jsonapi=self.assumptions.error_form == "jsonapi")
        if status == 429 and self.assumptions.retry_after_s is not None:
            answer.headers["Retry-After"] = str(self.assumptions.retry_after_s)
        return answer

    def too_many(self, wait_s: float) -> web.Response:
        """429; the sentence is assumed."""
        del wait_s  # x-ratelimit-reset says it
        return self.refusal(429, TOO_MANY)

    def failing(self) -> web.Response:
        """500; the sentence is assumed."""
        return self.refusal(500, "Internal server error")

    async def _count_down(self, request: web.Request, answer: web.StreamResponse) -> None:
        if self.budget.limit is None or not request.path.startswith(_API) or answer.status == 401:
            return
        per = 1000 if self.assumptions.reset_unit == "s" else 1
        answer.headers["x-ratelimit-limit"] = str(self.budget.limit)
        answer.headers["x-ratelimit-remaining"] = str(0 if answer.status == 429 else self.budget.remaining)
        answer.headers["x-ratelimit-reset"] = str(-(-self.budget.resets_at // per))

    # ---------------------------------------------------------------------------------------- what follows
    def _began_to_wait(self, conversation: Conversation) -> None:
        self.changes.tell()
        if self._scripted.wants(conversation.id):
            self.soon(self._scripted.play(conversation.id))

    async def _route(self, conversation: Conversation) -> None:
        await asyncio.sleep(self.waits.routing_ms / 1000)
        if conversation.lined_up or conversation.assigned_users or not conversation.open:
            return
        if self.assumptions.default_routing:
            self._office.put_into_queue(conversation, self._office.default_queue(), transfer=False)
        else:
            self._office.line_up(conversation)
        self.changes.tell()

    def _emit(
        self, name: str, resource: Mapping[str, Any], changed: Mapping[str, Any] | None, client: str, own: bool
    ) -> None:
        self.changes.tell()  # also where nobody subscribed
        self._posting.emit(name, resource, changed, client, own)


def _with_ladder(script: Script) -> Script:
    """Seven repeats, as documented, where no waits of the test's own were asked for."""
    ladders = {Waits().retry_ms: events.QUICK_LADDER_MS, PATIENT.retry_ms: events.PATIENT_LADDER_MS}
    retry_ms = ladders.get(script.waits.retry_ms, script.waits.retry_ms)
    return msgspec.structs.replace(script, waits=msgspec.structs.replace(script.waits, retry_ms=retry_ms))
