"""What people do at a simulated Freshchat: the agents, and visitors in windows that are not ours."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from warmline.kernel.ids import uuid7
from warmline.simulators.agent import play_step
from warmline.simulators.base import FILES, Simulator
from warmline.simulators.freshchat.assumptions import Assumptions
from warmline.simulators.freshchat.office import Actor, Office
from warmline.simulators.freshchat.state import Account, Agent, Conversation, Group, Message, User
from warmline.simulators.samples import PICTURE_NAME, picture, sample
from warmline.simulators.script import Act, Step


class People(Simulator):
    """The acts.  A conversation is named by its GUID."""

    account: Account
    assumptions: Assumptions
    _office: Office

    @property
    def agents(self) -> list[Agent]:
        """Who answers."""
        return self.account.agents

    @property
    def groups(self) -> list[Group]:
        """Support and Billing."""
        return self.account.groups

    @abstractmethod
    def _post(self, action: str, by: Actor, data: Mapping[str, Any]) -> None:
        """A webhook."""

    async def agent_joins(self, conversation_id: str, agent: Agent | None = None) -> Conversation:
        """``agent`` (else the first one) takes it."""
        conversation = self._one(conversation_id)
        taker = agent or self.agents[0]
        self._assign(conversation, taker, self._office.group_of(conversation), by=("agent", taker.id))
        return conversation

    async def agent_says(
        self,
        conversation_id: str,
        text: str,
        *,
        agent: Agent | None = None,
        files: Sequence[tuple[str, str]] = (),
        choices: Sequence[str] = (),
        private: bool = False,
        bots_note: bool = False,
    ) -> Message:
        """The assigned agent (else ``agent``, else the first one) writes.

        ``files`` are pairs of address and name; ``choices`` become quick replies in ``reply_parts``; ``private`` is a
        note for colleagues, and ``bots_note`` one that is marked by ``botsPrivateNote`` only.
        """
        parts: list[dict[str, Any]] = [{"text": {"content": text}}] if text else []
        parts += [{"image" if _is_picture(url) else "file": _file(url, name)} for url, name in files]
        return self._say(
            conversation_id,
            agent,
            parts,
            message_type="private" if private else "normal",
            bots_private_note=bots_note,
            reply_parts=[_collection(choices)] if choices else (),
        )

    async def agent_sends_file(self, conversation_id: str, *, agent: Agent | None = None) -> Message:
        """A file part with name, kind and size; its address may come later (``Assumptions.late_file_urls``)."""
        about = {"name": PICTURE_NAME, "content_type": "image/png", "file_size_in_bytes": len(picture())}
        return self._say(conversation_id, agent, [{"file": {**about, "url": f"{self.url}{FILES}/{PICTURE_NAME}"}}])

    async def agent_sends_unknown_part(self, conversation_id: str, *, text: str = "") -> Message:
        """A part of a kind that nobody has described, after ``text`` if there is one."""
        parts: list[dict[str, Any]] = [{"text": {"content": text}}] if text else []
        return self._say(conversation_id, None, [*parts, {"template_content": {"type": "carousel", "sections": []}}])

    async def agent_sends_sample(self, conversation_id: str, name: str, *, agent: Agent | None = None) -> Message:
        """One of ``SAMPLES``: ``emoji``, ``rtl``, ``html``, ``long`` or ``picture``."""
        text, kind = sample(f"sample:{name}")
        files = [(f"{self.url}{FILES}/{PICTURE_NAME}", PICTURE_NAME)] if kind == "picture" else []
        return await self.agent_says(conversation_id, text, agent=agent, files=files)

    async def agent_types(self, conversation_id: str, agent: Agent | None = None) -> None:
        """Nobody outside hears of it."""
        self._note(conversation_id, f"{(agent or self._who(self._one(conversation_id))).name} types")

    async def transfer_to_group(self, conversation_id: str, group: Group) -> None:
        """It waits in ``group``."""
        conversation = self._one(conversation_id)
        self._assign(conversation, None, group, by=("agent", self._who(conversation).id))

    async def transfer_to_agent(self, conversation_id: str, agent: Agent) -> None:
        """``agent`` has it now."""
        conversation = self._one(conversation_id)
        by = ("agent", self._who(conversation).id)
        self._assign(conversation, agent, self._office.group_of(conversation), by=by)

    async def unassign(self, conversation_id: str) -> None:
        """The agent lets it go; it waits again."""
        conversation = self._one(conversation_id)
        by = ("agent", self._who(conversation).id)
        self._assign(conversation, None, self._office.group_of(conversation), by=by)

    async def decline(self, conversation_id: str, agent: Agent | None = None) -> None:
        """An agent refuses the offer: it goes on waiting, and no webhook says so."""
        self._note(conversation_id, f"declined by {(agent or self.agents[0]).name}")

    async def disappear(self, conversation_id: str) -> None:
        """The agent who has it goes away without a word: no event, and no longer online."""
        self._who(self._one(conversation_id)).online = False
        self._note(conversation_id, "the agent disappeared")

    async def close(self, conversation_id: str) -> None:
        """The agent resolves it."""
        conversation = self._one(conversation_id)
        self._office.resolve(conversation, ("agent", self._who(conversation).id))
        self.changes.tell()

    async def visitor_resolves(self, conversation_id: str) -> None:
        """The user himself ends it, in a window that is not ours."""
        conversation = self._one(conversation_id)
        self._office.resolve(conversation, ("user", conversation.user_id))
        self.changes.tell()

    async def reopen(self, conversation_id: str) -> None:
        """An agent goes on with it."""
        conversation = self._one(conversation_id)
        self._office.reopen(conversation, ("agent", self._who(conversation).id))
        self.changes.tell()

    async def foreign_conversation(self, text: str = "Do you ship to Bergen?") -> Conversation:
        """Somebody writes in Freshchat's own window: the one webhook of the account tells that as well."""
        now = self.clock.now()
        user = User(id=uuid7(), created_at=now, updated_at=now, first_name="Someone", last_name="Else")
        self.account.users[user.id] = user
        one = Conversation(
            id=uuid7(),
            number=self.account.next_number(),
            channel_id=self.account.channels[0].id,
            user_id=user.id,
            created_at=now,
        )
        self.account.conversations[one.id] = one
        self._office.add(one, self._office.message(one, ("user", user.id), [{"text": {"content": text}}]))
        self.changes.tell()
        return one

    async def send_unknown_event(self, conversation_id: str) -> None:
        """An action that no documentation names."""
        self._post("conversation_summarised", ("system", ""), {"summary": {"conversation_id": conversation_id}})

    async def send_old_payload(self, conversation_id: str) -> None:
        """A message as accounts of 2018 told it (reported)."""
        old = {
            "id": uuid7(),
            "conversation_id": f"{conversation_id}-0001",
            "actor_type": "agent",
            "msg_parts": [{"part_type": "text", "properties": {"text": "From long ago"}}],
        }
        self._post("message_create", ("agent", self.agents[0].id), {"message": old})

    async def perform(self, conversation: str, step: Step) -> None:
        """One act of the scripted agent.  ``queue`` is a place among the groups."""
        own: Mapping[Act, Callable[[], Awaitable[object]]] = {
            Act.TYPES: lambda: self.agent_types(conversation),
            Act.TO_QUEUE: lambda: self.transfer_to_group(conversation, self.groups[step.queue]),
            Act.UNASSIGNS: lambda: self.unassign(conversation),
        }
        await play_step(self, conversation, step, own)

    def _say(self, conversation_id: str, agent: Agent | None, parts: list[dict[str, Any]], **more: Any) -> Message:
        conversation = self._one(conversation_id)
        late = self.waits.background_ms if self.assumptions.late_file_urls else 0
        message = self._office.message(
            conversation,
            ("agent", (agent or self._who(conversation)).id),
            parts,
            urls_at=self.clock.now() + late if late else 0,
            **more,
        )
        self._office.add(conversation, message)
        self.changes.tell()
        return message

    def _assign(self, conversation: Conversation, agent: Agent | None, group: Group | None, *, by: Actor) -> None:
        self._office.assign(conversation, agent, group, by=by)
        self.changes.tell()

    def _one(self, conversation_id: str) -> Conversation:
        return self._office.conversation(conversation_id)

    def _who(self, conversation: Conversation) -> Agent:
        return self.account.agent(conversation.agent_id) or self.agents[0]

    def _note(self, conversation_id: str, what: str) -> None:
        self._one(conversation_id).activity.append((self.clock.now(), what))
        self.changes.tell()


def _file(url: str, name: str) -> dict[str, Any]:
    return {"url": url} if _is_picture(url) else {"url": url, "name": name}


def _is_picture(url: str) -> bool:
    return url.lower().endswith((".png", ".jpg", ".jpeg", ".gif"))


def _collection(choices: Sequence[str]) -> dict[str, Any]:
    """Quick replies; what is inside ``sub_parts`` is reported, not documented."""
    replies = [{"quick_reply_button": {"label": choice, "custom_reply_text": choice}} for choice in choices]
    return {"collection": {"sub_parts": replies}}
