"""The agent page's view of a simulated Gorgias."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from warmline.simulators.acts import Acts, carry_out, choice_of, picked, usual_acts
from warmline.simulators.base import VendorRefusal
from warmline.simulators.board import ActRefused, Button, Card, Credential, Line
from warmline.simulators.gorgias.state import NOTE, Message, Team, Ticket

if TYPE_CHECKING:
    from warmline.simulators.gorgias.simulator import GorgiasSimulator

_OPEN = frozenset({"waiting", "held"})
State = Literal["waiting", "held", "idle", "ended"]


class GorgiasBoard:
    """Cards, buttons and acts."""

    def __init__(self, vendor: GorgiasSimulator) -> None:
        self._vendor = vendor

    def cards(self) -> Sequence[Card]:
        """All tickets, newest first."""
        return [self._card(one) for one in reversed(self._vendor.conversations)]

    def buttons(self) -> Sequence[Button]:
        """What Gorgias lets an agent do."""
        agents = choice_of("agent", "Agent", self._vendor.agents)
        teams = choice_of("team", "Team", self._vendor.teams)
        return (
            Button(act="join", label="Take it", when=_OPEN, choice=agents, strong=True),
            Button(act="unassign", label="Let it go", when=frozenset({"held"})),
            Button(act="to-agent", label="To this agent", when=_OPEN, choice=agents),
            Button(act="to-team", label="To this team", when=_OPEN, choice=teams),
            Button(act="note", label="Write a note", when=_OPEN | {"ended"}),
            Button(act="fail", label="Last answer fails", when=_OPEN | {"ended"}),
            Button(act="disappear", label="Disappear", when=frozenset({"held"})),
            Button(act="unknown", label="Unknown event", when=_OPEN | {"ended"}),
            Button(act="close", label="Close", when=_OPEN),
            Button(act="reopen", label="Reopen", when=frozenset({"ended"})),
        )

    async def do(self, act: str, conversation: str, fields: Mapping[str, str]) -> None:
        """One act of the page."""
        vendor = self._vendor
        if not conversation.isdecimal():
            raise ActRefused("There is no such ticket.")
        one = int(conversation)
        acts: Acts = usual_acts(vendor, one, fields) | {
            "note": lambda: vendor.agent_notes(one, "For colleagues only."),
            "unassign": lambda: vendor.unassign(one),
            "to-team": lambda: vendor.transfer_to_team(one, self._team(fields)),
            "fail": lambda: vendor.fail_last(one),
            "reopen": lambda: vendor.reopen(one),
        }
        await carry_out(acts, act, else_say="An agent of Gorgias cannot do that.")

    def targets(self) -> Sequence[str]:
        """Where webhooks go."""
        return [one.http.url for one in self._vendor.integrations]

    def subscribe(self, url: str) -> None:
        """Let the newest integration call ``url``, as it was designed, and no other; the first one sends everything."""
        vendor, before = self._vendor, self._vendor.integrations
        try:
            if before:
                vendor.subscribe_again(before[-1], url)
            else:
                vendor.subscribe(url)
        except VendorRefusal as refusal:
            raise ActRefused("A webhook's address begins with http:// or https://.") from refusal
        for one in before[:-1]:
            vendor.unsubscribe(one.id)

    def credentials(self) -> Sequence[Credential]:
        """What Warmline asks for when a Gorgias is connected."""
        vendor = self._vendor
        return (
            Credential("Address", vendor.url, "api_url"),
            Credential("User name", vendor.email, "account_email"),
            Credential("API key", vendor.token, "api_key"),
            Credential("Webhook secret", vendor.secret, "webhook_secret"),
            *(Credential(f"Team {team.name}", str(team.id)) for team in vendor.teams),
        )

    def payload(self) -> str:
        """With the visitor's address and a team."""
        return (
            '{"name": "{{name}}", "tags": ["some", "tag"], "email": "{{email}}", "crmPlatform": "gorgias",'
            ' "subject": "Chat with {{visitorName}}", "connectionId": "96f2fc68-beb0-48f4-9efc-78b399205e00",'
            f' "assigneeTeam": {self._vendor.teams[0].id}}}'
        )

    # --------------------------------------------------------------------------------------------- inside
    def _team(self, fields: Mapping[str, str]) -> Team:
        return picked(self._vendor.teams, fields.get("team", ""))

    def _card(self, one: Ticket) -> Card:
        account = self._vendor.account
        asks, team = account.customers[one.customer_id], account.team(one.assignee_team_id)
        state, text = self._state(one, team)
        facts = {
            "Number": str(one.id),
            "E-mail": asks.email or "",
            "Subject": one.subject or "",
            "Channel": one.channel,
            "Team": team.name if team else "",
            "Tags": ", ".join(one.tags),
            "Mailed": str(sum(mail.ticket_id == one.id for mail in self._vendor.mailed) or ""),
            **{f"Field {name}": str(each["value"]) for name, each in one.custom_fields.items()},
            **{name: str(value) for name, value in (one.meta if isinstance(one.meta, dict) else {}).items()},
        }
        return Card(
            id=str(one.id),
            title=asks.name or asks.email or "Somebody",
            state=state,
            state_text=text,
            lines=tuple(self._line(message) for message in sorted(one.messages, key=lambda each: each.created_at)),
            facts=tuple((label, value) for label, value in facts.items() if value),
            activity=tuple(one.activity),
        )

    def _state(self, one: Ticket, team: Team | None) -> tuple[State, str]:
        agent = self._vendor.account.user(one.assignee_user_id)
        if one.status == "closed":
            return "ended", "Closed"
        if agent is not None:
            return "held", agent.name if agent.online else f"{agent.name}, gone"
        return "waiting", f"Waits in {team.name}" if team else "Waits"

    def _line(self, message: Message) -> Line:
        account = self._vendor.account
        side: Literal["visitor", "agent", "bot", "note"] = "agent" if message.from_agent else "visitor"
        if message.from_agent and message.sender_id == account.owner.id:
            side = "bot"
        if message.channel == NOTE:
            side = "note"
        if message.from_agent:
            author = account.user(message.sender_id)
            name = author.name if author else "Somebody of the shop"
        else:
            asks = account.customers.get(message.sender_id)
            name = (asks.name or asks.email or "Visitor") if asks else "Visitor"
        html_only = message.body_text is None and message.body_html is not None
        return Line(
            side=side,
            name=name,
            text=message.stripped_text or message.body_text or message.body_html or "",
            at=message.created_at,
            kind="Html" if html_only else "failed" if message.failed_at else "",
            files=tuple((one.url, one.name) for one in message.attachments if one.url.startswith("http")),
        )
