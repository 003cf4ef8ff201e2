"""Outbound webhooks (v1).

Documented: at most five that people made, up to twelve events, addresses of up to 255 characters and https, a token that can
be read later, delivery attempts that can be listed, and that one which keeps failing is disabled.  Assumed: 422 for the sixth,
PUT and PATCH both, the path and form of the attempts, and what it takes to be disabled.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import msgspec
from aiohttp import web

from warmline.kernel.clock import Clock, to_rfc3339
from warmline.simulators.base import Ask, VendorRefusal
from warmline.simulators.deliveries import Deliveries, Delivery
from warmline.simulators.kustomer import bodies, events
from warmline.simulators.kustomer.assumptions import Assumptions
from warmline.simulators.kustomer.directory import NOT_FOUND
from warmline.simulators.kustomer.replies import Rows, data, nothing, page
from warmline.simulators.kustomer.state import object_id

MOST = 5
_ONE = "/v1/outbound-webhooks/{id}"


class WebhooksApi:
    """Subscriptions, and what became of deliveries."""

    def __init__(self, clock: Clock, deliveries: Deliveries, assumptions: Assumptions) -> None:
        self.webhooks: dict[str, events.Webhook] = {}
        self._clock = clock
        self._deliveries = deliveries
        self._assumptions = assumptions

    def routes(self) -> Rows:
        """Method, path, operation, handler."""
        return (
            ("GET", "/v1/outbound-webhooks", "webhooks.list", self.list_all),
            ("POST", "/v1/outbound-webhooks", "webhooks.create", self.create),
            ("GET", "/v1/outbound-webhooks/events", "webhooks.events", self.event_names),
            ("GET", _ONE, "webhooks.get", self.get),
            ("PUT", _ONE, "webhooks.change", self.change),
            ("PATCH", _ONE, "webhooks.change", self.change),
            ("DELETE", _ONE, "webhooks.delete", self.delete),
            ("GET", f"{_ONE}/transactions", "webhooks.transactions", self.transactions),
        )

    def make(self, name: str, url: str, names: Sequence[str], *, token: str = "") -> events.Webhook:
        """A webhook, unchecked; the token is made up unless given."""
        now = self._clock.now()
        made = events.Webhook(
            id=object_id(now),
            name=name,
            url=url,
            events=tuple(names),
            headers=(),
            token=token or secrets.token_hex(32),
            enabled=True,
            created_at=now,
            updated_at=now,
            counted_from=len(self._deliveries.log),
        )
        self.webhooks[made.id] = made
        return made

    def listening(self, name: str) -> list[events.Webhook]:
        """Those that want an event, after those that kept failing were disabled."""
        for one in self.webhooks.values():
            self._look_after(one)
        return [one for one in self.webhooks.values() if one.enabled and (name in one.events or events.unknown([name]))]

    def _deliveries_of(self, one: events.Webhook) -> list[Delivery]:
        return [each for each in self._deliveries.log[one.counted_from :] if each.url == one.url]

    def _look_after(self, one: events.Webhook) -> None:
        most = self._assumptions.disable_after_failures
        if not one.enabled or most is None:
            return
        settled = [each.state for each in self._deliveries_of(one) if each.state in {"delivered", "failed"}]
        if len(settled) >= most and set(settled[-most:]) == {"failed"}:
            one.enabled, one.disabled_by_failures = False, True
            one.updated_at = self._clock.now()

    # --------------------------------------------------------------------------------------- operations
    def _webhook(self, ask: Ask) -> events.Webhook:
        found = self.webhooks.get(ask.path["id"])
        if found is None:
            raise VendorRefusal(404, NOT_FOUND, note="there is no such webhook")
        self._look_after(found)
        return found

    async def list_all(self, ask: Ask) -> web.Response:
        """All of them."""
        for one in self.webhooks.values():
            self._look_after(one)
        return page(ask, [events.resource(one) for one in self.webhooks.values()])

    async def get(self, ask: Ask) -> web.Response:
        """One, with its token."""
        return data(events.resource(self._webhook(ask)))

    async def event_names(self, ask: Ask) -> web.Response:
        """What can be subscribed to."""
        return page(ask, [{"type": "outbound_webhook_event", "id": name} for name in events.EVENTS])

    async def create(self, ask: Ask) -> web.Response:
        """A new one."""
        given = bodies.read(ask.body, bodies.WebhookFields, strict=self._assumptions.refuse_unknown_fields)
        name, url = bodies.required(given.name, "name"), bodies.required(given.url, "url")
        names = bodies.required(given.events, "events")
        self._check(url, names)
        if len(self.webhooks) >= MOST:
            raise VendorRefusal(422, f"An organization can have {MOST} outbound webhooks.")
        made = self.make(name, url, names)
        self._fill(made, given)
        return data(events.resource(made), 201)

    async def change(self, ask: Ask) -> web.Response:
        """Another address, other events, on or off."""
        given = bodies.read(ask.body, bodies.WebhookFields, strict=self._assumptions.refuse_unknown_fields)
        one = self._webhook(ask)
        self._check(given.url or one.url, given.events or [])
        self._fill(one, given)
        one.updated_at = self._clock.now()
        return data(events.resource(one))

    def _fill(self, one: events.Webhook, given: bodies.WebhookFields) -> None:
        one.name, one.url = given.name or one.name, given.url or one.url
        if given.events is not msgspec.UNSET:
            one.events = tuple(given.events)
        if given.headers is not msgspec.UNSET:
            one.headers = tuple((each.name, each.value) for each in given.headers)
        if given.enabled is not msgspec.UNSET:
            if given.enabled and not one.enabled:
                one.counted_from, one.disabled_by_failures = len(self._deliveries.log), False
            one.enabled = given.enabled

    async def delete(self, ask: Ask) -> web.Response:
        """No more events."""
        del self.webhooks[self._webhook(ask).id]
        return nothing()

    async def transactions(self, ask: Ask) -> web.Response:
        """Delivery attempts, newest first."""
        one = self._webhook(ask)
        tried = [(delivery, attempt) for delivery in self._deliveries_of(one) for attempt in delivery.attempts]
        rows = [
            {
                "type": "outbound_webhook_transaction",
                "id": f"{delivery.event_id}-{number}",
                "attributes": {
                    "event": delivery.name,
                    "eventId": delivery.event_id,
                    "status": attempt.status,
                    "success": attempt.good,
                    "createdAt": to_rfc3339(attempt.at),
                },
            }
            for number, (delivery, attempt) in enumerate(tried)
        ]
        return page(ask, rows[::-1])

    def _check(self, url: str, names: Sequence[str]) -> None:
        if wrong := events.unknown(names):
            raise VendorRefusal(400, bodies.INVALID, note=f"no such event: {', '.join(wrong)}")
        schemes = ("https://", "http://") if self._assumptions.allow_http_webhooks else ("https://",)
        if not url.startswith(schemes):
            raise VendorRefusal(400, bodies.INVALID, note="$.url begins with https://")
