"""The agent page's view of a simulated Salesforce."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from warmline.simulators.acts import Acts, carry_out, choice_of, picked, usual_acts
from warmline.simulators.board import ActRefused, Button, Card, Credential, Line
from warmline.simulators.salesforce.state import Conversation, Entry, Queue

if TYPE_CHECKING:
    from warmline.simulators.salesforce.simulator import SalesforceSimulator

_OPEN = frozenset({"waiting", "held", "idle"})
_PARAMETERS = "visitorName = Visitor_Name; email = Email; Order number = Order_Number"
_HELD = frozenset({"held"})
_SIDES: Mapping[str, Literal["visitor", "agent", "bot"]] = {"EndUser": "visitor", "Agent": "agent"}


class SalesforceBoard:
    """Cards, buttons and acts."""

    def __init__(self, vendor: SalesforceSimulator) -> None:
        self._vendor = vendor

    def cards(self) -> Sequence[Card]:
        """All conversations, newest first."""
        return [self._card(one) for one in reversed(self._vendor.conversations)]

    def buttons(self) -> Sequence[Button]:
        """What a rep and the org can do."""
        agents = choice_of("agent", "Agent", self._vendor.agents)
        queues = choice_of("queue", "Queue", self._vendor.queues)
        waiting = frozenset({"waiting"})
        return (
            Button(act="join", label="Accept", when=_OPEN, choice=agents, strong=True),
            Button(act="type", label="Type", when=_HELD),
            Button(act="stop", label="Stop typing", when=_HELD),
            Button(act="read", label="Read", when=_HELD),
            Button(act="decline", label="Decline", when=waiting),
            Button(act="fail", label="Nobody is there", when=waiting),
            Button(act="unassign", label="Leave", when=_HELD),
            Button(act="to-agent", label="To this agent", when=_OPEN, choice=agents),
            Button(act="to-queue", label="To this queue", when=_OPEN, choice=queues),
            Button(act="disappear", label="Disappear", when=_HELD),
            Button(act="quiet", label="Set inactive", when=_HELD),
            Button(act="unknown", label="Unknown event", when=_OPEN | {"ended"}),
            Button(act="drop", label="Break the stream", when=_OPEN | {"ended"}),
            Button(act="expire", label="Let the token expire", when=_OPEN | {"ended"}),
            Button(act="close", label="End session", when=_OPEN),
        )

    async def do(self, act: str, conversation: str, fields: Mapping[str, str]) -> None:
        """One act of the page."""
        vendor, one = self._vendor, conversation
        acts: Acts = usual_acts(vendor, one, fields) | {
            "type": lambda: vendor.agent_types(one),
            "stop": lambda: vendor.agent_types(one, on=False),
            "read": lambda: vendor.agent_reads(one),
            "decline": lambda: vendor.decline(one),
            "fail": lambda: vendor.fail_routing(one),
            "unassign": lambda: vendor.unassign(one),
            "to-queue": lambda: vendor.transfer_to_queue(one, self._queue(fields)),
            "quiet": lambda: vendor.go_quiet(one),
            "drop": lambda: vendor.drop_stream(one),
            "expire": lambda: vendor.expire_tokens(one),
        }
        found = vendor.org.conversations.get(one)
        if found is None:
            raise ActRefused("There is no such conversation.")
        if act in {"say", "sample"} and (found.over or not found.agent_id):
            raise ActRefused("Accept the conversation first: only its agent can write.")
        if act == "read" and not found.said_by("EndUser"):
            raise ActRefused("The visitor has not written yet.")
        await carry_out(acts, act, else_say="An agent of Salesforce cannot do that.")

    def targets(self) -> Sequence[str]:
        """Nowhere."""
        return ()

    def subscribe(self, url: str) -> None:
        """There is nothing to subscribe."""
        raise ActRefused(f"Salesforce sends no webhooks to {url}: Warmline listens to its event stream.")

    def credentials(self) -> Sequence[Credential]:
        """What Warmline asks for when a Salesforce is connected."""
        vendor = self._vendor
        return (
            Credential("Messaging address", vendor.url, "scrt_url"),
            Credential("Organization ID", vendor.org.id, "org_id"),
            Credential("Deployment", vendor.developer_name, "developer_name"),
            Credential("Pre-chat parameters", _PARAMETERS, "routing_attributes"),
        )

    def payload(self) -> str:
        """The published one, with a detail."""
        return (
            '{"isPost": true, "buttonId": "5736g000000k9nQ", "language": "en-US", "userAgent": "{{userAgent}}",'
            ' "crmPlatform": "salesforce", "visitorName": "{{visitorName}}", "deploymentId": "5726g000000k9nQ",'
            ' "organizationId": "00D6g000003Q6HI", "buttonOverrides": [], "prechatEntities": [],'
            ' "prechatDetails": [{"label": "Order number", "value": "A-17", "transcriptFields": ["Order__c"]}],'
            ' "screenResolution": "{{screenRes}}", "receiveQueueUpdates": true,'
            ' "liveAgentHostname": "d.la1-c2-ia4.salesforceliveagent.com"}'
        )

    # --------------------------------------------------------------------------------------------- inside
    def _queue(self, fields: Mapping[str, str]) -> Queue:
        return picked(self._vendor.queues, fields.get("queue", ""))

    def _card(self, one: Conversation) -> Card:
        queue = self._vendor.org.queue(one.queue_id)
        state, text = self._state(one)
        listening = sum(stream.visitor == one.visitor for stream in self._vendor.streams.open)
        facts = {
            "Session": f"{one.session_id}, {one.status}",
            "Routing": one.routing_status,
            "Queue": queue.name if queue else "",
            "Language": one.language or "",
            "Open streams": str(listening),
            **{name: str(value) for name, value in one.routing_attributes.items()},
        }
        return Card(
            id=one.id,
            title=str(one.routing_attributes.get("_firstName") or "Guest"),
            state=state,
            state_text=text,
            lines=tuple(_line(entry) for entry in one.messages),
            facts=tuple((label, value) for label, value in facts.items() if value),
            activity=tuple(one.activity),
        )

    def _state(self, one: Conversation) -> tuple[Literal["waiting", "held", "idle", "ended"], str]:
        agent = self._vendor.org.agent(one.agent_id)
        if one.over:
            return "ended", "Closed" if one.closed else one.status
        if agent is not None:
            return "held", agent.name if agent.online else f"{agent.name}, gone"
        queue = self._vendor.org.queue(one.queue_id)
        return ("waiting", f"Waits in {queue.name}") if queue else ("idle", "Not routed yet")


def _line(entry: Entry) -> Line:
    return Line(
        side=_SIDES.get(entry.role, "bot"),
        name=entry.name,
        text=entry.text,
        at=entry.at,
        files=tuple((file.url, file.name) for file in entry.files if file.url.startswith(("http://", "https://"))),
    )
