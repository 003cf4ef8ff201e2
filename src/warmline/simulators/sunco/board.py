"""The agent page's view of Zendesk's Agent Workspace behind a simulated Sunshine Conversations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from warmline.simulators.acts import Acts, check_address, choice_of, picked, usual_acts
from warmline.simulators.base import VendorRefusal
from warmline.simulators.board import ActRefused, Button, Card, Credential, Line
from warmline.simulators.sunco.state import OWN_PLACE, Conversation, Group, Message

if TYPE_CHECKING:
    from warmline.simulators.sunco.simulator import SuncoSimulator

_OPEN = frozenset({"waiting", "held"})
_SIDES: Mapping[str, Literal["visitor", "agent", "bot", "note"]] = {
    "user": "visitor",
    "agent": "agent",
    "business": "bot",
    "bot": "bot",
    "system": "note",
}


class SuncoBoard:
    """Cards, buttons and acts."""

    def __init__(self, vendor: SuncoSimulator) -> None:
        self._vendor = vendor

    def cards(self) -> Sequence[Card]:
        """All conversations, newest first."""
        return [self._card(one) for one in reversed(self._vendor.conversations)]

    def buttons(self) -> Sequence[Button]:
        """What an agent can do."""
        agents = choice_of("agent", "Agent", self._vendor.agents)
        groups = choice_of("group", "Group", self._vendor.groups)
        held = frozenset({"held"})
        return (
            Button(act="join", label="Take it", when=_OPEN, choice=agents, strong=True),
            Button(act="type", label="Type", when=held),
            Button(act="bot", label="Let Answer Bot write", when=_OPEN),
            Button(act="decline", label="Decline", when=frozenset({"waiting"})),
            Button(act="unassign", label="Let it go", when=held),
            Button(act="to-agent", label="To this agent", when=_OPEN, choice=agents),
            Button(act="to-group", label="To this group", when=_OPEN, choice=groups),
            Button(act="disappear", label="Disappear", when=held),
            Button(act="unknown", label="Unknown event", when=_OPEN | {"idle", "ended"}),
            Button(act="solve", label="Solve", when=held),
            Button(act="email", label="Go on by e-mail", when=_OPEN),
            Button(act="close", label="Close", when=_OPEN),
        )

    async def do(self, act: str, conversation: str, fields: Mapping[str, str]) -> None:
        """One act of the page."""
        vendor, one = self._vendor, conversation
        acts: Acts = usual_acts(vendor, one, fields) | {
            "type": lambda: vendor.agent_types(one),
            "bot": lambda: vendor.bot_says(one, "An agent will be with you shortly."),
            "decline": lambda: vendor.decline(one),
            "unassign": lambda: vendor.unassign(one),
            "to-group": lambda: vendor.transfer_to_group(one, self._group(fields)),
            "solve": lambda: vendor.solve(one),
            "email": lambda: vendor.transfer_to_email(one),
        }
        if act not in acts:
            raise ActRefused("An agent of Zendesk cannot do that.")
        try:
            await acts[act]()
        except VendorRefusal as refusal:
            raise ActRefused(f"Not possible: {refusal.note or refusal.message}.") from refusal

    def targets(self) -> Sequence[str]:
        """Where webhooks go."""
        return [one.target for one in self._vendor.subscriptions]

    def subscribe(self, url: str) -> None:
        """Send all events to ``url``, and nowhere else."""
        check_address(url)
        for one in self._vendor.subscriptions:
            self._vendor.unsubscribe(one.id)
        self._vendor.subscribe(url)

    def credentials(self) -> Sequence[Credential]:
        """What Warmline asks for when a Sunshine Conversations is connected."""
        vendor = self._vendor
        lines = vendor.account.switchboard.lines.values()
        return (
            Credential("Address of the API", f"{vendor.url}/sc", "api_url"),
            Credential("App id", vendor.account.app_id, "app_id"),
            Credential("Key id", vendor.key.id, "key_id"),
            Credential("Key secret", vendor.key.secret, "key_secret"),
            Credential("Webhook secret", vendor.secret, "webhook_secret"),
            Credential("Own place in the switchboard", OWN_PLACE, "switchboard_integration"),
            *(Credential(f"Switchboard integration {one.integration_type}", one.name) for one in lines),
            *(Credential(f"Group {one.name}", one.id) for one in vendor.groups),
        )

    def payload(self) -> str:
        """To the second group, with a field of the ticket."""
        return (
            '{"crmPlatform": "sunco", "connectionId": "96f2fc68-beb0-48f4-9efc-78b399205e00", "tags": ["some", "tag"],'
            ' "email": "{{email}}", "priority": "normal", "ticketFields": {"360007654321": "{{reason}}"},'
            f' "groupId": "{self._vendor.groups[1].id}"}}'
        )

    # --------------------------------------------------------------------------------------------- inside
    def _group(self, fields: Mapping[str, str]) -> Group:
        return picked(self._vendor.groups, fields.get("group", ""))

    def _card(self, one: Conversation) -> Card:
        account, ticket = self._vendor.account, one.ticket
        users = [account.users[user_id] for user_id in one.user_ids]
        state, text = self._state(one)
        active, pending = account.line(one.active), account.line(one.pending)
        group = account.group(ticket.group_id) if ticket else None
        facts = {
            "Ticket": str(ticket.number) if ticket else "",
            "E-mail": ", ".join(user.profile.get("email", "") for user in users),
            "Group": group.name if group else "",
            "Tags": ", ".join(ticket.tags) if ticket else "",
            "Control": active.name if active else "nobody",
            "Offered to": pending.name if pending else "",
            **{name: str(value) for name, value in (ticket.fields if ticket else {}).items()},
        }
        return Card(
            id=one.id,
            title=", ".join(user.name for user in users if user.name) or "Somebody",
            state=state,
            state_text=text,
            lines=tuple(self._line(message) for message in one.seen),
            facts=tuple((label, value) for label, value in facts.items() if value),
            activity=tuple(one.activity),
        )

    def _state(self, one: Conversation) -> tuple[Literal["waiting", "held", "idle", "ended"], str]:
        if one.ticket is None:
            return "idle", "No ticket yet"
        if one.ticket.status == "closed":
            return "ended", "Closed"
        if not one.ticket.connected:
            return "ended", "Control is elsewhere"
        agent = self._vendor.account.agent(one.ticket.assignee_id)
        if agent is None:
            return "waiting", "Waits for an agent"
        word = "" if agent.online else ", gone"
        return "held", f"{agent.name}{word}{' (solved)' if one.ticket.status == 'solved' else ''}"

    def _line(self, message: Message) -> Line:
        side, content = _SIDES[message.side], message.content
        url = str(content.get("mediaUrl", ""))
        return Line(
            side=side,
            name=str(message.author.get("displayName", "") or ("Visitor" if side == "visitor" else "Bot")),
            text=str(content.get("text", "")),
            at=message.received,
            kind=str(content["type"]) if content["type"] != "text" else "",
            files=((url, str(content.get("altText", url))),) if url else (),
        )
