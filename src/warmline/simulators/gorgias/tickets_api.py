"""The operations on tickets, their messages and tags."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from aiohttp import web

from warmline.simulators.base import Ask, VendorRefusal
from warmline.simulators.gorgias import bodies
from warmline.simulators.gorgias.answers import Answers, ordered, page, reply
from warmline.simulators.gorgias.office import NOT_FOUND, Office
from warmline.simulators.gorgias.state import Message, Ticket

Rows = Sequence[tuple[str, str, str, Callable[[Ask], Coroutine[Any, Any, web.StreamResponse]]]]
"""Method, path below ``/api``, operation, handler."""
_ONE = "/tickets/{ticket_id}"
_FILTERS = frozenset({"customer_id", "external_id", "trashed"})
_ACTIONS = frozenset({"force", "retry", "cancel"})


def number(text: str) -> int:
    """A number out of a path.  Raises VendorRefusal 404."""
    if not text.isdecimal():
        raise VendorRefusal(404, NOT_FOUND, note=f"{text!r} is no number")
    return int(text)


class TicketsApi:
    """Everything about one ticket."""

    def __init__(self, office: Office, answers: Answers) -> None:
        self._office = office
        self._answers = answers

    def routes(self) -> Rows:
        """Method, path, operation, handler."""
        return (
            ("GET", "/tickets", "tickets.list", self.all),
            ("POST", "/tickets", "tickets.create", self.create),
            ("GET", _ONE, "tickets.get", self.get),
            ("PUT", _ONE, "tickets.change", self.change),
            ("GET", f"{_ONE}/messages", "messages.list", self.messages),
            ("POST", f"{_ONE}/messages", "messages.create", self.add_message),
            ("GET", f"{_ONE}/messages/{{message_id}}", "messages.get", self.message),
            ("GET", "/messages", "messages.all", self.all_messages),
            ("GET", f"{_ONE}/tags", "tags.of_ticket", self.tags),
            ("POST", f"{_ONE}/tags", "tags.add", self.add_tags),
            ("PUT", f"{_ONE}/tags", "tags.set", self.set_tags),
            ("DELETE", f"{_ONE}/tags", "tags.remove", self.remove_tags),
        )

    def _ticket(self, ask: Ask) -> Ticket:
        return self._office.ticket(number(ask.path["ticket_id"]))

    async def all(self, ask: Ask) -> web.Response:
        """All of them, of one customer, or with one external id; without those in the trash if asked so."""
        rows = ordered(ask, self._office.account.tickets.values(), _FILTERS, by={"created", "updated"})
        if customer := ask.query.get("customer_id"):
            rows = [one for one in rows if str(one.customer_id) == customer]
        if external := ask.query.get("external_id"):
            rows = [one for one in rows if one.external_id == external]
        if ask.query.get("trashed", "true").lower() == "false":
            rows = [one for one in rows if one.trashed_at is None]
        return page(ask, [self._answers.ticket(one, messages=False) for one in rows])

    async def create(self, ask: Ask) -> web.Response:
        """A ticket with up to 500 messages."""
        made = self._office.open(bodies.read(ask.body, bodies.NewTicket))
        return reply(self._answers.ticket(made, messages=self._office.assumptions.messages_shown), 201)

    async def get(self, ask: Ask) -> web.Response:
        """One ticket."""
        return reply(self._answers.ticket(self._ticket(ask), messages=self._office.assumptions.messages_shown))

    async def change(self, ask: Ask) -> web.Response:
        """Status, assignees and the rest."""
        ticket, given = self._ticket(ask), bodies.read(ask.body, bodies.ChangedTicket)
        self._office.change(ticket, given)
        return reply(self._answers.ticket(ticket, messages=self._office.assumptions.messages_shown), 202)

    async def messages(self, ask: Ask) -> web.Response:
        """A ticket's messages, oldest first (the vendor calls this deprecated)."""
        return page(ask, [self._answers.message(one) for one in self._ticket(ask).messages])

    async def all_messages(self, ask: Ask) -> web.Response:
        """All messages, or those of one ticket."""
        wanted = ask.query.get("ticket_id")
        tickets = [one for one in self._office.account.tickets.values() if wanted in {None, str(one.id)}]
        found = [message for ticket in tickets for message in ticket.messages]
        rows: list[Message] = ordered(ask, found, {"ticket_id"}, by={"created"})
        return page(ask, [self._answers.message(one) for one in rows])

    async def message(self, ask: Ask) -> web.Response:
        """One message."""
        wanted = number(ask.path["message_id"])
        for one in self._ticket(ask).messages:
            if one.id == wanted:
                return reply(self._answers.message(one))
        raise VendorRefusal(404, NOT_FOUND, note="there is no such message")

    async def add_message(self, ask: Ask) -> web.Response:
        """One more; ``action`` is about actions of macros, which are not here."""
        if ask.query.get("action", "force") not in _ACTIONS:
            raise VendorRefusal(400, bodies.INVALID, note="action is force, retry or cancel")
        made = self._office.add_message(self._ticket(ask), bodies.read(ask.body, bodies.NewMessage))
        return reply(self._answers.message(made), 201)

    # ------------------------------------------------------------------------------------------------ tags
    def _names(self, ask: Ask) -> list[str]:
        given = bodies.read(ask.body, bodies.Tags)
        numbers = [self._office.tag_name(bodies.TagName(id=one)) for one in given.ids]
        return [*numbers, *(self._office.tag_name(bodies.TagName(name=one)) for one in given.names)]

    def _tags(self, ticket: Ticket) -> list[dict[str, Any]]:
        return [{"id": self._office.account.tag_id(name), "name": name, "decoration": None} for name in ticket.tags]

    async def tags(self, ask: Ask) -> web.Response:
        """A ticket's labels."""
        return reply(self._tags(self._ticket(ask)))

    async def add_tags(self, ask: Ask) -> web.Response:
        """More labels."""
        ticket = self._ticket(ask)
        self._office.set_tags(ticket, [*ticket.tags, *self._names(ask)])
        return web.Response(status=201)

    async def set_tags(self, ask: Ask) -> web.Response:
        """Other labels."""
        ticket = self._ticket(ask)
        self._office.set_tags(ticket, self._names(ask))
        return reply(self._tags(ticket))

    async def remove_tags(self, ask: Ask) -> web.Response:
        """Fewer labels."""
        ticket, gone = self._ticket(ask), set(self._names(ask))
        self._office.set_tags(ticket, [name for name in ticket.tags if name not in gone])
        return web.Response(status=204)
