"""Customers, conversations, their messages, notes and tags (v1).

Documented: methods and paths, ``email=`` and ``externalId=`` as parts of a path, 201 for what is new, 404 and 409, tags by name or
id as a bare list, and that a new tag is made for a name that there is none of.  Assumed: that 409 answers an e-mail or an
external id that somebody else has.
"""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web

from warmline.kernel.clock import Clock
from warmline.simulators.base import Ask, VendorRefusal
from warmline.simulators.kustomer import bodies
from warmline.simulators.kustomer.directory import NOT_FOUND
from warmline.simulators.kustomer.limits import Budget
from warmline.simulators.kustomer.office import Office
from warmline.simulators.kustomer.replies import Rows, data, page
from warmline.simulators.kustomer.state import Address, Conversation, Customer, object_id

_ONE = "/v1/conversations/{id}"
CONFLICT = "Conflict"


class RecordsApi:
    """What is kept about people and what they asked."""

    def __init__(self, office: Office, clock: Clock, budget: Budget) -> None:
        self._office = office
        self._account = office.account
        self._answers = office.answers
        self._clock = clock
        self._budget = budget
        self._strict = office.assumptions.refuse_unknown_fields

    def routes(self) -> Rows:
        """Method, path, operation, handler."""
        return (
            ("GET", "/v1/customers/email={email}", "customers.by_email", self.customer_by_email),
            ("GET", "/v1/customers/externalId={external_id}", "customers.by_external_id", self.customer_by_external_id),
            ("GET", "/v1/customers/{id}", "customers.get", self.customer),
            ("POST", "/v1/customers", "customers.create", self.create_customer),
            ("PUT", "/v1/customers/{id}", "customers.change", self.change_customer),
            ("PATCH", "/v1/customers/{id}", "customers.change", self.change_customer),
            ("GET", "/v1/customers/{id}/conversations", "customers.conversations", self.of_customer),
            ("GET", "/v1/conversations/externalId={external_id}", "conversations.by_external_id", self.by_external_id),
            ("POST", "/v1/conversations", "conversations.create", self.create),
            ("GET", _ONE, "conversations.get", self.get),
            ("PUT", _ONE, "conversations.change", self.change),
            ("PATCH", _ONE, "conversations.change", self.change),
            ("GET", f"{_ONE}/messages", "messages.list", self.messages),
            ("POST", f"{_ONE}/messages", "messages.create", self.create_message),
            ("GET", "/v1/messages/externalid={external_id}", "messages.by_external_id", self.message_by_external_id),
            ("GET", "/v1/messages/{id}", "messages.get", self.message),
            ("GET", f"{_ONE}/notes", "notes.list", self.notes),
            ("POST", f"{_ONE}/notes", "notes.create", self.create_note),
            ("POST", f"{_ONE}/tags", "tags.append", self.append_tags),
            ("DELETE", f"{_ONE}/tags", "tags.remove", self.remove_tags),
            ("GET", "/v1/tags", "tags.list", self.tags),
            ("GET", "/v1/tags/{id}", "tags.get", self.tag),
        )

    # ------------------------------------------------------------------------------------------ customers
    async def customer(self, ask: Ask) -> web.Response:
        """One of them."""
        return data(self._answers.customer(self._office.customer(ask.path["id"])))

    async def customer_by_email(self, ask: Ask) -> web.Response:
        """Whose address it is."""
        return self._found(self._account.customer_by_email(ask.path["email"]))

    async def customer_by_external_id(self, ask: Ask) -> web.Response:
        """Whose external id it is."""
        wanted = ask.path["external_id"]
        return self._found(next((one for one in self._account.customers.values() if one.external_id == wanted), None))

    def _found(self, customer: Customer | None) -> web.Response:
        if customer is None:
            raise VendorRefusal(404, NOT_FOUND, note="there is no such customer")
        return data(self._answers.customer(customer))

    async def create_customer(self, ask: Ask) -> web.Response:
        """Somebody new."""
        given = bodies.read(ask.body, bodies.CustomerFields, strict=self._strict)
        now = self._clock.now()
        made = Customer(id=object_id(now), created_at=now, updated_at=now)
        self._fill(made, given)
        self._account.customers[made.id] = made
        self._office.tell_customer(made, None)
        return data(self._answers.customer(made), 201)

    async def change_customer(self, ask: Ask) -> web.Response:
        """Somebody known."""
        given = bodies.read(ask.body, bodies.CustomerFields, strict=self._strict)
        customer = self._office.customer(ask.path["id"])
        before = self._answers.customer(customer)
        self._fill(customer, given)
        customer.rev, customer.updated_at = customer.rev + 1, self._clock.now()
        self._office.tell_customer(customer, before)
        return data(self._answers.customer(customer))

    def _fill(self, customer: Customer, given: bodies.CustomerFields) -> None:
        self._check_free(customer, given)
        values: dict[str, Any] = {
            "name": given.name,
            "external_id": given.external_id,
            "avatar_url": given.avatar_url,
            "locale": given.locale,
            "lang": given.default_lang,
        }
        if given.emails is not msgspec.UNSET:
            values["emails"] = tuple(Address(one.email, one.type, one.verified) for one in given.emails)
        if given.phones is not msgspec.UNSET:
            values["phones"] = tuple(Address(one.phone, one.type, one.verified) for one in given.phones)
        if given.tags is not msgspec.UNSET:
            values["tags"] = tuple(self._account.tag(one, self._clock.now()).id for one in given.tags)
        if given.custom is not msgspec.UNSET:
            values["custom"] = {**customer.custom, **given.custom}
        _set(customer, values)

    def _check_free(self, customer: Customer, given: bodies.CustomerFields) -> None:
        for email in given.emails or []:
            if (owner := self._account.customer_by_email(email.email)) and owner is not customer:
                raise VendorRefusal(409, CONFLICT, note=f"{email.email} belongs to {owner.id}")
        for one in self._account.customers.values():
            if given.external_id and one.external_id == given.external_id and one is not customer:
                raise VendorRefusal(409, CONFLICT, note=f"the external id {given.external_id} belongs to {one.id}")

    async def of_customer(self, ask: Ask) -> web.Response:
        """Somebody's conversations, newest first."""
        customer = self._office.customer(ask.path["id"])
        found = reversed(self._account.of_customer(customer.id))
        return page(ask, [self._answers.conversation(one) for one in found])

    # -------------------------------------------------------------------------------------- conversations
    def _conversation(self, ask: Ask) -> Conversation:
        return self._office.conversation(ask.path["id"])

    async def get(self, ask: Ask) -> web.Response:
        """One conversation."""
        return data(self._answers.conversation(self._conversation(ask)))

    async def by_external_id(self, ask: Ask) -> web.Response:
        """The one with an external id."""
        wanted = ask.path["external_id"]
        for one in self._account.conversations.values():
            if one.external_id == wanted:
                return data(self._answers.conversation(one))
        raise VendorRefusal(404, NOT_FOUND, note=f"there is no conversation with the external id {wanted}")

    async def create(self, ask: Ask) -> web.Response:
        """A conversation that is no chat."""
        given = bodies.read(ask.body, bodies.NewConversation, strict=self._strict)
        self._office.customer(given.customer)
        self._check_external_id(given, None)
        self._budget.spend_on("conversations", given.customer)
        made = self._office.open_conversation(given.customer, lambda one: self._apply(one, given))
        self._into_queue(made, given)
        return data(self._answers.conversation(made), 201)

    async def change(self, ask: Ask) -> web.Response:
        """Status, users, queue, and the like."""
        given = bodies.read(ask.body, bodies.ConversationFields, strict=self._strict)
        conversation = self._conversation(ask)
        self._check_external_id(given, conversation)
        if given.rev is not msgspec.UNSET and given.rev != conversation.rev:
            raise VendorRefusal(409, CONFLICT, note=f"the revision is {conversation.rev}, not {given.rev}")
        if isinstance(given.queue, bodies.QueueRef) and given.queue.id:
            self._office.queue(given.queue.id)
        with self._office.changed(conversation):
            self._apply(conversation, given)
            self._into_queue(conversation, given)
        self._office.follow(conversation)
        return data(self._answers.conversation(conversation))

    def _check_external_id(self, given: bodies.ConversationFields, conversation: Conversation | None) -> None:
        for one in self._account.conversations.values():
            if given.external_id and one.external_id == given.external_id and one is not conversation:
                raise VendorRefusal(409, CONFLICT, note=f"the external id {given.external_id} belongs to {one.id}")

    def _apply(self, conversation: Conversation, given: bodies.ConversationFields) -> None:
        values: dict[str, Any] = {
            "external_id": given.external_id,
            "name": given.name,
            "direction": given.direction,
            "priority": given.priority,
            "satisfaction": given.satisfaction,
            "status": given.status,
            "ended": given.ended,
            "ended_reason": given.ended_reason,
            "ended_by": given.ended_by,
            "ended_by_type": given.ended_by_type,
            "lang": given.default_lang,
        }
        if given.tags is not msgspec.UNSET:
            values["tags"] = tuple(self._account.tag(one, self._clock.now()).id for one in given.tags)
        if given.assigned_users is not msgspec.UNSET:
            values["assigned_users"] = tuple(self._office.user(one).id for one in given.assigned_users)
        if given.assigned_teams is not msgspec.UNSET:
            values["assigned_teams"] = tuple(given.assigned_teams)
        if given.custom is not msgspec.UNSET:
            values["custom"] = {**conversation.custom, **given.custom}
        if given.ended is True:
            values["ended_at"] = self._clock.now()
        if given.ended_at is not msgspec.UNSET:
            values["ended_at"] = bodies.millis(given.ended_at)
        _set(conversation, values)

    def _into_queue(self, conversation: Conversation, given: bodies.ConversationFields) -> None:
        if not isinstance(given.queue, bodies.QueueRef):
            return
        if given.queue.id is None:
            conversation.queue_id = None
        else:
            self._office.put_into_queue(conversation, self._office.queue(given.queue.id), transfer=False)

    # ------------------------------------------------------------------------------- messages and notes
    async def messages(self, ask: Ask) -> web.Response:
        """Its messages, oldest first, with their files."""
        conversation = self._conversation(ask)
        shown = sorted(conversation.shown, key=lambda one: one.sent_at)
        files = [self._account.attachments[each] for one in shown for each in one.attachments]
        rows = [self._answers.message(one, conversation) for one in shown]
        return page(ask, rows, included=[self._answers.attachment(one) for one in files])

    async def create_message(self, ask: Ask) -> web.Response:
        """A message that is recorded."""
        given = bodies.read(ask.body, bodies.NewMessage, strict=self._strict)
        conversation = self._conversation(ask)
        if given.imported_at is None:
            self._budget.spend_on("messages", conversation.customer_id)
        return data(self._answers.message(self._office.record(conversation, given), conversation), 201)

    async def message(self, ask: Ask) -> web.Response:
        """One message."""
        found = self._account.message(ask.path["id"])
        if found is None:
            raise VendorRefusal(404, NOT_FOUND, note="there is no such message")
        return data(self._answers.message(found[1], found[0]))

    async def message_by_external_id(self, ask: Ask) -> web.Response:
        """One message by its external id."""
        found = self._office.recorded(ask.path["external_id"])
        if found is None:
            raise VendorRefusal(404, NOT_FOUND, note="there is no such message")
        return data(self._answers.message(found[1], found[0]))

    async def notes(self, ask: Ask) -> web.Response:
        """What members told each other."""
        conversation = self._conversation(ask)
        return page(ask, [self._answers.note(one, conversation) for one in conversation.notes])

    async def create_note(self, ask: Ask) -> web.Response:
        """A note."""
        given = bodies.read(ask.body, bodies.NewNote, strict=self._strict)
        conversation = self._conversation(ask)
        if given.external_id and any(one.external_id == given.external_id for one in conversation.notes):
            raise VendorRefusal(409, CONFLICT, note=f"there is a note {given.external_id} already")
        self._budget.spend_on("notes", conversation.customer_id)
        return data(self._answers.note(self._office.add_note(conversation, given), conversation), 201)

    # ----------------------------------------------------------------------------------------------- tags
    async def append_tags(self, ask: Ask) -> web.Response:
        """Labels on."""
        conversation = self._conversation(ask)
        self._office.tag(conversation, bodies.read(ask.body, list[str], strict=False))
        return data(self._answers.conversation(conversation))

    async def remove_tags(self, ask: Ask) -> web.Response:
        """Labels off."""
        conversation = self._conversation(ask)
        gone = {self._account.tag(one, self._clock.now()).id for one in bodies.read(ask.body, list[str], strict=False)}
        with self._office.changed(conversation):
            conversation.tags = tuple(one for one in conversation.tags if one not in gone)
        return data(self._answers.conversation(conversation))

    async def tags(self, ask: Ask) -> web.Response:
        """All labels."""
        return page(ask, [self._answers.tag(one) for one in self._account.tags.values()])

    async def tag(self, ask: Ask) -> web.Response:
        """One label."""
        found = self._account.tags.get(ask.path["id"])
        if found is None:
            raise VendorRefusal(404, NOT_FOUND, note="there is no such tag")
        return data(self._answers.tag(found))


def _set(target: Customer | Conversation, values: dict[str, Any]) -> None:
    for name, value in values.items():
        if value is not msgspec.UNSET:
            setattr(target, name, value)
