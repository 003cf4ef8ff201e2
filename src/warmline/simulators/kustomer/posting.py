"""How what happened becomes deliveries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from warmline.kernel.clock import Clock
from warmline.simulators.deliveries import Deliveries, Endpoint
from warmline.simulators.kustomer import events
from warmline.simulators.kustomer.state import Account
from warmline.simulators.kustomer.webhooks_api import WebhooksApi

_UPDATE, _UNKNOWN = "kustomer.conversation.update", "kustomer.conversation.summarise"


class Posting:
    """Sends events to the webhooks that want them."""

    def __init__(self, account: Account, clock: Clock, deliveries: Deliveries, webhooks: WebhooksApi) -> None:
        self._account = account
        self._clock = clock
        self._deliveries = deliveries
        self._webhooks = webhooks
        self._withheld: dict[str, list[Callable[[], None]]] = {}

    def emit(
        self, name: str, resource: Mapping[str, Any], changed: Mapping[str, Any] | None, client: str, own: bool
    ) -> None:
        """Something happened; ``own`` when it is a message that came through the API."""
        switches = self._deliveries.switches
        if own and not switches.echo:
            return
        if name == _UPDATE and resource["id"] in self._withheld:
            self._withheld[resource["id"]].append(lambda: self._post(name, resource, changed, client))
            return
        if switches.unknown_events:
            self.unknown(resource)
        self._post(name, resource, changed, client)

    def unknown(self, resource: Mapping[str, Any]) -> None:
        """An event of a kind that no documentation names."""
        self._post(_UNKNOWN, resource, None, events.BY_AGENT)

    def withhold(self, conversation_id: str) -> None:
        """Keep the updates of a conversation back."""
        self._withheld.setdefault(conversation_id, [])

    def release(self, conversation_id: str) -> None:
        """Send what was kept back."""
        for post in self._withheld.pop(conversation_id, []):
            post()

    def _post(self, name: str, resource: Mapping[str, Any], changed: Mapping[str, Any] | None, client: str) -> None:
        event_id, body = events.envelope(name, self._account, self._clock.now(), resource, changed, client)
        for one in self._webhooks.listening(name):
            self._deliveries.send(self.endpoint(one, name), event_id=event_id, name=name, body=body)

    def endpoint(self, one: events.Webhook, name: str) -> Endpoint:
        """Where an event goes, with the webhook's own headers and the signature."""

        def sign(body: bytes, _at: int) -> Mapping[str, str]:
            token = "00" * 32 if self._deliveries.switches.wrong_signature else one.token
            return {
                **dict(one.headers),
                events.EVENT_HEADER: name,
                events.SIGNATURE_HEADER: events.signature(token, body),
            }

        return Endpoint(one.url, sign)
