"""What happens to conversations in a Dixa account, whoever causes it; each change raises the events it has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from warmline.kernel.clock import Clock
from warmline.kernel.ids import uuid7
from warmline.simulators.base import VendorRefusal
from warmline.simulators.dixa import bodies, events
from warmline.simulators.dixa.assumptions import Assumptions
from warmline.simulators.dixa.state import Account, Agent, Attachment, Conversation, EndUser, Message, Note, Queue, Tag

NOT_FOUND = "The requested resource could not be found"
Emit = Callable[[str, str, Conversation, Mapping[str, Any]], None]
"""Event type, event_fqn, conversation, and what ``data`` has besides it."""


class Office:
    """The rules.  Methods raise VendorRefusal where Dixa refuses."""

    def __init__(self, account: Account, clock: Clock, assumptions: Assumptions, emit: Emit) -> None:
        self.account = account
        self.assumptions = assumptions
        self.began_to_wait: Callable[[Conversation], None] = lambda _conversation: None
        self.visitor_spoke: Callable[[Conversation], None] = lambda _conversation: None
        self.taken_over: Callable[[Conversation], None] = lambda _conversation: None
        self._clock = clock
        self._emit = emit

    # ------------------------------------------------------------------------------------------ looking
    def conversation(self, conversation_id: int) -> Conversation:
        """Raises VendorRefusal 404."""
        found = self.account.conversations.get(conversation_id)
        if found is None:
            raise VendorRefusal(404, NOT_FOUND, note=f"there is no conversation {conversation_id}")
        return found

    def agent(self, agent_id: str) -> Agent:
        """Raises VendorRefusal 404."""
        found = self.account.agent(agent_id)
        if found is None:
            raise VendorRefusal(404, NOT_FOUND, note=f"there is no agent {agent_id}")
        return found

    def queue(self, queue_id: str) -> Queue:
        """Raises VendorRefusal 404."""
        found = self.account.queue(queue_id)
        if found is None:
            raise VendorRefusal(404, NOT_FOUND, note=f"there is no queue {queue_id}")
        return found

    def author(self, message: Message) -> Agent | EndUser:
        """Who wrote a message."""
        return self.account.agent(message.author_id) or self.account.end_users[message.author_id]

    # ---------------------------------------------------------------------------------------- importing
    def take_over(self, given: bodies.GenericConversationImport) -> tuple[Conversation, list[str]]:
        """Import; returns the conversation and what could not be done."""
        requester_id = str(given.requester_id)
        if requester_id not in self.account.end_users:
            raise VendorRefusal(404, NOT_FOUND, note=f"there is no end user {requester_id}")
        now = self._clock.now()
        faults: list[str] = []
        conversation = Conversation(
            id=self.account.next_id(),
            requester_id=requester_id,
            direction=given.direction,
            created_at=_millis(given.created_at),
            state_updated_at=now,
            subject=given.subject,
            external_id=given.external_id,
            connected=given.requester_connection_status != "Disconnected",
        )
        messages = [self._imported(conversation, one, faults) for one in given.messages]
        conversation.messages.extend(messages)
        self.account.conversations[conversation.id] = conversation
        self._note(conversation, "imported")
        if self.assumptions.events_for_imports:
            self._tell("ConversationCreated", conversation)
            for message in messages:
                self._tell_message(conversation, message)
        if given.assignment:
            agent = self.account.agent(str(given.assignment.agent_id))
            if agent is None:
                faults.append("The conversation could not be assigned")
            else:
                self._assign(conversation, agent)
        if given.closing:
            self.close(conversation)
        self.taken_over(conversation)
        return conversation, faults

    def _imported(
        self, conversation: Conversation, given: bodies.InboundImport | bodies.OutboundImport, faults: list[str]
    ) -> Message:
        author_id = conversation.requester_id
        if isinstance(given, bodies.OutboundImport):
            author_id = self.agent(str(given.agent_id)).id
        kept = [one for one in given.attachments if _is_web(one.url)]
        if len(kept) < len(given.attachments):
            faults.append(f"Invalid attachment url in message. externalId: {given.external_id or 'None'}")
        return Message(
            id=uuid7(),
            author_id=author_id,
            direction="Outbound" if isinstance(given, bodies.OutboundImport) else "Inbound",
            text=given.content.value,
            content_type=type(given.content).__name__,
            created_at=_millis(given.created_at),
            attachments=_attachments(kept),
            external_id=given.external_id,
            imported=True,
        )

    # ------------------------------------------------------------------------------------------ messages
    def add_message(self, conversation: Conversation, given: bodies.NewMessage) -> Message:
        """A message through the API."""
        external_id = given.external_id
        if external_id and self.assumptions.external_id_once:
            for known in conversation.messages:
                if known.external_id == external_id:
                    return known
        if given.content is None:
            raise VendorRefusal(400, bodies.INVALID_VALUE, note="a message of this channel needs content")
        author_id = conversation.requester_id
        if isinstance(given, bodies.Outbound):
            author_id = self.agent(str(given.agent_id)).id
        if conversation.state == "Closed":
            if self.assumptions.message_to_closed == "refused":
                raise VendorRefusal(400, bodies.INVALID_VALUE, note="the conversation is closed")
            self.reopen(conversation)
        message = Message(
            id=uuid7(),
            author_id=author_id,
            direction="Outbound" if isinstance(given, bodies.Outbound) else "Inbound",
            text=given.content.value,
            content_type=type(given.content).__name__,
            created_at=self._clock.now(),
            attachments=_attachments(given.attachments),
            external_id=external_id,
        )
        self._add(conversation, message)
        if isinstance(given, bodies.Inbound):
            self.visitor_spoke(conversation)
        return message

    def say(
        self, conversation: Conversation, agent: Agent, text: str, content_type: str, attachments: Sequence[Attachment]
    ) -> Message:
        """An agent writes in Dixa's own window."""
        message = Message(
            id=uuid7(),
            author_id=agent.id,
            direction="Outbound",
            text=text,
            content_type=content_type,
            created_at=self._clock.now(),
            attachments=tuple(attachments),
        )
        self._add(conversation, message)
        return message

    def _add(self, conversation: Conversation, message: Message) -> None:
        conversation.messages.append(message)
        self._tell_message(conversation, message)

    # ------------------------------------------------------------------------------------------- routing
    def put_into_queue(self, conversation: Conversation, queue: Queue, *, transfer: bool) -> None:
        """It waits in ``queue`` from now on, and nobody has it."""
        held_by = self.account.agent(conversation.assignee_id) if conversation.assignee_id else None
        was_waiting = conversation.waiting
        conversation.assignee_id = conversation.assigned_at = None
        conversation.queue_id, conversation.queued_at = queue.id, self._clock.now()
        self._open(conversation)
        self._note(conversation, f"{'transferred to' if transfer else 'put into'} the queue {queue.name}")
        if transfer:
            suffix = "_TO_QUEUE" if self.assumptions.split_transfers else ""
            self._tell("ConversationTransferred", conversation, self._queue_data(queue, held_by), suffix=suffix)
        if not transfer or self.assumptions.transfer_enqueues:
            self._tell("ConversationEnqueued", conversation, {"queue": events.queue(queue)})
        if not was_waiting:
            self.began_to_wait(conversation)

    def assign(self, conversation: Conversation, agent: Agent) -> None:
        """``agent`` takes it."""
        self._open(conversation)
        self._assign(conversation, agent)

    def _assign(self, conversation: Conversation, agent: Agent) -> None:
        conversation.assignee_id, conversation.assigned_at = agent.id, self._clock.now()
        # The bot holding a conversation is no person who had it.
        conversation.ever_assigned = conversation.ever_assigned or agent is not self.account.bot
        self._note(conversation, f"assigned to {agent.name}")
        self._tell("ConversationAssigned", conversation, self._agent_data(agent))

    def hand_to_agent(self, conversation: Conversation, agent: Agent) -> None:
        """It goes from one agent to another."""
        suffix = "_TO_AGENT" if self.assumptions.split_transfers else ""
        self._note(conversation, f"transferred to {agent.name}")
        self._tell("ConversationTransferred", conversation, self._agent_data(agent), suffix=suffix)
        self.assign(conversation, agent)

    def unassign(self, conversation: Conversation) -> None:
        """The agent lets it go; it waits in its queue (the default one, if it had none) again."""
        agent = self.account.agent(conversation.assignee_id) if conversation.assignee_id else None
        if agent is None:
            return
        conversation.assignee_id = conversation.assigned_at = None
        self._note(conversation, f"left by {agent.name}")
        self._tell("ConversationUnassigned", conversation, self._agent_data(agent))
        queue = self.account.queue(conversation.queue_id) or self.default_queue()
        self.put_into_queue(conversation, queue, transfer=False)

    def default_queue(self) -> Queue:
        """Where conversations go that nobody sent anywhere."""
        return next(queue for queue in self.account.queues if queue.default)

    def typing(self, conversation: Conversation, agent: Agent) -> None:
        """There is a start, and never a stop."""
        self._tell("TypingStarted", conversation, self._agent_data(agent))

    # --------------------------------------------------------------------------------------------- state
    def close(self, conversation: Conversation) -> None:
        """It ends."""
        if conversation.state == "Closed":
            if self.assumptions.closing_twice == "refused":
                raise VendorRefusal(400, bodies.INVALID_VALUE, note="the conversation is closed already")
            return
        self._move(conversation, "Closed")
        queue = self.account.queue(conversation.queue_id)
        if not conversation.ever_assigned:
            self._tell("ConversationAbandoned", conversation, {"queue": events.queue(queue)})
            if not self.assumptions.abandoned_closes:
                return
        self._tell("ConversationClosed", conversation)

    def reopen(self, conversation: Conversation) -> None:
        """It goes on, offered in the queue it had (or the default one)."""
        if conversation.state != "Closed":
            return
        conversation.assignee_id = conversation.assigned_at = None
        self._move(conversation, "Open")
        self._tell("ConversationOpen", conversation)
        queue = self.account.queue(conversation.queue_id) or self.default_queue()
        self.put_into_queue(conversation, queue, transfer=False)

    def snooze(self, conversation: Conversation) -> None:
        """It is put off."""
        self._move(conversation, "Pending")
        self._tell("ConversationPending", conversation)

    def _open(self, conversation: Conversation) -> None:
        if conversation.state != "Open":
            self._move(conversation, "Open")
            self._tell("ConversationOpen", conversation)

    def _move(self, conversation: Conversation, state: str) -> None:
        conversation.state, conversation.state_updated_at = state, self._clock.now()
        self._note(conversation, state.lower())

    # --------------------------------------------------------------------------------------------- extras
    def tag(self, conversation: Conversation, tag: Tag) -> None:
        """Put a label on."""
        if tag.name not in conversation.tags:
            conversation.tags.add(tag.name)
            self._tell("ConversationTagAdded", conversation, {"tag": {"id": tag.id, "name": tag.name}})

    def untag(self, conversation: Conversation, tag: Tag) -> None:
        """Take a label off."""
        if tag.name in conversation.tags:
            conversation.tags.discard(tag.name)
            self._tell("ConversationTagRemoved", conversation, {"tag": {"id": tag.id, "name": tag.name}})

    def add_note(self, conversation: Conversation, given: bodies.NewNote) -> Note:
        """A note; without an author it is the bot's."""
        author = self.agent(str(given.agent_id)) if given.agent_id else self.account.bot
        at = _millis(given.created_at) if given.created_at else self._clock.now()
        note = Note(id=uuid7(), author_id=author.id, created_at=at, message=given.message)
        conversation.notes.append(note)
        self._tell("ConversationNoteAdded", conversation, {"note": {"id": note.id, "message": note.message}})
        return note

    def set_attributes(self, conversation: Conversation, values: Mapping[str, Any]) -> None:
        """Custom attributes by their ids; None takes one away."""
        known = {attribute.id for attribute in self.account.attributes}
        for attribute_id in values:
            if attribute_id not in known:
                raise VendorRefusal(400, bodies.INVALID_VALUE, note=f"there is no custom attribute {attribute_id}")
        conversation.attributes.update(values)
        conversation.attributes = {name: value for name, value in conversation.attributes.items() if value is not None}
        self._tell("ConversationCustomAttributeUpdated", conversation)

    # -------------------------------------------------------------------------------------------- telling
    def _tell(
        self, event_type: str, conversation: Conversation, data: Mapping[str, Any] | None = None, *, suffix: str = ""
    ) -> None:
        self._emit(event_type, events.fqn(event_type) + suffix, conversation, data or {})

    def _tell_message(self, conversation: Conversation, message: Message) -> None:
        self._tell("ConversationMessageAdded", conversation, events.message(message, self.author(message)))

    def _agent_data(self, agent: Agent) -> dict[str, Any]:
        return {"agent": events.user(agent)} if self.assumptions.agent_in_data else {}

    def _queue_data(self, queue: Queue, agent: Agent | None) -> dict[str, Any]:
        return {"queue": events.queue(queue), **(self._agent_data(agent) if agent else {})}

    def _note(self, conversation: Conversation, what: str) -> None:
        conversation.activity.append((self._clock.now(), what))


def _attachments(files: Sequence[bodies.File]) -> tuple[Attachment, ...]:
    return tuple(Attachment(one.url, one.pretty_name) for one in files)


def _is_web(url: str) -> bool:
    return url.startswith(("http://", "https://"))


def _millis(moment: bodies.Moment) -> int:
    return round(moment.timestamp() * 1000)
