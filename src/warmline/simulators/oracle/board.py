"""The agent page of a simulated Oracle chat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from warmline.simulators.acts import Acts, carry_out, choice_of, picked, usual_acts
from warmline.simulators.board import ActRefused, Button, Card, Credential, Line
from warmline.simulators.markup import as_read
from warmline.simulators.oracle.state import Agent, Engagement, Post, Queue

if TYPE_CHECKING:
    from warmline.simulators.oracle.simulator import OracleSimulator

_OPEN = frozenset({"waiting", "held", "idle"})
_HELD = frozenset({"held"})
_WAITING = frozenset({"waiting"})
State = Literal["waiting", "held", "idle", "ended"]


class OracleBoard:
    """Cards, buttons and acts."""

    def __init__(self, vendor: OracleSimulator) -> None:
        self._vendor = vendor

    def cards(self) -> Sequence[Card]:
        """All chats, newest first."""
        return [self._card(one) for one in reversed(self._vendor.conversations)]

    def buttons(self) -> Sequence[Button]:
        """What happens on Oracle's side."""
        agents = choice_of("agent", "Agent", self._vendor.agents)
        queues = choice_of("queue", "Queue", self._vendor.queues)
        return (
            Button(act="join", label="Take it", when=_WAITING, choice=agents, strong=True),
            Button(act="type", label="Type", when=_HELD),
            Button(act="stop", label="Stop typing", when=_HELD),
            Button(act="confer", label="Bring in", when=_HELD, choice=agents),
            Button(act="unconfer", label="Second agent leaves", when=_HELD),
            Button(act="decline", label="Decline", when=_WAITING),
            Button(act="advance", label="One place ahead", when=_WAITING),
            Button(act="to-agent", label="To this agent", when=_OPEN, choice=agents),
            Button(act="to-queue", label="To this queue", when=_HELD | {"idle"}, choice=queues),
            Button(act="leave", label="Leave without a word", when=_HELD),
            Button(act="disappear", label="Disappear", when=_HELD),
            Button(act="pool", label="Move to another pool", when=_OPEN),
            Button(act="unknown", label="Unknown message", when=_OPEN),
            Button(act="timeout", label="Queue times out", when=_WAITING),
            Button(act="forget", label="Forget the session", when=_OPEN | {"ended"}),
            Button(act="close", label="Close", when=_OPEN),
        )

    async def do(self, act: str, conversation: str, fields: Mapping[str, str]) -> None:
        """One act of the page."""
        vendor = self._vendor
        one = int(conversation) if conversation.isdecimal() else 0
        if one not in vendor.site.engagements:
            raise ActRefused("There is no such chat.")
        acts: Acts = usual_acts(vendor, one, fields) | {
            "type": lambda: vendor.agent_types(one),
            "stop": lambda: vendor.agent_types(one, on=False),
            "confer": lambda: vendor.conferee_joins(one, self._agent(fields)),
            "unconfer": lambda: vendor.conferee_leaves(one),
            "decline": lambda: vendor.decline(one),
            "advance": lambda: vendor.queue_moves(one),
            "to-queue": lambda: vendor.transfer_to_queue(one, self._queue(fields)),
            "leave": lambda: vendor.lead_leaves(one),
            "pool": lambda: vendor.move_pool(one),
            "timeout": lambda: vendor.conclude(one, "QUEUE_TIMEOUT"),
            "forget": lambda: vendor.forget(one),
        }
        if act in {"say", "sample"} and vendor.site.engagements[one].lead is None:
            raise ActRefused("Take the chat first: only its agents can write.")
        await carry_out(acts, act, else_say="Nobody can do that in Oracle's chat.")

    def targets(self) -> Sequence[str]:
        """Oracle calls nobody."""
        return []

    def subscribe(self, url: str) -> None:
        """There is nothing to subscribe to."""
        raise ActRefused(f"Oracle is asked for news and calls nobody, so nothing goes to {url}.")

    def credentials(self) -> Sequence[Credential]:
        """What Warmline asks for when an Oracle chat is connected."""
        vendor = self._vendor
        return (
            Credential("Address of the site", vendor.url, "site_url"),
            Credential("User name", vendor.user, "user"),
            Credential("Password", vendor.password, "password"),
            Credential("Queue", str(vendor.queues[0].id), "queue_id"),
            *(Credential(f"Queue {queue.name}", str(queue.id)) for queue in vendor.queues),
        )

    def payload(self) -> str:
        """The published one."""
        return (
            '{"crmPlatform": "oracle_chat", "connectionId": "6038fb60-c16c-4b67-8443-3ea21ae08d85",'
            r' "sessionInformation": "{\"emailAddress\" : \"{{email}}\"}"}'
        )

    # --------------------------------------------------------------------------------------------- inside
    def _agent(self, fields: Mapping[str, str]) -> Agent:
        return picked(self._vendor.agents, fields.get("agent", ""))

    def _queue(self, fields: Mapping[str, str]) -> Queue:
        return picked(self._vendor.queues, fields.get("queue", ""))

    def _card(self, one: Engagement) -> Card:
        queue = self._vendor.site.queue(one.queue_id)
        state, text = self._state(one, queue)
        if one.typing:
            text = f"{text}; the visitor types {one.preview}".rstrip()
        known = {name: str(value) for name, value in one.information.items()}
        facts = {**known, "Queue": queue.name if queue else "", "Pool": one.pool, "Session": one.session_id}
        return Card(
            id=str(one.id),
            title=one.title,
            state=state,
            state_text=text,
            lines=tuple(_line(post) for post in one.lines),
            facts=tuple((label, value) for label, value in facts.items() if value),
            activity=tuple(one.activity),
        )

    @staticmethod
    def _state(one: Engagement, queue: Queue | None) -> tuple[State, str]:
        if one.state == "ended":
            return "ended", f"Over: {one.reason}"
        if one.lead is not None:
            names = ", ".join(each.agent.name for each in one.participants)
            return "held", names if one.lead.agent.online else f"{names}, gone"
        if one.state == "left":
            return "idle", "The lead agent has left"
        return "waiting", f"Number {one.position} in {queue.name if queue else 'no queue'}"


def _line(post: Post) -> Line:
    side: Literal["visitor", "agent"] = "agent" if post.side == "agent" else "visitor"
    # What an agent wrote as HTML stands here as it was written; what came as HTML is shown as his console renders it.
    text = as_read(post.body) if post.rich and side == "visitor" else post.body
    return Line(side=side, name=post.name, text=text, at=post.at, kind="HTML" if post.rich else "", files=post.files)
