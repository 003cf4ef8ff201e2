"""What happens to conversations in an org, whoever causes it; each change is an entry, told in the visitor's stream."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from warmline.kernel.clock import Clock
from warmline.kernel.ids import uuid7
from warmline.simulators.base import VendorRefusal
from warmline.simulators.salesforce import bodies, entries
from warmline.simulators.salesforce.assumptions import Assumptions
from warmline.simulators.salesforce.state import Agent, Conversation, Entry, FileOf, Org, Queue, record_id
from warmline.simulators.salesforce.stream import Streams

GUEST = "Guest"
PROCESS = "Automated Process"
NOBODY_THERE = "No agents are available."
PER_MINUTE = 22
"""Messages of a visitor per minute and conversation (documented)."""
_WAIT_S_EACH = 90
_MINUTE_MS = 60_000
Later = Callable[[Coroutine[Any, Any, None]], None]


class Office:
    """The rules.  Methods raise VendorRefusal where Salesforce refuses."""

    def __init__(
        self, org: Org, clock: Clock, assumptions: Assumptions, streams: Streams, later: Later, *, limited: bool
    ) -> None:
        self.org = org
        self.assumptions = assumptions
        self.began_to_wait: Callable[[Conversation], None] = lambda _conversation: None
        self.visitor_spoke: Callable[[Conversation], None] = lambda _conversation: None
        self.routing_s = 0.0
        self._clock = clock
        self._streams = streams
        self._later = later
        self.limited = limited
        """Whether a conversation's messages of a minute are counted."""

    def conversation(self, conversation_id: str, visitor: str | None = None) -> Conversation:
        """Raises VendorRefusal 404, or 403 when ``visitor`` is given and it is somebody else's."""
        found = self.org.conversations.get(conversation_id)
        if found is None:
            raise VendorRefusal(404, "The conversation was not found", note=f"no conversation {conversation_id}")
        if visitor is not None and found.visitor != visitor:
            raise VendorRefusal(403, "Forbidden", note="the conversation of another token")
        return found

    # --------------------------------------------------------------------------------- what a visitor does
    def start(self, given: bodies.NewConversation, visitor: str) -> Conversation:
        """A conversation, or the one that has this id already."""
        known = self.org.conversations.get(given.conversation_id)
        if known is not None:
            if self.assumptions.repeated_conversation == "conflict" or known.visitor != visitor:
                raise VendorRefusal(409, "The conversation exists", note=f"{known.id} exists")
            return known
        conversation = Conversation(
            id=given.conversation_id,
            visitor=visitor,
            created_at=self._clock.now(),
            routing_attributes=dict(given.routing_attributes),
            language=given.language,
        )
        self.org.conversations[conversation.id] = conversation
        self.note(conversation, "created")
        if self.assumptions.routing_starts == "with conversation":
            self._begin_session(conversation)
        return conversation

    def hear(
        self,
        conversation: Conversation,
        given: bodies.NewMessage | bodies.NewFile,
        *,
        text: str,
        files: tuple[FileOf, ...] = (),
    ) -> Entry:
        """A message of the visitor; one that comes when its session has ended begins another (documented)."""
        message_id = given.message.id
        for known in conversation.messages:
            if known.message_id == message_id:
                if self.assumptions.repeated_message == "conflict":
                    raise VendorRefusal(409, "The message exists", note=f"{message_id} exists")
                return known
        if conversation.closed:
            raise VendorRefusal(403, "The session is not valid", note="the conversation is closed")
        self._count(conversation)
        conversation.routing_attributes.update(given.routing_attributes or {})
        if conversation.over or not conversation.sessions:
            self._begin_session(conversation)
        payload = entries.message(message_id, text, files, reply_to=given.message.in_reply_to_message_id)
        same = self.assumptions.entry_identifier == "message"
        entry = self._tell(
            conversation,
            "Message",
            payload,
            role="EndUser",
            subject=conversation.visitor,
            name=GUEST,
            identifier=message_id if same else uuid7(),
            message_id=message_id,
            text=text,
            files=files,
        )
        if conversation.agent_id and self.assumptions.delivery_receipts:
            self.receipt(conversation, entry, "DeliveryAcknowledgement")
        self.visitor_spoke(conversation)
        return entry

    def _count(self, conversation: Conversation) -> None:
        now = self._clock.now()
        conversation.arrivals = [at for at in conversation.arrivals if now - at < _MINUTE_MS]
        if self.limited and len(conversation.arrivals) >= PER_MINUTE:
            raise VendorRefusal(429, "Too Many Requests", note=f"more than {PER_MINUTE} messages a minute")
        conversation.arrivals.append(now)

    def end_session(self, conversation: Conversation) -> None:
        """The visitor ends the session; the conversation stays."""
        self._once(conversation, over=conversation.over)
        if not conversation.over:
            self.end(conversation, by="EndUser")

    def close(self, conversation: Conversation) -> None:
        """The visitor closes the conversation for good."""
        self._once(conversation, over=conversation.closed)
        if not conversation.closed:
            if not conversation.over:
                self.end(conversation, by="EndUser")
            conversation.closed = True
            self._tell(conversation, "CloseConversation", {}, role="EndUser", subject=conversation.visitor, name=GUEST)

    def _once(self, conversation: Conversation, *, over: bool) -> None:
        if over and self.assumptions.repeated_end == "refused":
            raise VendorRefusal(404, "The session was not found", note=f"{conversation.id} is over already")

    # --------------------------------------------------------------------------------------------- routing
    def _begin_session(self, conversation: Conversation) -> None:
        conversation.sessions += 1
        conversation.session_id = record_id("0Mw", f"{conversation.id}{conversation.sessions}")
        conversation.status, conversation.routing_status = "New", "INITIAL"
        conversation.agent_id = conversation.queue_id = ""
        conversation.started_at = self._clock.now()
        self.note(conversation, f"session {conversation.sessions} began")
        self._later(self._route(conversation, conversation.sessions))

    async def _route(self, conversation: Conversation, session: int) -> None:
        await asyncio.sleep(self.routing_s)
        if conversation.sessions != session or conversation.status != "New" or conversation.agent_id:
            return
        if not self.org.staffed:
            self.fail(conversation, NOBODY_THERE)
            return
        # As an Omni-Channel flow would: an attribute that names a queue leads there, else it is the fallback queue.
        wanted = set(map(str, conversation.routing_attributes.values()))
        queue = next((one for one in self.org.queues if one.name in wanted), self.org.queues[0])
        conversation.queue_id = queue.id
        conversation.routing_status = "NEEDS_ROUTING"
        self._tell(conversation, "RoutingResult", self._routed(conversation, queue, "Initial"))
        self._status(conversation, "Waiting")
        self._wait(conversation)

    def _routed(self, conversation: Conversation, queue: Queue, kind: str) -> dict[str, Any]:
        place = len(self.org.waiting_in(queue.id))
        wait_s = _WAIT_S_EACH * place if self.assumptions.queue_updates == "wait" else None
        return entries.routing_result(conversation, queue, kind=kind, wait_s=wait_s)

    def _wait(self, conversation: Conversation) -> None:
        line = self.org.waiting_in(conversation.queue_id)
        if conversation in line and self.assumptions.queue_updates == "position":
            self.tell_position(conversation, line.index(conversation) + 1)
        self.began_to_wait(conversation)

    def tell_position(self, conversation: Conversation, position: int) -> None:
        """Where it stands in its queue, as the vendor says."""
        self._tell(conversation, "QueuePosition", entries.queue_position(conversation, position))

    def _line_moves(self, queue_id: str) -> None:
        if self.assumptions.queue_updates == "position":
            for place, one in enumerate(self.org.waiting_in(queue_id), start=1):
                self.tell_position(one, place)

    def fail(self, conversation: Conversation, reason: str) -> None:
        """Routing finds nobody."""
        self.note(conversation, f"routing failed: {reason}")
        payload = entries.routing_result(conversation, None, failure="RoutingError", reason=reason)
        self._tell(conversation, "RoutingResult", payload)
        self._status(conversation, "Error")

    # ------------------------------------------------------------------------------------- what agents do
    def join(self, conversation: Conversation, agent: Agent) -> None:
        """``agent`` accepts it."""
        if conversation.over:
            raise VendorRefusal(409, "The session has ended", note="there is nothing to take")
        if conversation.agent_id == agent.id:
            return
        was_waiting = conversation.waiting
        self._leave(conversation, told=True)
        conversation.agent_id, conversation.offered_to = agent.id, ""
        conversation.routing_status = "ROUTED"
        agent.online = True
        self.note(conversation, f"accepted by {agent.name}")
        if self.assumptions.participant_first:
            self._participant(conversation, "add", agent)
        self._work(conversation, "Assigned", agent)
        self._work(conversation, "Accepted", agent)
        if conversation.status != "Active":
            self._status(conversation, "Active")
        if not self.assumptions.participant_first:
            self._participant(conversation, "add", agent)
        if was_waiting:
            self._line_moves(conversation.queue_id)

    def say(self, conversation: Conversation, payload: Mapping[str, Any], *, role: str, who: Agent | None) -> Entry:
        """An agent (or ``System``, or a ``Chatbot``) writes."""
        said = payload["abstractMessage"]
        content = said.get("staticContent") or said["choices"]
        files = tuple(
            FileOf(id=one["id"], name=one["name"], media_type=one["mimeType"], url=one["url"])
            for one in content.get("attachments", ())
        )
        return self._tell(
            conversation,
            "Message",
            payload,
            role=role,
            subject=who.id if who else "",
            name=who.name if who else PROCESS,
            identifier=said["id"],
            message_id=said["id"],
            text=content["text"],
            files=files,
        )

    def types(self, conversation: Conversation, agent: Agent, *, on: bool) -> None:
        """The agent types, or stops."""
        kind = f"Typing{'Started' if on else 'Stopped'}Indicator"
        self._tell(conversation, kind, {}, role="Agent", subject=agent.id, name=agent.name)

    def receipt(self, conversation: Conversation, entry: Entry, kind: str) -> None:
        """An entry was delivered to, or read by, an agent."""
        agent = self.org.agent(conversation.agent_id)
        payload = entries.acknowledgement(entry.identifier, self._clock.now())
        name, subject = (agent.name, agent.id) if agent else (PROCESS, "")
        self._tell(conversation, kind, payload, role="Agent" if agent else "System", subject=subject, name=name)

    def transfer_to_queue(self, conversation: Conversation, queue: Queue) -> None:
        """It waits in ``queue``; its session goes on."""
        self._moved(conversation, queue)
        self._leave(conversation, told=self.assumptions.removed_on_transfer, work="Transferred")
        conversation.queue_id = queue.id
        self._wait(conversation)

    def transfer_to_agent(self, conversation: Conversation, agent: Agent) -> None:
        """``agent`` has it now."""
        self._moved(conversation, self.org.queue(conversation.queue_id) or self.org.queues[0])
        self._leave(conversation, told=self.assumptions.removed_on_transfer, work="Transferred")
        self.join(conversation, agent)

    def _moved(self, conversation: Conversation, queue: Queue) -> None:
        conversation.routing_status = "TRANSFER"
        self.note(conversation, "transferred")
        self._tell(conversation, "RoutingResult", self._routed(conversation, queue, "Transfer"))

    def unassign(self, conversation: Conversation) -> None:
        """The agent leaves, and it needs another."""
        conversation.routing_status = "NEEDS_ROUTING"
        self._leave(conversation, told=True)
        self.note(conversation, "left by its agent")
        self._wait(conversation)

    def decline(self, conversation: Conversation, agent: Agent) -> None:
        """An agent refuses the offer; it goes on waiting."""
        self.note(conversation, f"declined by {agent.name}")
        self._work(conversation, "Assigned", agent)
        self._work(conversation, "Declined", agent)

    def end(self, conversation: Conversation, *, by: str) -> None:
        """The session ends: by ``Agent``, ``EndUser``, ``Supervisor`` or ``System``."""
        was_waiting = conversation.waiting
        self._leave(conversation, told=True, work="Closed")
        told_by = "EndUser" if by == "Agent" and self.assumptions.ended_by == "EndUser" else by
        self._status(conversation, "Ended", told_by)
        conversation.closed = conversation.closed or self.assumptions.session_based
        if was_waiting:
            self._line_moves(conversation.queue_id)

    def go_quiet(self, conversation: Conversation) -> None:
        """The agent sets the session to inactive."""
        self._status(conversation, "Inactive")

    def _leave(self, conversation: Conversation, *, told: bool, work: str = "") -> None:
        agent = self.org.agent(conversation.agent_id)
        conversation.agent_id = ""
        if agent is None:
            return
        if work:
            self._work(conversation, work, agent)
        if told:
            self._participant(conversation, "remove", agent)

    # --------------------------------------------------------------------------------------------- telling
    def _participant(self, conversation: Conversation, operation: str, agent: Agent) -> None:
        self._tell(conversation, "ParticipantChanged", entries.participant(operation, agent))

    def _work(self, conversation: Conversation, kind: str, agent: Agent) -> None:
        if self.assumptions.work_results:
            self._tell(conversation, "RoutingWorkResult", entries.work_result(conversation, kind, agent))

    def _status(self, conversation: Conversation, status: str, ended_by: str | None = None) -> None:
        before, conversation.status = conversation.status, status
        self.note(conversation, f"session {status.lower()}" + (f" by {ended_by}" if ended_by else ""))
        payload = entries.session_status(conversation, before, self._clock.now(), ended_by)
        self._tell(conversation, "SessionStatusChanged", payload)

    def strange(self, conversation: Conversation) -> None:
        """An event of a kind that no documentation names."""
        self._streams.tell_unknown(conversation, self._entry("Message", {}))

    def note(self, conversation: Conversation, what: str) -> None:
        """Put it into the activity."""
        conversation.activity.append((self._clock.now(), what))

    def _entry(self, kind: str, payload: Mapping[str, Any], **fields: Any) -> Entry:
        identifier = fields.pop("identifier", None) or uuid7()
        now = self._clock.now()
        who = {"role": "System", "subject": "", "name": PROCESS, **fields}
        whole = {"entryType": kind, "id": identifier, **payload}
        return Entry(
            identifier=identifier,
            event=entries.EVENTS[kind],
            entry_type=kind,
            payload=whole,
            at=now,
            client_at=now,
            **who,
        )

    def _tell(self, conversation: Conversation, kind: str, payload: Mapping[str, Any], **fields: Any) -> Entry:
        entry = self._entry(kind, payload, **fields)
        if kind not in entries.UNLISTED:
            conversation.entries.append(entry)
        self._streams.tell(conversation, entry)
        return entry
