"""The agent page's view of a simulated Dixa."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from warmline.simulators.acts import Acts, carry_out, choice_of, picked, usual_acts
from warmline.simulators.base import VendorRefusal
from warmline.simulators.board import ActRefused, Button, Card, Credential, Line
from warmline.simulators.dixa.state import Conversation, Message, Queue

if TYPE_CHECKING:
    from warmline.simulators.dixa.simulator import DixaSimulator

_OPEN = frozenset({"waiting", "held", "idle"})
State = Literal["waiting", "held", "idle", "ended"]


class DixaBoard:
    """Cards, buttons and acts."""

    def __init__(self, vendor: DixaSimulator) -> None:
        self._vendor = vendor

    def cards(self) -> Sequence[Card]:
        """All conversations, newest first."""
        return [self._card(one) for one in reversed(self._vendor.conversations)]

    def buttons(self) -> Sequence[Button]:
        """What Dixa lets an agent do."""
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
            Button(act="close", label="Close", when=_OPEN),
            Button(act="reopen", label="Reopen", when=frozenset({"ended"})),
        )

    async def do(self, act: str, conversation: str, fields: Mapping[str, str]) -> None:
        """One act of the page."""
        vendor = self._vendor
        if not conversation.isdecimal():
            raise ActRefused("There is no such conversation.")
        one = int(conversation)
        acts: Acts = usual_acts(vendor, one, fields) | {
            "type": lambda: vendor.agent_types(one),
            "decline": lambda: vendor.decline(one),
            "unassign": lambda: vendor.unassign(one),
            "to-queue": lambda: vendor.transfer_to_queue(one, self._queue(fields)),
            "reopen": lambda: vendor.reopen(one),
        }
        if act in {"say", "sample"}:
            self._must_be_held(one)
        await carry_out(acts, act, else_say="An agent of Dixa cannot do that.")

    def targets(self) -> Sequence[str]:
        """Where webhooks go."""
        return [one.url for one in self._vendor.subscriptions]

    def subscribe(self, url: str) -> None:
        """Send all events to ``url``, and nowhere else."""
        before = [one.id for one in self._vendor.subscriptions]
        try:
            self._vendor.subscribe(url)
        except VendorRefusal as refusal:
            raise ActRefused("A webhook's address begins with http:// or https://.") from refusal
        for one in before:
            self._vendor.unsubscribe(one)

    def credentials(self) -> Sequence[Credential]:
        """What Warmline asks for when a Dixa is connected."""
        vendor = self._vendor
        return (
            Credential("Address of the API", vendor.url, "api_url"),
            Credential("API token", vendor.token, "api_token"),
            Credential("Agent id of the bot", vendor.bot.id, "bot_agent_id"),
            Credential("Webhook secret", vendor.secret, "webhook_secret"),
            *(Credential(f"Queue {queue.name}", queue.id) for queue in vendor.queues),
        )

    def payload(self) -> str:
        """The published one."""
        return (
            '{"tags": ["some", "tag"], "email": "{{email}}", "crmPlatform": "dixa",'
            ' "widgetId": "a4fda39e-0d78-40a4-afbd-b2d35d0b2a3a", "connectionId": "96f2fc68-beb0-48f4-9efc-78b399205e00",'
            f' "queueId": "{self._vendor.queues[0].id}"}}'
        )

    # --------------------------------------------------------------------------------------------- inside
    def _must_be_held(self, number: int) -> None:
        found = self._vendor.account.conversations.get(number)
        if found is not None and (found.assignee_id is None or found.state == "Closed"):
            raise ActRefused("Take the conversation first: only its agent can write.")

    def _queue(self, fields: Mapping[str, str]) -> Queue:
        return picked(self._vendor.queues, fields.get("queue", ""))

    def _card(self, one: Conversation) -> Card:
        account = self._vendor.account
        requester = account.end_users[one.requester_id]
        queue = account.queue(one.queue_id)
        state, text = self._state(one)
        facts = {
            "Number": str(one.id),
            "E-mail": requester.email or "",
            "Subject": one.subject or "",
            "Queue": queue.name if queue else "",
            "Tags": ", ".join(sorted(one.tags)),
            **{each.label: str(one.attributes.get(each.id, "")) for each in account.attributes},
        }
        lines = [self._line(message) for message in one.messages]
        lines += [Line(side="note", name="Internal note", text=note.message, at=note.created_at) for note in one.notes]
        return Card(
            id=str(one.id),
            title=requester.name or requester.email or "Somebody",
            state=state,
            state_text=text,
            lines=tuple(sorted(lines, key=lambda line: line.at)),
            facts=tuple((label, value) for label, value in facts.items() if value),
            activity=tuple(one.activity),
        )

    def _state(self, one: Conversation) -> tuple[State, str]:
        agent = self._vendor.account.agent(one.assignee_id) if one.assignee_id else None
        if one.state == "Closed":
            return "ended", "Closed"
        if agent is not None:
            return "held", agent.name if agent.online else f"{agent.name}, gone"
        queue = self._vendor.account.queue(one.queue_id)
        return ("waiting", f"Waits in {queue.name}") if queue else ("idle", "In no queue")

    def _line(self, message: Message) -> Line:
        account = self._vendor.account
        agent = account.agent(message.author_id)
        side: Literal["visitor", "agent", "bot"] = "visitor" if agent is None else "agent"
        if agent is account.bot:
            side = "bot"
        requester = account.end_users.get(message.author_id)
        name = agent.name if agent else (requester.name or requester.email or "Visitor") if requester else "Visitor"
        return Line(
            side=side,
            name=name,
            text=message.text,
            at=message.created_at,
            kind="" if message.content_type == "Text" else message.content_type,
            files=tuple((file.url, file.name or file.url) for file in message.attachments if _is_web(file.url)),
        )


def _is_web(url: str) -> bool:
    return url.startswith(("http://", "https://"))
