"""HTTP integrations: webhooks of which the account designs the address, the headers and the body.

Documented: the fields, the triggers, and expressions like ``{{ticket.id}}`` in the address and the body.  Reported: that
expressions are those of Jinja, that they may stand in headers too, and that ``{{context}}`` alone is everything there is.
Only integrations with method POST are called here.  No signature is documented, and none is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import jinja2
import msgspec
from jinja2.sandbox import SandboxedEnvironment

from warmline.kernel.clock import Clock
from warmline.kernel.ids import uuid7
from warmline.simulators.base import VendorRefusal
from warmline.simulators.deliveries import Deliveries, Delivery, Endpoint
from warmline.simulators.gorgias import bodies
from warmline.simulators.gorgias.answers import moment, user
from warmline.simulators.gorgias.assumptions import Assumptions
from warmline.simulators.gorgias.state import Account

USUAL_TRIGGERS = frozenset(
    {"ticket-created", "ticket-updated", "ticket-message-created", "ticket-self-unsnoozed", "ticket-message-failed"}
)
MORE_TRIGGERS = frozenset({"ticket-status-updated", "ticket-assignment-updated", "ticket-handed-over"})
WHOLE = "{{context}}"
_FORGED = "forged"


class Integration(msgspec.Struct, kw_only=True):
    """One of them; it is silent while ``deactivated_at`` is set."""

    id: int
    name: str
    http: bodies.Http
    created_at: int
    updated_at: int
    counted_from: int
    description: str | None = None
    deactivated_at: int | None = None


class Hooks:
    """The integrations, and what they send."""

    def __init__(self, account: Account, clock: Clock, deliveries: Deliveries, assumptions: Assumptions) -> None:
        self.all: dict[int, Integration] = {}
        self._account = account
        self._clock = clock
        self._deliveries = deliveries
        self._assumptions = assumptions
        undefined = jinja2.ChainableUndefined
        finalize = (lambda value: "" if value is None else value) if not assumptions.nothing_is else None
        self._texts = SandboxedEnvironment(undefined=undefined, finalize=finalize)

    # ------------------------------------------------------------------------------------------ keeping
    def make(self, name: str, http: bodies.Http, description: str | None = None) -> Integration:
        """A new one.  Raises VendorRefusal 400."""
        self.check(http)
        now = self._clock.now()
        made = Integration(
            id=self._account.next_id(),
            name=name,
            http=http,
            created_at=now,
            updated_at=now,
            counted_from=len(self._deliveries.log),
            description=description,
        )
        self.all[made.id] = made
        return made

    def check(self, http: bodies.Http) -> None:
        """Raises VendorRefusal 400 for an address or a trigger that cannot be."""
        if not http.url.startswith(("http://", "https://")):
            raise VendorRefusal(400, bodies.INVALID, note="$.http.url is no web address")
        known = USUAL_TRIGGERS | (MORE_TRIGGERS if self._assumptions.more_triggers else frozenset())
        spelling = self._assumptions.triggers
        for name in http.triggers:
            wrong = (spelling == "dashes" and "_" in name) or (spelling == "underscores" and "-" in name)
            if wrong or name.replace("_", "-") not in known:
                raise VendorRefusal(400, bodies.INVALID, note=f"$.http.triggers: there is no {name}")

    def change_http(self, one: Integration, http: bodies.Http) -> None:
        """Another address, another template.  Raises VendorRefusal 400."""
        self.check(http)
        one.http, one.updated_at = http, self._clock.now()

    def start_counting(self, one: Integration) -> None:
        """What was lost before now no longer speaks against it."""
        one.counted_from = len(self._deliveries.log)

    def show(self, one: Integration) -> dict[str, Any]:
        """As the API shows it."""
        self._look_after(one)
        return {
            "id": one.id,
            "name": one.name,
            "type": "http",
            "description": one.description,
            "http": {"id": one.id, **msgspec.to_builtins(one.http)},
            "user": user(self._account.owner),
            "application_id": None,
            "created_datetime": moment(one.created_at),
            "updated_datetime": moment(one.updated_at),
            "deactivated_datetime": moment(one.deactivated_at),
            "uri": f"/api/integrations/{one.id}/",
        }

    # ------------------------------------------------------------------------------------------ sending
    def raise_trigger(self, trigger: str, context: Mapping[str, Any]) -> None:
        """Call every integration that wants it."""
        for one in self.all.values():
            if one.deactivated_at is None and self._wants(one, trigger) and one.http.method == "POST":
                body = self._body(one.http, context)
                endpoint = self._endpoint(one, context)
                self._deliveries.send(endpoint, event_id=uuid7(), name=trigger, body=body)
                self._look_after(one)

    def raise_nonsense(self) -> None:
        """A body that follows no template."""
        for one in self.all.values():
            if one.deactivated_at is None and one.http.method == "POST":
                endpoint = self._endpoint(one, {})
                self._deliveries.send(endpoint, event_id=uuid7(), name="unknown", body=b'{"surprise":true}')

    async def again(self, delivery: Delivery) -> None:
        """An old delivery once more, with the headers of now."""
        for one in self.all.values():
            endpoint = self._endpoint(one, {})
            if endpoint.url == delivery.url:
                await self._deliveries.again(delivery, endpoint)
                return

    def _wants(self, one: Integration, trigger: str) -> bool:
        return any(on and name.replace("_", "-") == trigger for name, on in one.http.triggers.items())

    def _endpoint(self, one: Integration, context: Mapping[str, Any]) -> Endpoint:
        def headers(_body: bytes, _at: int) -> Mapping[str, str]:
            forged = self._deliveries.switches.wrong_signature
            rendered = {name: self._text(value, context) for name, value in (one.http.headers or {}).items()}
            own = {name: _FORGED if forged else value for name, value in rendered.items()}
            return {**own, "Content-Type": one.http.request_content_type}

        return Endpoint(self._text(one.http.url, context), headers)

    def _body(self, http: bodies.Http, context: Mapping[str, Any]) -> bytes:
        rendered = self._render(http.form, context)
        if http.request_content_type.endswith("urlencoded"):
            return urlencode(rendered if isinstance(rendered, Mapping) else {}).encode()
        return rendered.encode() if isinstance(rendered, str) else msgspec.json.encode(rendered)

    def _render(self, form: Any, context: Mapping[str, Any]) -> Any:
        if isinstance(form, Mapping):
            return {name: self._render(value, context) for name, value in form.items()}
        if isinstance(form, list):
            return [self._render(value, context) for value in form]
        if not isinstance(form, str):
            return form
        if form.replace(" ", "") == WHOLE:
            return context
        bare = form.strip()
        alone = bare.startswith("{{") and bare.endswith("}}") and bare.count("{{") == 1
        if alone and not self._assumptions.values_are_text:
            return self._texts.compile_expression(bare[2:-2])(**context)
        return self._text(form, context)

    def _text(self, template: str, context: Mapping[str, Any]) -> str:
        if "{" not in template:
            return template
        try:
            return self._texts.from_string(template).render(**context)
        except jinja2.TemplateError:
            return template

    def _look_after(self, one: Integration) -> None:
        most = self._assumptions.deactivated_after
        if most is None or one.deactivated_at is not None:
            return
        states = [
            each.state
            for each in self._deliveries.log[one.counted_from :]
            if each.url == self._endpoint(one, {}).url and each.state in {"delivered", "failed"}
        ]
        if len(states) >= most and set(states[-most:]) == {"failed"}:
            one.deactivated_at = self._clock.now()
