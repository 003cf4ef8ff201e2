"""The agent page's view of a simulated Kustomer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from warmline.simulators.acts import Acts, carry_out, check_address, choice_of, picked, usual_acts
from warmline.simulators.board import ActRefused, Button, Card, Credential, Line
from warmline.simulators.kustomer.state import Conversation, Message, Queue

if TYPE_CHECKING:
    from warmline.simulators.kustomer.simulator import KustomerSimulator

_OPEN = frozenset({"waiting", "held", "idle"})
State = Literal["waiting", "held", "idle", "ended"]


class KustomerBoard:
    """Cards, buttons and acts."""

    def __init__(self, vendor: KustomerSimulator) -> None:
        self._vendor = vendor

    def cards(self) -> Sequence[Card]:
        """All conversations, newest first."""
        return [self._card(one) for one in reversed(self._vendor.conversations)]

    def buttons(self) -> Sequence[Button]:
        """What Kustomer lets an agent do."""
        agents = choice_of("agent", "Agent", self._vendor.agents)
        queues = choice_of("queue", "Queue", self._vendor.queues)
        return (
            Button(act="join", label="Take it", when=_OPEN, choice=agents, strong=True),
            Button(act="type", label="Type", when=frozenset({"held"})),
            Button(act="decline", label="Decline", when=frozenset({"waiting"})),
            Button(act="unassign", label="Let it go", when=frozenset({"held"})),
            Button(act="to-agent", label="To this agent", when=_OPEN, choice=agents),
            Button(act="to-queue", label="To this queue", when=_OPEN, choice=queues),
            Button(act="disappear", label="Disappear", when=frozenset({"held"})),
            Button(act="unknown", label="Unknown event", when=_OPEN | {"ended"}),
            Button(act="done", label="Mark done", when=_OPEN),
            Button(act="close", label="End chat", when=_OPEN),
            Button(act="reopen", label="Reopen", when=frozenset({"ended"})),
        )

    async def do(self, act: str, conversation: str, fields: Mapping[str, str]) -> None:
        """One act of the page."""
        vendor = self._vendor
        acts: Acts = usual_acts(vendor, conversation, fields) | {
            "type": lambda: vendor.agent_types(conversation),
            "decline": lambda: vendor.decline(conversation),
            "unassign": lambda: vendor.unassign(conversation),
            "to-queue": lambda: vendor.transfer_to_queue(conversation, self._queue(fields)),
            "done": lambda: vendor.mark(conversation, "done"),
            "reopen": lambda: vendor.reopen(conversation),
        }
        if act in {"say", "sample"}:
            self._must_be_held(conversation)
        await carry_out(acts, act, else_say="An agent of Kustomer cannot do that.")

    def targets(self) -> Sequence[str]:
        """Where webhooks go."""
        return [one.url for one in self._vendor.subscriptions]

    def subscribe(self, url: str) -> None:
        """Send all events to ``url``, and nowhere else."""
        check_address(url)
        for one in self._vendor.subscriptions:
            self._vendor.unsubscribe(one.id)
        self._vendor.subscribe(url)

    def credentials(self) -> Sequence[Credential]:
        """What Warmline asks for when a Kustomer is connected."""
        vendor = self._vendor
        return (
            Credential("Address of the API", vendor.url, "api_url"),
            Credential("API key", vendor.token, "api_key"),
            Credential("User id of the bot", vendor.bot.id, "bot_user_id"),
            Credential("Webhook token", vendor.secret, "webhook_token"),
            *(Credential(f"Queue {queue.name}", queue.id) for queue in vendor.queues),
        )

    def payload(self) -> str:
        """The published one, to the second queue."""
        return (
            '{"name": "Test enduser", "tags": ["some", "tag"], "email": "{{email}}", "crmPlatform": "kustomer",'
            f' "queue": "{self._vendor.queues[1].id}", "connectionId": "35b956ad-8f96-4adc-9417-d6d37cafa6c2"}}'
        )

    # --------------------------------------------------------------------------------------------- inside
    def _must_be_held(self, conversation: str) -> None:
        found = self._vendor.account.conversations.get(conversation)
        if found is not None and (not found.assigned_users or not found.open):
            raise ActRefused("Take the conversation first: only its agent can write.")

    def _queue(self, fields: Mapping[str, str]) -> Queue:
        return picked(self._vendor.queues, fields.get("queue", ""))

    def _card(self, one: Conversation) -> Card:
        account = self._vendor.account
        customer = account.customers[one.customer_id]
        queue = account.queue(one.queue_id)
        state, text = self._state(one)
        email = customer.emails[0].value if customer.emails else ""
        facts = {
            "E-mail": email,
            "Subject": one.name or "",
            "External id": one.external_id or one.session_external_id or "",
            "Queue": queue.name if queue else "",
            "Tags": ", ".join(account.tags[tag].name for tag in one.tags),
            **{name: str(value) for name, value in one.custom.items()},
        }
        lines = [self._line(message, one) for message in one.messages]
        lines += [Line(side="note", name="Note", text=note.body, at=note.created_at) for note in one.notes]
        return Card(
            id=one.id,
            title=customer.name or email or "Somebody",
            state=state,
            state_text=text,
            lines=tuple(sorted(lines, key=lambda line: line.at)),
            facts=tuple((label, value) for label, value in facts.items() if value),
            activity=tuple(one.activity),
        )

    def _state(self, one: Conversation) -> tuple[State, str]:
        if not one.open:
            return "ended", "Ended" if one.ended else one.status.capitalize()
        agent = self._vendor.account.user(next(iter(one.assigned_users), None))
        if agent is not None:
            return "held", agent.name if agent.online else f"{agent.name}, gone"
        queue = self._vendor.account.queue(one.queue_id)
        return ("waiting", f"Waits in {queue.name}" if queue else "Waits") if one.waiting else ("idle", "In no queue")

    def _line(self, message: Message, conversation: Conversation) -> Line:
        account = self._vendor.account
        user = account.user(message.author_id)
        customer = account.customers[conversation.customer_id]
        side: Literal["visitor", "agent", "bot"] = "visitor"
        if message.direction == "out":
            side = "bot" if user is account.bot or message.auto else "agent"
        answers = self._vendor.attachments_of(message)
        return Line(
            side=side,
            name=user.name if user else customer.name or "Visitor",
            text=message.body,
            at=message.sent_at,
            kind="" if message.channel == "chat" else message.channel,
            files=tuple((each["links"]["related"], each["attributes"]["name"]) for each in answers),
        )
