"""What happens to conversations in a Freshchat account, whoever causes it; each change sends its webhook."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from warmline.kernel.clock import Clock
from warmline.kernel.ids import uuid7
from warmline.simulators.base import VendorRefusal
from warmline.simulators.freshchat import answers, bodies
from warmline.simulators.freshchat.assumptions import Assumptions
from warmline.simulators.freshchat.state import RESOLVED, Account, Agent, Conversation, Group, Message, User

CONVERSATION_NOT_FOUND = "CONVERSATION_NOT_FOUND"
AGENT_NOT_FOUND = "AGENT_NOT_FOUND"
STATUSES = frozenset({"new", "assigned", "resolved", "reopened", "waiting on customer", "waiting on internal team"})
"""The first four are documented, the others reported."""
Actor = tuple[str, str]
"""Kind (user, agent, system) and id."""
Emit = Callable[[str, Actor, Mapping[str, Any]], None]
"""Action, who did it, and ``data``."""


class Office:
    """The rules.  Methods raise VendorRefusal where Freshchat refuses."""

    def __init__(self, account: Account, clock: Clock, assumptions: Assumptions, emit: Emit) -> None:
        self.account = account
        self.assumptions = assumptions
        self.began_to_wait: Callable[[Conversation], None] = lambda _conversation: None
        self.visitor_spoke: Callable[[Conversation], None] = lambda _conversation: None
        self.started: Callable[[Conversation], None] = lambda _conversation: None
        self._clock = clock
        self._emit = emit

    # ------------------------------------------------------------------------------------------ looking
    def conversation(self, conversation_id: str, *, reading: bool = False) -> Conversation:
        """By GUID or number, as the account's ids allow.  Raises VendorRefusal 404."""
        ids = self.assumptions.ids
        found = None if reading and ids == "numeric to read" else self.account.conversations.get(conversation_id)
        if found is None and ids != "guid":
            found = self.account.numbered(conversation_id)
        if found is None:
            raise VendorRefusal(404, CONVERSATION_NOT_FOUND, note=f"there is no conversation {conversation_id} here")
        return found

    def agent(self, agent_id: str) -> Agent:
        """Raises VendorRefusal 404."""
        found = self.account.agent(agent_id)
        if found is None:
            raise VendorRefusal(404, AGENT_NOT_FOUND, note=f"there is no agent {agent_id}")
        return found

    def group(self, group_id: str) -> Group:
        """Raises VendorRefusal 404."""
        found = self.account.group(group_id)
        if found is None:
            raise VendorRefusal(404, "GROUP_NOT_FOUND", note=f"there is no group {group_id}")
        return found

    def user(self, user_id: str) -> User:
        """Raises VendorRefusal 404."""
        found = self.account.users.get(user_id)
        if found is None:
            raise VendorRefusal(404, "USER_NOT_FOUND", note=f"there is no user {user_id}")
        return found

    @property
    def api(self) -> Actor:
        """Who acts when the API does."""
        return ("agent", self.account.agents[0].id) if self.assumptions.api_acts_as == "agent" else ("system", "")

    # ---------------------------------------------------------------------------------------- beginning
    def start(self, given: bodies.NewConversation) -> Conversation:
        """A new conversation, or the user's earlier one in that topic, gone on."""
        channel = self.account.channel(given.channel_id)
        if channel is None or not channel.enabled:
            raise VendorRefusal(404, "CHANNEL_NOT_FOUND", note=f"there is no topic {given.channel_id}, or it is off")
        if len(given.users) != 1 or not given.messages:
            raise VendorRefusal(400, bodies.NOT_VALID, note="one user and at least one message are needed")
        user = self.user(given.users[0].id)
        self._must_be_a_status(given.status)
        group = self.group(given.assigned_group_id) if given.assigned_group_id else None
        agent = self.agent(given.assigned_agent_id) if given.assigned_agent_id else None
        conversation = self._earlier(user.id, channel.id)
        if conversation is None:
            conversation = Conversation(
                id=uuid7(),
                number=self.account.next_number(),
                channel_id=channel.id,
                user_id=user.id,
                created_at=self._clock.now(),
                properties=dict(given.properties),
            )
        messages = [self._written(conversation, one) for one in given.messages]
        self.account.conversations[conversation.id] = conversation
        if conversation.status == RESOLVED:
            self.reopen(conversation, ("user", user.id))
        self._note(conversation, "started")
        for message in messages:
            conversation.messages.append(message)
            if self.assumptions.events_for_first_messages:
                self._tell_message(conversation, message)
        if agent or group:
            self.assign(conversation, agent, group, by=self.api)
        if conversation.waiting:
            self.began_to_wait(conversation)
        self.started(conversation)
        return conversation

    def _earlier(self, user_id: str, channel_id: str) -> Conversation | None:
        if not self.assumptions.one_conversation_per_topic:
            return None
        known = reversed(self.account.conversations.values())
        return next((one for one in known if one.user_id == user_id and one.channel_id == channel_id), None)

    # ------------------------------------------------------------------------------------------ messages
    def send(self, conversation: Conversation, given: bodies.NewMessage) -> Message:
        """A message through the API."""
        message = self._written(conversation, given)
        by_user = given.actor_type == "user"
        if conversation.status == RESOLVED and by_user and self.assumptions.message_to_resolved == "refused":
            raise VendorRefusal(400, bodies.NOT_VALID, note="the conversation is resolved")
        self.add(conversation, message)
        if by_user and not message.error:
            if conversation.status == RESOLVED:
                self.reopen(conversation, ("user", conversation.user_id))
            self.visitor_spoke(conversation)
        return message

    def add(self, conversation: Conversation, message: Message) -> None:
        """Put a message there and tell it."""
        conversation.messages.append(message)
        if not message.error:
            self._tell_message(conversation, message)

    def _written(self, conversation: Conversation, given: bodies.NewMessage) -> Message:
        """The message that was given.  Raises VendorRefusal."""
        if given.actor_type == "user":
            if given.actor_id != conversation.user_id or given.user_id not in {"", conversation.user_id}:
                raise VendorRefusal(400, bodies.INVALID, note="actor_id and user_id must be the conversation's user")
            if given.message_type == "private":
                raise VendorRefusal(400, bodies.INVALID, note="a user has no private messages")
        if given.actor_type == "agent":
            self.agent(given.actor_id)
        if given.channel_id not in {"", conversation.channel_id}:
            raise VendorRefusal(400, bodies.INVALID, note="the conversation is in another topic")
        parts = bodies.parts(given)
        return self.message(
            conversation,
            (given.actor_type, given.actor_id),
            parts,
            message_type=given.message_type,
            error=self._fault(parts),
        )

    def _fault(self, parts: Sequence[Mapping[str, Any]]) -> str:
        """Why a message that is well-formed goes nowhere; "" when it does."""
        for part in parts:
            file = part.get("file", {})
            if "file" in part and not file.get("url"):
                named = file.get("file_hash") or file.get("file_id") or ""
                if named not in self.account.uploads:
                    return "File not found"
        return ""

    def message(
        self,
        conversation: Conversation,
        actor: Actor,
        parts: list[dict[str, Any]],
        *,
        message_type: str = "normal",
        reply_parts: Sequence[dict[str, Any]] = (),
        bots_private_note: bool = False,
        error: str = "",
        urls_at: int = 0,
    ) -> Message:
        """A message that is not there yet."""
        return Message(
            id=uuid7(),
            actor_type=actor[0],
            actor_id=actor[1],
            message_type=message_type,
            parts=parts,
            created_at=self._clock.now(),
            interaction_id=conversation.interaction_id,
            reply_parts=list(reply_parts),
            bots_private_note=bots_private_note,
            error=error,
            urls_at=urls_at,
        )

    # ------------------------------------------------------------------------------------------- routing
    def assign(self, conversation: Conversation, agent: Agent | None, group: Group | None, *, by: Actor) -> None:
        """To these, or to nobody.  Documented: nobody is an empty string."""
        before = (conversation.agent_id, conversation.group_id)
        was_waiting = conversation.waiting
        conversation.agent_id = agent.id if agent else ""
        conversation.group_id = group.id if group else ""
        if conversation.status != RESOLVED:
            conversation.status = "assigned" if agent else "new"
        whom = " in ".join(one.name for one in (agent, group) if one)
        self._note(conversation, f"assigned to {whom or 'nobody'}")
        self._emit(
            "conversation_assignment",
            by,
            {
                "assignment": {
                    "assignor": by[0],
                    "assignor_id": by[1],
                    "to_agent_id": conversation.agent_id,
                    "to_group_id": conversation.group_id,
                    "from_agent_id": before[0],
                    "from_group_id": before[1],
                    "interaction_id": conversation.interaction_id,
                    "conversation": self._about(conversation),
                }
            },
        )
        if conversation.waiting and not was_waiting:
            self.began_to_wait(conversation)

    def group_of(self, conversation: Conversation) -> Group | None:
        """The group that has it."""
        return self.account.group(conversation.group_id)

    # --------------------------------------------------------------------------------------------- state
    def change(self, conversation: Conversation, given: bodies.ChangedConversation) -> None:
        """Through the API."""
        if given.properties is not None and not self.assumptions.conversation_properties:
            raise VendorRefusal(400, bodies.NOT_VALID, note="$.properties cannot be changed")
        if given.channel_id not in {None, conversation.channel_id}:
            raise VendorRefusal(400, bodies.NOT_VALID, note="$.channel_id cannot be changed")
        if given.status is not None:
            self._must_be_a_status(given.status)
        agent = self.agent(given.assigned_agent_id) if given.assigned_agent_id else None
        group = self.group(given.assigned_group_id) if given.assigned_group_id else None
        if given.status == RESOLVED:
            self.resolve(conversation, self.api)
        elif given.status is not None:
            if conversation.status == RESOLVED:
                self.reopen(conversation, self.api)
            conversation.status = given.status
        if given.assigned_agent_id is not None or given.assigned_group_id is not None:
            kept_agent = self.account.agent(conversation.agent_id) if given.assigned_agent_id is None else agent
            kept_group = self.group_of(conversation) if given.assigned_group_id is None else group
            self.assign(conversation, kept_agent, kept_group, by=self.api)
        conversation.properties.update(given.properties or {})

    def resolve(self, conversation: Conversation, by: Actor) -> None:
        """It is over, for now."""
        if conversation.status == RESOLVED:
            return
        conversation.status = RESOLVED
        self._note(conversation, f"resolved by {by[0]}")
        data: dict[str, Any] = {
            "resolver": by[0],
            "resolver_id": by[1],
            "user": answers.user(self.account.users[conversation.user_id]),
            "interaction_id": conversation.interaction_id,
            "conversation": self._about(conversation),
        }
        self._emit("conversation_resolution", by, {"resolve": data})

    def reopen(self, conversation: Conversation, by: Actor) -> None:
        """It goes on, as another interaction, with nobody."""
        if conversation.status != RESOLVED:
            return
        conversation.status, conversation.agent_id, conversation.interaction_id = "reopened", "", uuid7()
        self._note(conversation, f"reopened by {by[0]}")
        data: dict[str, Any] = {
            "reopener": by[0],
            "reopener_id": by[1],
            "interaction_id": conversation.interaction_id,
            "conversation": self._about(conversation),
        }
        self._emit("conversation_reopen", by, {"reopen": data})
        self.began_to_wait(conversation)

    # -------------------------------------------------------------------------------------------- telling
    def _tell_message(self, conversation: Conversation, message: Message) -> None:
        data = answers.message(message, conversation, self.account, self.assumptions, self._clock.now())
        self._emit("message_create", (message.actor_type, message.actor_id), {"message": data})

    def _about(self, conversation: Conversation) -> dict[str, Any]:
        return answers.conversation(conversation, self.account, self.assumptions)

    def _note(self, conversation: Conversation, what: str) -> None:
        conversation.activity.append((self._clock.now(), what))

    def _must_be_a_status(self, status: str) -> None:
        if status not in STATUSES:
            raise VendorRefusal(400, bodies.NOT_VALID, note=f"there is no status {status!r}")
