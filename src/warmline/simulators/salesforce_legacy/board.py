"""The agent page of a simulated Live Agent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from warmline.simulators.base import VendorRefusal
from warmline.simulators.board import ActRefused, Button, Card, Choice, Credential, Line
from warmline.simulators.salesforce_legacy import state

if TYPE_CHECKING:
    from warmline.simulators.salesforce_legacy.simulator import SalesforceLegacySimulator

_HELD = frozenset({"held"})
_FREE = frozenset({"waiting", "idle"})
_OPEN = _FREE | _HELD
_SIDES: Mapping[str, Literal["visitor", "agent", "note"]] = {"Chasitor": "visitor", "Agent": "agent"}


class SalesforceLegacyBoard:
    """Cards, buttons and acts."""

    def __init__(self, vendor: SalesforceLegacySimulator) -> None:
        self._vendor = vendor

    def cards(self) -> Sequence[Card]:
        """All chats, newest first."""
        return [self._card(one) for one in reversed(self._vendor.conversations)]

    def buttons(self) -> Sequence[Button]:
        """What happens on Salesforce's side."""
        agents = Choice("agent", "Agent", tuple((one.id, one.name) for one in self._vendor.agents))
        places = Choice("button", "Button", tuple((one.id, one.name) for one in self._vendor.buttons))
        return (
            Button(act="join", label="Accept", when=_FREE, choice=agents, strong=True),
            Button(act="type", label="Type", when=_HELD),
            Button(act="stop", label="Stop typing", when=_HELD),
            Button(act="file", label="Ask for a file", when=_HELD),
            Button(act="no-file", label="Ask no more", when=_HELD),
            Button(act="decline", label="Decline", when=_FREE),
            Button(act="advance", label="One place ahead", when=frozenset({"waiting"})),
            Button(act="fail", label="Nobody is there", when=_OPEN),
            Button(act="to-agent", label="To this agent", when=_HELD, choice=agents),
            Button(act="to-button", label="To this button", when=_HELD, choice=places),
            Button(act="disconnect", label="Lose the agent's connection", when=_HELD),
            Button(act="disappear", label="Disappear", when=_HELD),
            Button(act="affinity", label="Move to another server", when=_OPEN),
            Button(act="forget", label="Forget the session", when=_OPEN | {"ended"}),
            Button(act="unknown", label="Unknown event", when=_OPEN),
            Button(act="close", label="End chat", when=_OPEN),
        )

    async def do(self, act: str, conversation: str, fields: Mapping[str, str]) -> None:
        """One act of the page."""
        vendor, one = self._vendor, conversation
        if one not in vendor.org.chats:
            raise ActRefused("There is no such chat.")
        acts: Mapping[str, Callable[[], Awaitable[object]]] = {
            "say": lambda: vendor.agent_says(one, fields.get("text", "")),
            "sample": lambda: vendor.agent_sends_sample(one, fields.get("sample", "")),
            "join": lambda: vendor.agent_joins(one, self._agent(fields)),
            "type": lambda: vendor.agent_types(one),
            "stop": lambda: vendor.agent_types(one, on=False),
            "file": lambda: vendor.agent_asks_for_file(one),
            "no-file": lambda: vendor.agent_cancels_file(one),
            "decline": lambda: vendor.decline(one),
            "advance": lambda: vendor.queue_moves(one),
            "fail": lambda: vendor.fail(one),
            "to-agent": lambda: vendor.transfer_to_agent(one, self._agent(fields)),
            "to-button": lambda: vendor.transfer_to_button(one, self._button(fields)),
            "disconnect": lambda: vendor.disconnect_agent(one),
            "disappear": lambda: vendor.disappear(one),
            "affinity": lambda: vendor.lose_affinity(one),
            "forget": lambda: vendor.forget(one),
            "unknown": lambda: vendor.send_unknown_event(one),
            "close": lambda: vendor.close(one),
        }
        if act not in acts:
            raise ActRefused("Nobody can do that in Live Agent.")
        try:
            await acts[act]()
        except VendorRefusal as refusal:
            raise ActRefused(refusal.note or refusal.message) from refusal

    def targets(self) -> Sequence[str]:
        """Live Agent calls nobody."""
        return ()

    def subscribe(self, url: str) -> None:
        """There is nothing to subscribe to."""
        raise ActRefused(f"Live Agent is asked for news and calls nobody, so nothing goes to {url}.")

    def credentials(self) -> Sequence[Credential]:
        """What Warmline asks for when a Live Agent is connected."""
        org = self._vendor.org
        return (
            Credential("Chat API endpoint", self._vendor.url, "chat_url"),
            Credential("Organization ID", org.id, "organization_id"),
            Credential("Deployment ID", org.deployment_id, "deployment_id"),
            Credential("Button ID", org.buttons[0].id, "button_id"),
            *(Credential(f"Button {button.name}", button.id) for button in org.buttons),
        )

    def payload(self) -> str:
        """The published one, with this organization's ids and a detail."""
        org = self._vendor.org
        return (
            f'{{"isPost": true, "buttonId": "{org.buttons[0].id}", "language": "en-US", "userAgent": "{{{{userAgent}}}}",'
            ' "crmPlatform": "salesforce", "visitorName": "{{visitorName}}",'
            f' "deploymentId": "{org.deployment_id}", "organizationId": "{org.id}",'
            ' "buttonOverrides": [], "prechatEntities": [],'
            ' "prechatDetails": [{"label": "Order number", "value": "A-17", "transcriptFields": ["Order__c"]}],'
            ' "screenResolution": "{{screenRes}}", "receiveQueueUpdates": true,'
            ' "liveAgentHostname": "d.la1-c2-ia4.salesforceliveagent.com"}'
        )

    # --------------------------------------------------------------------------------------------- inside
    def _agent(self, fields: Mapping[str, str]) -> state.Agent:
        return self._vendor.org.agent(fields.get("agent", "")) or self._vendor.agents[0]

    def _button(self, fields: Mapping[str, str]) -> state.Button:
        return self._vendor.org.button(fields.get("button", "")) or self._vendor.buttons[0]

    def _card(self, one: state.Chat) -> Card:
        shown, text = self._state(one)
        if one.typing:
            text = f"{text}; the visitor types {one.preview}".rstrip()
        details = {each["label"]: each["value"] for each in one.init["prechatDetails"] if each["displayToAgent"]}
        facts = {
            **details,
            "Button": one.button.name,
            "Page": one.session.location,
            "Session": "known" if one.session.known else "over",
            "File": "asked for" if one.file_token else ", ".join(file.name for file in one.files),
        }
        return Card(
            id=one.id,
            title=one.visitor_name or "Guest",
            state=shown,
            state_text=text,
            lines=tuple(_line(line) for line in one.lines),
            facts=tuple((label, value) for label, value in facts.items() if value),
            activity=tuple(one.activity),
        )

    @staticmethod
    def _state(one: state.Chat) -> tuple[Literal["waiting", "held", "idle", "ended"], str]:
        if one.state == "ended":
            return "ended", f"Over: {one.reason}"
        if one.agent is not None:
            return "held", one.agent.name if one.agent.online else f"{one.agent.name}, gone"
        if one.state == "left":
            return "idle", "The agent was disconnected"
        return "waiting", f"Number {one.position} at {one.button.name}" if one.position else f"At {one.button.name}"


def _line(line: state.Line) -> Line:
    text = line.text or "The chat was transferred."
    return Line(side=_SIDES.get(line.type, "note"), name=line.name, text=text, at=line.at)
