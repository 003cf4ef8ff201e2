"""How Gorgias shows what it holds.  Fields as in the examples of its reference; ``context`` is what templates may name."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec
from aiohttp import web

from warmline.kernel.clock import to_rfc3339
from warmline.simulators.base import Ask, VendorRefusal
from warmline.simulators.gorgias.bodies import INVALID
from warmline.simulators.gorgias.state import Account, Customer, File, Message, Team, Ticket, User

_USUAL, _MOST = 30, 100
T = TypeVar("T")


def moment(at: int | None) -> str | None:
    """``2026-11-21T08:00:00.123000+00:00``."""
    return None if at is None else to_rfc3339(at).replace("Z", "000+00:00")


def reply(value: object, status: int = 200) -> web.Response:
    """A good answer with a body."""
    return web.Response(status=status, body=msgspec.json.encode(value), content_type="application/json")


def page(ask: Ask, rows: Sequence[Mapping[str, Any]]) -> web.Response:
    """``{data, object, uri, meta}``; a cursor is the place of the first row.  Raises VendorRefusal 400."""
    given, size = ask.query.get("cursor", "0"), ask.query.get("limit", str(_USUAL))
    if not given.isdecimal() or not size.isdecimal() or not 1 <= int(size) <= _MOST:
        raise VendorRefusal(400, INVALID, note=f"limit is a number up to {_MOST}, cursor one that was answered before")
    start, limit = int(given), int(size)
    return reply(
        {
            "data": rows[start : start + limit],
            "object": "list",
            "uri": f"{ask.call.path}?{urlencode(ask.query)}" if ask.query else ask.call.path,
            "meta": {
                "prev_cursor": str(max(start - limit, 0)) if start else None,
                "next_cursor": str(start + limit) if start + limit < len(rows) else None,
                "total_resources": None,
            },
        }
    )


def ordered(ask: Ask, rows: Iterable[T], filters: Collection[str], *, by: Collection[str]) -> list[T]:
    """``rows`` as ``order_by`` says (the newest first unless told otherwise).  Raises VendorRefusal 400.

    Also for a parameter that is none of ``filters``, and for an attribute that is none of ``by`` (``created``, ``updated``).
    """
    if unknown := sorted(ask.query.keys() - {*filters, "order_by", "cursor", "limit"}):
        raise VendorRefusal(400, INVALID, note=f"there is no parameter {unknown[0]}")
    attribute, _, direction = ask.query.get("order_by", "created_datetime:desc").partition(":")
    name = attribute.removesuffix("_datetime")
    if name not in by or direction not in {"asc", "desc"}:
        raise VendorRefusal(400, INVALID, note="order_by is like created_datetime:desc")
    key = attrgetter(f"{name}_at", "id")
    return sorted(rows, key=key, reverse=direction == "desc")


def user(one: User) -> dict[str, Any]:
    """A member, with the name in two parts as well."""
    first, _, last = one.name.partition(" ")
    return {
        "id": one.id,
        "name": one.name,
        "firstname": first,
        "lastname": last,
        "email": one.email,
        "role": {"name": one.role},
        "active": True,
        "bio": one.bio,
        "meta": {},
        "uri": f"/api/users/{one.id}/",
    }


def team(one: Team) -> dict[str, Any]:
    """A team."""
    return {"id": one.id, "name": one.name, "decoration": {}, "uri": f"/api/teams/{one.id}/"}


def customer(one: Customer) -> dict[str, Any]:
    """Somebody who asks."""
    first, _, last = (one.name or "").partition(" ")
    return {
        "id": one.id,
        "created_datetime": moment(one.created_at),
        "updated_datetime": moment(one.updated_at),
        "email": one.email,
        "name": one.name,
        "firstname": first,
        "lastname": last,
        "external_id": one.external_id,
        "language": one.language,
        "timezone": one.timezone,
        "note": one.note,
        "channels": [msgspec.to_builtins(each) for each in one.channels],
        "integrations": {},
        "uri": f"/api/customers/{one.id}/",
    }


def file(one: File) -> dict[str, Any]:
    """An attachment."""
    return {"url": one.url, "name": one.name, "size": one.size, "content_type": one.content_type}


class Answers:
    """What needs more than the thing itself."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def _short(self, found: User | Customer | None) -> dict[str, Any] | None:
        if found is None:
            return None
        first, _, last = (found.name or "").partition(" ")
        shown = {"id": found.id, "email": found.email, "name": found.name}
        return {**shown, "firstname": first, "lastname": last, "meta": None}

    def message(self, one: Message) -> dict[str, Any]:
        """A message."""
        account = self._account
        people = (account.user, account.customers.get) if one.from_agent else (account.customers.get, account.user)
        receiver = people[1](one.receiver_id) if one.receiver_id is not None else None
        return {
            "id": one.id,
            "uri": f"/api/tickets/{one.ticket_id}/messages/{one.id}/",
            "message_id": None,
            "ticket_id": one.ticket_id,
            "external_id": one.external_id,
            "public": one.public,
            "channel": one.channel,
            "via": one.via,
            "source": one.source,
            "sender": self._short(people[0](one.sender_id)),
            "integration_id": one.integration_id,
            "rule_id": one.rule_id,
            "from_agent": one.from_agent,
            "receiver": self._short(receiver),
            "subject": one.subject,
            "body_text": one.body_text,
            "body_html": one.body_html,
            "stripped_text": one.stripped_text,
            "stripped_html": one.stripped_html,
            "meta": one.meta,
            "created_datetime": moment(one.created_at),
            "sent_datetime": moment(one.sent_at),
            "failed_datetime": moment(one.failed_at),
            "last_sending_error": {"error": one.error} if one.error else None,
            "attachments": [file(each) for each in one.attachments],
            "actions": None,
            "macros": None,
        }

    def ticket(self, one: Ticket, *, messages: bool) -> dict[str, Any]:
        """A ticket; in a list without its messages."""
        account = self._account
        assignee, group = account.user(one.assignee_user_id), account.team(one.assignee_team_id)
        received = [each.created_at for each in one.messages if not each.from_agent]
        return {
            "id": one.id,
            "uri": f"/api/tickets/{one.id}/",
            "external_id": one.external_id,
            "status": one.status,
            "priority": one.priority,
            "channel": one.channel,
            "via": one.via,
            "from_agent": one.from_agent,
            "spam": one.spam,
            "is_unread": True,
            "customer": self._short(account.customers.get(one.customer_id)),
            "assignee_user": self._short(assignee),
            "assignee_team": {"id": group.id, "name": group.name} if group else None,
            "subject": one.subject,
            "language": one.language,
            "meta": one.meta,
            "custom_fields": one.custom_fields,
            "tags": [{"id": account.tag_id(name), "name": name, "decoration": None} for name in one.tags],
            "messages_count": len(one.messages),
            "satisfaction_survey": None,
            "created_datetime": moment(one.created_at),
            "opened_datetime": moment(one.opened_at),
            "updated_datetime": moment(one.updated_at),
            "closed_datetime": moment(one.closed_at),
            "trashed_datetime": moment(one.trashed_at),
            "snooze_datetime": moment(one.snoozed_until),
            "last_message_datetime": moment(max((each.created_at for each in one.messages), default=None)),
            "last_received_message_datetime": moment(max(received, default=None)),
            **({"messages": [self.message(each) for each in one.messages]} if messages else {}),
        }

    def context(self, one: Ticket, message: Message | None) -> dict[str, Any]:
        """What a template may name: ``ticket`` as the TicketHttpIntegration object, and ``message``.

        Documented: the flat fields of ``ticket``, and that ``ticket.customer.email`` works in a template.  Reported: ``message``.
        """
        shown = self.ticket(one, messages=False)
        flat = {
            "customer_id": one.customer_id,
            "assignee_user_id": one.assignee_user_id,
            "assignee_team_id": one.assignee_team_id,
        }
        return {"ticket": {**shown, **flat}, "message": None if message is None else self.message(message)}
