"""The operations on people, queues, tags and webhooks.  Methods, paths and statuses as in the OpenAPI document.

``/queues/{queueId}/conversations/{conversationId}/position`` is not in that document; Dixa's own published client calls it.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

import msgspec
from aiohttp import web

from warmline.kernel.clock import Clock, to_rfc3339
from warmline.kernel.ids import uuid7
from warmline.simulators.base import Ask, VendorRefusal
from warmline.simulators.deliveries import Deliveries
from warmline.simulators.dixa import answers, bodies, events
from warmline.simulators.dixa.conversations_api import data, identifier, nothing, number
from warmline.simulators.dixa.office import NOT_FOUND, Office
from warmline.simulators.dixa.state import EndUser, Queue, Tag

_PAGE = 50
_SECRET_BYTES = 32


class AccountApi:
    """Everything that is not about one conversation."""

    def __init__(self, office: Office, clock: Clock, deliveries: Deliveries) -> None:
        self.subscriptions: dict[str, events.Subscription] = {}
        self._office = office
        self._account = office.account
        self._clock = clock
        self._deliveries = deliveries
        self._strict = office.assumptions.refuse_unknown_fields

    def routes(self) -> Sequence[tuple[str, str, str, Callable[[Ask], Coroutine[Any, Any, web.StreamResponse]]]]:
        """Method, path below the version, operation, handler."""
        return (
            ("GET", "/organization", "organization.get", self.organization),
            ("GET", "/endusers", "endusers.list", self.end_users),
            ("POST", "/endusers", "endusers.create", self.create_end_user),
            ("GET", "/endusers/{user_id}", "endusers.get", self.end_user),
            ("GET", "/endusers/{user_id}/conversations", "endusers.conversations", self.conversations_of),
            ("GET", "/agents", "agents.list", self.agents),
            ("GET", "/agents/presence", "agents.presence", self.presence),
            ("GET", "/agents/{agent_id}", "agents.get", self.agent),
            ("GET", "/queues", "queues.list", self.queues),
            ("GET", "/queues/conversation-position/{conversation_id}", "queues.position", self.position),
            ("GET", "/queues/{queue_id}", "queues.get", self.queue),
            ("GET", "/queues/{queue_id}/availability", "queues.availability", self.availability),
            ("GET", "/queues/{queue_id}/conversations/{conversation_id}/position", "queues.position", self.position),
            ("GET", "/tags", "tags.list", self.tags),
            ("POST", "/tags", "tags.create", self.create_tag),
            ("GET", "/custom-attributes", "attributes.list", self.attributes),
            ("GET", "/webhooks", "webhooks.list", self.webhooks),
            ("POST", "/webhooks", "webhooks.create", self.create_webhook),
            ("GET", "/webhooks/{webhook_id}", "webhooks.get", self.webhook),
            ("PATCH", "/webhooks/{webhook_id}", "webhooks.change", self.change_webhook),
            ("DELETE", "/webhooks/{webhook_id}", "webhooks.delete", self.delete_webhook),
            ("GET", "/webhooks/{webhook_id}/delivery-status", "webhooks.status", self.delivery_status),
        )

    async def organization(self, _ask: Ask) -> web.Response:
        """The account."""
        one = self._account.organization
        return data({"id": one.id, "name": one.name, "subdomain": one.subdomain, "status": "Active"})

    # --------------------------------------------------------------------------------------------- people
    async def end_users(self, ask: Ask) -> web.Response:
        """Those who ask; by e-mail, phone or external id."""
        wanted = {name: ask.query[name] for name in ("email", "phone", "externalId") if name in ask.query}
        if "email" in wanted and "phone" in wanted:
            raise VendorRefusal(400, bodies.INVALID_VALUE, note="email and phone exclude each other")
        found = [answers.end_user(one) for one in self._account.end_users.values() if _fits(one, wanted)]
        return self._page(ask, found)

    async def end_user(self, ask: Ask) -> web.Response:
        """One of them."""
        found = self._account.end_users.get(identifier(ask.path["user_id"]))
        if found is None:
            raise VendorRefusal(404, NOT_FOUND)
        return data(answers.end_user(found))

    async def conversations_of(self, ask: Ask) -> web.Response:
        """What one of them asked for."""
        found = self._account.end_users.get(identifier(ask.path["user_id"]))
        if found is None:
            raise VendorRefusal(404, NOT_FOUND)
        theirs = [one for one in self._account.conversations.values() if one.requester_id == found.id]
        return self._page(ask, [answers.conversation(one, self._account) for one in theirs])

    async def create_end_user(self, ask: Ask) -> web.Response:
        """Somebody new.  That an e-mail may be used once is assumed."""
        given = bodies.read(ask.body, bodies.NewEndUser, strict=self._strict)
        if given.email and self._is_taken(given.email):
            raise VendorRefusal(400, bodies.INVALID_VALUE, note=f"{given.email} belongs to somebody else")
        made = EndUser(
            id=uuid7(),
            created_at=self._clock.now(),
            name=given.display_name,
            email=given.email,
            phone=given.phone_number,
            first_name=given.first_name,
            last_name=given.last_name,
            middle_names=tuple(given.middle_names),
            additional_emails=tuple(given.additional_emails),
            additional_phones=tuple(given.additional_phone_numbers),
            avatar_url=given.avatar_url,
            external_id=given.external_id,
        )
        self._account.end_users[made.id] = made
        return data(answers.end_user(made), 201)

    def _is_taken(self, email: str) -> bool:
        wanted = email.lower()
        if any((one.email or "").lower() == wanted for one in self._account.end_users.values()):
            return True
        members = (*self._account.agents, self._account.bot)
        refuses = self._office.assumptions.agent_email == "refused"
        return refuses and any(one.email.lower() == wanted for one in members)

    async def agents(self, ask: Ask) -> web.Response:
        """The members; by e-mail or phone."""
        if "email" in ask.query and "phone" in ask.query:
            raise VendorRefusal(400, bodies.INVALID_VALUE, note="email and phone exclude each other")
        members = (*self._account.agents, self._account.bot)
        wanted = ask.query.get("email", "").lower()
        return self._page(ask, [answers.agent(one) for one in members if not wanted or one.email.lower() == wanted])

    async def agent(self, ask: Ask) -> web.Response:
        """One member."""
        return data(answers.agent(self._office.agent(identifier(ask.path["agent_id"]))))

    async def presence(self, _ask: Ask) -> web.Response:
        """Who is there: a bare list, as documented."""
        now = self._clock.now()
        body = msgspec.json.encode([answers.presence(one, now) for one in self._account.agents])
        return web.Response(body=body, content_type="application/json")

    # --------------------------------------------------------------------------------------------- queues
    async def queues(self, _ask: Ask) -> web.Response:
        """All queues."""
        return data([answers.queue(one, self._account.organization.id) for one in self._account.queues])

    def _queue(self, ask: Ask) -> Queue:
        return self._office.queue(identifier(ask.path["queue_id"]))

    async def queue(self, ask: Ask) -> web.Response:
        """One queue."""
        return data(answers.queue(self._queue(ask), self._account.organization.id))

    async def availability(self, ask: Ask) -> web.Response:
        """Whether somebody may be expected.  An unknown queue is 409: the document has no 404 here."""
        queue = self._account.queue(identifier(ask.path["queue_id"]))
        if queue is None:
            raise VendorRefusal(409, "The queue does not exist", note="which sentence Dixa says is not known")
        available = queue.open and any(agent.online for agent in self._account.agents)
        return data([answers.availability(available, len(self._account.waiting_in(queue.id)))])

    async def position(self, ask: Ask) -> web.Response:
        """The place in the queue; 404 when it waits in none."""
        conversation = self._office.conversation(number(ask.path["conversation_id"]))
        queue_id = identifier(ask.path["queue_id"]) if "queue_id" in ask.path else conversation.queue_id
        if not conversation.waiting or conversation.queue_id != queue_id:
            raise VendorRefusal(404, NOT_FOUND, note="the conversation does not wait in that queue")
        place = self._account.waiting_in(str(queue_id)).index(conversation) + 1
        return data({"position": place, "queuedAt": to_rfc3339(conversation.queued_at or 0)})

    async def tags(self, _ask: Ask) -> web.Response:
        """All labels."""
        return data([answers.tag(tag) for tag in self._account.tags.values()])

    async def create_tag(self, ask: Ask) -> web.Response:
        """A new label, or the one of that name."""
        given = bodies.read(ask.body, bodies.NewTag, strict=self._strict)
        tag = self._account.tag_named(given.name) or Tag(id=uuid7(), name=given.name, color=given.color)
        self._account.tags[tag.id] = tag
        return data(answers.tag(tag))

    async def attributes(self, _ask: Ask) -> web.Response:
        """The definitions of custom attributes."""
        return data([answers.attribute(one) for one in self._account.attributes])

    # ------------------------------------------------------------------------------------------- webhooks
    async def webhooks(self, _ask: Ask) -> web.Response:
        """All subscriptions, with their secrets."""
        return data([answers.subscription(one, self._account.agents[0].id) for one in self.subscriptions.values()])

    async def webhook(self, ask: Ask) -> web.Response:
        """One subscription."""
        return data(answers.subscription(self._subscription(ask), self._account.agents[0].id))

    async def create_webhook(self, ask: Ask) -> web.Response:
        """A new subscription."""
        given = bodies.read(ask.body, bodies.NewWebhook, strict=self._strict)
        return data(answers.subscription(self.subscribe(given), self._account.agents[0].id), 201)

    def subscribe(self, given: bodies.NewWebhook, *, secret: str = "") -> events.Subscription:
        """Make a subscription; the secret is made up unless given.  Raises VendorRefusal for an unknown event."""
        self._check(given.events, given.url)
        now = self._clock.now()
        made = events.Subscription(
            id=uuid7(),
            name=given.name,
            url=given.url,
            events=tuple(given.events),
            headers={**given.custom_headers, **events.authorization(given.authorization)},
            secret=secret or secrets.token_hex(_SECRET_BYTES),
            enabled=given.enabled,
            filters=given.filters,
            created_at=now,
            updated_at=now,
        )
        self.subscriptions[made.id] = made
        return made

    async def change_webhook(self, ask: Ask) -> web.Response:
        """Another address, other events, on or off."""
        given = bodies.read(ask.body, bodies.ChangedWebhook, strict=self._strict)
        one = self._subscription(ask)
        self._check(given.events or [], given.url or one.url)
        if given.name:
            one.name = given.name
        if given.url:
            one.url = given.url
        if given.events is not msgspec.UNSET:
            one.events = tuple(given.events)
        if given.enabled is not msgspec.UNSET:
            one.enabled = given.enabled
        if given.filters is not msgspec.UNSET:
            one.filters = given.filters
        headers = {name: value for name, value in one.headers.items() if name != "Authorization"}
        if given.custom_headers is not msgspec.UNSET:
            headers = dict(given.custom_headers)
        if given.authorization is msgspec.UNSET:
            one.headers = {**headers, **{name: one.headers[name] for name in one.headers if name == "Authorization"}}
        else:
            one.headers = {**headers, **events.authorization(given.authorization)}
        one.updated_at = self._clock.now()
        return data(answers.subscription(one, self._account.agents[0].id))

    async def delete_webhook(self, ask: Ask) -> web.Response:
        """No more events."""
        del self.subscriptions[self._subscription(ask).id]
        return nothing()

    async def delivery_status(self, ask: Ask) -> web.Response:
        """How the last delivery of each event type went."""
        one = self._subscription(ask)
        return data([{"event": name, "deliveryStatus": self._last(one, name)} for name in one.events])

    def _last(self, one: events.Subscription, name: str) -> dict[str, Any]:
        tried = [each for each in self._deliveries.log if each.url == one.url and each.name == name and each.attempts]
        if not tried:
            return {"_type": "NoRecentDelivery"}
        attempt = tried[-1].attempts[-1]
        return {
            "_type": "DeliveryDetail",
            "deliveryTimestamp": to_rfc3339(attempt.at),
            "success": attempt.good,
            "responseCode": attempt.status,
            "responseText": attempt.answer,
        }

    def _subscription(self, ask: Ask) -> events.Subscription:
        found = self.subscriptions.get(identifier(ask.path["webhook_id"]))
        if found is None:
            raise VendorRefusal(404, NOT_FOUND)
        return found

    def _check(self, names: Sequence[str], url: str) -> None:
        if unknown := sorted(set(names) - events.EVENT_TYPES):
            raise VendorRefusal(400, bodies.DECODING_FAILURE, note=f"no such event: {', '.join(unknown)}")
        if not url.startswith(("http://", "https://")):
            raise VendorRefusal(400, bodies.INVALID_VALUE, note="$.url is no web address")

    # ---------------------------------------------------------------------------------------------- pages
    def _page(self, ask: Ask, rows: list[dict[str, Any]]) -> web.Response:
        """A page of ``rows``; ``meta.next`` leads to the next one."""
        limit = number(ask.query.get("pageLimit", str(_PAGE)))
        try:
            start = int(base64.b64decode(ask.query.get("pageKey", "") or "MA==", validate=True))
        except ValueError as error:
            raise VendorRefusal(400, bodies.INVALID_VALUE, note="$.pageKey was not made here") from error
        if limit < 1 or start < 0:
            raise VendorRefusal(400, bodies.INVALID_VALUE, note="pageLimit must be positive")
        answer: dict[str, Any] = {"data": rows[start : start + limit], "meta": {}}
        if start + limit < len(rows):
            key = base64.b64encode(str(start + limit).encode()).decode()
            answer["meta"] = {"next": f"{ask.call.path}?pageLimit={limit}&pageKey={key}"}
        return web.Response(body=msgspec.json.encode(answer), content_type="application/json")


def _fits(one: EndUser, wanted: Mapping[str, str]) -> bool:
    known = {"email": one.email, "phone": one.phone, "externalId": one.external_id}
    return all((known[name] or "").lower() == value.lower() for name, value in wanted.items())
