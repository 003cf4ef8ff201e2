"""What happens to conversations, whoever causes it: messages, control, tickets; each change tells what it has to tell.

Documented: one line is active, at most one pending, all others stand by; a pass makes its target active and all others stand by,
an offer makes its target pending and voids the offer before it, an accept makes the pending one active, a release leaves nobody
active; how a target is named; that an integration's own key may accept only what was offered to it, and release only what it has.
How tickets come and go is seen by others, or assumed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from warmline.kernel.clock import Clock
from warmline.simulators.base import VendorRefusal
from warmline.simulators.sunco import answers, bodies
from warmline.simulators.sunco.assumptions import Assumptions
from warmline.simulators.sunco.posting import Posting
from warmline.simulators.sunco.state import (
    AGENT_WORKSPACE,
    Account,
    Agent,
    Conversation,
    Line,
    Message,
    Ticket,
    User,
    new_id,
)

API = "api:conversations"
NEXT = "next"
MESSAGE_LIMIT = 30_000
_TAGS = re.compile(r"<[^>]+>")
Metadata = Mapping[str, Any] | None


class Office:
    """The rules.  Methods raise VendorRefusal where the vendor refuses."""

    def __init__(
        self, account: Account, clock: Clock, assumptions: Assumptions, posting: Posting, *, message_limit: int
    ) -> None:
        self.account = account
        self.assumptions = assumptions
        self.failing_passes: list[str] = []
        """What the next passes of control fail with."""
        self.began_to_wait: Callable[[Conversation], None] = lambda _conversation: None
        self.visitor_spoke: Callable[[Conversation], None] = lambda _conversation: None
        self._clock = clock
        self._posting = posting
        self._limit = message_limit

    # ------------------------------------------------------------------------------------------ looking
    def conversation(self, conversation_id: str) -> Conversation:
        """Raises VendorRefusal 404."""
        found = self.account.conversations.get(conversation_id)
        if found is None:
            raise VendorRefusal(404, "Conversation not found", note=f"there is no conversation {conversation_id}")
        return found

    def user(self, key: str) -> User:
        """By id or externalId.  Raises VendorRefusal 404."""
        found = self.account.user(key)
        if found is None:
            raise VendorRefusal(404, "User not found", note=f"there is no user {key}")
        return found

    def ticket(self, conversation_id: str) -> Ticket:
        """The ticket that agents have.  Raises VendorRefusal, which only an agent's window says."""
        ticket = self.conversation(conversation_id).ticket
        if ticket is None or not ticket.connected:
            raise VendorRefusal(400, "Bad request", note="agents do not have the conversation")
        return ticket

    # ------------------------------------------------------------------------------------- conversations
    def begin(self, given: bodies.NewConversation) -> Conversation:
        """A new conversation; the switchboard's default has control of it."""
        keys = [one.user_id or one.user_external_id or "" for one in given.participants]
        for one in given.participants:
            if (one.user_id is None) == (one.user_external_id is None):
                raise VendorRefusal(400, "Bad request", note="a participant is userId or userExternalId")
        if given.type == "personal" and len(keys) != 1:
            raise VendorRefusal(400, "Bad request", note="a personal conversation has exactly one participant")
        users = [self.user(key) for key in keys]
        mine = [one for one in self.account.conversations.values() if users and users[0].id in one.user_ids]
        switchboard = self.account.switchboard
        made = Conversation(
            id=new_id(),
            created_at=self._clock.now(),
            type=given.type,
            user_ids=tuple(one.id for one in users),
            is_default=given.type == "personal" and not any(one.type == "personal" for one in mine),
            display_name=given.display_name,
            metadata=given.metadata,
            active=switchboard.default_id if switchboard.enabled else None,
        )
        self.account.conversations[made.id] = made
        self._note(made, "created")
        who = users[0] if made.type == "personal" else None

        def payload(full: bool) -> dict[str, Any]:
            about = {"creationReason": "none", "source": {"type": "api"}}
            return about | ({"user": answers.user(who, full=full)} if who else {}) | self._about(made)

        self._tell("conversation:create", made, payload, own=True)
        return made

    # ------------------------------------------------------------------------------------------ messages
    def write(self, conversation: Conversation, given: bodies.NewMessage) -> Message:
        """A message through the API."""
        if len(conversation.messages) >= self._limit:
            raise VendorRefusal(423, f"Message limit of {self._limit} per conversation reached.")
        author = given.author
        who = None
        if author.type == "user":
            who = self.user(author.user_id or author.user_external_id or "")
            if who.id not in conversation.user_ids:
                raise VendorRefusal(400, "Bad request", note="the user does not take part in the conversation")
        shown: dict[str, Any] = {"type": author.type, "subtypes": list(author.subtypes) or None}
        shown |= {"userId": who.id if who else None, "avatarUrl": author.avatar_url}
        shown |= {"displayName": author.display_name or (who.name or None if who else None)}
        message = Message(
            id=new_id(),
            received=self._clock.now(),
            side="user" if who else "business",
            author=answers.without_nothing(shown),
            content=self._content(given.content),
            source=API,
            user_id=who.id if who else None,
            metadata=given.metadata,
        )
        self.add(conversation, message, own=True)
        return message

    def _content(self, given: bodies.Content) -> dict[str, Any]:
        content = bodies.plain(given)
        markdown = content.pop("markdownText", None)
        if markdown is not None:
            content["htmlText"] = f"<p>{markdown}</p>"
        if "htmlText" in content and "text" not in content:
            content["text"] = _TAGS.sub("", content["htmlText"])
        if isinstance(given, bodies.Media):
            media_id = given.media_url.rsplit("/", 2)[-2] if given.media_url.count("/") > 2 else ""
            stored = self.account.attachments.get(media_id)
            for name in ("mediaType", "mediaSize"):
                content.pop(name, None)
            content |= {"mediaType": stored.media_type, "mediaSize": len(stored.content)} if stored else {}
            content.setdefault("altText", given.media_url.rsplit("/", 1)[-1][:128])
        return content

    def add(self, conversation: Conversation, message: Message, *, own: bool = False, told: bool = True) -> None:
        """A message, whoever wrote it."""
        by_user = message.side == "user"
        to_default = self.assumptions.after_release == "default" and self.account.switchboard.enabled
        if by_user and conversation.active is None and to_default:
            conversation.active = self.account.switchboard.default_id
        conversation.messages.append(message)
        who = self.account.users.get(message.user_id or "")

        def payload(full: bool) -> dict[str, Any]:
            return self._about(conversation) | {"message": answers.message(message, who, full_user=full)}

        if told:
            self._tell("conversation:message", conversation, payload, own=own)
        if by_user:
            held_by = self.account.line(conversation.active)
            if held_by is not None and held_by.integration_type == AGENT_WORKSPACE:
                known = conversation.ticket
                self.open_ticket(conversation, {})
                if conversation.ticket is known:
                    self.visitor_spoke(conversation)

    def act(self, conversation: Conversation, given: bodies.NewActivity) -> None:
        """Reading, or typing of the business."""
        author = given.author
        who = None
        if author.type == "user":
            who = self.user(author.user_id or author.user_external_id or "")
            if given.type != "conversation:read":
                raise VendorRefusal(400, "Bad request", note="a user's only activity is conversation:read")
        self._note(conversation, f"{given.type} by the {author.type}")
        if who is not None:
            self.tell_activity(conversation, given.type, {"type": "user", "userId": who.id}, own=True)

    def tell_activity(
        self, conversation: Conversation, kind: str, author: Mapping[str, Any], *, own: bool = False
    ) -> None:
        """Reading or typing, as webhooks have it."""
        name = "conversation:read" if kind == "conversation:read" else "conversation:typing"
        activity = {"type": kind, "author": author, "source": {"type": API if own else AGENT_WORKSPACE}}
        self._tell(name, conversation, lambda _full: self._about(conversation) | {"activity": activity}, own=own)

    # ------------------------------------------------------------------------------------------- control
    def target(self, given: str, conversation: Conversation, caller: Line | None) -> Line | None:
        """Whom ``given`` means: an id, a name, a type, or ``next`` as seen from the caller, else from who has control.

        None when it is a repeated ``next`` (documented: disregarded).  Raises VendorRefusal.
        """
        lines = self.account.switchboard.lines
        if given == NEXT:
            if caller is not None and conversation.active != caller.id:
                return None
            seen_from = caller or self.account.line(conversation.active)
            found = self.account.line(seen_from.next_id) if seen_from else None
            if found is None:
                raise VendorRefusal(400, "Bad request", note="nobody is next")
            return found
        by_name = [one for one in lines.values() if given in {one.id, one.name}]
        by_type = by_name or [one for one in lines.values() if one.integration_type == given]
        if len(by_type) > 1:
            raise VendorRefusal(400, "Bad request", note=f"several switchboard integrations are {given}")
        if not by_type:
            raise VendorRefusal(404, "Switchboard integration not found", note=f"none is {given}")
        return by_type[0]

    def pass_to(self, conversation: Conversation, line: Line, metadata: Metadata, *, reason: str = "") -> None:
        """``line`` has control, everybody else stands by."""
        if self.failing_passes:
            self._pass_failed(conversation, metadata, self.failing_passes.pop(0))
            return
        to_agents = line.integration_type == AGENT_WORKSPACE
        if to_agents and not conversation.messages and self.assumptions.pass_without_messages == "failure":
            self._pass_failed(conversation, metadata, "there are no messages in the conversation")
            return
        repeated = conversation.active == line.id
        before = {conversation.active, conversation.pending}
        conversation.active, conversation.pending = line.id, None
        self._note(conversation, f"control passed to {line.name}")
        if not repeated or self.assumptions.repeated_pass_tells:
            self._tell_control("passControl", conversation, metadata, before, reason=reason)
        if conversation.ticket is not None:
            conversation.ticket.connected = to_agents
        if to_agents and conversation.messages:
            self.open_ticket(conversation, metadata or {})

    def _pass_failed(self, conversation: Conversation, metadata: Metadata, why: str) -> None:
        self._note(conversation, f"control could not be passed: {why}")
        error = {"code": "bad_request", "message": why}
        self._tell_control("passControl:failure", conversation, metadata, set(), error=error)

    def offer_to(self, conversation: Conversation, line: Line, metadata: Metadata) -> None:
        """``line`` may accept control."""
        if line.id == conversation.active:
            raise VendorRefusal(400, "Bad request", note=f"{line.name} has control already")
        before = {conversation.active, conversation.pending}
        conversation.pending = line.id
        self._note(conversation, f"control offered to {line.name}")
        self._tell_control("offerControl", conversation, metadata, before)

    def accept(self, conversation: Conversation, metadata: Metadata, caller: Line | None) -> None:
        """The pending one has control."""
        line = self.account.line(conversation.pending)
        if caller is not None and line is not caller:
            raise VendorRefusal(403, "Forbidden", note=f"control was not offered to {caller.name}")
        if line is None:
            error = {"code": "bad_request", "message": "control was offered to nobody"}
            self._tell_control("acceptControl:failure", conversation, metadata, set(), error=error)
            return
        before = {conversation.active, conversation.pending}
        conversation.active, conversation.pending = line.id, None
        if conversation.ticket is not None:
            conversation.ticket.connected = line.integration_type == AGENT_WORKSPACE
        self._note(conversation, f"control accepted by {line.name}")
        self._tell_control("acceptControl", conversation, metadata, before)

    def release(
        self, conversation: Conversation, metadata: Metadata, caller: Line | None = None, *, reason: str = ""
    ) -> None:
        """Nobody has control."""
        if caller is not None and conversation.active != caller.id:
            raise VendorRefusal(403, "Forbidden", note=f"{caller.name} has no control to release")
        before = {conversation.active, conversation.pending}
        conversation.active = conversation.pending = None
        if conversation.ticket is not None:
            conversation.ticket.connected = False
        self._note(conversation, f"control released{f' ({reason})' if reason else ''}")
        self._tell_control("releaseControl", conversation, metadata, before, reason=reason)

    # ------------------------------------------------------------------------------------------- tickets
    def open_ticket(self, conversation: Conversation, metadata: Mapping[str, Any]) -> None:
        """A ticket, unless there is an open one; the metadata of the pass says what it begins with."""
        if conversation.ticket is not None and conversation.ticket.status != "closed":
            return
        first = str(metadata.get("first_message_id", ""))
        ticket = self.account.ticket(conversation, self._clock.now(), first)
        prefix = "dataCapture.systemField."
        ticket.fields = {
            name.removeprefix("dataCapture."): value
            for name, value in metadata.items()
            if name.startswith("dataCapture.") and name != f"{prefix}tags"
        }
        ticket.tags = tuple(tag for tag in str(metadata.get(f"{prefix}tags", "")).split(",") if tag)
        group = str(metadata.get(f"{prefix}group_id", ""))
        ticket.group_id = group if self.account.group(group) else self.account.groups[0].id
        conversation.ticket = ticket
        self._note(conversation, f"ticket {ticket.number}")
        self.began_to_wait(conversation)

    def close_ticket(self, conversation: Conversation, reason: str, activity: str) -> None:
        """Agents are through: control goes to who is next after them, or to nobody."""
        if conversation.ticket is None or conversation.ticket.status == "closed":
            return
        conversation.ticket.status = "closed"
        self._note(conversation, f"ticket {conversation.ticket.number} closed")
        if self.assumptions.closed_message != "none":
            closing = Message(
                id=new_id(),
                received=self._clock.now(),
                side="system",
                author={"type": "business", "subtypes": ["activity"]},
                content={"type": "text", "text": "The conversation has ended"},
                source=AGENT_WORKSPACE,
                activity={"type": activity},
            )
            self.add(conversation, closing, told=self.assumptions.closed_message == "told")
        held_by = self.account.line(conversation.active)
        if held_by is None or held_by.integration_type != AGENT_WORKSPACE:
            return
        following = self.account.line(held_by.next_id)
        if following is not None:
            self.pass_to(conversation, following, None, reason=reason)
        else:
            self.release(conversation, None, reason=reason)

    def agent_writes(
        self, conversation: Conversation, agent: Agent, content: Mapping[str, Any], source: str
    ) -> Message:
        """An agent, or Zendesk's bot in his name, writes."""
        ticket = self.ticket(conversation.id)
        by_agent = source == AGENT_WORKSPACE
        metadata = {"__zendesk_msg.agent.id": agent.id} if by_agent and self.assumptions.agent_id_in_metadata else None
        author = {"type": "business", "subtypes": ["agent" if by_agent else "bot"]}
        message = Message(
            id=new_id(),
            received=self._clock.now(),
            side="agent" if by_agent else "bot",
            author={**author, "displayName": agent.name, "avatarUrl": agent.avatar_url},
            content=dict(content),
            source=source,
            metadata=metadata,
        )
        if by_agent:
            ticket.status = "open"
        self.add(conversation, message)
        return message

    # -------------------------------------------------------------------------------------------- telling
    def _about(self, conversation: Conversation) -> dict[str, Any]:
        return {"conversation": answers.conversation_in_short(conversation, self.account)}

    def _tell(
        self,
        name: str,
        conversation: Conversation,
        payload: Callable[[bool], dict[str, Any]],
        *,
        before: Collection[str | None] = (),
        own: bool = False,
    ) -> None:
        self._posting.tell(name, payload, {*before, conversation.active, conversation.pending}, own=own)

    def _tell_control(
        self,
        what: str,
        conversation: Conversation,
        metadata: Metadata,
        before: Collection[str | None],
        *,
        reason: str = "",
        error: Mapping[str, Any] | None = None,
    ) -> None:
        more = {"metadata": metadata or None, "reason": reason or None, "error": error}
        about = self._about(conversation) | answers.without_nothing(more)
        self._tell(f"switchboard:{what}", conversation, lambda _full: about, before=before)

    def tell(self, name: str, conversation: Conversation, more: Mapping[str, Any]) -> None:
        """Something else about a conversation."""
        self._tell(name, conversation, lambda _full: self._about(conversation) | dict(more))

    def _note(self, conversation: Conversation, what: str) -> None:
        conversation.activity.append((self._clock.now(), what))
