"""The agent page's view of a simulated Freshchat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from warmline.simulators.acts import Acts, carry_out, check_address, choice_of, picked, usual_acts
from warmline.simulators.board import ActRefused, Button, Card, Credential, Line
from warmline.simulators.freshchat.state import RESOLVED, Conversation, Group, Message

if TYPE_CHECKING:
    from warmline.simulators.freshchat.simulator import FreshchatSimulator

_OPEN = frozenset({"waiting", "held"})
State = Literal["waiting", "held", "idle", "ended"]


class FreshchatBoard:
    """Cards, buttons and acts.  A card is named by the conversation's number."""

    def __init__(self, vendor: FreshchatSimulator) -> None:
        self._vendor = vendor

    def cards(self) -> Sequence[Card]:
        """All conversations, newest first."""
        return [self._card(one) for one in reversed(self._vendor.conversations)]

    def buttons(self) -> Sequence[Button]:
        """What Freshchat lets an agent do."""
        agents = choice_of("agent", "Agent", self._vendor.agents)
        groups = choice_of("group", "Group", self._vendor.groups)
        return (
            Button(act="join", label="Take it", when=_OPEN, choice=agents, strong=True),
            Button(act="note", label="Private note", when=_OPEN),
            Button(act="choices", label="Quick replies", when=_OPEN),
            Button(act="file", label="Send a file", when=_OPEN),
            Button(act="unknown-part", label="Unknown part", when=_OPEN),
            Button(act="decline", label="Decline", when=frozenset({"waiting"})),
            Button(act="unassign", label="Let it go", when=frozenset({"held"})),
            Button(act="to-agent", label="To this agent", when=_OPEN, choice=agents),
            Button(act="to-group", label="To this group", when=_OPEN, choice=groups),
            Button(act="disappear", label="Disappear", when=frozenset({"held"})),
            Button(act="foreign", label="Somebody else writes", when=_OPEN | {"ended"}),
            Button(act="unknown", label="Unknown event", when=_OPEN | {"ended"}),
            Button(act="close", label="Resolve", when=_OPEN),
            Button(act="visitor-resolves", label="Resolved by the user", when=_OPEN),
            Button(act="reopen", label="Reopen", when=frozenset({"ended"})),
        )

    async def do(self, act: str, conversation: str, fields: Mapping[str, str]) -> None:
        """One act of the page."""
        vendor = self._vendor
        found = vendor.account.numbered(conversation)
        if found is None:
            raise ActRefused("There is no such conversation.")
        one = found.id
        acts: Acts = usual_acts(vendor, one, fields) | {
            "note": lambda: vendor.agent_says(one, "Be kind to this one.", private=True),
            "choices": lambda: vendor.agent_says(one, "Which one is it?", choices=("Order", "Bill")),
            "file": lambda: vendor.agent_sends_file(one),
            "unknown-part": lambda: vendor.agent_sends_unknown_part(one),
            "decline": lambda: vendor.decline(one),
            "unassign": lambda: vendor.unassign(one),
            "to-group": lambda: vendor.transfer_to_group(one, self._group(fields)),
            "foreign": vendor.foreign_conversation,
            "visitor-resolves": lambda: vendor.visitor_resolves(one),
            "reopen": lambda: vendor.reopen(one),
        }
        if act in {"say", "sample"} and found.status == RESOLVED:
            raise ActRefused("Reopen the conversation first.")
        await carry_out(acts, act, else_say="An agent of Freshchat cannot do that.")

    def targets(self) -> Sequence[str]:
        """Where webhooks go: one address per account."""
        return [self._vendor.webhook_url] if self._vendor.webhook_url else []

    def subscribe(self, url: str) -> None:
        """The account's one address."""
        check_address(url)
        self._vendor.webhook_url = url

    def credentials(self) -> Sequence[Credential]:
        """What Warmline asks for when a Freshchat is connected."""
        vendor = self._vendor
        return (
            Credential("Address of the API", f"{vendor.url}/v2", "api_url"),
            Credential("API token", vendor.token, "api_token"),
            Credential("Public key", vendor.public_key_line, "public_key"),
            Credential("Group", vendor.groups[0].id, "group_id"),
            *(Credential(f"Topic {one.name}", one.id) for one in vendor.channels),
            *(Credential(f"Group {one.name}", one.id) for one in vendor.groups),
        )

    def payload(self) -> str:
        """The published one."""
        return (
            '{"name": "{{name}}", "email": "{{email}}", "crmPlatform": "freshchat",'
            ' "connectionId": "3b26e44a-9293-4e1b-9a31-d9667457334c"}'
        )

    # --------------------------------------------------------------------------------------------- inside
    def _group(self, fields: Mapping[str, str]) -> Group:
        return picked(self._vendor.groups, fields.get("group", ""))

    def _card(self, one: Conversation) -> Card:
        account = self._vendor.account
        user, group, channel = account.users[one.user_id], account.group(one.group_id), account.channel(one.channel_id)
        facts = {
            "Conversation": one.id,
            "Number": str(one.number),
            "Topic": channel.name if channel else "",
            "Group": group.name if group else "",
            "E-mail": user.email,
            "Reference": user.reference_id,
            **user.properties,
            **{name: str(value) for name, value in one.properties.items()},
        }
        state, text = self._state(one)
        return Card(
            id=str(one.number),
            title=user.name,
            state=state,
            state_text=text,
            lines=tuple(self._line(message, one) for message in one.messages if not message.error),
            facts=tuple((label, value) for label, value in facts.items() if value),
            activity=tuple(one.activity),
        )

    def _state(self, one: Conversation) -> tuple[State, str]:
        agent = self._vendor.account.agent(one.agent_id)
        if one.status == RESOLVED:
            return "ended", "Resolved"
        if agent is not None:
            return "held", agent.name if agent.online else f"{agent.name}, gone"
        group = self._vendor.account.group(one.group_id)
        return "waiting", f"Waits in {group.name}" if group else f"Waits ({one.status})"

    def _line(self, message: Message, one: Conversation) -> Line:
        account = self._vendor.account
        agent = account.agent(message.actor_id)
        sides: Mapping[str, Literal["visitor", "agent", "bot", "note"]] = {"user": "visitor", "agent": "agent"}
        side = sides.get(message.actor_type, "bot")
        if message.message_type == "private" or message.bots_private_note:
            side = "note"
        visitor = account.users[one.user_id].name
        name = agent.name if agent else visitor if side == "visitor" else message.actor_type.capitalize()
        return Line(side=side, name=name, text=message.text, at=message.created_at, files=self._files(message))

    def _files(self, message: Message) -> tuple[tuple[str, str], ...]:
        found = []
        for part in message.parts:
            for kind in ("file", "image", "video"):
                if kind not in part:
                    continue
                kept = self._vendor.uploads.get(part[kind].get("file_hash") or part[kind].get("file_id") or "")
                name = part[kind].get("name") or (kept.name if kept else "")
                url = part[kind].get("url") or (f"{self._vendor.url}/files/{kept.id}/{kept.name}" if kept else "")
                if url.startswith(("http://", "https://")):
                    found.append((url, name or url.rsplit("/", 1)[-1]))
        return tuple(found)
