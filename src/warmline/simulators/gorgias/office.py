"""What happens to tickets in a Gorgias account, whoever causes it; each change triggers what it has to."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from warmline.kernel.clock import Clock
from warmline.simulators.base import VendorRefusal
from warmline.simulators.gorgias import bodies
from warmline.simulators.gorgias.assumptions import Assumptions
from warmline.simulators.gorgias.state import NOTE, Account, Customer, File, Mail, Message, Team, Ticket, User

NOT_FOUND = "The requested resource does not exist."
CONFLICT = "A resource with this identifier already exists."
_SIGNATURE = "\n\n-- \n{name}\nLumen Lamps"
Emit = Callable[[str, Ticket, Message | None, bool], None]
"""Trigger, ticket, message, and whether the API's caller did it."""


class Office:
    """The rules.  Methods raise VendorRefusal where Gorgias refuses."""

    def __init__(self, account: Account, clock: Clock, assumptions: Assumptions, emit: Emit) -> None:
        self.account = account
        self.assumptions = assumptions
        self.mailed: list[Mail] = []
        self.created: Callable[[Ticket], None] = lambda _ticket: None
        self.visitor_spoke: Callable[[Ticket], None] = lambda _ticket: None
        self.to_send: Callable[[Message], None] = lambda _message: None
        self._clock = clock
        self._emit = emit

    # ------------------------------------------------------------------------------------------- looking
    def ticket(self, ticket_id: int) -> Ticket:
        """Raises VendorRefusal 404."""
        found = self.account.tickets.get(ticket_id)
        if found is None:
            raise VendorRefusal(404, NOT_FOUND, note=f"there is no ticket {ticket_id}")
        return found

    def customer(self, customer_id: int) -> Customer:
        """Raises VendorRefusal 404."""
        found = self.account.customers.get(customer_id)
        if found is None:
            raise VendorRefusal(404, NOT_FOUND, note=f"there is no customer {customer_id}")
        return found

    def named_customer(self, given: bodies.Person) -> Customer:
        """By number, else by e-mail.  Raises VendorRefusal 400."""
        if given.id is not None:
            found = self.account.customers.get(given.id)
            if found is None:
                raise VendorRefusal(400, bodies.INVALID, note=f"there is no customer {given.id}")
            return found
        if not given.email:
            raise VendorRefusal(400, bodies.INVALID, note="a customer is named by id or email")
        known = self.account.customer_by_email(given.email)
        if known is None and self.assumptions.unknown_email == "refused":
            raise VendorRefusal(400, bodies.INVALID, note=f"nobody has {given.email}")
        return known or self.add_customer(Customer(id=0, created_at=0, updated_at=0, email=given.email))

    def add_customer(self, one: Customer) -> Customer:
        """Keep somebody new, under a number of their own."""
        now = self._clock.now()
        one.id, one.created_at, one.updated_at = self.account.next_id(), now, now
        self.account.customers[one.id] = one
        return one

    # ------------------------------------------------------------------------------------------- opening
    def open(self, given: bodies.NewTicket) -> Ticket:
        """A new ticket with all its messages."""
        asks = given.customer or next((one.sender for one in given.messages if not one.from_agent and one.sender), None)
        if asks is None:
            raise VendorRefusal(400, bodies.INVALID, note="neither the ticket nor a message names a customer")
        first, now = given.messages[0], self._clock.now()
        ticket = Ticket(
            id=self.account.next_id(),
            customer_id=self.named_customer(asks).id,
            channel=given.channel or first.channel,
            via=given.via or first.via,
            from_agent=first.from_agent if given.from_agent is None else given.from_agent,
            created_at=bodies.millis(given.created_datetime) or now,
            updated_at=now,
            status=given.status,
            subject=given.subject,
            language=given.language,
            external_id=given.external_id,
            priority=given.priority,
            spam=given.spam,
            meta=given.meta,
            assignee_user_id=self._assignee(given.assignee_user),
            assignee_team_id=self._team(given.assignee_team),
            tags=[self.tag_name(one) for one in given.tags],
            custom_fields={str(one.id): {"id": one.id, "value": one.value} for one in given.custom_fields},
        )
        ticket.messages = [self._message(ticket, one) for one in given.messages]
        self.account.tickets[ticket.id] = ticket
        self._note(ticket, "created")
        self._emit("ticket-created", ticket, None, True)
        for message in ticket.messages:
            if self.assumptions.events_for_imports:
                self._emit("ticket-message-created", ticket, message, True)
            self.to_send(message)
        self.created(ticket)
        return ticket

    def tag_name(self, given: bodies.TagName) -> str:
        """The name of a tag; one that is new is made.  Raises VendorRefusal 400."""
        if given.name:
            self.account.tag_id(given.name)
            return given.name
        for name, number in self.account.tags.items():
            if number == given.id:
                return name
        raise VendorRefusal(400, bodies.INVALID, note="a tag has a name, or the id of one that is there")

    def _assignee(self, given: bodies.Ref | None) -> int | None:
        if given is not None and self.account.user(given.id) is None:
            raise VendorRefusal(400, bodies.INVALID, note=f"there is no user {given.id}")
        return given.id if given else None

    def _team(self, given: bodies.Ref | None) -> int | None:
        if given is not None and self.account.team(given.id) is None:
            raise VendorRefusal(400, bodies.INVALID, note=f"there is no team {given.id}")
        return given.id if given else None

    # ----------------------------------------------------------------------------------------- messages
    def add_message(self, ticket: Ticket, given: bodies.NewMessage) -> Message:
        """A message through the API."""
        message = self._message(ticket, given)
        ticket.messages.append(message)
        self._added(ticket, message, own=True)
        self.to_send(message)
        if not message.from_agent:
            if ticket.status == "closed" and self.assumptions.customer_reopens:
                self.set_status(ticket, "open")
            self.visitor_spoke(ticket)
        return message

    def _message(self, ticket: Ticket, given: bodies.NewMessage) -> Message:
        note = given.channel == NOTE
        if note and not given.from_agent:
            raise VendorRefusal(400, bodies.INVALID, note="an internal note is always from_agent")
        if not given.from_agent and given.receiver is not None:
            raise VendorRefusal(400, bodies.INVALID, note="a message of a customer has no receiver")
        receiver = None
        if given.from_agent:
            sender_id = self._user(given.sender).id
            if not note:
                receiver = self.named_customer(given.receiver).id if given.receiver else ticket.customer_id
        else:
            sender_id = self.named_customer(given.sender).id if given.sender else ticket.customer_id
        return Message(
            id=self.account.next_id(),
            ticket_id=ticket.id,
            channel=given.channel,
            via=given.via,
            from_agent=given.from_agent,
            sender_id=sender_id,
            receiver_id=receiver,
            created_at=bodies.millis(given.created_datetime) or self._clock.now(),
            public=given.public and not note,
            body_text=given.body_text,
            body_html=given.body_html,
            stripped_text=given.stripped_text,
            stripped_html=given.stripped_html,
            subject=given.subject,
            attachments=tuple(_file(one) for one in given.attachments or ()),
            source=msgspec.to_builtins(given.source),
            meta=given.meta,
            external_id=given.external_id,
            integration_id=given.integration_id,
            rule_id=given.rule_id,
            sent_at=bodies.millis(given.sent_datetime),
            failed_at=bodies.millis(given.failed_datetime),
        )

    def _user(self, given: bodies.Person | None) -> User:
        if given is None:
            return self.account.owner
        members = (*self.account.agents, self.account.owner)
        for one in members:
            if given.id == one.id or (given.id is None and (given.email or "").lower() == one.email):
                return one
        raise VendorRefusal(400, bodies.INVALID, note="a message from_agent has a user as its sender")

    def say(
        self, ticket: Ticket, user: User, text: str, html: str, files: Sequence[File], *, note: bool = False
    ) -> Message:
        """An agent writes in Gorgias' own window; ``html`` is made from ``text`` when empty."""
        bare_html = html or f"<div>{text}</div>"
        signature = "" if note else _SIGNATURE.format(name=user.name)
        stripped = self.assumptions.stripped_bodies and not note
        message = Message(
            id=self.account.next_id(),
            ticket_id=ticket.id,
            channel=NOTE if note else ticket.channel,
            via="helpdesk",
            from_agent=True,
            sender_id=user.id,
            receiver_id=None if note else ticket.customer_id,
            created_at=self._clock.now(),
            public=not note,
            body_text=text + signature,
            body_html=bare_html + signature.replace("\n", "<br>"),
            stripped_text=text if stripped else None,
            stripped_html=bare_html if stripped else None,
            attachments=tuple(files),
            source={
                "type": NOTE if note else ticket.channel,
                "from": {"address": user.email, "name": user.name},
                "to": [],
            },
        )
        takes = not note and ticket.assignee_user_id is None and self.assumptions.reply_assigns
        late = self.assumptions.assignment_after_reply
        if takes and not late:
            self.assign(ticket, user)
        ticket.messages.append(message)
        self._added(ticket, message, own=False)
        if takes and late:
            self.assign(ticket, user)
        self.to_send(message)
        return message

    def _added(self, ticket: Ticket, message: Message, *, own: bool) -> None:
        ticket.updated_at = self._clock.now()
        self._emit("ticket-message-created", ticket, message, own)
        if self.assumptions.updates_for_messages:
            self._emit("ticket-updated", ticket, message, own)

    def deliver(self, message: Message) -> None:
        """What Gorgias does with a message that was not sent yet: send it, or find that it cannot."""
        ticket = self.account.tickets.get(message.ticket_id)
        imported = message.sent_at is not None or message.failed_at is not None
        if ticket is None or imported or message.channel == NOTE:
            return
        if not message.from_agent and not self.assumptions.customer_lines_are_sent:
            return
        how = self.assumptions.api_channel if message.channel == "api" else "mailed"
        if how == "failed":
            self.fail(message, "This channel cannot be used to send messages.")
            return
        message.sent_at = self._clock.now()
        if how == "mailed":
            to = self.account.customers[ticket.customer_id].email or ""
            self.mailed.append(Mail(ticket.id, message.id, to, message.body_text or message.body_html or ""))

    def fail(self, message: Message, error: str) -> None:
        """It could not be sent."""
        message.sent_at, message.failed_at, message.error = None, self._clock.now(), error
        self._emit("ticket-message-failed", self.ticket(message.ticket_id), message, False)

    # -------------------------------------------------------------------------------------------- changes
    def change(self, ticket: Ticket, given: bodies.ChangedTicket) -> None:
        """What a caller changes, each thing as if an agent had."""
        if not isinstance(given.assignee_team, msgspec.UnsetType):
            self.to_team(ticket, self.account.team(self._team(given.assignee_team)))
        if not isinstance(given.assignee_user, msgspec.UnsetType):
            self.assign(ticket, self.account.user(self._assignee(given.assignee_user)))
        if not isinstance(given.customer, msgspec.UnsetType):
            ticket.customer_id = self.named_customer(given.customer).id
        for name in ("subject", "language", "external_id", "priority", "spam", "meta", "channel"):
            value = getattr(given, name)
            if value is not msgspec.UNSET:
                setattr(ticket, name, value)
        if not isinstance(given.snooze_datetime, msgspec.UnsetType):
            ticket.snoozed_until = bodies.millis(given.snooze_datetime)
        if not isinstance(given.trashed_datetime, msgspec.UnsetType):
            ticket.trashed_at = bodies.millis(given.trashed_datetime)
        if not isinstance(given.tags, msgspec.UnsetType):
            ticket.tags = [self.tag_name(one) for one in given.tags]
        if not isinstance(given.status, msgspec.UnsetType):
            self.set_status(ticket, given.status)
        self._changed(ticket)

    def set_tags(self, ticket: Ticket, names: Sequence[str]) -> None:
        """These labels from now on."""
        ticket.tags = list(dict.fromkeys(names))
        self._changed(ticket)

    def assign(self, ticket: Ticket, user: User | None) -> None:
        """``user`` has it; None: nobody has."""
        if (user.id if user else None) == ticket.assignee_user_id:
            return
        ticket.assignee_user_id = user.id if user else None
        if user:
            ticket.opened_at = ticket.opened_at or self._clock.now()
        self._note(ticket, f"assigned to {user.name}" if user else "assigned to nobody")
        self._changed(ticket, "ticket-assignment-updated")

    def to_team(self, ticket: Ticket, team: Team | None) -> None:
        """It belongs to a team."""
        if (team.id if team else None) == ticket.assignee_team_id:
            return
        ticket.assignee_team_id = team.id if team else None
        self._note(ticket, f"given to the team {team.name}" if team else "given to no team")
        self._changed(ticket, "ticket-assignment-updated")

    def set_status(self, ticket: Ticket, status: bodies.Status) -> None:
        """Open or closed."""
        if ticket.status == status:
            return
        ticket.status = status
        ticket.closed_at = self._clock.now() if status == "closed" else None
        self._note(ticket, status)
        self._changed(ticket, "ticket-status-updated")

    def merge(self, ticket: Ticket, into: Ticket) -> None:
        """``ticket`` becomes a part of ``into`` and its number is gone (inferred: what others report is that it vanishes)."""
        for message in ticket.messages:
            message.ticket_id = into.id
        into.messages = sorted([*into.messages, *ticket.messages], key=lambda one: (one.created_at, one.id))
        del self.account.tickets[ticket.id]
        self._note(into, f"ticket {ticket.id} was merged into this one")
        self._changed(into)

    def _changed(self, ticket: Ticket, trigger: str = "") -> None:
        ticket.updated_at = self._clock.now()
        if trigger and self.assumptions.more_triggers:
            self._emit(trigger, ticket, None, False)
        self._emit("ticket-updated", ticket, None, False)

    def _note(self, ticket: Ticket, what: str) -> None:
        ticket.activity.append((self._clock.now(), what))


def _file(given: bodies.NewFile) -> File:
    name = given.name or given.url.rsplit("/", 1)[-1]
    return File(url=given.url, name=name, content_type=given.content_type or "", size=given.size or 0)
