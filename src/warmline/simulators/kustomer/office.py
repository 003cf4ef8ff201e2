"""What happens to conversations in a Kustomer organization, whoever causes it; each change raises the events it has."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from typing import Any

from warmline.kernel.clock import Clock
from warmline.simulators.base import VendorRefusal
from warmline.simulators.kustomer import bodies, events
from warmline.simulators.kustomer.answers import Answers
from warmline.simulators.kustomer.assumptions import Assumptions
from warmline.simulators.kustomer.directory import Directory
from warmline.simulators.kustomer.routing import Routing
from warmline.simulators.kustomer.state import (
    Account,
    Conversation,
    Customer,
    Direction,
    Message,
    Note,
    Queue,
    User,
    object_id,
)

Emit = Callable[[str, Mapping[str, Any], Mapping[str, Any] | None, str, bool], None]
"""Event name, resource, changes, client, and whether the caller of the API caused it by a message of its own."""
Later = Callable[[Coroutine[Any, Any, None]], None]


class Office(Directory):
    """The rules.  Methods raise VendorRefusal where Kustomer refuses."""

    def __init__(
        self, account: Account, clock: Clock, assumptions: Assumptions, emit: Emit, later: Later, background_s: float
    ) -> None:
        super().__init__(account)
        self.assumptions = assumptions
        self.answers = Answers(account, assumptions)
        self.began_to_wait: Callable[[Conversation], None] = lambda _conversation: None
        self.visitor_spoke: Callable[[Conversation], None] = lambda _conversation: None
        self.taken_over: Callable[[Conversation], None] = lambda _conversation: None
        self._clock = clock
        self._emit = emit
        self._later = later
        self._background_s = background_s
        self._client, self._actor = events.BY_API, account.bot.id
        self._changing: set[str] = set()
        self._routing = Routing(clock)

    @contextlib.contextmanager
    def as_agent(self, user: User) -> Iterator[None]:
        """What happens inside is done in an agent's window."""
        self._client, self._actor = events.BY_AGENT, user.id
        try:
            yield
        finally:
            self._client, self._actor = events.BY_API, self.account.bot.id

    # ------------------------------------------------------------------------------------------ opening
    def take_over(self, given: bodies.Handoff) -> Conversation:
        """A handoff: a session with what was said before."""
        sender = self.user(given.sender)
        conversation = self._begin(given.customer_id, given.tracking_id, given.brand, given.lang)
        conversation.session_external_id = given.external_id
        now = self._clock.now()
        for line in sorted(given.messages, key=lambda one: one.date):
            conversation.messages.append(
                self._message(
                    line.direction,
                    line.body,
                    sender.id if line.direction == "out" else conversation.customer_id,
                    sent_at=bodies.millis(line.date),
                    imported_at=now,
                    mirrored=False,
                )
            )
        if not given.active:
            conversation.status, conversation.ended, conversation.ended_at = "done", True, now
        self._note(conversation, "handed over")
        self._tell_created(conversation)
        self._later(self._mirror(conversation))
        if given.active:
            self.taken_over(conversation)
        return conversation

    def open_session(self, given: bodies.NewSession) -> Conversation:
        """An empty session."""
        conversation = self._begin(given.customer_id, given.tracking_id, given.brand, given.lang)
        self._note(conversation, "session created")
        self._tell_created(conversation)
        self.taken_over(conversation)
        return conversation

    def open_conversation(self, customer_id: str, change: Callable[[Conversation], None]) -> Conversation:
        """A conversation that is no chat."""
        conversation = self._begin(customer_id, None, None, None)
        conversation.session = False
        change(conversation)
        self._tell_created(conversation)
        self.taken_over(conversation)
        return conversation

    def _begin(self, customer_id: str, tracking_id: str | None, brand: str | None, lang: str | None) -> Conversation:
        self.customer(customer_id)
        now = self._clock.now()
        if tracking_id is None:  # documented: the one of the latest session that had one
            earlier = [one.tracking_id for one in self.account.of_customer(customer_id) if one.tracking_id]
            tracking_id = earlier[-1] if earlier else None
        made = Conversation(
            id=object_id(now),
            customer_id=customer_id,
            created_at=now,
            updated_at=now,
            created_by=self.account.bot.id,
            modified_by=self.account.bot.id,
            tracking_id=tracking_id,
            brand=brand,
            lang=lang,
        )
        self.account.conversations[made.id] = made
        return made

    async def _mirror(self, conversation: Conversation) -> None:
        await asyncio.sleep(self._background_s)
        for message in conversation.messages:
            if not message.mirrored:
                message.mirrored = True
                if self.assumptions.events_for_imports:
                    self._tell_message(conversation, message, own=True)

    # ------------------------------------------------------------------------------------------ messages
    def customer_says(self, conversation: Conversation, body: str, attachments: Sequence[str]) -> Message:
        """The customer writes in the chat."""
        files = self.files(attachments)
        if conversation.ended and self.assumptions.message_to_ended == "refused":
            raise VendorRefusal(400, bodies.INVALID, note="the chat was ended")
        if not conversation.open:
            self.reopen(conversation)
        message = self._message("in", body, conversation.customer_id, attachments=files, status="received")
        self._add(conversation, message, own=True)
        self.visitor_spoke(conversation)
        return message

    def member_says(
        self,
        conversation: Conversation,
        author_id: str,
        body: str,
        attachments: Sequence[str] = (),
        *,
        auto: bool = False,
        assistant: bool = False,
        own: bool = False,
    ) -> Message:
        """A member writes: an agent in Kustomer's window, or somebody through the API (``own``)."""
        files = self.files(attachments)
        message = self._message("out", body, author_id, attachments=files, auto=auto or assistant, assistant=assistant)
        self._add(conversation, message, own=own)
        return message

    def record(self, conversation: Conversation, given: bodies.NewMessage) -> Message:
        """A message that is written down, and delivered nowhere."""
        if given.external_id and self.recorded(given.external_id):
            raise VendorRefusal(409, "Conflict", note=f"there is a message {given.external_id} already")
        message = self._message(
            given.direction,
            given.body or given.preview,
            conversation.customer_id if given.direction == "in" else self.account.bot.id,
            sent_at=bodies.millis(given.sent_at) if given.sent_at else None,
            imported_at=bodies.millis(given.imported_at) if given.imported_at else None,
            attachments=self.files(bodies.file_ids(given.attachments)),
            status=given.status or ("received" if given.direction == "in" else "sent"),
            auto=given.auto,
            app=given.app,
            channel=given.channel,
            chat=False,
            external_id=given.external_id,
        )
        message.id = message.chat_id
        if given.direction == "in" and not conversation.open:
            self.reopen(conversation)
        self._add(conversation, message, own=True)
        if given.direction == "in":
            self.visitor_spoke(conversation)
        return message

    def recorded(self, external_id: str) -> tuple[Conversation, Message] | None:
        """The message with that external id."""
        for conversation in self.account.conversations.values():
            for message in conversation.shown:
                if message.external_id == external_id:
                    return conversation, message
        return None

    def fail(self, conversation: Conversation, message: Message) -> None:
        """A message turns out not to have reached the customer."""
        before = self.answers.message(message, conversation)
        message.status, message.rev = "error", message.rev + 1
        message.error = {"status": 400, "code": "undeliverable", "title": "The message could not be delivered."}
        after = self.answers.message(message, conversation)
        self._emit("kustomer.message.update", after, events.changes(before, after), self._client, False)

    def _message(self, direction: Direction, body: str, author_id: str, **more: Any) -> Message:
        now = self._clock.now()
        sent_at = more.pop("sent_at", None)
        chat_id = object_id(now)
        other = self.assumptions.mirrored_ids == "other"
        fields: dict[str, Any] = {"external_id": chat_id if other else None, **more}
        message = Message(
            id=object_id(now) if other else chat_id,
            chat_id=chat_id,
            direction=direction,
            body=body,
            author_id=author_id,
            sent_at=now if sent_at is None else sent_at,
            created_at=now,
            **fields,
        )
        for file in message.attachments:
            self.account.attachments[file].message_id = message.id
        return message

    def _add(self, conversation: Conversation, message: Message, *, own: bool) -> None:
        with self.changed(conversation) if self.assumptions.updates_for_messages else contextlib.nullcontext():
            conversation.messages.append(message)
            self._tell_message(conversation, message, own=own)

    # ------------------------------------------------------------------------------------------- routing
    def put_into_queue(self, conversation: Conversation, queue: Queue, *, transfer: bool) -> None:
        """It waits in ``queue``; with ``transfer`` nobody has it any more."""
        was_waiting = conversation.waiting
        if transfer and self.assumptions.split_transfers:
            self._set_users(conversation, ())
        with self.changed(conversation):
            conversation.queue_id, conversation.lined_up = queue.id, True
            if transfer:
                conversation.assigned_users = ()
        if not conversation.assigned_users:
            self._routing.queue(conversation)
        self._note(conversation, f"{'transferred to' if transfer else 'put into'} the queue {queue.name}")
        if conversation.waiting and not was_waiting:
            self.began_to_wait(conversation)

    def line_up(self, conversation: Conversation) -> None:
        """It waits, though in no queue."""
        conversation.lined_up = True
        if conversation.waiting:
            self.began_to_wait(conversation)

    def assign(self, conversation: Conversation, user: User) -> None:
        """``user`` has it, and nobody else."""
        if not conversation.open:
            self.reopen(conversation)
        conversation.ever_assigned = conversation.ever_assigned or user is not self.account.bot
        self._routing.accept(conversation, user.id)
        self._note(conversation, f"assigned to {user.name}")
        self._set_users(conversation, (user.id,))

    def unassign(self, conversation: Conversation) -> None:
        """Nobody has it; it waits in its queue (the default one, if it had none) again."""
        if not conversation.assigned_users:
            return
        self._note(conversation, "let go")
        self._set_users(conversation, ())
        self.put_into_queue(
            conversation, self.account.queue(conversation.queue_id) or self.default_queue(), transfer=False
        )

    def _set_users(self, conversation: Conversation, users: tuple[str, ...]) -> None:
        with self.changed(conversation):
            conversation.assigned_users = users

    def follow(self, conversation: Conversation) -> None:
        """Routing takes note of what was changed through the API."""
        if conversation.ended or conversation.status == "done":
            self._routing.complete(conversation)
        elif conversation.assigned_users:
            self._routing.accept(conversation, conversation.assigned_users[0])

    def offer(self, conversation: Conversation, user: User) -> None:
        """``user`` is asked, and has not said yes; no event says so."""
        self._routing.offer(conversation, user.id)

    def decline(self, conversation: Conversation, user: User) -> None:
        """``user`` says no: it waits on."""
        self._routing.queue(conversation)
        self._note(conversation, f"declined by {user.name}")

    def default_queue(self) -> Queue:
        """Where conversations go that nobody sent anywhere."""
        return next(queue for queue in self.account.queues if queue.default)

    # --------------------------------------------------------------------------------------------- state
    def end(self, conversation: Conversation, *, by: str, by_type: str, reason: str = "") -> None:
        """The chat is over."""
        with self.changed(conversation):
            if self.assumptions.closing != "ended" or by_type == "customer":
                conversation.status = "done"
            if self.assumptions.closing != "status" or by_type == "customer":
                conversation.ended, conversation.ended_at = True, self._clock.now()
                conversation.ended_by, conversation.ended_by_type = by, by_type
                conversation.ended_reason = reason or None
        self._routing.complete(conversation)
        self._note(conversation, f"ended by the {by_type}")

    def set_status(self, conversation: Conversation, status: str) -> None:
        """Done, snoozed, or open again, while the chat itself is not ended."""
        with self.changed(conversation):
            conversation.status = status  # type: ignore[assignment]
        if status == "done":
            self._routing.complete(conversation)
        self._note(conversation, status)

    def reopen(self, conversation: Conversation) -> None:
        """It goes on, with the users it had."""
        with self.changed(conversation):
            conversation.status, conversation.ended = "open", False
            conversation.ended_at = conversation.ended_by = conversation.ended_by_type = None
            conversation.ended_reason = None
        self._note(conversation, "reopened")
        if conversation.waiting:
            self._routing.queue(conversation)
            self.began_to_wait(conversation)

    @contextlib.contextmanager
    def changed(self, conversation: Conversation) -> Iterator[None]:
        """Whatever changes inside is told as one ``conversation.update``, if anything does."""
        if conversation.id in self._changing:
            yield
            return
        before = self.answers.conversation(conversation)
        self._changing.add(conversation.id)
        try:
            yield
        finally:
            self._changing.discard(conversation.id)
        if events.changes(before, self.answers.conversation(conversation)):
            conversation.rev, conversation.updated_at = conversation.rev + 1, self._clock.now()
            conversation.modified_by = self._actor
            after = self.answers.conversation(conversation)
            self._emit("kustomer.conversation.update", after, events.changes(before, after), self._client, False)

    # --------------------------------------------------------------------------------------------- extras
    def add_note(self, conversation: Conversation, given: bodies.NewNote) -> Note:
        """A note."""
        author = self.user(given.created_by) if given.created_by else self.account.bot
        at = bodies.millis(given.created_at) if given.created_at else self._clock.now()
        note = Note(
            id=object_id(self._clock.now()),
            author_id=author.id,
            created_at=at,
            body=given.body,
            external_id=given.external_id,
        )
        with self.changed(conversation):
            conversation.notes.append(note)
        self._emit("kustomer.note.create", self.answers.note(note, conversation), None, self._client, True)
        return note

    def tag(self, conversation: Conversation, given: Sequence[str]) -> None:
        """Labels by their ids or names."""
        added = [self.account.tag(one, self._clock.now()).id for one in given]
        with self.changed(conversation):
            conversation.tags = tuple(dict.fromkeys((*conversation.tags, *added)))

    # -------------------------------------------------------------------------------------------- telling
    def tell_customer(self, customer: Customer, before: Mapping[str, Any] | None) -> None:
        """A customer was made, or changed."""
        after = self.answers.customer(customer)
        changed = events.changes(before, after) if before is not None else None
        name = "kustomer.customer.create" if before is None else "kustomer.customer.update"
        self._emit(name, after, changed, self._client, False)

    def _tell_created(self, conversation: Conversation) -> None:
        self._emit("kustomer.conversation.create", self.answers.conversation(conversation), None, self._client, False)

    def _tell_message(self, conversation: Conversation, message: Message, *, own: bool) -> None:
        self._emit("kustomer.message.create", self.answers.message(message, conversation), None, self._client, own)

    def _note(self, conversation: Conversation, what: str) -> None:
        conversation.activity.append((self._clock.now(), what))
